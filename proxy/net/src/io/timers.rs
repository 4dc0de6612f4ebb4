//! The timers of a shard: one coarse wheel, one entry per connection or stream, armed again lazily.
//!
//! A deadline moves with every byte, so moving it later is a store: the wheel still holds the old slot, and when that
//! comes up the entry is put where it belongs by then. Only an earlier deadline touches the wheel. One task per shard
//! sleeps until the next occupied slot.

use slab::Slab;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Instant,
};

/// The timers of one shard.
#[derive(Debug)]
pub(crate) struct Timers {
    entries: RefCell<Slab<Entry>>,
    /// The shard's clock: set once per wake-up of a task.
    now: Cell<Instant>,
}

#[derive(Debug, Default)]
struct Entry {
    deadline: Option<Instant>,
    waker: Option<Waker>,
}

/// One task's timer. A task needs only one: it arms it for the earliest of its deadlines.
#[derive(Debug)]
pub(crate) struct Timer {
    timers: Rc<Timers>,
    key: usize,
}

impl Timers {
    pub(crate) fn new(now: Instant) -> Rc<Self> {
        Rc::new(Self { entries: RefCell::default(), now: Cell::new(now) })
    }

    /// The time of the current wake-up.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// A timer that is not armed.
    pub(crate) fn timer(self: &Rc<Self>) -> Timer {
        Timer { timers: Rc::clone(self), key: self.entries.borrow_mut().insert(Entry::default()) }
    }

    /// Wakes every task that has a timer: something changed that they all look at (drain).
    pub(crate) fn wake_all(&self) {
        for (_, entry) in &*self.entries.borrow() {
            if let Some(waker) = &entry.waker {
                waker.wake_by_ref();
            }
        }
    }
}

impl Timer {
    /// Ready when `deadline` has passed; otherwise the task is woken then. `None` never passes. Each call replaces the
    /// deadline of the one before.
    pub(crate) fn poll_until(&self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        if deadline.is_some_and(|deadline| deadline <= self.timers.now()) {
            return Poll::Ready(());
        }
        let mut entries = self.timers.entries.borrow_mut();
        let entry = &mut entries[self.key];
        entry.deadline = deadline;
        match &mut entry.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => entry.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.timers.entries.borrow_mut().remove(self.key);
    }
}
