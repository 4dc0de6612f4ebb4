//! What is behind the name of a host: a Service, or a ServiceEntry where there is none.

use super::{gateway, names, port::within, protocol::Speech};
use crate::{
    reads::View,
    services,
    settings::Settings,
    store::{Held, Of},
};
use sluice_crds::{
    Kind, ObjectName,
    core::{Pod, Service, ServicePort as KubernetesPort},
    istio::{Resolution, ServiceEntry, ServicePort as EntryPort, WorkloadEntry},
};
use sluice_model::{
    spec::{ClusterLabels, ClusterProtocol, Endpoint, ServiceLabels},
    value::EndpointAddress,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// The annotation that says who sees a Service.
const EXPORT_ANNOTATION: &str = "networking.istio.io/exportTo";

/// Services that stand for services that stand for ...: that many, and no more.
const MAX_ALIASES: usize = 8;

/// What is behind a host.
#[derive(Debug, Clone, Copy)]
pub(super) enum Host<'s> {
    Service(Of<'s, Service>),
    Entry(Of<'s, ServiceEntry>),
}

/// A port of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Port<'s> {
    Service(Of<'s, Service>, &'s KubernetesPort),
    Entry(Of<'s, ServiceEntry>, &'s EntryPort),
}

/// One of the names of a host.
#[derive(Debug)]
pub(super) struct Name<'s> {
    /// The whole name.
    pub(super) host: String,
    /// The namespace whose DestinationRules hold for it, besides the pod's own and that of the mesh.
    pub(super) namespace: String,
    /// The ServiceEntry that has it.
    pub(super) entry: Option<Of<'s, ServiceEntry>>,
}

/// Finds a host by its whole name, as the pod's namespace sees it.
pub(super) fn find<'s>(view: &View<'s>, settings: &Settings, host: &str) -> Option<Host<'s>> {
    Some(named(view, settings, host)?.resolved(view, settings))
}

/// The same, but a service that stands for another one is itself.
fn named<'s>(view: &View<'s>, settings: &Settings, host: &str) -> Option<Host<'s>> {
    if let Some((namespace, name)) = names::split_service(host, &settings.cluster_domain)
        && let Some(service) = view.get::<Service>(namespace, name)
        && is_visible(service, settings)
    {
        return Some(Host::Service(service));
    }
    entry(view, settings, host).map(Host::Entry)
}

/// The ServiceEntry of a host.
fn entry<'s>(view: &View<'s>, settings: &Settings, host: &str) -> Option<Of<'s, ServiceEntry>> {
    let of_host = |entry: &Of<'s, ServiceEntry>| {
        entry.object().content.hosts.iter().any(|name| names::plain(name) == host)
    };
    entries(view, settings).into_iter().find(of_host)
}

/// The names of a host: its own, and those that it stands for. What is asked for under one of them is asked for under all:
/// another name for a service is no way around the rules of that.
pub(super) fn names_of<'s>(view: &View<'s>, settings: &Settings, host: &str) -> Vec<Name<'s>> {
    let found = named(view, settings, host);
    // A service that is gone may have left its rules.
    let gone = || names::split_service(host, &settings.cluster_domain).map(|(namespace, _)| namespace);
    let namespace = found.map(|found| found.namespace()).or_else(gone).unwrap_or(&settings.pod_namespace);
    let entry = match found {
        Some(Host::Entry(entry)) => Some(entry),
        Some(Host::Service(_)) | None => None,
    };
    let mut known = vec![Name { host: host.to_owned(), namespace: namespace.to_owned(), entry }];
    let Some(Host::Service(mut last)) = found else { return known };
    for _ in 0..MAX_ALIASES {
        let Some(host) = external_name(last).filter(|host| known.iter().all(|name| name.host != *host))
        else {
            break;
        };
        let next = service(view, settings, &host);
        let entry = if next.is_none() { self::entry(view, settings, &host) } else { None };
        let namespace = next.map(|next| next.namespace()).or(entry.map(|entry| entry.namespace()));
        known.push(Name { host, namespace: namespace.unwrap_or(last.namespace()).to_owned(), entry });
        match next {
            Some(next) => last = next,
            None => break,
        }
    }
    known
}

/// What a host that is not there may have been meant to be; empty where nobody can say.
pub(super) fn meant(view: &View<'_>, settings: &Settings, host: &str) -> String {
    let as_service = host.split_once('.').filter(|(_, namespace)| !namespace.contains('.'));
    let whole = as_service.filter(|(name, namespace)| view.get::<Service>(namespace, name).is_some());
    whole.map_or_else(String::new, |(name, namespace)| {
        let whole = names::service(name, namespace, &settings.cluster_domain);
        format!("; a name with a dot is taken as it is, so write `{whole}`")
    })
}

/// The ServiceEntries that the pod's namespace sees, from the oldest to the youngest.
pub(super) fn entries<'s>(view: &View<'s>, settings: &Settings) -> Vec<Of<'s, ServiceEntry>> {
    let (default, by) = (&settings.mesh.services_export_to, &settings.pod_namespace);
    let seen = |entry: &Of<'s, ServiceEntry>| {
        names::seen_by(&entry.object().content.export_to, default, entry.namespace(), by).is_some()
    };
    let mut entries: Vec<Of<'s, ServiceEntry>> = view
        .all::<ServiceEntry>()
        .filter(seen)
        .filter(|entry| super::service_entry::is_sound(*entry))
        .collect();
    entries.sort_by_key(|entry| {
        gateway::age(entry.age(), entry.object().metadata.name.as_deref(), entry.namespace())
    });
    entries
}

/// Whether the pod's namespace sees a service.
pub(super) fn is_visible(service: Of<'_, Service>, settings: &Settings) -> bool {
    let written =
        service.object().annotation(EXPORT_ANNOTATION).unwrap_or_default().split(',').map(str::trim);
    let export_to: Vec<String> = written.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let (default, by) = (&settings.mesh.services_export_to, &settings.pod_namespace);
    names::seen_by(&export_to, default, service.namespace(), by).is_some()
}

/// The service that a service of type ExternalName stands for, where that is one of the cluster.
pub(super) fn alias<'s>(view: &View<'s>, settings: &Settings, service: Of<'s, Service>) -> Of<'s, Service> {
    let mut found = service;
    for _ in 0..MAX_ALIASES {
        match external_name(found).and_then(|host| self::service(view, settings, &host)) {
            Some(next) => found = next,
            None => return found,
        }
    }
    found
}

/// What a service of type ExternalName stands for.
fn external_name(service: Of<'_, Service>) -> Option<String> {
    let content = &service.object().content;
    (content.r#type == "ExternalName").then(|| names::plain(&content.external_name))
}

/// The service of a whole name.
fn service<'s>(view: &View<'s>, settings: &Settings, host: &str) -> Option<Of<'s, Service>> {
    let (namespace, name) = names::split_service(host, &settings.cluster_domain)?;
    view.get::<Service>(namespace, name)
}

// === impl Host ===

impl<'s> Host<'s> {
    /// The namespace whose DestinationRules hold for it.
    pub(super) fn namespace(&self) -> &'s str {
        match self {
            Self::Service(service) => service.namespace(),
            Self::Entry(entry) => entry.namespace(),
        }
    }

    /// The Service or ServiceEntry of this name.
    pub(super) fn named(view: &View<'s>, name: &ObjectName) -> Option<Self> {
        if name.kind == Service::KIND {
            view.get::<Service>(&name.namespace, &name.name).map(Self::Service)
        } else {
            view.get::<ServiceEntry>(&name.namespace, &name.name).map(Self::Entry)
        }
    }

    /// What it is another name for, or itself.
    pub(super) fn resolved(self, view: &View<'s>, settings: &Settings) -> Self {
        match self {
            Self::Service(service) => Self::Service(alias(view, settings, service)),
            Self::Entry(_) => self,
        }
    }

    /// The object.
    pub(super) fn held(&self) -> &'s Held {
        match self {
            Self::Service(service) => service.held(),
            Self::Entry(entry) => entry.held(),
        }
    }

    /// The ports for TCP.
    pub(super) fn ports(&self) -> Vec<Port<'s>> {
        match *self {
            Self::Service(service) => {
                let ports = service.object().content.ports.iter();
                let tcp = ports.filter(|port| matches!(port.protocol.as_str(), "" | "TCP"));
                tcp.map(|port| Port::Service(service, port)).collect()
            }
            Self::Entry(entry) => {
                entry.object().content.ports.iter().map(|port| Port::Entry(entry, port)).collect()
            }
        }
    }

    /// The port of this number; without one, the only port, else the one that the request came to.
    pub(super) fn port(&self, wanted: Option<u16>, came_to: u16) -> Result<Port<'s>, u16> {
        let ports = self.ports();
        let number = match (wanted, &*ports) {
            (Some(number), _) => number,
            (None, [only]) => only.number(),
            (None, _) => came_to,
        };
        ports.into_iter().find(|port| port.number() == number).ok_or(number)
    }
}

// === impl Port ===

impl<'s> Port<'s> {
    /// The object that has it.
    pub(super) fn held(&self) -> &'s Held {
        match self {
            Self::Service(service, _) => service.held(),
            Self::Entry(entry, _) => entry.held(),
        }
    }

    /// The service's number for it.
    pub(super) fn number(&self) -> u16 {
        match self {
            Self::Service(_, port) => port.port,
            Self::Entry(_, port) => port.number,
        }
    }

    /// What is spoken there, as the port says.
    pub(super) fn speech(&self) -> Speech {
        match self {
            Self::Service(_, port) => Speech::of_service(port),
            Self::Entry(_, port) => Speech::of_entry(port),
        }
    }

    /// What metrics say of who serves it.
    pub(super) fn labels(&self, view: &View<'_>, settings: &Settings, host: &str) -> Option<ClusterLabels> {
        match self {
            Self::Service(service, port) => services::labels(view, settings, *service, port),
            Self::Entry(entry, port) => settings.metric_labels.workloads.then(|| ClusterLabels {
                service: ServiceLabels {
                    name: host.to_owned(),
                    namespace: entry.namespace().to_owned(),
                    host: host.to_owned(),
                    port: port.number,
                },
                workloads: Vec::new(),
            }),
        }
    }

    /// The same for what is sent there.
    pub(super) fn protocol(&self) -> ClusterProtocol {
        if self.speech() == Speech::Http2 { ClusterProtocol::Http2 } else { ClusterProtocol::Http1 }
    }

    /// Where it is served for this host; with labels, only by what has them.
    pub(super) fn endpoints(
        &self,
        view: &View<'_>,
        settings: &Settings,
        host: &str,
        labels: Option<&BTreeMap<String, String>>,
    ) -> Vec<Endpoint> {
        match self {
            Self::Service(service, port) => {
                services::endpoints(view, &settings.topology, *service, port, labels)
            }
            Self::Entry(entry, port) => of_entry(view, *entry, port, host, labels),
        }
    }
}

fn of_entry(
    view: &View<'_>,
    entry: Of<'_, ServiceEntry>,
    port: &EntryPort,
    host: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> Vec<Endpoint> {
    let content = &entry.object().content;
    let number = if port.target_port == 0 { port.number } else { port.target_port };
    let wanted = |own: &BTreeMap<String, String>| labels.is_none_or(|labels| within(labels, own));
    let mut found: Vec<Endpoint> = Vec::new();
    let mut add = |address: Option<EndpointAddress>, weight: u32| {
        let new = address.filter(|address| !found.iter().any(|known| known.address == *address));
        found.extend(new.map(|address| Endpoint { address, weight }));
    };
    match content.resolution {
        Resolution::None | Resolution::DynamicDns => {}
        Resolution::Static | Resolution::Dns | Resolution::DnsRoundRobin => {
            for endpoint in content.endpoints.iter().filter(|endpoint| wanted(&endpoint.labels)) {
                add(address(endpoint, port, number), endpoint.weight.clamp(1, 65_535));
            }
            let by_name = content.resolution != Resolution::Static && content.endpoints.is_empty();
            let named = by_name && content.workload_selector.is_none() && !host.starts_with('*');
            if named && labels.is_none_or(BTreeMap::is_empty) {
                add(format!("{host}:{number}").parse().ok(), 1);
            }
        }
    }
    if let Some(selector) = &content.workload_selector {
        for pod in view.within::<Pod>(entry.namespace()) {
            let own = pod.object().metadata.labels.clone().unwrap_or_default();
            if within(&selector.labels, &own) && wanted(&own) {
                let ip = pod.object().status.pod_ip.parse::<IpAddr>().ok();
                add(ip.map(|ip| EndpointAddress::Socket(SocketAddr::new(ip, number))), 1);
            }
        }
    }
    found
}

/// The address of an endpoint, with the port that it has for that of the service.
fn address(endpoint: &WorkloadEntry, port: &EntryPort, number: u16) -> Option<EndpointAddress> {
    let number = endpoint.ports.get(&port.name).copied().unwrap_or(number);
    match endpoint.address.parse::<IpAddr>() {
        Ok(ip) => Some(EndpointAddress::Socket(SocketAddr::new(ip, number))).filter(|_| number > 0),
        Err(_) => format!("{}:{number}", endpoint.address.trim_end_matches('.')).parse().ok(),
    }
}
