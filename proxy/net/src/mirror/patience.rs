//! How long a request waits for its copies.

use std::{
    task::Poll,
    time::{Duration, Instant},
};

/// What a request is willing to wait in all, before anything was sent.
const INITIAL: Duration = Duration::from_millis(250);

/// The same, for one pause.
const ONE_PAUSE: Duration = Duration::from_millis(100);

/// What each mebibyte of body adds: a copy that keeps up with 100 MB/s never exhausts it.
const EARNED_PER_MIB: Duration = Duration::from_millis(10);

/// How long a request still waits for its copies.
#[derive(Debug)]
pub(super) struct Patience {
    left: Duration,
    /// The pause that is under way: since when, and what the copies that are behind had sent by then.
    pause: Option<(Instant, u64)>,
    /// A whole pause passed in which nothing moved.
    lost: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self { left: INITIAL, pause: None, lost: false }
    }
}

impl Patience {
    /// More of the body went out.
    pub(super) fn earn(&mut self, bytes: usize) {
        let earned = EARNED_PER_MIB.as_nanos() as u64 * bytes as u64 / (1 << 20);
        self.left = (self.left + Duration::from_nanos(earned)).min(INITIAL);
    }

    /// Whether a pause is under way.
    pub(super) const fn is_waiting(&self) -> bool {
        self.pause.is_some()
    }

    /// Nobody is behind any more.
    pub(super) fn rest(&mut self, now: Instant) {
        if let Some((since, _)) = self.pause.take() {
            self.left = self.left.saturating_sub(now.saturating_duration_since(since));
            self.lost = false;
        }
    }

    /// Somebody is behind; `sent` is what they have sent so far. Ready means that the request goes on nevertheless.
    pub(super) fn wait(&mut self, now: Instant, sent: u64) -> Poll<()> {
        if self.lost || self.left.is_zero() {
            return Poll::Ready(());
        }
        let (since, before) = *self.pause.get_or_insert((now, sent));
        let waited = now.saturating_duration_since(since);
        if waited < self.left.min(ONE_PAUSE) {
            return Poll::Pending;
        }
        self.left = self.left.saturating_sub(waited);
        self.lost = sent == before;
        self.pause = None;
        Poll::Ready(())
    }

    /// When the pause ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pause.map(|(since, _)| since + self.left.min(ONE_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_copy_that_does_not_move_costs_one_pause() {
        let start = Instant::now();
        let mut patience = Patience::default();
        assert!(patience.wait(start, 5).is_pending());
        assert_eq!(patience.deadline(), Some(start + ONE_PAUSE));
        assert!(patience.wait(start + ONE_PAUSE, 5).is_ready());
        assert!(patience.wait(start + ONE_PAUSE, 5).is_ready());
        assert_eq!(patience.deadline(), None);
    }

    #[test]
    fn a_slow_copy_costs_a_bounded_time_in_all() {
        let start = Instant::now();
        let (mut now, mut sent, mut pending) = (start, 0, 0);
        let mut patience = Patience::default();
        for _ in 0..1_000 {
            sent += 1;
            if patience.wait(now, sent).is_pending() {
                now += MS;
                pending += 1;
            }
        }
        assert!((240..=260).contains(&pending), "{pending}");
    }

    #[test]
    fn a_copy_that_keeps_up_is_waited_for_without_end() {
        let (mut now, mut patience) = (Instant::now(), Patience::default());
        for sent in 0..10_000 {
            patience.earn(1 << 20);
            assert!(patience.wait(now, sent).is_pending(), "{sent}");
            now += 9 * MS;
            patience.rest(now);
        }
    }
}
