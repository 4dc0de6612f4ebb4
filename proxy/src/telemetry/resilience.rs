//! What clusters bear, and which of their endpoints are left out.

use super::family::{Family, Labels};
use sluice_core::{
    shared::{ClusterState, Limit},
    snapshot::Snapshot,
};
use std::sync::Arc;

/// Of all clusters that were asked or checked so far.
pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let mut known: Vec<(&str, &Arc<ClusterState>)> = snapshot
        .clusters()
        .map(|cluster| (&*cluster.name, cluster.shared.cluster()))
        .filter(|(_, state)| state.is_known())
        .collect();
    known.sort_by_key(|(name, _)| *name);
    let each = |count: fn(&ClusterState) -> u64| -> Vec<(Labels, u64)> {
        known.iter().map(|(name, state)| (of(name), count(state))).collect()
    };
    let now = |count: fn(&ClusterState) -> u32| -> Vec<(Labels, f64)> {
        known.iter().map(|(name, state)| (of(name), f64::from(count(state)))).collect()
    };
    let overflows = known.iter().flat_map(|(name, state)| {
        Limit::ALL.into_iter().filter_map(|limit| {
            let count = state.overflows(limit);
            let labels = vec![("cluster", (*name).to_owned()), ("limit", limit.as_str().to_owned())];
            (count > 0).then_some((labels, count))
        })
    });
    vec![
        Family::gauge(
            "upstream_endpoints_ejected",
            "Endpoints that are left out for how they answered, or have not answered well since.",
            now(ClusterState::ejected),
        ),
        Family::gauge(
            "upstream_endpoints_unhealthy",
            "Endpoints that health checks take for unhealthy.",
            now(ClusterState::unhealthy),
        ),
        Family::counter(
            "upstream_ejections_total",
            "Times that an endpoint was left out for how it answered.",
            each(ClusterState::ejections),
        ),
        Family::counter(
            "upstream_retries_withheld_total",
            "Retries for which the budget had no room.",
            each(ClusterState::retries_withheld),
        ),
        Family::counter(
            "upstream_overflows_total",
            "Times that a limit of the cluster was reached: something was refused, or waits for a connection.",
            overflows.collect(),
        ),
    ]
}

fn of(cluster: &str) -> Labels {
    vec![("cluster", cluster.to_owned())]
}
