//! How long a request waits for its copies.

use std::{
    task::Poll,
    time::{Duration, Instant},
};

/// What a request is willing to wait, and never has more of.
const MOST: Duration = Duration::from_millis(500);

/// The same once the primary is through, when only the client's own next request waits.
const MOST_ALONE: Duration = Duration::from_secs(5);

/// What each mebibyte of body adds: a copy that keeps up with 100 MB/s never exhausts it.
const EARNED_PER_MIB: Duration = Duration::from_millis(10);

/// The part of the time in which the request did not wait that adds to it, too. What slows the machine down slows both
/// sides, so that this measures a copy against its own request, not against a clock.
const EARNED_PER_TIME: u32 = 4;

/// The most that passes between two looks at the copies. Whatever was longer, the machine was busy elsewhere: the copies
/// had no turn either, and are charged one.
const TURN: Duration = Duration::from_millis(25);

/// How long a request still waits for its copies.
#[derive(Debug)]
pub(super) struct Patience {
    most: Duration,
    left: Duration,
    looked: Option<Instant>,
    waiting: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self { most: MOST, left: MOST, looked: None, waiting: false }
    }
}

impl Patience {
    /// The primary is through.
    pub(super) fn alone(&mut self) {
        self.most = MOST_ALONE;
        self.left = MOST_ALONE;
    }

    /// More of the body went out.
    pub(super) fn earn(&mut self, bytes: usize) {
        let earned = EARNED_PER_MIB.as_nanos() as u64 * bytes as u64 / (1 << 20);
        self.add(Duration::from_nanos(earned));
    }

    fn add(&mut self, earned: Duration) {
        self.left = (self.left + earned).min(self.most);
    }

    /// Whether a pause is under way.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Nobody is behind any more.
    pub(super) fn rest(&mut self, now: Instant) {
        self.look(now);
        self.waiting = false;
    }

    /// Somebody is behind. Ready means that the request goes on nevertheless.
    pub(super) fn wait(&mut self, now: Instant) -> Poll<()> {
        self.look(now);
        // Short pauses would come out longer than they are charged: timers are coarse.
        let least = if self.waiting { Duration::ZERO } else { TURN };
        self.waiting = self.left > least;
        if self.waiting { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Charges or adds the time since the last look.
    fn look(&mut self, now: Instant) {
        let passed = self.looked.map_or(Duration::ZERO, |looked| now.saturating_duration_since(looked));
        self.looked = Some(now);
        if self.waiting {
            self.left = self.left.saturating_sub(passed.min(TURN));
        } else {
            self.add(passed / EARNED_PER_TIME);
        }
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.looked.filter(|_| self.waiting).map(|looked| looked + self.left.min(TURN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A request that moves for `moves` whenever it does not wait, with a copy that is always behind: how much of `total`
    /// it waits.
    fn waited(total: Duration, moves: Duration) -> Duration {
        let start = Instant::now();
        let (mut now, mut waited) = (start, Duration::ZERO);
        let mut patience = Patience::default();
        while now < start + total {
            match patience.wait(now) {
                Poll::Ready(()) => now += moves,
                Poll::Pending => {
                    let deadline = patience.deadline().unwrap();
                    assert!(deadline > now && deadline <= now + TURN);
                    waited += deadline - now;
                    now = deadline;
                }
            }
        }
        waited
    }

    #[test]
    fn a_copy_that_stands_still_costs_half_a_second() {
        // Once the request goes on, the copy is full and reset.
        let mut now = Instant::now();
        let start = now;
        let mut patience = Patience::default();
        while patience.wait(now).is_pending() {
            now = patience.deadline().unwrap();
        }
        assert_eq!(now - start, MOST);
        assert!(patience.wait(now).is_ready());
        assert_eq!(patience.deadline(), None);
    }

    #[test]
    fn a_slow_copy_costs_a_fifth_of_the_time_beyond_that() {
        let total = Duration::from_secs(60);
        for moves in [MS / 100, MS, 100 * MS] {
            let waited = waited(total, moves);
            assert!(waited <= MOST + total / 5 + TURN, "{waited:?}");
        }
    }

    #[test]
    fn a_copy_that_keeps_up_with_100_megabytes_a_second_is_waited_for_without_end() {
        let (mut now, mut patience) = (Instant::now(), Patience::default());
        for mebibyte in 0..10_000 {
            patience.earn(1 << 20);
            assert!(patience.wait(now).is_pending(), "{mebibyte}");
            now += 9 * MS;
            patience.rest(now);
        }
    }

    #[test]
    fn a_copy_that_lags_behind_a_slow_request_by_a_fifth_is_waited_for_without_end() {
        let (mut now, mut patience) = (Instant::now(), Patience::default());
        for round in 0..10_000 {
            now += 81 * MS;
            assert!(patience.wait(now).is_pending(), "{round}");
            now += 20 * MS;
            patience.rest(now);
        }
    }

    #[test]
    fn time_in_which_the_request_had_no_turn_is_not_held_against_the_copies() {
        let (mut now, mut patience) = (Instant::now(), Patience::default());
        for turn in 0..MOST.as_millis() / TURN.as_millis() {
            assert!(patience.wait(now).is_pending(), "{turn}");
            now += Duration::from_secs(1);
        }
        assert!(patience.wait(now).is_ready());
    }

    #[test]
    fn whoever_is_through_waits_longer_but_not_for_ever() {
        let mut now = Instant::now();
        let start = now;
        let mut patience = Patience::default();
        patience.alone();
        while patience.wait(now).is_pending() {
            now = patience.deadline().unwrap();
        }
        assert_eq!(now - start, MOST_ALONE);
    }
}
