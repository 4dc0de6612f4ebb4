//! What the status writer did, in numbers.

use sluice_proxy::{Family, Labels};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Numbers of the status writer; kinds and reasons are few.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    writes: Mutex<BTreeMap<&'static str, u64>>,
    failures: Mutex<BTreeMap<&'static str, u64>>,
    queue: AtomicUsize,
    leader: AtomicBool,
    /// The name of the Lease; absent where nobody is elected.
    lease: Option<String>,
}

impl Tally {
    /// `lease` is the name of the Lease whose holder writes, if there is one.
    pub(super) fn new(lease: Option<String>) -> Self {
        Self { lease, ..Self::default() }
    }

    /// The name of the Lease, and whether this process holds it; `None` where nobody is elected.
    pub(crate) fn election(&self) -> Option<(&str, bool)> {
        Some((self.lease.as_deref()?, self.leader.load(Ordering::Relaxed)))
    }

    pub(super) fn wrote(&self, kind: &'static str) {
        *self.writes.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    pub(super) fn failed(&self, reason: &'static str) {
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    pub(super) fn waits(&self, number: usize) {
        self.queue.store(number, Ordering::Relaxed);
    }

    pub(super) fn leads(&self, leads: bool) {
        self.leader.store(leads, Ordering::Relaxed);
    }

    pub(crate) fn metrics(&self) -> Vec<Family> {
        let counts =
            |counts: &Mutex<BTreeMap<&'static str, u64>>, label: &'static str| -> Vec<(Labels, u64)> {
                let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                counts.iter().map(|(key, count)| (vec![(label, (*key).to_owned())], *count)).collect()
            };
        let alone = |number: f64| vec![(Labels::new(), number)];
        let leader = if self.leader.load(Ordering::Relaxed) { 1.0 } else { 0.0 };
        vec![
            Family::counter(
                "status_writes_total",
                "Statuses and Events that were written to the cluster, by kind.",
                counts(&self.writes, "kind"),
            ),
            Family::counter(
                "status_write_failures_total",
                "Requests of the status writer that failed, by reason.",
                counts(&self.failures, "reason"),
            ),
            Family::gauge(
                "status_queue",
                "Statuses and Events that wait to be written.",
                alone(self.queue.load(Ordering::Relaxed) as f64),
            ),
            Family::gauge("status_leader", "Whether this process writes status.", alone(leader)),
        ]
    }
}
