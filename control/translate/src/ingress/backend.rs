//! Backends: from what an Ingress names to a cluster.

use super::paths::Location;
use super::select::Personality;
use crate::{
    output::Output,
    reads::View,
    report::{Level, Reason, Report},
    services::{PortRef, endpoints, find_port},
    settings::Settings,
};
use sluice_crds::core::Service;
use sluice_model::spec::{Cluster, Forward};

/// Where a location's requests go; `None` where what it names is not there, which is reported.
pub(super) fn resolve(
    view: &View<'_>,
    settings: &Settings,
    location: &Location<'_>,
    output: &mut Output,
) -> Option<Forward> {
    let ingress = location.ingress;
    let mut missing = |reason, message: String| {
        output.reports.push(Report::new(ingress.held(), Level::Warning, reason, message));
    };
    let service = location.backend.service.as_ref()?;
    let Some(wanted) = PortRef::of(service) else {
        missing(
            Reason::Invalid,
            format!("service `{}`: name its port by `name` or by `number`", service.name),
        );
        return None;
    };
    let namespace = ingress.namespace();
    let Some(found) = view.get::<Service>(namespace, &service.name) else {
        missing(
            Reason::NotFound,
            format!("there is no Service {namespace}/{}; its paths answer 503", service.name),
        );
        return None;
    };
    let by_target = location.personality == Personality::Compat;
    let Some(port) = find_port(&found.object().content, wanted, by_target) else {
        missing(
            Reason::NotFound,
            format!("Service {namespace}/{} has no port {wanted}; its paths answer 503", service.name),
        );
        return None;
    };
    let name = format!("{namespace}-{}-{}", service.name, port.port);
    output.clusters.push(Cluster::new(name.clone(), endpoints(view, &settings.topology, found, port, None)));
    Some(Forward::to(name))
}
