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

/// A body that lies in memory; `done` bytes of it have been taken.
pub(super) struct Slice<'a>(pub(super) &'a [u8]);

impl Source for Slice<'_> {
    fn length(&self) -> Body {
        Body::Length(self.0.len() as u64)
    }
    fn poll_front(&mut self, _: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        Poll::Ready(Ok(if self.0.is_empty() { Front::End } else { Front::Data }))
    }
    fn data(&self) -> &[u8] {
        self.0
    }
    fn last(&self) -> bool {
        true
    }
    fn share(&self, count: usize) -> Bytes {
        Bytes::copy_from_slice(&self.0[..count])
    }
    fn consume(&mut self, count: usize) {
        self.0 = &self.0[count..];
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
        self.mirrors = Mirrors::default();
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
            match self.down.poll_push(cx, &Slice(rest)) {
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
