//! What is watched of a cluster.

use crate::api_server;
use sluice_crds::{
    AnyObject, Kind,
    core::{ConfigMap, EndpointSlice, Endpoints, Ingress, IngressClass, Namespace, Pod, Secret, Service},
    istio::{
        AuthorizationPolicy, DestinationRule, Gateway, PeerAuthentication, RequestAuthentication,
        ServiceEntry, Sidecar, VirtualService,
    },
};
use sluice_model::tree::Tree;

/// A kind as an API server has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resource {
    pub(super) kind: &'static str,
    pub(super) group: &'static str,
    /// The one that we want, then those that will do: all have the same schema.
    pub(super) versions: [&'static str; 3],
    pub(super) plural: &'static str,
    pub(super) namespaced: bool,
    /// Nobody needs to have it: it may be missing, and we may be forbidden to read it.
    pub(super) optional: bool,
    /// Only names, labels and annotations are asked for.
    pub(super) metadata_only: bool,
}

/// Kinds of which every object counts.
pub(super) const WATCHED: [Resource; 13] = [
    Resource::of::<Ingress>(),
    Resource::of::<IngressClass>(),
    Resource::of::<Service>(),
    Resource::of::<EndpointSlice>(),
    Resource { metadata_only: true, ..Resource::of::<Pod>() },
    Resource::istio::<VirtualService>(),
    Resource::istio::<DestinationRule>(),
    Resource::istio::<Gateway>(),
    Resource::istio::<ServiceEntry>(),
    Resource::istio::<Sidecar>(),
    Resource::istio::<AuthorizationPolicy>(),
    Resource::istio::<RequestAuthentication>(),
    Resource::istio::<PeerAuthentication>(),
];

/// Kinds of which only those objects are read that others refer to.
pub(super) const REFERRED: [Resource; 3] =
    [Resource::of::<ConfigMap>(), Resource::of::<Endpoints>(), Resource::of::<Secret>()];

/// Read where namespaces are chosen by their labels.
pub(super) const NAMESPACE: Resource = Resource::of::<Namespace>();

// === impl Resource ===

impl Resource {
    pub(super) const fn of<K: Kind>() -> Self {
        let [second, third] = match K::OTHER_VERSIONS {
            [] => ["", ""],
            [second] => [*second, ""],
            [second, third, ..] => [*second, *third],
        };
        Self {
            kind: K::KIND,
            group: K::GROUP,
            versions: [K::VERSION, second, third],
            plural: K::PLURAL,
            namespaced: K::NAMESPACED,
            optional: false,
            metadata_only: false,
        }
    }

    const fn istio<K: Kind>() -> Self {
        Self { optional: true, ..Self::of::<K>() }
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = &'static str> {
        self.versions.into_iter().filter(|version| !version.is_empty())
    }

    /// The path of all objects, or of those in a namespace.
    pub(super) fn path(&self, version: &str, namespace: Option<&str>) -> String {
        api_server::path(self.group, version, namespace.filter(|_| self.namespaced), self.plural)
    }

    /// `virtualservices.networking.istio.io`, as RBAC and kubectl name it.
    pub(super) fn name(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// What the server sent, as an object of this kind, whatever is wrong with it; `None` where it is none at all.
    pub(super) fn read(&self, tree: &Tree) -> Option<AnyObject> {
        AnyObject::of_server(self.kind, tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use sluice_model::{
        convert::{Repairs, convert},
        tree::{self, Path},
    };
    use std::collections::BTreeSet;

    #[test]
    fn paths_and_names_are_those_of_kubernetes() {
        let [secrets, routes] = [Resource::of::<Secret>(), Resource::istio::<VirtualService>()];
        assert_eq!(secrets.path("v1", Some("shop")), "/api/v1/namespaces/shop/secrets");
        assert_eq!(routes.path("v1beta1", None), "/apis/networking.istio.io/v1beta1/virtualservices");
        assert_eq!(routes.name(), "virtualservices.networking.istio.io");
        assert_eq!(routes.versions().collect::<Vec<_>>(), ["v1", "v1beta1", "v1alpha3"]);
        assert_eq!(NAMESPACE.path("v1", Some("shop")), "/api/v1/namespaces");
    }

    const READING: &str = include_str!("../../../../configs/kubernetes/base/reading.yaml");
    const SECRETS: &str = include_str!("../../../../configs/kubernetes/base/secrets.yaml");

    #[test]
    fn the_installation_grants_exactly_what_is_read_of_all_namespaces() {
        let mut granted = BTreeSet::new();
        for parsed in [READING, SECRETS].into_iter().flat_map(tree::parse_documents) {
            let root = parsed.tree.root().unwrap();
            let mut repairs = Repairs::for_api(&parsed.tree);
            let (object, problems) = convert::<Value>(&parsed.tree, root, &Path::root(), &mut repairs);
            assert!(problems.is_empty(), "{problems:?}");
            let object = object.filter(|object| object["kind"] == "ClusterRole").unwrap_or_default();
            let texts = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
            for rule in object["rules"].as_array().into_iter().flatten() {
                let [group] = &texts(&rule["apiGroups"])[..] else { panic!("one group a rule: {rule}") };
                for resource in texts(&rule["resources"]) {
                    let name = if group.is_empty() { resource } else { format!("{resource}.{group}") };
                    granted.extend(texts(&rule["verbs"]).into_iter().map(|verb| format!("{verb} {name}")));
                }
            }
        }
        let read = WATCHED.iter().chain(&REFERRED).chain([&NAMESPACE]);
        let mut asked: BTreeSet<String> = read
            .flat_map(|resource| ["list", "watch"].map(|verb| format!("{verb} {}", resource.name())))
            .collect();
        // The node of the gateway's own pod (see `own_pod`).
        asked.insert("get nodes".to_owned());
        assert_eq!(granted, asked);
    }
}
