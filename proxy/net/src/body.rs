//! Where the two sides of an exchange meet: a body is read from a [`Source`] and written to a [`Sink`], slice by slice
//! and with backpressure, whatever codecs they belong to. One connection or stream is both at once: the downstream side
//! is the source of the request and the sink of the answer.

use crate::fields::HeadFields;
use bytes::Bytes;
use sluice_core::hygiene::Body;
use std::{
    io,
    task::{Context, Poll},
};

/// What is at the front of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    /// [`Source::data`] is not empty.
    Data,
    /// The body is complete, and [`Source::trailers`] are what they are.
    End,
}

/// Why a body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceError {
    /// The peer closed before the body was complete.
    Gone,
    /// The peer reset the stream (HTTP/2).
    Reset,
    /// The framing is broken; nothing that follows on the connection can be trusted.
    Malformed {
        /// What a client is answered with; 0 where the codec has reset its stream by itself.
        status: u16,
        /// For the log.
        details: &'static str,
    },
}

/// The peer takes no more bytes. It may still be sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SinkGone;

/// The reading side of a message body.
pub(crate) trait Source {
    /// What the head said.
    fn length(&self) -> Body;

    /// Waits for something at the front of the body. Repeated calls without [`consume`](Self::consume) give the same
    /// answer and cost nothing. `End` is sticky, and known at once where the framing tells (no read is made to find it).
    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<Front, SourceError>>;

    /// The piece at the front after `Front::Data`.
    fn data(&self) -> &[u8];

    /// Whether it is already known that the body ends, without trailers, behind the piece at the front.
    fn last(&self) -> bool;

    /// The first `count` bytes of the piece as a value that can be kept. Shares memory where the codec's buffers can be
    /// shared, copies otherwise. Does not consume.
    fn share(&self, count: usize) -> Bytes;

    /// Drops bytes from the front; returns flow-control credit to the peer.
    fn consume(&mut self, count: usize);

    /// After `Front::End`; `Empty` where there are none.
    fn trailers(&self) -> HeadFields<'_>;

    /// Starts over at the first byte, for a retry. `false`, and no change, where some byte is no longer held.
    fn rewind(&mut self) -> bool;

    /// Whether every byte that was read so far is still held, so that [`rewind`](Self::rewind) would succeed.
    fn held(&self) -> bool;
}

/// The writing side of a message body. The head has been written (into the same buffer) before.
pub(crate) trait Sink {
    /// Takes some of what is at the front of `source`, which has data; says how many bytes, and the caller consumes
    /// them there. Small pieces are copied behind the head and wait for [`poll_flush`](Self::poll_flush), so that head
    /// and body leave in one write; large ones are written from where they lie. Pending means the peer takes no more
    /// now.
    fn poll_push<S: Source>(&mut self, cx: &mut Context<'_>, source: &S) -> Poll<Result<usize, SinkGone>>;

    /// Ends the body. Trailers are dropped where the codec cannot send them (a counted or close-delimited body).
    fn finish(&mut self, trailers: HeadFields<'_>) -> Result<(), SinkGone>;

    /// Sends everything that was taken. Ready at once when there is nothing to send.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SinkGone>>;

    /// Bytes that have left so far, whatever they are: whoever watches a slow reader compares two values.
    fn written(&self) -> u64;
}

impl From<io::Error> for SourceError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<io::Error> for SinkGone {
    fn from(_: io::Error) -> Self {
        Self
    }
}
