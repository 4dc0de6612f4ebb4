//! How often something happened in the last ten seconds.

use super::Moment;
use std::sync::atomic::{AtomicU64, Ordering};

/// How long is remembered.
const SECONDS: u64 = 10;

/// More than that, so that the second that begins never lies where one that counts lies.
const SLOTS: usize = 16;

/// A count for each of the last seconds. Two threads that begin a second together lose nothing.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Window {
    /// The number of the second in the high half, the count in the low half.
    slots: [AtomicU64; SLOTS],
}

impl Window {
    pub(super) fn add(&self, at: Moment) {
        let second = at / 1_000;
        let slot = &self.slots[second as usize % SLOTS];
        let mut known = slot.load(Ordering::Relaxed);
        // A thread whose clock is behind counts for the second that has begun.
        while known >> 32 < second {
            match slot.compare_exchange_weak(known, second << 32 | 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => known = other,
            }
        }
        slot.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sum(&self, at: Moment) -> u64 {
        let second = at / 1_000;
        let counts = self.slots.iter().map(|slot| slot.load(Ordering::Relaxed));
        counts
            .filter(|slot| slot >> 32 != 0 && (slot >> 32) + SECONDS > second)
            .map(|slot| slot & 0xffff_ffff)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_are_remembered() {
        let window = Window::default();
        for at in [1_000, 1_999, 2_000, 11_000] {
            window.add(at);
        }
        assert_eq!(window.sum(10_999), 4);
        assert_eq!(window.sum(11_000), 2, "the first second is over");
        assert_eq!(window.sum(20_999), 1);
        assert_eq!(window.sum(21_000), 0);
        window.add(17_000);
        assert_eq!(window.sum(17_000), 2, "the slot of the first second is used again");
    }
}
