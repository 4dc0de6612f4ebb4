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

/// The place for which a rule is translated. A sidecar will be another one: through `mesh`, with the ports of services.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here<'a> {
    /// `None` while an object is examined on its own: then everything is possible.
    pub(super) through: Option<&'a [Through]>,
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
        let Some(through) = self.through else { return true };
        let by_port = |through: &Through| matching.port == 0 || matching.port == through.port;
        if !matching.gateways.is_empty() {
            let named = |through: &Through| {
                let mut gateways = matching.gateways.iter().filter_map(|name| names::gateway(name, own));
                gateways.any(|(namespace, name)| through.gateway.0 == namespace && through.gateway.1 == name)
            };
            return through.iter().any(|through| by_port(through) && named(through));
        }
        through.iter().any(by_port)
            && within(&matching.source_labels, self.labels)
            && (matching.source_namespace.is_empty() || matching.source_namespace == self.namespace)
    }
}
