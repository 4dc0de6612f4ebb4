//! How often something may happen: a token bucket. Time is an argument.

use std::time::{Duration, Instant};

/// So many at once, and one more after each interval.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    burst: u32,
    every: Duration,
    /// When all tokens are there again.
    full_at: Instant,
}

impl Limit {
    pub(super) fn new(burst: u32, every: Duration, now: Instant) -> Self {
        Self { burst, every, full_at: now }
    }

    /// When there is a token next; `now` where there is one.
    pub(super) fn next(&self, now: Instant) -> Instant {
        // One token is there as soon as no more than the others are missing.
        let others = self.every * self.burst.saturating_sub(1);
        self.full_at.checked_sub(others).map_or(now, |at| at.max(now))
    }

    /// Takes a token, which has to be there.
    pub(super) fn take(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + self.every;
    }

    /// Whether it is as it was in the beginning, and need not be kept.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_one_after_each_interval() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut limit = Limit::new(3, second, start);
        for _ in 0..3 {
            assert_eq!(limit.next(start), start);
            limit.take(start);
        }
        assert_eq!(limit.next(start), start + second);
        let later = start + second;
        assert_eq!(limit.next(later), later);
        limit.take(later);
        assert_eq!(limit.next(later), later + second);
        assert!(!limit.is_full(later) && limit.is_full(later + 3 * second));
    }
}
