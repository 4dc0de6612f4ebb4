//! What a shard counts.

use super::{
    dialect::{IstioRegistry, NginxRegistry},
    number::{Counter, Durations},
    registry::{Query, Registry},
};
use sluice_core::flags::ResponseFlags;
use std::{net::SocketAddr, sync::Arc};

/// One shard's numbers. The shard writes, scrapes read.
#[derive(Debug, Default)]
pub(crate) struct ShardStats {
    pub(crate) listeners: Arc<Registry<Box<str>, ListenerStats>>,
    pub(crate) clusters: Arc<Registry<Box<str>, ClusterStats>>,
    pub(crate) routes: Arc<Registry<RouteKey, RouteStats>>,
    pub(crate) endpoints: Arc<Registry<EndpointKey, EndpointStats>>,
    pub(crate) reasons: Arc<Registry<ReasonKey, Counter>>,
    pub(crate) nginx: NginxRegistry,
    pub(crate) istio: IstioRegistry,
    /// Connections that are closed again; of those that an acceptor gave, also what was not served at all.
    pub(crate) closed: Counter,
    pub(crate) log_lines: Counter,
    pub(crate) log_dropped: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct ListenerStats {
    pub(crate) opened: Counter,
    pub(crate) closed: Counter,
    pub(crate) refused: Counter,
    pub(crate) durations: Durations,
}

#[derive(Debug, Default)]
pub(crate) struct ClusterStats {
    pub(crate) opened: Counter,
    pub(crate) closed: Counter,
    pub(crate) pool_hits: Counter,
    pub(crate) pool_misses: Counter,
    pub(crate) retries: Counter,
    pub(crate) mirrors: Counter,
    /// Until the first byte of the answer.
    pub(crate) durations: Durations,
}

/// Everything that a finished request is counted under.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RouteKey {
    pub(crate) listener: Box<str>,
    pub(crate) virtual_host: Box<str>,
    pub(crate) route: Box<str>,
    pub(crate) cluster: Box<str>,
}

#[derive(Debug, Default)]
pub(crate) struct RouteStats {
    /// By the first digit of the status; 0 where no answer was begun.
    pub(crate) classes: [Counter; 6],
    /// By the bit of the flag.
    pub(crate) flags: [Counter; ResponseFlags::COUNT],
    pub(crate) bytes_received: Counter,
    pub(crate) bytes_sent: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EndpointKey {
    pub(crate) cluster: Box<str>,
    pub(crate) address: SocketAddr,
}

#[derive(Debug, Default)]
pub(crate) struct EndpointStats {
    pub(crate) requests: Counter,
    /// Answers with 5xx, and requests that failed on the way.
    pub(crate) errors: Counter,
}

/// Rare events with a reason out of a fixed set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ReasonKey {
    pub(crate) kind: ReasonKind,
    /// The listener's or cluster's name.
    pub(crate) subject: Box<str>,
    pub(crate) reason: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ReasonKind {
    /// Requests that break the protocol, by rule.
    Refusal,
    Handshake,
    Connect,
    MirrorReset,
    Accept,
}

/// The parts of a [`RouteKey`].
#[derive(Hash)]
pub(super) struct RouteQuery<'a> {
    pub(super) listener: &'a str,
    pub(super) virtual_host: &'a str,
    pub(super) route: &'a str,
    pub(super) cluster: &'a str,
}

impl Query<RouteKey> for RouteQuery<'_> {
    fn is(&self, key: &RouteKey) -> bool {
        *key.route == *self.route
            && *key.cluster == *self.cluster
            && *key.virtual_host == *self.virtual_host
            && *key.listener == *self.listener
    }

    fn key(&self) -> RouteKey {
        RouteKey {
            listener: self.listener.into(),
            virtual_host: self.virtual_host.into(),
            route: self.route.into(),
            cluster: self.cluster.into(),
        }
    }
}

impl Query<EndpointKey> for (&str, SocketAddr) {
    fn is(&self, key: &EndpointKey) -> bool {
        key.address == self.1 && *key.cluster == *self.0
    }

    fn key(&self) -> EndpointKey {
        EndpointKey { cluster: self.0.into(), address: self.1 }
    }
}

impl Query<ReasonKey> for (ReasonKind, &str, &'static str) {
    fn is(&self, key: &ReasonKey) -> bool {
        key.kind == self.0 && *key.subject == *self.1 && key.reason == self.2
    }

    fn key(&self) -> ReasonKey {
        ReasonKey { kind: self.0, subject: self.1.into(), reason: self.2 }
    }
}
