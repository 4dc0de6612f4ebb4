//! The place for which a rule is translated: what is known of a client before it asks.

use super::{names, port::within};
use sluice_crds::istio::{HttpMatchRequest, HttpRetry};
use sluice_model::spec::Scheme;
use std::collections::BTreeMap;

/// A server through which a VirtualService came to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Through {
    /// Namespace and name of the Gateway.
    pub(super) gateway: (String, String),
    /// The port as the Gateway has it.
    pub(super) port: u16,
}

/// How rules come to a place.
#[derive(Debug, Clone, Copy)]
pub(super) enum By<'a> {
    /// An object is examined on its own: everything is possible.
    Any,
    /// Through servers of Gateways.
    Servers(&'a [Through]),
    /// Through `mesh`: they are at the sidecar of a pod.
    Mesh,
}

/// The place for which a rule is translated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here<'a> {
    /// How it came there.
    pub(super) by: By<'a>,
    /// The port that requests come to, as objects name it.
    pub(super) port: u16,
    /// What clients speak here.
    pub(super) scheme: Scheme,
    /// Labels and namespace of the proxy's pod, which is the client that rules see.
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) namespace: &'a str,
    /// What is tried again where a rule does not say it; Istio's default where this does not either.
    pub(super) retries: Option<&'a HttpRetry>,
}

impl Here<'_> {
    /// Whether a match of a VirtualService of the namespace `own` concerns this place at all.
    pub(super) fn concerns(&self, matching: &HttpMatchRequest, own: &str) -> bool {
        let at = |port: u16| matching.port == 0 || matching.port == port;
        let by_port = match self.by {
            By::Any => return true,
            By::Mesh if !matching.gateways.is_empty() => {
                return at(self.port) && matching.gateways.iter().any(|name| name == "mesh");
            }
            By::Mesh => at(self.port),
            By::Servers(through) if !matching.gateways.is_empty() => {
                let named = |through: &Through| {
                    let mut gateways = matching.gateways.iter().filter_map(|name| names::gateway(name, own));
                    gateways
                        .any(|(namespace, name)| through.gateway.0 == namespace && through.gateway.1 == name)
                };
                return through.iter().any(|through| at(through.port) && named(through));
            }
            By::Servers(through) => through.iter().any(|through| at(through.port)),
        };
        by_port
            && within(&matching.source_labels, self.labels)
            && (matching.source_namespace.is_empty() || matching.source_namespace == self.namespace)
    }
}
