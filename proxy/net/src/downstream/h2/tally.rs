//! What the streams of a connection tell their connection.

use super::ResetBudget;
use std::{
    cell::{Cell, RefCell},
    task::{Context, Poll, Waker},
    time::Instant,
};

/// Shared by a connection and its streams.
#[derive(Debug)]
pub(super) struct Tally {
    active: Cell<usize>,
    /// Since when there is no stream.
    idle_since: Cell<Instant>,
    budget: RefCell<ResetBudget>,
    spent: Cell<bool>,
    /// Since when the client takes no bytes although there are some.
    stalled: Cell<Option<Instant>>,
    /// When bytes came or went last.
    moved: Cell<Instant>,
    /// When our side ended.
    ended: Cell<Option<Instant>>,
    connection: RefCell<Option<Waker>>,
}

impl Tally {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            active: Cell::new(0),
            idle_since: Cell::new(now),
            budget: RefCell::default(),
            spent: Cell::new(false),
            stalled: Cell::new(None),
            moved: Cell::new(now),
            ended: Cell::new(None),
            connection: RefCell::default(),
        }
    }

    /// The connection's task, to be woken when a stream ends.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        match &mut *self.connection.borrow_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// The handshake is over.
    pub(super) fn rest(&self, now: Instant) {
        self.idle_since.set(now);
    }

    pub(super) fn begin(&self) {
        self.active.set(self.active.get() + 1);
    }

    pub(super) fn end(&self, began: Instant, now: Instant, reset_by_client: bool) {
        self.active.set(self.active.get().saturating_sub(1));
        self.idle_since.set(now);
        let spent = self.budget.borrow_mut().spend(began, now, reset_by_client);
        self.spent.set(self.spent.get() | spent);
        if (spent || self.active.get() == 0)
            && let Some(waker) = &*self.connection.borrow()
        {
            waker.wake_by_ref();
        }
    }

    /// A write came back.
    pub(super) fn wrote<T>(&self, write: &Poll<T>, now: Instant) {
        match write {
            Poll::Ready(_) => {
                self.stalled.set(None);
                self.moved.set(now);
            }
            Poll::Pending if self.stalled.get().is_none() => self.stalled.set(Some(now)),
            Poll::Pending => {}
        }
    }

    /// Bytes, or their end, came.
    pub(super) fn read(&self, now: Instant) {
        self.moved.set(now);
    }

    /// Our side has ended: nothing more is sent.
    pub(super) fn finished(&self, now: Instant) {
        self.ended.set(Some(now));
    }

    /// When bytes came or went last.
    pub(super) fn moved_at(&self) -> Instant {
        self.moved.get()
    }

    /// When our side ended; `None` while it has not.
    pub(super) fn ended_at(&self) -> Option<Instant> {
        self.ended.get()
    }

    /// Since when there is no stream; `None` while there is one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.active.get() == 0).then(|| self.idle_since.get())
    }

    /// Since when the client takes no bytes.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        self.stalled.get()
    }

    /// Whether the budget of resets is spent; says so once.
    pub(super) fn flooded(&self) -> bool {
        self.spent.take()
    }
}
