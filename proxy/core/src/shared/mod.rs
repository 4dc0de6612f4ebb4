//! What all shards know of a cluster and of its endpoints: how much they have to do, how much of it was tried again, and who is
//! left out for how it answers.
//!
//! | question | module |
//! | --- | --- |
//! | may this request be sent again? | [`budget`] |
//! | is there room for one more? | [`limit`], [`waiting`] |
//! | who is left out, and until when? | [`eject`], [`success_rate`] |
//! | what do health checks say? | [`verdict`] |
//!
//! Everything is counted in atomics that any shard reads and writes, and looked at when somebody asks: there is no task, and no lock but
//! where requests wait for a connection. While all is well a request costs a few plain loads. Whoever is compiled anew for the same cluster, or finds the same
//! address among its endpoints, goes on with what was known: a change of the configuration forgets nothing and ends no
//! ejection.

mod budget;
mod eject;
mod limit;
mod success_rate;
#[cfg(test)]
mod tests;
mod verdict;
mod waiting;
mod window;

pub use budget::Room;
pub use eject::Outcome;
pub use limit::{Held, Limit};
pub use verdict::Verdict;
pub use waiting::Turn;

use crate::snapshot::EndpointSet;
use budget::Budget;
use limit::Gauges;
use sluice_model::spec;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Instant,
};
use success_rate::Interval;
use waiting::Waiting;

/// Milliseconds since the cluster was first asked, and never 0.
type Moment = u64;

/// What is known of a cluster and of each of its endpoints.
#[derive(Debug)]
pub struct Shared {
    cluster: Arc<ClusterState>,
    /// In the order of the endpoints. Those with the same address share it.
    endpoints: Box<[Arc<EndpointState>]>,
}

/// What is known of a cluster as a whole.
#[derive(Debug, Default)]
pub struct ClusterState {
    began: OnceLock<Instant>,
    troubles: Troubles,
    budget: Budget,
    gauges: Gauges,
    waiting: Waiting,
    /// When success rates are compared next; 0 is at the first answer.
    next_comparison: AtomicU64,
    ejections: AtomicU64,
}

/// How many endpoints are not well. Read for every request, so it lies apart from what is written often.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Troubles {
    ejected: AtomicU32,
    unhealthy: AtomicU32,
}

/// What is known of an endpoint.
#[derive(Debug)]
#[repr(align(64))]
pub struct EndpointState {
    cluster: Arc<ClusterState>,
    /// 0: in rotation. Else it is left out until this moment, and from then on gets one request at a time.
    out_until: AtomicU64,
    /// It was given a request since its time is over, and what comes of that decides.
    probed: AtomicBool,
    unhealthy: AtomicBool,
    in_a_row: InARow,
    /// Failures as nginx counts them: when the first one was, and how many there were since.
    fails: AtomicU64,
    /// By how much the next ejection is longer.
    times: AtomicU32,
    /// When it was left out last.
    out_since: AtomicU64,
    ejections: AtomicU64,
    interval: Interval,
    gauges: Gauges,
}

/// Failures in a row, of each kind.
#[derive(Debug, Default)]
struct InARow {
    five_xx: AtomicU32,
    gateway: AtomicU32,
    local: AtomicU32,
}

/// An endpoint as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It takes requests.
    Healthy,
    /// It is left out for how it answered.
    Ejected,
    /// It is back, but has not answered well yet.
    OnProbation,
    /// Health checks say so.
    Unhealthy,
}

// === impl Shared ===

impl Shared {
    /// For the endpoints of this cluster. What `before` knew of the cluster, and of those that stay, is taken over.
    pub(crate) fn compile(
        spec: &spec::Cluster,
        endpoints: &EndpointSet,
        before: Option<(&Self, &EndpointSet)>,
    ) -> Self {
        let cluster = before.map_or_else(Arc::default, |(shared, _)| Arc::clone(&shared.cluster));
        let mut known: HashMap<SocketAddr, Arc<EndpointState>> = before
            .into_iter()
            .flat_map(|(shared, set)| set.endpoints().iter().zip(&shared.endpoints))
            .map(|(endpoint, state)| (endpoint.address, Arc::clone(state)))
            .collect();
        let mut state = |address| {
            let state = known.entry(address).or_insert_with(|| Arc::new(EndpointState::new(&cluster)));
            Arc::clone(state)
        };
        let endpoints: Box<[_]> =
            endpoints.endpoints().iter().map(|endpoint| state(endpoint.address)).collect();
        if !spec.outlier_detection.is_on() {
            // Nobody would bring them back any more.
            endpoints.iter().for_each(|endpoint| endpoint.reinstate());
        }
        Self { cluster, endpoints }
    }

    /// The cluster as a whole.
    pub const fn cluster(&self) -> &Arc<ClusterState> {
        &self.cluster
    }

    /// The endpoint in this place.
    pub fn endpoint(&self, place: usize) -> Option<&Arc<EndpointState>> {
        self.endpoints.get(place)
    }

    /// Whether no endpoint is left out.
    pub(crate) fn all_well(&self) -> bool {
        let troubles = &self.cluster.troubles;
        troubles.ejected.load(Ordering::Relaxed) == 0 && troubles.unhealthy.load(Ordering::Relaxed) == 0
    }

    /// Whether any endpoint has as many requests as it may have.
    pub(crate) fn is_full(&self, cluster: &spec::Cluster) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.is_full(cluster.endpoint_limits))
    }

    /// Whether so few are well that all are asked.
    pub(crate) fn panics(&self, cluster: &spec::Cluster, endpoints: &EndpointSet) -> bool {
        let threshold = u64::from(cluster.panic_threshold.millionths());
        let mut takers = 0;
        let mut well = 0;
        for (endpoint, state) in endpoints.endpoints().iter().zip(&self.endpoints) {
            if endpoint.weight > 0 {
                takers += 1;
                well += u64::from(state.is_in());
            }
        }
        well * 1_000_000 < threshold * takers
    }

    /// Adds the places of those that get nothing now: they have enough, or, with `ill`, are left out.
    pub(crate) fn left_out(
        &self,
        now: Instant,
        limits: spec::EndpointLimits,
        ill: bool,
        places: &mut Vec<usize>,
    ) {
        let at = self.cluster.moment(now);
        for (place, state) in self.endpoints.iter().enumerate() {
            if ill && state.is_out(at) || state.is_full(limits) {
                places.push(place);
            }
        }
    }
}

// === impl ClusterState ===

impl ClusterState {
    fn moment(&self, now: Instant) -> Moment {
        let began = *self.began.get_or_init(|| now);
        let since = now.saturating_duration_since(began).as_millis();
        // Shards do not look at the clock together: a second is left for those that are behind.
        u64::try_from(since).unwrap_or(u64::MAX - 1_000) + 1_000
    }

    /// Whether anybody was asked, or checked, so far.
    pub fn is_known(&self) -> bool {
        self.began.get().is_some() || self.unhealthy() > 0
    }

    /// Endpoints that are left out for how they answered, or on probation.
    pub fn ejected(&self) -> u32 {
        self.troubles.ejected.load(Ordering::Relaxed)
    }

    /// Endpoints that health checks take for unhealthy.
    pub fn unhealthy(&self) -> u32 {
        self.troubles.unhealthy.load(Ordering::Relaxed)
    }

    /// How often an endpoint was left out.
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// Retries for which the budget had no room.
    pub fn retries_withheld(&self) -> u64 {
        self.budget.withheld()
    }

    /// How much of this there is now.
    pub fn in_use(&self, limit: Limit) -> u32 {
        self.gauges.of(limit)
    }

    /// How often this was reached.
    pub fn overflows(&self, limit: Limit) -> u64 {
        self.gauges.overflows(limit)
    }
}

// === impl EndpointState ===

impl EndpointState {
    fn new(cluster: &Arc<ClusterState>) -> Self {
        Self {
            cluster: Arc::clone(cluster),
            out_until: AtomicU64::new(0),
            probed: AtomicBool::new(false),
            unhealthy: AtomicBool::new(false),
            in_a_row: InARow::default(),
            fails: AtomicU64::new(0),
            times: AtomicU32::new(0),
            out_since: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
            interval: Interval::default(),
            gauges: Gauges::default(),
        }
    }

    /// How it is.
    pub fn health(&self, now: Instant) -> Health {
        if self.unhealthy.load(Ordering::Relaxed) {
            Health::Unhealthy
        } else if self.out_until.load(Ordering::Relaxed) == 0 {
            Health::Healthy
        } else if self.is_on_probation(self.cluster.moment(now)) {
            Health::OnProbation
        } else {
            Health::Ejected
        }
    }

    /// How often it was left out.
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// How much of this there is now.
    pub fn in_use(&self, limit: Limit) -> u32 {
        self.gauges.of(limit)
    }

    fn is_in(&self) -> bool {
        self.out_until.load(Ordering::Relaxed) == 0 && !self.unhealthy.load(Ordering::Relaxed)
    }

    fn is_out(&self, at: Moment) -> bool {
        self.unhealthy.load(Ordering::Relaxed) || self.out_until.load(Ordering::Relaxed) > at
    }
}

/// An endpoint that is gone troubles nobody.
impl Drop for EndpointState {
    fn drop(&mut self) {
        let troubles = &self.cluster.troubles;
        if *self.out_until.get_mut() != 0 {
            troubles.ejected.fetch_sub(1, Ordering::Relaxed);
        }
        if *self.unhealthy.get_mut() {
            troubles.unhealthy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Health {
    /// A word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Ejected => "ejected",
            Self::OnProbation => "on probation",
            Self::Unhealthy => "unhealthy",
        }
    }
}
