//! `nginx_ingress_controller_*`: names, labels and meaning as in ingress-nginx 1.15 (`internal/ingress/metric`).
//!
//! `ingress`, `namespace`, `path` and `service` are those of the rule that took the request, also where a canary served it;
//! then `canary` names the canary's service. `host` is the host of the rule, so that a wildcard is one host. A request that
//! got no answer counts as 499, as nginx has it.

//!
//! | module | which families |
//! | --- | --- |
//! | `counting`, `requests` | of requests: how a shard counts them, and how they are shown |
//! | `controller` | of the configuration and of the process |
//!
//! What only the process around the proxy knows (certificates, Ingresses, who leads) comes from its
//! [`Extension`](crate::Extension).

mod controller;
mod counting;
mod requests;

pub(crate) use counting::Counting;
pub(crate) use counting::NginxRegistry;

use crate::{
    state::State,
    telemetry::family::{Family, Labels},
};
use std::collections::BTreeSet;

const PREFIX: &str = "nginx_ingress_controller_";

/// How `nginx_ingress_controller_*` are shown; fields are named after what sets them in ingress-nginx.
#[derive(Debug, Clone, PartialEq)]
pub struct NginxMetrics {
    /// `controller_class`: the controller of the class, `k8s.io/ingress-nginx`.
    pub controller_class: String,
    /// `controller_namespace`: the namespace of this pod.
    pub controller_namespace: String,
    /// `controller_pod`: the name of this pod.
    pub controller_pod: String,
    /// `--metrics-per-host`: the label `host`; requests for hosts without a rule are not counted then.
    pub per_host: bool,
    /// `--metrics-per-undefined-host`: they are, with the host `_`.
    pub undefined_hosts: bool,
    /// `--report-status-classes`: `2xx` in place of `200`.
    pub status_classes: bool,
    /// `--exclude-socket-metrics`: families of requests that are left out, with or without the common prefix.
    pub excluded: BTreeSet<String>,
    /// `--time-buckets`, in seconds.
    pub time_buckets: Vec<f64>,
    /// `--length-buckets`, in bytes.
    pub length_buckets: Vec<f64>,
    /// `--size-buckets`, in bytes.
    pub size_buckets: Vec<f64>,
}

// === impl NginxMetrics ===

impl Default for NginxMetrics {
    fn default() -> Self {
        let lengths = (1..=10).map(|ten| f64::from(ten) * 10.0).collect();
        Self {
            controller_class: "k8s.io/ingress-nginx".to_owned(),
            controller_namespace: String::new(),
            controller_pod: String::new(),
            per_host: true,
            undefined_hosts: false,
            status_classes: false,
            excluded: BTreeSet::new(),
            time_buckets: vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
            length_buckets: lengths,
            size_buckets: (1..=7).map(|power| 10_f64.powi(power)).collect(),
        }
    }
}

impl NginxMetrics {
    fn excludes(&self, name: &str) -> bool {
        self.excluded.iter().any(|excluded| excluded.strip_prefix(PREFIX).unwrap_or(excluded) == name)
    }

    /// Which controller says it: the labels that nearly all families have.
    pub fn controller(&self) -> Labels {
        vec![
            ("controller_class", self.controller_class.clone()),
            ("controller_namespace", self.controller_namespace.clone()),
            ("controller_pod", self.controller_pod.clone()),
        ]
    }
}

/// Everything in this dialect, now.
pub(super) fn families(told: &NginxMetrics, state: &State) -> Vec<Family> {
    let mut families = requests::families(told, state.shards.iter().map(|shard| &*shard.nginx));
    families.extend(controller::configuration(told, state));
    families.extend(controller::processes(told, state));
    families.extend(state.extension.iter().flat_map(|around| around.nginx_metrics(told)));
    families.into_iter().map(|family| family.under(PREFIX)).collect()
}
