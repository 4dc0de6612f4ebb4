//! How much of what a cluster is sent may be retries.
//!
//! A retry has a place while it is under way. One that is answered well gives it back; one that fails keeps it for ten seconds.
//! There are as many places as a share of the requests of the last ten seconds, and a few more where those were few. So a
//! cluster that fails altogether is sent that share more than clients ask for and nothing beyond, while one of which an endpoint
//! fails has nearly all of its requests served by the others.

use super::{ClusterState, window::Window};
use sluice_model::spec::RetryBudget;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Instant,
};

#[derive(Debug, Default)]
pub(super) struct Budget {
    requests: Window,
    failed: Window,
    under_way: AtomicU32,
    withheld: AtomicU64,
}

/// The place of a retry. Dropped, it is free again.
#[derive(Debug)]
pub struct Room(Arc<ClusterState>);

impl Budget {
    pub(super) fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }
}

impl ClusterState {
    /// A request was sent for the first time.
    pub fn requested(&self, now: Instant) {
        self.budget.requests.add(self.moment(now));
    }

    /// A place for a retry, where one is free.
    pub fn room_to_retry(self: &Arc<Self>, budget: RetryBudget, now: Instant) -> Option<Room> {
        let at = self.moment(now);
        let share = self.budget.requests.sum(at) * u64::from(budget.percent.millionths()) / 1_000_000;
        let places = share.max(budget.min_concurrent.into());
        let failed = self.budget.failed.sum(at);
        let enter = |under_way: u32| (failed + u64::from(under_way) < places).then_some(under_way + 1);
        match self.budget.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter) {
            Ok(_) => Some(Room(Arc::clone(self))),
            Err(_) => None,
        }
    }

    /// A retry was given up for want of room.
    pub fn retry_withheld(&self) {
        self.budget.withheld.fetch_add(1, Ordering::Relaxed);
    }
}

impl Room {
    /// The retry failed, too.
    pub fn failed(self, now: Instant) {
        self.0.budget.failed.add(self.0.moment(now));
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.budget.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
