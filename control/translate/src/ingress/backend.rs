//! Backends: from what an Ingress names to a cluster.

use super::{
    location::{Location, Scene, Target, respond},
    select::Personality,
};
use crate::{
    report::{Level, Reason},
    services::{PortRef, endpoints, find_port},
    store::Of,
};
use sluice_crds::core::{IngressServiceBackend, Service, ServicePort};
use sluice_model::{
    spec::{Action, Cluster, Forward, Route},
    value::StatusCode,
};

/// The route forwards to the location's service. Where that is not there, it answers 503.
pub(super) fn forward(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let cluster = match location.target {
        Target::Service(service) => cluster(scene, location, service),
        Target::Default => {
            let cluster = default_backend(scene);
            if cluster.is_none() {
                route.action = respond(StatusCode::NOT_FOUND);
            }
            cluster
        }
    };
    if let Some(cluster) = cluster {
        route.action = Action::Forward(Forward::to(cluster.name.clone()));
        scene.output.clusters.push(cluster);
    }
}

/// The default backend of the gateway, at its first port.
pub(super) fn default_backend(scene: &Scene<'_, '_>) -> Option<Cluster> {
    let wanted = scene.settings.default_backend.as_ref()?;
    let service = scene.view.get::<Service>(&wanted.namespace, &wanted.name)?;
    let port = service.object().content.ports.first()?;
    Some(of_port(scene, service, port))
}

/// A port of a service as a cluster.
fn of_port(scene: &Scene<'_, '_>, service: Of<'_, Service>, port: &ServicePort) -> Cluster {
    let name = format!("{}/{}:{}", service.namespace(), service.name().name, port.port);
    Cluster::new(name, endpoints(scene.view, &scene.settings.topology, service, port, None))
}

/// A service as a cluster; `None` where it is not there, which is reported.
pub(super) fn cluster(
    scene: &mut Scene<'_, '_>,
    location: &Location<'_>,
    service: &IngressServiceBackend,
) -> Option<Cluster> {
    let Some(wanted) = PortRef::of(service) else {
        let message = format!("service `{}`: name its port by `name` or by `number`", service.name);
        scene.report(location, Level::Warning, Reason::Invalid, message);
        return None;
    };
    let namespace = location.ingress.namespace();
    let Some(found) = scene.view.get::<Service>(namespace, &service.name) else {
        let message = format!("there is no Service {namespace}/{}; its paths answer 503", service.name);
        scene.report(location, Level::Warning, Reason::NotFound, message);
        return None;
    };
    let content = &found.object().content;
    if content.r#type == "ExternalName" {
        return external(scene, location, found, wanted);
    }
    let by_target = location.personality == Personality::Compat;
    let Some(port) = find_port(content, wanted, by_target) else {
        let message =
            format!("Service {namespace}/{} has no port {wanted}; its paths answer 503", service.name);
        scene.report(location, Level::Warning, Reason::NotFound, message);
        return None;
    };
    Some(of_port(scene, found, port))
}

/// A name outside of the cluster. Its port need not be one of the service's.
fn external(
    scene: &mut Scene<'_, '_>,
    location: &Location<'_>,
    service: Of<'_, Service>,
    wanted: PortRef<'_>,
) -> Option<Cluster> {
    let name = service.name();
    if !scene.settings.external_names {
        let message = format!(
            "{name} is an ExternalName and `--disable-svc-external-name` is on; its paths answer 503"
        );
        scene.report(location, Level::Warning, Reason::NoEffect, message);
        return None;
    }
    let any;
    let port = match (find_port(&service.object().content, wanted, true), wanted) {
        (Some(port), _) => port,
        (None, PortRef::Number(number)) => {
            any = ServicePort { port: number, ..ServicePort::default() };
            &any
        }
        (None, PortRef::Name(_)) => {
            let message = format!("{name} has no port {wanted}; its paths answer 503");
            scene.report(location, Level::Warning, Reason::NotFound, message);
            return None;
        }
    };
    Some(of_port(scene, service, port))
}
