//! The shard's eyes: counts what happens and writes the access log.

use super::{
    dialect::{Dialects, LocalDialects},
    recent::{Numbers, Recent},
    registry::Local,
    stats::{
        ClusterStats, EndpointKey, EndpointStats, ListenerStats, ReasonKey, ReasonKind, RouteKey, RouteQuery,
        RouteStats, ShardStats,
    },
};
use crate::{access_log::ShardLog, telemetry::number::Counter};
use rustix::io::Errno;
use sluice_core::{flags::ResponseFlags, record::Record, snapshot::Snapshot};
use sluice_net::{ConnectionInfo, Event, Observer, RequestSummary};
use std::{cell::RefCell, io, sync::Arc, time::Duration};

/// Counts what a shard reports, and hands finished requests to the access log. No text is made for counting and no lock
/// is taken, except when a name is seen for the first time.
pub(crate) struct ShardObserver {
    stats: Arc<ShardStats>,
    local: RefCell<Locals>,
    pub(crate) log: ShardLog,
}

struct Locals {
    listeners: Local<Box<str>, ListenerStats>,
    clusters: Local<Box<str>, ClusterStats>,
    routes: Local<RouteKey, RouteStats>,
    endpoints: Local<EndpointKey, EndpointStats>,
    reasons: Local<ReasonKey, Counter>,
    dialects: LocalDialects,
    recent: Recent,
}

// === impl ShardObserver ===

impl ShardObserver {
    pub(crate) fn new(stats: Arc<ShardStats>, dialects: &Dialects, log: ShardLog) -> Self {
        let local = RefCell::new(Locals {
            listeners: Local::new(stats.listeners.clone()),
            clusters: Local::new(stats.clusters.clone()),
            routes: Local::new(stats.routes.clone()),
            endpoints: Local::new(stats.endpoints.clone()),
            reasons: Local::new(stats.reasons.clone()),
            dialects: LocalDialects::new(dialects, &stats.nginx, &stats.istio),
            recent: Recent::default(),
        });
        Self { stats, local, log }
    }

    pub(crate) fn stats(&self) -> &ShardStats {
        &self.stats
    }

    /// Accepting failed.
    pub(crate) fn accept_failed(&self, listener: &str, error: &io::Error) {
        count_accept_failure(&mut self.local.borrow_mut().reasons, listener, error);
    }

    /// After a new configuration: names that it no longer has make room.
    pub(crate) fn make_room(&self, snapshot: &Snapshot) {
        let cluster = |name: &str| snapshot.cluster_named(name).is_some();
        let mut local = self.local.borrow_mut();
        local.recent.clear();
        local.listeners.make_room(|name| snapshot.listener(name).is_some());
        local.clusters.make_room(|name| cluster(name));
        local.routes.make_room(|key| snapshot.listener(&key.listener).is_some() && cluster(&key.cluster));
        local.dialects.make_room(snapshot);
        local.endpoints.make_room(|key| {
            snapshot.cluster_named(&key.cluster).is_some_and(|cluster| {
                cluster.endpoints.endpoints().iter().any(|endpoint| endpoint.address == key.address)
            })
        });
    }

    fn count_request(&self, record: &Record) {
        let local = &mut *self.local.borrow_mut();
        let Locals { listeners, clusters, routes, endpoints, recent, .. } = local;
        let mut route = || {
            Arc::clone(routes.of(&RouteQuery {
                listener: record.listener(),
                virtual_host: record.virtual_host(),
                route: record.route(),
                cluster: record.cluster(),
            }))
        };
        let numbers = record.endpoint.and_then(|endpoint| {
            recent.of(record, || Numbers {
                route: route(),
                listener: Arc::clone(listeners.of(record.listener())),
                cluster: Arc::clone(clusters.of(record.cluster())),
                endpoint: Arc::clone(endpoints.of(&(record.cluster(), endpoint))),
            })
        });
        if let Some(Numbers { route, listener, cluster, endpoint }) = numbers {
            count_way(record, route, listener);
            endpoint.requests.add(1);
            if record.status >= 500 || record.status == 0 {
                endpoint.errors.add(1);
            }
            if let Some(started) = record.response_started {
                cluster.durations.add(started);
            }
        } else {
            count_way(record, &route(), listeners.of(record.listener()));
        }
        if record.flags.contains(ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR) {
            local.reasons.of(&(ReasonKind::Refusal, record.listener(), record.details)).add(1);
        }
    }
}

/// Counts a request at its route and its listener, whether or not it reached an endpoint.
fn count_way(record: &Record, route: &RouteStats, listener: &ListenerStats) {
    route.classes[usize::from(record.status / 100).min(5)].add(1);
    let mut flags = record.flags.bits();
    while flags != 0 {
        if let Some(counter) = route.flags.get(flags.trailing_zeros() as usize) {
            counter.add(1);
        }
        flags &= flags - 1;
    }
    route.bytes_received.add(record.bytes_received);
    route.bytes_sent.add(record.bytes_sent);
    listener.durations.add(record.duration);
}

/// Counts a failed accept under one of a few reasons.
pub(crate) fn count_accept_failure(
    reasons: &mut Local<ReasonKey, Counter>,
    listener: &str,
    error: &io::Error,
) {
    let reason = match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => "no file descriptors",
        Some(Errno::NOBUFS | Errno::NOMEM) => "no memory",
        _ => "connection broken",
    };
    reasons.of(&(ReasonKind::Accept, listener, reason)).add(1);
}

impl Observer for ShardObserver {
    fn connection_opened(&self, connection: &ConnectionInfo) {
        self.local.borrow_mut().listeners.of(&*connection.listener).opened.add(1);
    }

    fn connection_closed(&self, connection: &ConnectionInfo, _: Duration) {
        self.local.borrow_mut().listeners.of(&*connection.listener).closed.add(1);
        self.stats.closed.add(1);
    }

    fn request_finished(&self, request: &RequestSummary<'_>) {
        self.count_request(request.record);
        self.local.borrow_mut().dialects.count(request);
        self.log.write(request, &self.stats);
    }

    fn count(&self, event: Event<'_>) {
        let mut local = self.local.borrow_mut();
        match event {
            Event::ConnectionRefused { listener } => local.listeners.of(&**listener).refused.add(1),
            Event::PoolHit { cluster } => local.clusters.of(&**cluster).pool_hits.add(1),
            Event::PoolMiss { cluster } => local.clusters.of(&**cluster).pool_misses.add(1),
            Event::UpstreamOpened { cluster } => local.clusters.of(&**cluster).opened.add(1),
            Event::UpstreamClosed { cluster } => local.clusters.of(&**cluster).closed.add(1),
            Event::Retried { cluster } => local.clusters.of(&**cluster).retries.add(1),
            Event::MirrorSent { cluster } => local.clusters.of(&**cluster).mirrors.add(1),
            Event::HandshakeFailed { listener, reason } => {
                local.reasons.of(&(ReasonKind::Handshake, &**listener, reason)).add(1);
            }
            Event::ConnectFailed { cluster, reason } => {
                local.reasons.of(&(ReasonKind::Connect, &**cluster, reason)).add(1);
            }
            Event::MirrorReset { cluster, reason } => {
                local.reasons.of(&(ReasonKind::MirrorReset, &**cluster, reason)).add(1);
            }
        }
    }
}
