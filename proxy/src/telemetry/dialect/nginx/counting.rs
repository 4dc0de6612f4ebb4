//! How a shard counts requests.

use super::{
    super::{request_length, response_length},
    NginxMetrics,
};
use crate::telemetry::{
    histogram::{Bounds, Histogram},
    number::Counter,
    registry::{Local, Query, Registry},
};
use sluice_core::{route::Action, snapshot::Snapshot};
use sluice_model::spec::{RouteLabels, ServiceLabels};
use sluice_net::RequestSummary;
use std::{cell::LazyCell, collections::HashSet, sync::Arc, time::Duration};

/// nginx: the client was gone before an answer began.
const CLIENT_GONE: u16 = 499;
/// Others are one, so that clients cannot make up labels.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const OTHER_METHOD: &str = "OTHER";
const MICROS: f64 = 1e6;

/// What a request is counted under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NginxKey {
    /// The Ingress, `Ingress shop/web`.
    pub(super) origin: Option<Arc<str>>,
    pub(super) rule: Option<Arc<RouteLabels>>,
    /// The service of the canary that served it.
    pub(super) canary: Option<Arc<ServiceLabels>>,
    pub(super) method: &'static str,
    pub(super) status: u16,
}

#[derive(Hash)]
pub(super) struct NginxQuery<'r> {
    pub(super) origin: Option<&'r Arc<str>>,
    pub(super) rule: Option<&'r Arc<RouteLabels>>,
    pub(super) canary: Option<&'r Arc<ServiceLabels>>,
    pub(super) method: &'static str,
    pub(super) status: u16,
}

#[derive(Debug)]
pub(crate) struct NginxStats {
    pub(super) requests: Counter,
    pub(super) request: Histogram,
    pub(super) connect: Histogram,
    pub(super) header: Histogram,
    pub(super) response: Histogram,
    pub(super) request_length: Histogram,
    pub(super) response_length: Histogram,
    pub(super) bytes_sent: Histogram,
}

pub(crate) type NginxRegistry = Arc<Registry<NginxKey, NginxStats>>;

pub(super) struct AllBounds {
    pub(super) time: Bounds,
    pub(super) length: Bounds,
    pub(super) size: Bounds,
}

// === impl AllBounds ===

impl AllBounds {
    pub(super) fn of(told: &NginxMetrics) -> Self {
        Self {
            time: Bounds::new(&told.time_buckets, MICROS),
            length: Bounds::new(&told.length_buckets, 1.0),
            size: Bounds::new(&told.size_buckets, 1.0),
        }
    }
}

// === impl Counting ===

/// What counting needs besides the numbers.
pub(crate) struct Counting {
    pub(super) told: Arc<NginxMetrics>,
    pub(super) bounds: AllBounds,
    pub(super) local: Local<NginxKey, NginxStats>,
}

impl Counting {
    pub(crate) fn new(told: Arc<NginxMetrics>, registry: &NginxRegistry) -> Self {
        let (bounds, made) = (AllBounds::of(&told), AllBounds::of(&told));
        let local = Local::made_by(registry.clone(), Box::new(move || NginxStats::new(&made)));
        Self { told, bounds, local }
    }

    /// Counts a finished request. Allocates only where its labels are new.
    pub(crate) fn count(&mut self, request: &RequestSummary<'_>) {
        let record = request.record;
        let route = record.pinned_route();
        let rule = route.and_then(|route| route.labels.as_ref());
        if rule.is_none() && self.told.per_host && !self.told.undefined_hosts {
            return;
        }
        let status = if record.status == 0 { CLIENT_GONE } else { record.status };
        let cluster = record.pinned_cluster();
        let canary = match (route.map(|route| &route.action), cluster) {
            (Some(Action::Forward(forward)), Some(cluster))
                if forward.canaries().any(|canary| canary.cluster == cluster.id) =>
            {
                cluster.labels.as_ref().map(|labels| &labels.service)
            }
            _ => None,
        };
        let stats = self.local.of(&NginxQuery {
            origin: route.filter(|_| rule.is_some()).and_then(|route| route.origin.as_ref()),
            rule,
            canary,
            method: METHODS.into_iter().find(|known| *known == record.method).unwrap_or(OTHER_METHOD),
            status: if self.told.status_classes { status - status % 100 } else { status },
        });
        let AllBounds { time, length, size } = &self.bounds;
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        stats.requests.add(1);
        stats.request.add(time, micros(record.duration));
        if let Some(started) = record.attempt_started {
            let since = |moment: Duration| micros(moment.saturating_sub(started));
            if let Some(connected) = record.attempt_connected {
                stats.connect.add(time, since(connected));
            }
            if let Some(begun) = record.response_started {
                stats.header.add(time, since(begun));
                stats.response.add(time, since(record.duration));
            }
        }
        let sent = response_length(request);
        stats.request_length.add(length, request_length(request));
        stats.response_length.add(length, sent);
        stats.bytes_sent.add(size, sent);
    }

    /// Forgets rules that no route has any more.
    pub(crate) fn make_room(&mut self, snapshot: &Snapshot) {
        let rules = LazyCell::new(|| {
            let hosts = snapshot.tables().iter().flat_map(|table| table.virtual_hosts());
            let routes = hosts.flat_map(|host| host.routes());
            routes.filter_map(|route| route.labels.clone()).collect::<HashSet<_>>()
        });
        self.local.make_room(|key| key.rule.as_ref().is_none_or(|rule| rules.contains(rule)));
    }
}

impl NginxStats {
    fn new(bounds: &AllBounds) -> Self {
        Self {
            requests: Counter::default(),
            request: bounds.time.histogram(),
            connect: bounds.time.histogram(),
            header: bounds.time.histogram(),
            response: bounds.time.histogram(),
            request_length: bounds.length.histogram(),
            response_length: bounds.length.histogram(),
            bytes_sent: bounds.size.histogram(),
        }
    }
}

impl Query<NginxKey> for NginxQuery<'_> {
    fn is(&self, key: &NginxKey) -> bool {
        self.status == key.status
            && self.method == key.method
            && self.rule == key.rule.as_ref()
            && self.canary == key.canary.as_ref()
            && self.origin == key.origin.as_ref()
    }

    fn key(&self) -> NginxKey {
        NginxKey {
            origin: self.origin.cloned(),
            rule: self.rule.cloned(),
            canary: self.canary.cloned(),
            method: self.method,
            status: self.status,
        }
    }
}
