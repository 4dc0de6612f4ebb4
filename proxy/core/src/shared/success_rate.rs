//! Who answers much worse than the others.

use super::{EndpointState, Shared};
use sluice_model::spec::OutlierDetection;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

/// What an endpoint answered in the interval that has begun.
#[derive(Debug, Default)]
pub(super) struct Interval {
    all: AtomicU32,
    good: AtomicU32,
    /// The share of good answers in the interval before, in millionths and one more; 0 where there were too few.
    rate: AtomicU32,
}

impl Shared {
    /// Counts an answer, or its absence. At the end of an interval, leaves out who is far below the mean.
    pub(super) fn compare(
        &self,
        outliers: &OutlierDetection,
        endpoint: &EndpointState,
        now: Instant,
        good: bool,
    ) {
        let Some(spec) = &outliers.success_rate else { return };
        let interval = u64::try_from(spec.interval.get().as_millis()).unwrap_or(u64::MAX);
        if self.cluster.is_due(self.cluster.moment(now), interval) {
            let (mut count, mut sum, mut squares) = (0_u32, 0.0, 0.0);
            for endpoint in &self.endpoints {
                if let Some(rate) = endpoint.interval.end(spec.min_requests) {
                    count += 1;
                    sum += rate;
                    squares += rate * rate;
                }
            }
            if count >= spec.min_endpoints.max(2) {
                let mean = sum / f64::from(count);
                let deviation = (squares / f64::from(count) - mean * mean).max(0.0).sqrt();
                let least = mean - deviation * spec.deviations;
                for endpoint in &self.endpoints {
                    if endpoint.interval.rate().is_some_and(|rate| rate < least) {
                        self.eject(outliers, endpoint, now);
                    }
                }
            }
        }
        endpoint.interval.all.fetch_add(1, Ordering::Relaxed);
        if good {
            endpoint.interval.good.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Interval {
    /// Ends it, and begins the next one.
    fn end(&self, least: u32) -> Option<f64> {
        let all = self.all.swap(0, Ordering::Relaxed);
        let good = self.good.swap(0, Ordering::Relaxed).min(all);
        let millionths = (u64::from(good) * 1_000_000).checked_div(all.into());
        let rate = millionths.filter(|_| all >= least).map_or(0, |millionths| millionths as u32 + 1);
        self.rate.store(rate, Ordering::Relaxed);
        self.rate()
    }

    fn rate(&self) -> Option<f64> {
        Some(f64::from(self.rate.load(Ordering::Relaxed).checked_sub(1)?))
    }
}
