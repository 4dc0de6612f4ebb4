//! How many of its own requests a client may take back.

use std::time::{Duration, Instant};

/// A request that is reset sooner than this cost the client nothing and us a route, a connection, an upstream's work.
const PREMATURE: Duration = Duration::from_secs(1);

/// Premature resets before the share counts; Envoy's number.
const LEAST: u32 = 500;

/// Tells a client that cancels now and then from one that floods (CVE-2023-44487 behind the accept queue, which the `h2`
/// crate guards): in the life of a connection, when at least 500 requests were taken back within a second of their
/// arrival and these are more than half of all, the connection is ended.
#[derive(Debug, Default)]
pub(crate) struct ResetBudget {
    streams: u32,
    premature: u32,
}

impl ResetBudget {
    /// A stream is over; says whether that was one too many.
    pub(crate) fn spend(&mut self, began: Instant, now: Instant, reset_by_client: bool) -> bool {
        self.streams = self.streams.saturating_add(1);
        if reset_by_client && now.saturating_duration_since(began) < PREMATURE {
            self.premature = self.premature.saturating_add(1);
        }
        self.premature >= LEAST && self.premature > self.streams / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_over_budget_and_a_mixture_is_not() {
        let now = Instant::now();
        let mut flood = ResetBudget::default();
        assert!((1..LEAST).all(|_| !flood.spend(now, now, true)));
        assert!(flood.spend(now, now, true));
        let mut mixture = ResetBudget::default();
        assert!((0..10_000).all(|n| !mixture.spend(now, now, n % 2 == 1)));
        let mut late = ResetBudget::default();
        assert!((0..10_000).all(|_| !late.spend(now, now + PREMATURE, true)));
    }
}
