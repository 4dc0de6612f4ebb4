//! The way of a body from a request to one of its copies.

use crate::{
    body::{Front, Source, SourceError},
    fields::HeadFields,
};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use sluice_core::{
    hygiene::Body,
    mirror::{Account, Full},
};
use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Pieces that wait to be sent, and how the rest comes to its end.
#[derive(Debug)]
pub(super) struct Channel {
    pieces: RefCell<VecDeque<Bytes>>,
    account: RefCell<Account>,
    state: Cell<State>,
    /// Set with the end of the body.
    trailers: OnceCell<HeaderMap>,
    /// The copy's task.
    copy: RefCell<Option<Waker>>,
    /// The request's task, which waits for the copy.
    request: RefCell<Option<Waker>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The body is complete.
    Ended,
    /// The client did not finish it.
    Cut,
    /// More would have to be held than may be.
    Full(Full),
    /// The copy is over; whatever comes is dropped.
    Over,
}

impl Channel {
    pub(super) fn new(account: Account) -> Self {
        Self {
            pieces: RefCell::default(),
            account: RefCell::new(account),
            state: Cell::new(State::Open),
            trailers: OnceCell::new(),
            copy: RefCell::default(),
            request: RefCell::default(),
        }
    }

    // === The request's side ===

    pub(super) fn push(&self, piece: &Bytes) {
        if self.state.get() != State::Open || piece.is_empty() {
            return;
        }
        match self.account.borrow_mut().hold(piece.len()) {
            Ok(()) => self.pieces.borrow_mut().push_back(piece.clone()),
            Err(full) => self.state.set(State::Full(full)),
        }
        wake(&self.copy);
    }

    pub(super) fn end(&self, trailers: HeaderMap) {
        // The body ends once.
        let _ = self.trailers.set(trailers);
        self.become_(State::Ended);
    }

    pub(super) fn cut(&self) {
        self.become_(State::Cut);
    }

    fn become_(&self, state: State) {
        if self.state.get() == State::Open {
            self.state.set(state);
            wake(&self.copy);
        }
    }

    /// Whether the copy wants more.
    pub(super) fn is_open(&self) -> bool {
        self.state.get() == State::Open
    }

    /// Bytes that wait; none where the copy is over, or about to be.
    pub(super) fn held(&self) -> usize {
        if self.is_open() { self.account.borrow().held() } else { 0 }
    }

    /// Has the request's task woken when the copy has sent something, or is over.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        *self.request.borrow_mut() = Some(cx.waker().clone());
    }

    // === The copy's side ===

    /// The copy is over: what waits is dropped.
    pub(super) fn close(&self) {
        self.state.set(State::Over);
        self.pieces.borrow_mut().clear();
        let mut account = self.account.borrow_mut();
        let held = account.held();
        account.release(held);
        drop(account);
        wake(&self.request);
    }

    /// Has the copy's task woken when the request has something for it, or gives it up.
    pub(super) fn listen(&self, cx: &Context<'_>) {
        *self.copy.borrow_mut() = Some(cx.waker().clone());
    }

    /// Why the copy is to be given up, if it is.
    pub(super) fn given_up(&self) -> Option<&'static str> {
        match self.state.get() {
            State::Open | State::Ended | State::Over => None,
            State::Cut => Some("client cut the body"),
            State::Full(Full::Mirror) => Some("too slow"),
            State::Full(Full::Shard) => Some("shard buffer full"),
        }
    }

    fn released(&self, count: usize) {
        self.account.borrow_mut().release(count);
        wake(&self.request);
    }
}

fn wake(waker: &RefCell<Option<Waker>>) {
    let waker = waker.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// What the copy sends.
#[derive(Debug)]
pub(super) struct CopyBody {
    channel: Rc<Channel>,
    length: Body,
    front: Bytes,
}

impl CopyBody {
    pub(super) const fn new(channel: Rc<Channel>, length: Body) -> Self {
        Self { channel, length, front: Bytes::new() }
    }
}

impl Source for CopyBody {
    fn length(&self) -> Body {
        self.length
    }

    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        if self.channel.given_up().is_some() {
            return Poll::Ready(Err(SourceError::Gone));
        }
        if self.front.is_empty() {
            match self.channel.pieces.borrow_mut().pop_front() {
                Some(piece) => self.front = piece,
                None if self.channel.state.get() == State::Ended => return Poll::Ready(Ok(Front::End)),
                None => {
                    self.channel.listen(cx);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(Front::Data))
    }

    fn data(&self) -> &[u8] {
        &self.front
    }

    fn last(&self) -> bool {
        self.channel.state.get() == State::Ended
            && self.channel.pieces.borrow().is_empty()
            && self.channel.trailers.get().is_none_or(HeaderMap::is_empty)
    }

    fn share(&self, count: usize) -> Bytes {
        self.front.slice(..count.min(self.front.len()))
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.front.len());
        self.front.advance(count);
        self.channel.released(count);
    }

    fn trailers(&self) -> HeadFields<'_> {
        match self.channel.trailers.get() {
            Some(trailers) if !trailers.is_empty() => HeadFields::Http2(trailers),
            _ => HeadFields::Empty,
        }
    }

    fn rewind(&mut self) -> bool {
        false
    }

    fn held(&self) -> bool {
        false
    }
}
