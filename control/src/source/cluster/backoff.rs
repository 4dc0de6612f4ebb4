//! How long to wait before a request that failed is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
/// A server may ask for more patience than our own, up to this.
const LONGEST: Duration = Duration::from_secs(60);

/// Delays that double up to a bound, each with up to half of it by chance, so that many watches do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    bound: Duration,
}

impl Backoff {
    pub(super) fn up_to(bound: Duration) -> Self {
        Self { next: FIRST, bound }
    }

    /// Another bound, from the next delay on.
    pub(super) fn bound(&mut self, bound: Duration) {
        self.bound = bound;
        self.next = self.next.min(bound);
    }

    /// It works again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// The next delay, by chance from 0 to 1; never less than what the server asks for.
    pub(super) fn delay(&mut self, chance: f64, asked: Option<Duration>) -> Duration {
        let delay = self.next.mul_f64(0.5 + chance / 2.0);
        self.next = (self.next * 2).min(self.bound);
        delay.max(asked.unwrap_or_default().min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_bound_and_begin_anew() {
        let mut backoff = Backoff::up_to(Duration::from_secs(1));
        let delays: Vec<u128> = (0..6).map(|_| backoff.delay(1.0, None).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.delay(0.0, None).as_millis(), 500, "half of it is chance");
        backoff.reset();
        assert_eq!(backoff.delay(1.0, None).as_millis(), 100);
        assert_eq!(backoff.delay(1.0, Some(Duration::from_secs(7))).as_secs(), 7);
        assert_eq!(backoff.delay(1.0, Some(Duration::MAX)), LONGEST);
    }
}
