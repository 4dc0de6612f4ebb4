//! How soon an endpoint answers: a moving average that jumps up at once and comes down slowly.
//!
//! After Finagle's `PeakEwma`, with the decay that ingress-nginx's `ewma` has: half a story is worse than none, so one slow answer
//! counts in full, and a fast one by how long ago the last one was. An average that nobody adds to fades, so an endpoint that was
//! slow is asked again some day.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What a failure counts as, at least: who fails fast must not look fast.
const FAILURE: Duration = Duration::from_secs(1);

/// The average of one endpoint, over all shards.
#[derive(Debug)]
pub(super) struct Latency {
    /// After so long without an answer about a third of the average is left, in milliseconds.
    decay: f32,
    /// Milliseconds count from here.
    since: OnceLock<Instant>,
    /// The average in microseconds (the bits of an `f32`) above the millisecond in which it was taken, together, so that no shard
    /// sees the one without the other.
    state: AtomicU64,
}

impl Latency {
    pub(super) fn new(decay: Duration) -> Self {
        Self { decay: decay.as_secs_f32() * 1e3, since: OnceLock::new(), state: AtomicU64::new(0) }
    }

    /// Whether averages fade as fast as this.
    pub(super) fn decays_in(&self, decay: Duration) -> bool {
        self.decay.to_bits() == (decay.as_secs_f32() * 1e3).to_bits()
    }

    /// One more answer, or a failure.
    pub(super) fn note(&self, now: Instant, took: Duration, failed: bool) {
        let took = if failed { took.max(FAILURE) } else { took };
        let took = took.as_secs_f32() * 1e6;
        let at = millis(*self.since.get_or_init(|| now), now);
        let next = |state| {
            let (average, kept) = self.unpack(state, at);
            let average = if took > average { took } else { average * kept + took * (1.0 - kept) };
            Some(u64::from(average.to_bits()) << 32 | u64::from(at))
        };
        // Cannot fail: there is always a next state.
        let _ = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// The average in microseconds, faded; `None` where nothing is known.
    pub(super) fn average(&self, now: Instant) -> Option<f32> {
        let at = millis(*self.since.get()?, now);
        let (average, kept) = self.unpack(self.state.load(Ordering::Relaxed), at);
        Some(average * kept)
    }

    /// An average, and how much of it is left now.
    fn unpack(&self, state: u64, at: u32) -> (f32, f32) {
        let (average, stamp) = (f32::from_bits((state >> 32) as u32), state as u32);
        // Another shard's clock may be a little behind.
        let elapsed = at.wrapping_sub(stamp).cast_signed().max(0);
        (average, (-(elapsed as f32) / self.decay).exp())
    }
}

/// Wraps after fifty days, which only makes one average look fresh.
fn millis(since: Instant, now: Instant) -> u32 {
    now.saturating_duration_since(since).as_millis() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    fn micros(latency: &Latency, now: Instant) -> u64 {
        latency.average(now).map_or(u64::MAX, |average| average.round() as u64)
    }

    #[test]
    fn an_average_jumps_up_and_comes_down_slowly() {
        let (latency, start) = (Latency::new(DECAY), Instant::now());
        assert_eq!(latency.average(start), None, "nothing is known");
        let at = |millis| start + Duration::from_millis(millis);
        latency.note(start, Duration::from_millis(10), false);
        assert_eq!(micros(&latency, start), 10_000);
        latency.note(at(100), Duration::from_millis(200), false);
        assert_eq!(micros(&latency, at(100)), 200_000, "at once");
        latency.note(at(200), Duration::from_millis(10), false);
        let after_one = micros(&latency, at(200));
        assert!((190_000..200_000).contains(&after_one), "{after_one}");
        for step in 2..600 {
            latency.note(at(step * 100), Duration::from_millis(10), false);
        }
        let settled = micros(&latency, at(59_900));
        assert!((10_000..11_000).contains(&settled), "{settled}");
    }

    #[test]
    fn silence_fades_and_failures_are_slow() {
        let (latency, start) = (Latency::new(DECAY), Instant::now());
        latency.note(start, Duration::from_millis(2), true);
        assert_eq!(micros(&latency, start), 1_000_000);
        let later = micros(&latency, start + DECAY);
        assert!((367_000..369_000).contains(&later), "{later}");
        assert!(micros(&latency, start + DECAY * 12) < 10);
    }
}
