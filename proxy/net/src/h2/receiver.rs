//! The receiving half of a stream.

use crate::{
    body::{Front, SourceError},
    fields::HeadFields,
};
use bytes::{Buf, Bytes};
use h2::RecvStream;
use http::HeaderMap;
use sluice_core::hygiene::Body;
use std::task::{Context, Poll, ready};

/// Body bytes that are kept for a retry.
const KEPT: usize = 16 * 1024;

/// Whether what was consumed is kept for a retry, as long as it is little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// A request's body.
    Beginning,
    /// An answer's body.
    Nothing,
}

/// A body that arrives on a stream.
#[derive(Debug)]
pub(crate) struct Receiver {
    stream: RecvStream,
    length: Body,
    /// The piece at the front.
    front: Bytes,
    /// What is given out once more after a rewind, before `front`. Its credit has been returned.
    replay: Bytes,
    /// Everything that was consumed, while `held`.
    history: Vec<u8>,
    held: bool,
    trailers: HeaderMap,
    ended: bool,
}

impl Receiver {
    pub(crate) fn new(stream: RecvStream, length: Body, keep: Keep) -> Self {
        Self {
            ended: stream.is_end_stream(),
            stream,
            length,
            front: Bytes::new(),
            replay: Bytes::new(),
            history: Vec::new(),
            held: keep == Keep::Beginning,
            trailers: HeaderMap::new(),
        }
    }

    /// What a head declares about the body that follows it. The `h2` crate has checked that the length is one number and
    /// resets a stream whose body is not that long.
    pub(crate) fn declared(stream: &RecvStream, fields: &HeaderMap) -> Body {
        let length = || fields.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        if stream.is_end_stream() { Body::None } else { length().map_or(Body::Unknown, Body::Length) }
    }

    pub(crate) const fn length(&self) -> Body {
        self.length
    }

    pub(crate) fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        loop {
            if !self.data().is_empty() {
                return Poll::Ready(Ok(Front::Data));
            }
            if self.ended {
                return Poll::Ready(Ok(Front::End));
            }
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(piece)) => self.front = piece,
                Some(Err(error)) => return Poll::Ready(Err(source_error(&error))),
                None => {
                    let trailers = ready!(self.stream.poll_trailers(cx));
                    self.trailers = trailers.map_err(|error| source_error(&error))?.unwrap_or_default();
                    self.ended = true;
                }
            }
        }
    }

    pub(crate) fn data(&self) -> &[u8] {
        if self.replay.is_empty() { &self.front } else { &self.replay }
    }

    pub(crate) fn last(&self) -> bool {
        (self.replay.is_empty() || self.front.is_empty())
            && if self.ended { self.trailers.is_empty() } else { self.stream.is_end_stream() }
    }

    pub(crate) fn share(&self, count: usize) -> Bytes {
        let piece = if self.replay.is_empty() { &self.front } else { &self.replay };
        piece.slice(..count.min(piece.len()))
    }

    pub(crate) fn consume(&mut self, count: usize) {
        if !self.replay.is_empty() {
            self.replay.advance(count.min(self.replay.len()));
            return;
        }
        let count = count.min(self.front.len());
        if self.held {
            self.held = self.history.len() + count <= KEPT;
            if self.held {
                self.history.extend_from_slice(&self.front[..count]);
            } else {
                self.history = Vec::new();
            }
        }
        self.front.advance(count);
        // Fails only for a stream that is gone, whose credit nobody needs.
        let _: Result<(), h2::Error> = self.stream.flow_control().release_capacity(count);
    }

    pub(crate) fn trailers(&self) -> HeadFields<'_> {
        if self.trailers.is_empty() { HeadFields::Empty } else { HeadFields::Http2(&self.trailers) }
    }

    pub(crate) fn rewind(&mut self) -> bool {
        if self.held {
            self.replay = Bytes::copy_from_slice(&self.history);
        }
        self.held
    }

    pub(crate) const fn held(&self) -> bool {
        self.held
    }
}

fn source_error(error: &h2::Error) -> SourceError {
    if error.is_library() {
        // The crate found a fault of the peer's: a length that is not kept, a frame out of place.
        SourceError::Malformed { status: 0, details: "http2_protocol_error" }
    } else if error.is_reset() {
        SourceError::Reset
    } else {
        SourceError::Gone
    }
}
