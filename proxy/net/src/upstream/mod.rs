//! The side of the endpoint: connections, their pool, and one request with its answer, whatever the codec.

use crate::{
    body::{Sink, SinkGone, Source},
    fields::HeadFields,
};
use sluice_core::{
    exchange::FailureKind,
    head::FieldSink,
    hygiene::{Body, ResponseFacts},
};
use std::task::{Context, Poll};

mod acquire;
mod connect;
mod either;
pub(crate) mod h1;
pub(crate) mod h2;
mod identity;
mod pool;
mod room;

pub(crate) use acquire::{Acquired, Connecting, acquire, release};
pub(crate) use connect::connect;
pub(crate) use either::Upstream;
pub(crate) use identity::Identity;
pub(crate) use pool::Pools;
pub(crate) use room::{Room, Seeker};

/// One request on its way to an endpoint, and the answer: an HTTP/1 connection while it serves it, or an HTTP/2 stream.
///
/// As a [`Sink`] it is the request's body, as a [`Source`] the answer's. Order of calls: one head
/// ([`begin_head`](Self::begin_head), fields into what it gave, [`send_head`](Self::send_head)), then the body in
/// parallel with [`poll_head`](Self::poll_head) until that is final, then the body of the answer. Dropping it before
/// both bodies have ended resets the stream, or closes the connection.
pub(crate) trait UpstreamStream: Source + Sink {
    /// A head that is being written.
    type Head: FieldSink;

    /// Begins the request.
    fn begin_head(&mut self, line: &RequestLine<'_>, body: Body) -> Self::Head;

    /// Ends the head.
    fn send_head(&mut self, head: Self::Head) -> Result<(), SinkGone>;

    /// Waits for the next head of the answer. Below 200, except 101, another one follows.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseFacts, FailureKind>>;

    /// The fields of the last head, readable until the exchange is over.
    fn fields(&self) -> HeadFields<'_>;

    /// After the head of an answer that begins a tunnel (101, or 2xx to CONNECT): both bodies are opaque bytes from now
    /// on, each of which ends by itself.
    fn begin_tunnel(&mut self);

    /// Whether the peer can have seen any byte of the request.
    fn started(&self) -> bool;

    /// Whether any byte of an answer has come, be it less than a head.
    fn answered(&self) -> bool;
}

/// The first line of a request, or its pseudo header fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestLine<'a> {
    /// As it goes out. With `protocol`: `GET` in HTTP/1, `CONNECT` in HTTP/2, whatever stands here.
    pub(crate) method: &'a str,
    /// `http` or `https`; travels in HTTP/2 only.
    pub(crate) scheme: &'a str,
    /// Host and port as the upstream shall see them: `host` or `:authority`. It does not come among the fields.
    pub(crate) authority: &'a str,
    /// Path and query, or `*`, or for CONNECT the authority again.
    pub(crate) target: &'a str,
    /// The protocol to switch to (`websocket`): Upgrade in HTTP/1, extended CONNECT in HTTP/2.
    pub(crate) protocol: Option<&'a str>,
}
