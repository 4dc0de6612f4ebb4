//! What the streams of a connection tell their connection.

use super::{
    ResetBudget,
    faults::{self, Sign, Watch},
};
use sluice_core::hygiene::Refusal;
use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    task::{Context, Poll, Waker},
    time::Instant,
};

/// Shared by a connection and its streams.
#[derive(Debug)]
pub(super) struct Tally {
    /// The streams that are being served.
    streams: RefCell<HashSet<u32, foldhash::fast::RandomState>>,
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
    watch: RefCell<Watch>,
    /// The newest stream that was served.
    newest: Cell<u32>,
    /// Signs that have left and were not looked at, of streams that perhaps nobody serves. The crate bounds how many it
    /// refuses ([`RESET_BUDGET`](crate::h2::RESET_BUDGET)).
    signs: RefCell<Vec<Sign>>,
    connection: RefCell<Option<Waker>>,
}

impl Tally {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            streams: RefCell::default(),
            idle_since: Cell::new(now),
            budget: RefCell::default(),
            spent: Cell::new(false),
            stalled: Cell::new(None),
            moved: Cell::new(now),
            ended: Cell::new(None),
            watch: RefCell::default(),
            newest: Cell::new(0),
            signs: RefCell::default(),
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

    pub(super) fn begin(&self, stream: u32) {
        self.streams.borrow_mut().insert(stream);
        self.newest.set(self.newest.get().max(stream));
    }

    pub(super) fn end(&self, stream: u32, began: Instant, now: Instant, reset_by_client: bool) {
        self.streams.borrow_mut().remove(&stream);
        self.idle_since.set(now);
        let spent = self.budget.borrow_mut().spend(began, now, reset_by_client);
        self.spent.set(self.spent.get() | spent);
        if (spent || self.streams.borrow().is_empty())
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

    /// These bytes have left, up to `count`.
    pub(super) fn sent<'a>(&self, slices: impl IntoIterator<Item = &'a [u8]>, mut count: usize) {
        let mut watch = self.watch.borrow_mut();
        for slice in slices {
            let sent = &slice[..count.min(slice.len())];
            watch.feed(sent, |sign| match sign {
                // The head of an answer leaves before its stream is served only where nobody will serve it.
                Sign::Head(stream) if stream <= self.newest.get() => {}
                sign => self.signs.borrow_mut().push(sign),
            });
            count -= sent.len();
        }
    }

    /// Reports what the crate has refused by itself; to be asked when every stream that came is being served, because those
    /// that are report by themselves.
    pub(super) fn refused(&self, lost: impl Fn(Refusal)) {
        for sign in self.signs.take() {
            let refusal = match sign {
                // Its only answer.
                Sign::Head(_) => Some(Refusal::codec(431, "http2_head_too_large")),
                Sign::Reset(stream, _) if self.streams.borrow().contains(&stream) => None,
                Sign::Reset(_, reason) | Sign::End(reason) => faults::refusal(reason),
            };
            refusal.map(&lost);
        }
    }

    /// Since when there is no stream; `None` while there is one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.streams.borrow().is_empty().then(|| self.idle_since.get())
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
