//! The kinds that the server knows, and where they are found.

use std::collections::BTreeMap;

/// A kind of objects.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// Empty for the core group.
    pub(super) group: &'static str,
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) namespaced: bool,
    /// Whether the status is written on its own.
    pub(super) has_status: bool,
    /// Fields that objects can be selected by, besides their name and namespace.
    pub(super) selectable: &'static [&'static str],
}

/// Everything that is ever served.
pub(super) static RESOURCES: [Resource; 20] = [
    Resource { has_status: true, ..namespaced("", "Service", "services") },
    namespaced("", "Endpoints", "endpoints"),
    Resource { selectable: &["type"], ..namespaced("", "Secret", "secrets") },
    namespaced("", "ConfigMap", "configmaps"),
    Resource {
        has_status: true,
        selectable: &["spec.nodeName", "status.phase", "status.podIP"],
        ..namespaced("", "Pod", "pods")
    },
    Resource { namespaced: false, has_status: true, ..namespaced("", "Namespace", "namespaces") },
    Resource { namespaced: false, has_status: true, ..namespaced("", "Node", "nodes") },
    namespaced("discovery.k8s.io", "EndpointSlice", "endpointslices"),
    Resource { has_status: true, ..namespaced("networking.k8s.io", "Ingress", "ingresses") },
    Resource { namespaced: false, ..namespaced("networking.k8s.io", "IngressClass", "ingressclasses") },
    namespaced("coordination.k8s.io", "Lease", "leases"),
    Resource {
        selectable: &["regarding.name", "regarding.kind", "reason", "type"],
        ..namespaced("events.k8s.io", "Event", "events")
    },
    Resource { has_status: true, ..namespaced("networking.istio.io", "VirtualService", "virtualservices") },
    Resource { has_status: true, ..namespaced("networking.istio.io", "DestinationRule", "destinationrules") },
    Resource { has_status: true, ..namespaced("networking.istio.io", "Gateway", "gateways") },
    Resource { has_status: true, ..namespaced("networking.istio.io", "ServiceEntry", "serviceentries") },
    Resource { has_status: true, ..namespaced("networking.istio.io", "Sidecar", "sidecars") },
    Resource {
        has_status: true,
        ..namespaced("security.istio.io", "PeerAuthentication", "peerauthentications")
    },
    Resource {
        has_status: true,
        ..namespaced("security.istio.io", "AuthorizationPolicy", "authorizationpolicies")
    },
    Resource {
        has_status: true,
        ..namespaced("security.istio.io", "RequestAuthentication", "requestauthentications")
    },
];

const fn namespaced(group: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource { group, kind, plural, namespaced: true, has_status: false, selectable: &[] }
}

/// The versions of each group that are served, the preferred one first.
pub(super) fn all_groups() -> BTreeMap<String, Vec<String>> {
    let groups = [
        ("", &["v1"][..]),
        ("coordination.k8s.io", &["v1"]),
        ("discovery.k8s.io", &["v1"]),
        ("events.k8s.io", &["v1"]),
        ("networking.istio.io", &["v1", "v1beta1", "v1alpha3"]),
        ("networking.k8s.io", &["v1"]),
        ("security.istio.io", &["v1", "v1beta1"]),
    ];
    let owned = |versions: &[&str]| versions.iter().map(|version| (*version).to_owned()).collect();
    groups.into_iter().map(|(group, versions)| (group.to_owned(), owned(versions))).collect()
}

impl Resource {
    pub(super) fn of_plural(group: &str, plural: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| resource.group == group && resource.plural == plural)
    }

    pub(super) fn of_kind(group: &str, kind: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| resource.group == group && resource.kind == kind)
    }

    /// `networking.k8s.io/v1`, `v1`.
    pub(super) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// As messages name it: `ingresses.networking.k8s.io`.
    pub(super) fn long_name(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}
