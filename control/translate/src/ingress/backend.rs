//! Backends: from what an Ingress names to a cluster.

use super::{
    balance, canary, error_pages,
    facts::{self, Lack},
    location::{Location, Scene, Target, respond},
    select::Personality,
    upstream,
};
use crate::{
    report::{Level, Reason},
    services::{PortRef, endpoints, find_port, labels},
    store::Of,
};
use sluice_crds::core::{IngressServiceBackend, Service, ServicePort};
use sluice_model::{
    spec::{Action, Cluster, Forward, Route},
    value::StatusCode,
};

/// The route forwards to the location's service, and to its canaries. Where the service is not there, or has no endpoints,
/// the page that the annotation `default-backend` names is shown; where there is none, 503 is answered, also to those who
/// ask for a canary.
pub(super) fn forward(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let own = match location.target {
        Target::Service(service) => cluster(scene, location, location, service),
        Target::Default => default_backend(scene),
    };
    let serves = own.as_ref().is_some_and(|own| !own.endpoints.is_empty());
    let mut page = if serves { None } else { page(scene, location) };
    if let Some(page) = &mut page {
        upstream::shape(scene, location, page);
        error_pages::tell_stand_in(location, route);
    }
    let mut forward = page.or(own).map(|cluster| {
        let forward = Forward::to(cluster.name.clone());
        upstream::add(scene, location, cluster);
        forward
    });
    canary::attach(scene, location, forward.as_mut().filter(|_| serves));
    match forward {
        Some(forward) => route.action = Action::Forward(forward),
        None if matches!(location.target, Target::Default) => route.action = respond(StatusCode::NOT_FOUND),
        None => {}
    }
}

/// The default backend of the gateway, at its first port.
pub(super) fn default_backend(scene: &Scene<'_, '_>) -> Option<Cluster> {
    let wanted = scene.settings.default_backend.as_ref()?;
    let service = scene.view.get::<Service>(&wanted.namespace, &wanted.name)?;
    let port = service.object().content.ports.first()?;
    Some(of_port(scene, service, port))
}

/// What the annotation `default-backend` names, at its first port; `None` where nothing would serve it.
pub(super) fn page(scene: &mut Scene<'_, '_>, location: &Location<'_>) -> Option<Cluster> {
    let name = location.annotations.text("default-backend")?.to_owned();
    let namespace = location.ingress.namespace();
    let Some(service) = scene.view.get::<Service>(namespace, &name) else {
        let message = format!("there is no Service {namespace}/{name}");
        scene.report_annotation(location, "default-backend", Level::Warning, Reason::NotFound, message);
        scene.missing(location, format!("Service {namespace}/{name}"));
        return None;
    };
    let port = service.object().content.ports.first()?;
    let cluster = of_port(scene, service, port);
    (!cluster.endpoints.is_empty()).then_some(cluster)
}

/// A port of a service as a cluster.
fn of_port(scene: &Scene<'_, '_>, service: Of<'_, Service>, port: &ServicePort) -> Cluster {
    let name = format!("{}/{}:{}", service.namespace(), service.name().name, port.port);
    let mut cluster =
        Cluster::new(name, endpoints(scene.view, &scene.settings.topology, service, port, None));
    cluster.keep_alive = scene.settings.ingress.keep_alive;
    cluster.labels = labels(scene.view, scene.settings, service, port);
    cluster
}

/// A service as a cluster; `None` where it is not there, which is reported. `location` names the service, and `main` says
/// how it is spoken to: the same, but for canaries.
pub(super) fn cluster(
    scene: &mut Scene<'_, '_>,
    main: &Location<'_>,
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
        let message = format!("there is no Service {namespace}/{}; {}", service.name, instead(location));
        scene.report(location, Level::Warning, Reason::NotFound, message);
        scene.missing(location, format!("Service {namespace}/{}", service.name));
        facts::orphan(scene.output, location, Lack::Service);
        return None;
    };
    let content = &found.object().content;
    let mut cluster = if content.r#type == "ExternalName" {
        external(scene, location, found, wanted)?
    } else {
        let by_target = location.personality == Personality::Compat;
        let Some(port) = find_port(content, wanted, by_target) else {
            let message =
                format!("Service {namespace}/{} has no port {wanted}; {}", service.name, instead(location));
            scene.report(location, Level::Warning, Reason::NotFound, message);
            scene.missing(location, format!("port {wanted} of {}", found.name()));
            facts::orphan(scene.output, location, Lack::Endpoint);
            return None;
        };
        let mut cluster = of_port(scene, found, port);
        if let Some(address) = upstream::service_address(scene, location, found, port) {
            cluster.name.push_str(" service");
            cluster.endpoints = vec![address];
        }
        cluster
    };
    if cluster.endpoints.is_empty() {
        facts::orphan(scene.output, location, Lack::Endpoint);
    }
    upstream::shape(scene, main, &mut cluster);
    balance::choose(scene, location, &mut cluster);
    Some(cluster)
}

/// What becomes of requests for a service that cannot be had.
fn instead(location: &Location<'_>) -> &'static str {
    if canary::is_canary(&location.annotations) {
        "this canary never serves"
    } else if location.annotations.text("default-backend").is_some() {
        "its paths show what `default-backend` has, or answer 503"
    } else {
        "its paths answer 503"
    }
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
            "{name} is an ExternalName and `--disable-svc-external-name` is on; {}",
            instead(location)
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
            let message = format!("{name} has no port {wanted}; {}", instead(location));
            scene.report(location, Level::Warning, Reason::NotFound, message);
            scene.missing(location, format!("port {wanted} of {name}"));
            return None;
        }
    };
    Some(of_port(scene, service, port))
}
