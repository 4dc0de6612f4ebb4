//! Backends: from what an Ingress names to a cluster.

use super::{
    location::{Location, Scene},
    select::Personality,
};
use crate::{
    report::{Level, Reason},
    services::{PortRef, endpoints, find_port},
};
use sluice_crds::core::{IngressServiceBackend, Service};
use sluice_model::spec::{Action, Cluster, Forward, Route};

/// The route forwards to the location's service. Where that is not there, it answers 503.
pub(super) fn forward(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let Some(service) = location.backend.and_then(|backend| backend.service.as_ref()) else { return };
    if let Some(cluster) = cluster(scene, location, service) {
        route.action = Action::Forward(Forward::to(cluster.name.clone()));
        scene.output.clusters.push(cluster);
    }
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
    let by_target = location.personality == Personality::Compat;
    let Some(port) = find_port(&found.object().content, wanted, by_target) else {
        let message =
            format!("Service {namespace}/{} has no port {wanted}; its paths answer 503", service.name);
        scene.report(location, Level::Warning, Reason::NotFound, message);
        return None;
    };
    let name = format!("{namespace}-{}-{}", service.name, port.port);
    Some(Cluster::new(name, endpoints(scene.view, &scene.settings.topology, found, port, None)))
}
