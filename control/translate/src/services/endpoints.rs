//! Where a port of a service is served.
//!
//! Slices say it; where a service has none, Endpoints of its name, as somebody may have made by hand; where there are
//! none either, the pods that it selects, as a folder of manifests may hold them. Only ready endpoints count, unless the
//! service publishes the others too (`publishNotReadyAddresses`).

use crate::{reads::View, settings::Topology, store::Of};
use sluice_crds::core::{
    EndpointPort, EndpointSlice, Endpoints, NumberOrName, ObjectReference, Pod, Service, ServicePort,
};
use sluice_model::{spec, value::EndpointAddress};
use std::{
    collections::{BTreeMap, HashSet},
    net::{IpAddr, SocketAddr},
};

/// Labels that the pods of a part of a service have.
pub(crate) type Subset = BTreeMap<String, String>;

/// An endpoint that was found.
struct Found<'s> {
    address: SocketAddr,
    pod: Option<&'s str>,
    node: &'s str,
    zones: Vec<&'s str>,
}

/// The endpoints of a port of a service, each once, by address; of pods with two addresses the one of the service's first
/// family. With `subset`, only those whose pods have the labels.
pub(crate) fn endpoints(
    view: &View<'_>,
    topology: &Topology,
    service: Of<'_, Service>,
    port: &ServicePort,
    subset: Option<&Subset>,
) -> Vec<spec::Endpoint> {
    let content = &service.object().content;
    if content.r#type == "ExternalName" {
        return external(&content.external_name, port.port).into_iter().collect();
    }
    let mut found = find(view, service, port);
    if let Some(labels) = subset.filter(|labels| !labels.is_empty()) {
        found.retain(|found| {
            let pod = found.pod.and_then(|pod| view.get::<Pod>(service.namespace(), pod));
            pod.is_some_and(|pod| selects(labels, pod.metadata.labels.as_ref()))
        });
    }
    near(&mut found, content, topology);
    one_family(&mut found, content);
    let mut addresses: Vec<SocketAddr> = found.iter().map(|found| found.address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
        .into_iter()
        .map(|address| spec::Endpoint { address: EndpointAddress::Socket(address), weight: 1 })
        .collect()
}

/// The endpoints of a port of a service whose pods are known, with their pods.
pub(super) fn pods<'s>(
    view: &View<'s>,
    service: Of<'s, Service>,
    port: &ServicePort,
) -> Vec<(SocketAddr, Of<'s, Pod>)> {
    let found = find(view, service, port).into_iter();
    found
        .filter_map(|found| Some((found.address, view.get::<Pod>(service.namespace(), found.pod?)?)))
        .collect()
}

/// The name that a service stands for, or the address that somebody wrote in its place.
fn external(name: &str, port: u16) -> Option<spec::Endpoint> {
    let address = match name.parse::<IpAddr>() {
        Ok(address) => EndpointAddress::Socket(SocketAddr::new(address, port)),
        Err(_) => format!("{}:{port}", name.trim_end_matches('.')).parse().ok()?,
    };
    Some(spec::Endpoint { address, weight: 1 })
}

fn find<'s>(view: &View<'s>, service: Of<'s, Service>, port: &ServicePort) -> Vec<Found<'s>> {
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let Service { selector, publish_not_ready_addresses: unready_too, .. } = &service.object().content;
    let slices = view.slices(service.namespace(), name);
    if !slices.is_empty() {
        return slices.iter().flat_map(|slice| of_slice(*slice, port, *unready_too)).collect();
    }
    if let Some(endpoints) = view.get::<Endpoints>(service.namespace(), name) {
        return of_endpoints(endpoints, port, *unready_too);
    }
    if selector.is_empty() {
        return Vec::new();
    }
    let pods = view.within::<Pod>(service.namespace());
    pods.into_iter()
        .filter(|pod| selects(selector, pod.metadata.labels.as_ref()))
        .flat_map(|pod| of_pod(pod, port, *unready_too))
        .collect()
}

fn of_slice<'s>(slice: Of<'s, EndpointSlice>, port: &ServicePort, unready_too: bool) -> Vec<Found<'s>> {
    let content = &slice.object().content;
    let Some(number) = number(&content.ports, port) else { return Vec::new() };
    // Unknown is ready. One that is about to end may still serve, and is not ready.
    let ready =
        content.endpoints.iter().filter(|endpoint| unready_too || endpoint.conditions.ready != Some(false));
    ready
        .filter_map(|endpoint| {
            Some(Found {
                address: SocketAddr::new(endpoint.addresses.first()?.parse().ok()?, number),
                pod: pod_name(endpoint.target_ref.as_ref()),
                node: &endpoint.node_name,
                zones: endpoint
                    .hints
                    .iter()
                    .flat_map(|hints| hints.for_zones.iter().map(|zone| zone.name.as_str()))
                    .collect(),
            })
        })
        .collect()
}

fn of_endpoints<'s>(endpoints: Of<'s, Endpoints>, port: &ServicePort, unready_too: bool) -> Vec<Found<'s>> {
    let subsets = endpoints.object().content.subsets.iter();
    subsets
        .filter_map(|subset| Some((subset, number(&subset.ports, port)?)))
        .flat_map(|(subset, number)| {
            let unready = subset.not_ready_addresses.iter().filter(move |_| unready_too);
            subset.addresses.iter().chain(unready).map(move |address| (address, number))
        })
        .filter_map(|(address, number)| {
            Some(Found {
                address: SocketAddr::new(address.ip.parse().ok()?, number),
                pod: pod_name(address.target_ref.as_ref()),
                node: &address.node_name,
                zones: Vec::new(),
            })
        })
        .collect()
}

/// The addresses of a pod that runs and is not said to be unready; with `unready_too`, of one that is not over.
fn of_pod<'s>(pod: Of<'s, Pod>, port: &ServicePort, unready_too: bool) -> Vec<Found<'s>> {
    let object = pod.object();
    let status = &object.status;
    let unready =
        status.conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status != "True");
    let over = matches!(status.phase.as_str(), "Succeeded" | "Failed");
    let ready = !unready && status.phase != "Pending";
    let number = match &port.target_port {
        None => Some(port.port),
        Some(NumberOrName::Int(number)) => u16::try_from(*number).ok().filter(|number| *number > 0),
        Some(NumberOrName::String(name)) => object
            .content
            .containers
            .iter()
            .flat_map(|container| &container.ports)
            .find(|port| port.name == *name)
            .map(|port| port.container_port),
    };
    let Some(number) = number.filter(|_| !over && (ready || unready_too)) else { return Vec::new() };
    let addresses: HashSet<&str> =
        status.pod_ips.iter().map(|address| address.ip.as_str()).chain([status.pod_ip.as_str()]).collect();
    addresses
        .into_iter()
        .filter_map(|address| address.parse().ok())
        .map(|address| Found {
            address: SocketAddr::new(address, number),
            pod: object.metadata.name.as_deref(),
            node: &object.content.node_name,
            zones: Vec::new(),
        })
        .collect()
}

/// The number that the endpoints have for a port of the service. Ports without a number serve all.
fn number(ports: &[EndpointPort], wanted: &ServicePort) -> Option<u16> {
    let port = ports
        .iter()
        .filter(|port| matches!(port.protocol.as_str(), "" | "TCP"))
        .find(|port| port.name == wanted.name)?;
    Some(port.port.unwrap_or(wanted.port))
}

fn pod_name(target: Option<&ObjectReference>) -> Option<&str> {
    target.filter(|target| target.kind == "Pod").map(|target| target.name.as_str())
}

fn selects(selector: &BTreeMap<String, String>, labels: Option<&BTreeMap<String, String>>) -> bool {
    selector.iter().all(|(name, value)| labels.and_then(|labels| labels.get(name)) == Some(value))
}

/// Keeps what is meant for clients where this proxy is: on its node, where the service says so; in its zone, where every
/// endpoint says which zones it is for and some are for this one.
fn near(found: &mut Vec<Found<'_>>, service: &Service, topology: &Topology) {
    if service.internal_traffic_policy == "Local" && !topology.node.is_empty() {
        found.retain(|found| found.node == topology.node);
        return;
    }
    let zone = topology.zone.as_str();
    let hinted = topology.hints && !zone.is_empty() && found.iter().all(|found| !found.zones.is_empty());
    if hinted && found.iter().any(|found| found.zones.contains(&zone)) {
        found.retain(|found| found.zones.contains(&zone));
    }
}

/// A pod with an address of each family is one endpoint.
fn one_family(found: &mut Vec<Found<'_>>, service: &Service) {
    let ipv6 = match service.ip_families.first() {
        Some(family) => family == "IPv6",
        None => service.cluster_ip.contains(':'),
    };
    let preferred: HashSet<&str> =
        found.iter().filter(|found| found.address.is_ipv6() == ipv6).filter_map(|found| found.pod).collect();
    found.retain(|found| {
        found.address.is_ipv6() == ipv6 || found.pod.is_none_or(|pod| !preferred.contains(pod))
    });
}

#[cfg(test)]
mod tests;
