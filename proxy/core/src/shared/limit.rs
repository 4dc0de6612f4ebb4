//! How much there is at once, and the most that there may be.

use super::{ClusterState, EndpointState};
use sluice_model::spec::EndpointLimits;
use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// What may be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Open connections.
    Connections,
    /// Requests that wait for a connection.
    PendingRequests,
    /// Requests that wait or are being served; counted only where they are limited.
    Requests,
    /// Requests that are being tried again.
    Retries,
}

/// How much of each there is, and how often there was too much.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Gauges {
    now: [AtomicU32; Limit::ALL.len()],
    overflows: [AtomicU64; Limit::ALL.len()],
}

/// One that counts until this is dropped.
#[derive(Debug)]
pub struct Held {
    of: Of,
    limit: Limit,
}

#[derive(Debug)]
enum Of {
    Cluster(Arc<ClusterState>),
    Endpoint(Arc<EndpointState>),
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connections, Self::PendingRequests, Self::Requests, Self::Retries];

    /// Its field in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::PendingRequests => "pending_requests",
            Self::Requests => "requests",
            Self::Retries => "retries",
        }
    }
}

impl Gauges {
    pub(super) fn of(&self, limit: Limit) -> u32 {
        self.now[limit as usize].load(Ordering::Relaxed)
    }

    pub(super) fn overflows(&self, limit: Limit) -> u64 {
        self.overflows[limit as usize].load(Ordering::Relaxed)
    }

    /// Counts one more, where there may be; `most` 0 is no limit.
    fn enter(&self, limit: Limit, most: u32) -> bool {
        let more = |now: u32| if most > 0 && now >= most { None } else { now.checked_add(1) };
        let entered =
            self.now[limit as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        // Whoever finds no room for a connection looks again and again.
        if !entered && limit != Limit::Connections {
            self.overflows[limit as usize].fetch_add(1, Ordering::Relaxed);
        }
        entered
    }

    fn leave(&self, limit: Limit) {
        self.now[limit as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

impl ClusterState {
    /// A request has to wait for a connection, or gets none.
    pub fn connections_overflowed(&self) {
        self.gauges.overflows[Limit::Connections as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// One more of the cluster, where there may be; `most` 0 is no limit.
    pub fn hold(self: &Arc<Self>, limit: Limit, most: u32) -> Option<Held> {
        self.gauges.enter(limit, most).then(|| Held { of: Of::Cluster(Arc::clone(self)), limit })
    }
}

impl EndpointState {
    /// One more at the endpoint, where there may be; `most` 0 is no limit.
    pub fn hold(self: &Arc<Self>, limit: Limit, most: u32) -> Option<Held> {
        self.gauges.enter(limit, most).then(|| Held { of: Of::Endpoint(Arc::clone(self)), limit })
    }

    /// Whether it has as many requests as it may have.
    pub(super) fn is_full(&self, limits: EndpointLimits) -> bool {
        limits.requests > 0 && self.in_use(Limit::Requests) >= limits.requests
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        match &self.of {
            Of::Cluster(cluster) => {
                cluster.gauges.leave(self.limit);
                if self.limit == Limit::Connections {
                    cluster.connection_ended();
                }
            }
            Of::Endpoint(endpoint) => endpoint.gauges.leave(self.limit),
        }
    }
}
