//! From the port that a Gateway names to the one of the gateway's pod.

use crate::{reads::View, settings::Settings, store::Of};
use sluice_crds::core::{NumberOrName, Pod, Service};
use std::collections::BTreeMap;

/// The port that the gateway's pod listens at for a port of a Gateway: where a Service of the gateway exposes that port, it is
/// the Service's `targetPort`.
pub(super) fn of_pod(view: &View<'_>, settings: &Settings, port: u16) -> u16 {
    let services = view.within::<Service>(&settings.pod_namespace);
    let target = services.into_iter().filter(|service| is_ours(*service, settings)).find_map(|service| {
        let ports = &service.object().content.ports;
        let tcp = ports.iter().filter(|port| matches!(port.protocol.as_str(), "" | "TCP"));
        tcp.into_iter().find(|exposed| exposed.port == port)?.target_port.as_ref()
    });
    match target {
        None => port,
        Some(NumberOrName::Int(number)) => {
            u16::try_from(*number).ok().filter(|number| *number > 0).unwrap_or(port)
        }
        Some(NumberOrName::String(name)) => named(view, settings, name).unwrap_or(port),
    }
}

fn is_ours(service: Of<'_, Service>, settings: &Settings) -> bool {
    let selector = &service.object().content.selector;
    !selector.is_empty() && within(selector, &settings.labels)
}

/// The number that the gateway's pods have for the name of a port.
fn named(view: &View<'_>, settings: &Settings, name: &str) -> Option<u16> {
    let pods = view.within::<Pod>(&settings.pod_namespace);
    let ours = pods.into_iter().filter(|pod| {
        pod.object()
            .metadata
            .labels
            .as_ref()
            .is_some_and(|labels| !settings.labels.is_empty() && within(&settings.labels, labels))
    });
    let mut ports =
        ours.flat_map(|pod| &pod.object().content.containers).flat_map(|container| &container.ports);
    ports.find(|port| port.name == name).map(|port| port.container_port)
}

/// Whether all labels of the first are among those of the second.
pub(super) fn within(some: &BTreeMap<String, String>, all: &BTreeMap<String, String>) -> bool {
    some.iter().all(|(key, value)| all.get(key) == Some(value))
}
