//! Numbers that one thread writes and others read.

use super::histogram::Distribution;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A count with one writer: adding is a load and a store, without a locked instruction. Two threads that add to the same
/// count lose additions.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A count that several threads write, for rare events.
#[derive(Debug, Default)]
pub(crate) struct SharedCounter(AtomicU64);

impl SharedCounter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of [`Durations`], in microseconds; a last, unbounded bucket follows.
pub(crate) const BOUNDS: [u64; 15] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 60_000_000,
];

/// How often lengths of time fell between bounds. One thread adds, any may read.
#[derive(Debug, Default)]
pub struct Durations {
    buckets: [Counter; BOUNDS.len() + 1],
    micros: Counter,
}

impl Durations {
    /// Adds a length of time.
    pub fn add(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.buckets[BOUNDS.partition_point(|bound| *bound < micros)].add(1);
        self.micros.add(micros);
    }

    /// Adds what is here to a sum over shards.
    pub(crate) fn add_to(&self, sum: &mut DurationSum) {
        for (bucket, count) in sum.buckets.iter_mut().zip(&self.buckets) {
            *bucket += count.get();
        }
        sum.micros += self.micros.get();
    }
}

/// [`Durations`] of several shards together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DurationSum {
    /// Not cumulative.
    pub(crate) buckets: [u64; BOUNDS.len() + 1],
    pub(crate) micros: u64,
}

impl From<DurationSum> for Distribution {
    fn from(sum: DurationSum) -> Self {
        let seconds = |micros: u64| micros as f64 / 1e6;
        Self {
            bounds: BOUNDS.iter().map(|bound| seconds(*bound)).collect(),
            buckets: sum.buckets.to_vec(),
            sum: seconds(sum.micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let durations = Durations::default();
        for micros in [0, 500, 501, 60_000_000, 60_000_001] {
            durations.add(Duration::from_micros(micros));
        }
        let mut sum = DurationSum::default();
        durations.add_to(&mut sum);
        assert_eq!((sum.buckets[0], sum.buckets[1], sum.buckets[14], sum.buckets[15]), (2, 1, 1, 1));
        assert_eq!(sum.micros, 120_001_002);
    }
}
