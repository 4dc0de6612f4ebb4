//! Watches a side that may be slow.

use std::time::{Duration, Instant};

/// Since when a side has been waited for without any progress.
#[derive(Debug, Default)]
pub(super) struct Stall {
    since: Option<Instant>,
    progress: u64,
}

impl Stall {
    /// After each step: whether the side is waited for, and a number that grows with its progress.
    pub(super) fn note(&mut self, now: Instant, waiting: bool, progress: u64) {
        if !waiting {
            self.since = None;
        } else if self.since.is_none() || progress != self.progress {
            self.since = Some(now);
        }
        self.progress = progress;
    }

    /// Since when the side has been waited for; `None` where it is not.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// When patience ends.
    pub(super) fn deadline(&self, limit: Option<Duration>) -> Option<Instant> {
        self.since?.checked_add(limit?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pause_without_progress_counts() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let limit = Some(second * 10);
        let mut stall = Stall::default();
        assert_eq!(stall.deadline(limit), None);
        stall.note(now, true, 5);
        stall.note(now + second, true, 5);
        assert_eq!(stall.deadline(limit), Some(now + second * 10));
        assert_eq!(stall.deadline(None), None, "switched off");
        stall.note(now + second, true, 6);
        assert_eq!(stall.deadline(limit), Some(now + second * 11));
        stall.note(now + second * 2, false, 6);
        assert_eq!(stall.deadline(limit), None);
    }
}
