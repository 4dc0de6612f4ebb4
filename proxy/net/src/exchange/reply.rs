//! Answers that come from memory, and bodies that were collected there.

use super::{Driver, Stage, tell};
use crate::{
    body::{Front, Source, SourceError},
    downstream::Downstream,
    fields::HeadFields,
    mirror::Mirrors,
};
use bytes::Bytes;
use sluice_core::{
    exchange::{Action, Event},
    hygiene::Body,
};
use std::task::{Context, Poll};

/// A piece of a body that lies in memory.
pub(super) struct Slice<'a> {
    data: &'a [u8],
    last: bool,
}

/// How much of a body is shown at once: what mirrors get in one piece has to fit into what they may hold.
const PIECE: usize = 64 * 1024;

impl<'a> Slice<'a> {
    /// The front of what is left.
    pub(super) fn front(rest: &'a [u8]) -> Self {
        let (data, behind) = rest.split_at(rest.len().min(PIECE));
        Self { data, last: behind.is_empty() }
    }
}

impl Source for Slice<'_> {
    fn length(&self) -> Body {
        Body::Length(self.data.len() as u64)
    }
    fn poll_front(&mut self, _: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        Poll::Ready(Ok(if self.data.is_empty() { Front::End } else { Front::Data }))
    }
    fn data(&self) -> &[u8] {
        self.data
    }
    fn last(&self) -> bool {
        self.last
    }
    fn share(&self, count: usize) -> Bytes {
        Bytes::copy_from_slice(&self.data[..count])
    }
    fn consume(&mut self, count: usize) {
        self.data = &self.data[count..];
    }
    fn trailers(&self) -> HeadFields<'_> {
        HeadFields::Empty
    }
    fn rewind(&mut self) -> bool {
        false
    }
    fn held(&self) -> bool {
        true
    }
}

impl<D: Downstream> Driver<'_, D> {
    /// Drops the upstream and begins an answer of our own.
    pub(super) fn respond(&mut self) {
        self.up = None;
        self.connecting = None;
        if !self.exchange.copies_go_on() {
            self.mirrors = Mirrors::default();
        }
        self.write_head(false);
        self.stage = Stage::Responding;
    }

    pub(super) fn poll_responding(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        self.response.blocked = false;
        while !self.response.finished {
            let rest = self.exchange.reply_body().get(self.replied..).unwrap_or_default();
            if rest.is_empty() {
                self.response.finished = true;
                if self.down.finish(HeadFields::Empty).is_err() {
                    return Poll::Ready(self.client_gone());
                }
                break;
            }
            match self.down.poll_push(cx, &Slice::front(rest)) {
                Poll::Ready(Ok(count)) => self.replied += count,
                Poll::Ready(Err(_)) => return Poll::Ready(self.client_gone()),
                Poll::Pending => {
                    self.response.blocked = true;
                    return Poll::Pending;
                }
            }
        }
        match self.down.poll_flush(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(tell!(self, Event::ReplySent)),
            Poll::Ready(Err(_)) => Poll::Ready(self.client_gone()),
            Poll::Pending => {
                self.response.blocked = true;
                Poll::Pending
            }
        }
    }
}
