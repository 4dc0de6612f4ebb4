//! A coarse timer wheel: many deadlines that nearly always move later before they pass.
//!
//! A key (a small index, such as one of a slab) has at most one deadline. Moving it later is a plain store: the wheel still
//! holds the old slot, and when that comes up the key is put where it belongs by then. Only an earlier deadline touches
//! the wheel. Deadlines beyond one turn wait in the last slot and are looked at once a turn.
//!
//! A deadline never passes early, and at most one [`Wheel::TICK`] late. No clock in here: `now` is an argument.

use std::time::{Duration, Instant};

/// Slots of one turn; a turn is about 16 seconds.
const SLOTS: usize = 1024;
const NEVER: u64 = u64::MAX;

/// The deadlines of one shard.
#[derive(Debug)]
pub struct Wheel {
    start: Instant,
    /// Every slot up to this tick, inclusive, has been looked at.
    current: u64,
    slots: Box<[Vec<usize>]>,
    /// One bit for each slot that is not empty.
    occupied: [u64; SLOTS / 64],
    entries: Vec<Entry>,
    /// The keys that are being looked at; kept for its memory.
    due: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// When it passes; [`NEVER`] where it is not armed.
    deadline: u64,
    /// The tick of the one slot item that counts; others of the key are left-overs. [`NEVER`] where there is none.
    queued: u64,
}

impl Wheel {
    /// How exact it is.
    pub const TICK: Duration = Duration::from_millis(16);

    /// An empty wheel.
    pub fn new(now: Instant) -> Self {
        Self {
            start: now,
            current: 0,
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            occupied: [0; SLOTS / 64],
            entries: Vec::new(),
            due: Vec::new(),
        }
    }

    /// Sets the deadline of a key in place of the one it had. Memory grows with the largest key.
    pub fn arm(&mut self, key: usize, deadline: Instant) {
        let deadline = self.tick_after(deadline).max(self.current + 1);
        if key >= self.entries.len() {
            self.entries.resize(key + 1, Entry { deadline: NEVER, queued: NEVER });
        }
        self.entries[key].deadline = deadline;
        if deadline < self.entries[key].queued {
            self.queue(key, deadline);
        }
    }

    /// Takes the deadline of a key away. The key may then be given to somebody else.
    pub fn cancel(&mut self, key: usize) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.deadline = NEVER;
        }
    }

    /// When [`Wheel::advance`] has something to look at again; not always a deadline. `None` where nothing is armed.
    pub fn next(&self) -> Option<Instant> {
        let first = (self.current as usize + 1) % SLOTS;
        let (word, bit) = (first / 64, first % 64);
        let words = self.occupied.len();
        // The first word is looked at twice: from `first` on at once, in front of it after a whole turn.
        for step in 0..=words {
            let mut bits = self.occupied[(word + step) % words];
            if step == 0 {
                bits &= u64::MAX << bit;
            } else if step == words {
                bits &= !(u64::MAX << bit);
            }
            if bits != 0 {
                let slot = ((word + step) % words) * 64 + bits.trailing_zeros() as usize;
                let ahead = (slot + SLOTS - first) % SLOTS;
                return Some(self.instant(self.current + 1 + ahead as u64));
            }
        }
        None
    }

    /// Moves on to `now` and reports every key whose deadline has passed; it is then no longer armed.
    pub fn advance(&mut self, now: Instant, mut expired: impl FnMut(usize)) {
        let now = self.tick_before(now);
        if now <= self.current {
            return;
        }
        // After a long sleep every slot is looked at once; that finds all there is.
        let from = self.current + 1;
        let to = now.min(self.current + SLOTS as u64);
        self.current = now;
        let mut due = std::mem::take(&mut self.due);
        for tick in from..=to {
            if self.is_occupied(tick) {
                let slot = tick as usize % SLOTS;
                self.occupied[slot / 64] &= !(1 << (slot % 64));
                due.append(&mut self.slots[slot]);
            }
        }
        for key in due.drain(..) {
            let entry = &mut self.entries[key];
            // A left-over, or reported already; NEVER is beyond every tick.
            if entry.queued > now {
                continue;
            }
            entry.queued = NEVER;
            if entry.deadline <= now {
                entry.deadline = NEVER;
                expired(key);
            } else if entry.deadline != NEVER {
                let deadline = entry.deadline;
                self.queue(key, deadline);
            }
        }
        self.due = due;
    }

    fn queue(&mut self, key: usize, deadline: u64) {
        let tick = deadline.min(self.current + SLOTS as u64 - 1);
        let slot = tick as usize % SLOTS;
        self.entries[key].queued = tick;
        self.slots[slot].push(key);
        self.occupied[slot / 64] |= 1 << (slot % 64);
    }

    fn is_occupied(&self, tick: u64) -> bool {
        let slot = tick as usize % SLOTS;
        self.occupied[slot / 64] & (1 << (slot % 64)) != 0
    }

    fn tick_before(&self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.start)) / nanos(Self::TICK)
    }

    fn tick_after(&self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.start)).div_ceil(nanos(Self::TICK))
    }

    fn instant(&self, tick: u64) -> Instant {
        // A tick within a turn of the current one: far from any overflow.
        self.start + Duration::from_nanos(tick.saturating_mul(nanos(Self::TICK)))
    }
}

/// In 64 bits, which are enough for centuries and divided much faster than 128.
const fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

#[cfg(test)]
mod tests;
