//! The side of the client: one request and its answer, whatever the codec.

use crate::{
    body::{Sink, SinkGone, Source, SourceError},
    fields::HeadFields,
};
use sluice_core::{
    head::FieldSink,
    hygiene::{Body, RequestFacts},
};
use std::{
    task::{Context, Poll},
    time::Instant,
};

pub(crate) mod h1;
pub(crate) mod h2;

/// What a client may still send after the end of our side before it is cut.
const LINGERED: usize = 256 * 1024;

/// One request and the way back for its answer: an HTTP/1 connection while it serves a request, or an HTTP/2 stream.
///
/// As a [`Source`] it is the request's body, as a [`Sink`] the answer's. Order of calls as a sink: any number of
/// informational heads, one final head (each [`begin_head`](Self::begin_head), fields into what it gave,
/// [`send_head`](Self::send_head)), then the body. Nothing leaves before [`Sink::poll_flush`] or a large
/// [`Sink::poll_push`].
pub(crate) trait Downstream: Source + Sink {
    /// A head that is being written. It owns what it writes into, so that the request's fields can be read meanwhile.
    type Head: FieldSink;

    /// What the request's head says besides its fields; of one that was refused, as much as could be read.
    fn facts(&self) -> RequestFacts<'_>;

    /// The request's header fields, readable until the exchange is over.
    fn fields(&self) -> HeadFields<'_>;

    /// Begins a head. For a final head, `body` settles the framing, which the codec writes itself (content-length,
    /// transfer-encoding, END_STREAM). For an informational one (below 200, except 101) `body` is `None` and another
    /// head follows.
    fn begin_head(&mut self, status: u16, body: Body) -> Self::Head;

    /// Like a final [`begin_head`](Self::begin_head), but afterwards the body is opaque bytes in both directions, each
    /// of which ends by itself: 101, or 2xx to CONNECT.
    fn begin_tunnel(&mut self, status: u16) -> Self::Head;

    /// Ends the head.
    fn send_head(&mut self, head: Self::Head) -> Result<(), SinkGone>;

    /// Waits until the client is known to be gone: reset, or closed without having sent its whole request, or reset by its
    /// codec for what it sent. One that has only ended its sending half waits for its answer. Reads ahead a bounded amount
    /// (the next pipelined request).
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<SourceError>;

    /// When [`poll_gone`](Self::poll_gone) must be called again even if nothing wakes the task.
    fn gone_at(&self) -> Option<Instant> {
        None
    }

    /// Whether the client holds its body back until it is told to go on, so that its silence is not slowness.
    fn awaits_continue(&self) -> bool {
        false
    }

    /// The connection must not be used again after this exchange; said before the final head, which may tell the client.
    fn close_after(&mut self) {}

    /// The same, in a drain: a request that has already arrived behind this one may still be served.
    fn wind_down(&mut self) {}

    /// What is left of the request will be read although it is answered, so the connection need not end behind the
    /// answer; said before the final head.
    fn read_on(&mut self) {}

    /// Nothing more is sent for this request, and the client must notice that the answer is cut short: the HTTP/1
    /// connection is closed, the HTTP/2 stream is reset.
    fn cut(&mut self);
}
