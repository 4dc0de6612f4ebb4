//! What drivers tell an exchange, and what it tells them to do.

use crate::head::Fields;
use crate::hygiene::{Refusal, RequestFacts, ResponseFacts, Version};
use std::time::SystemTime;

/// What happened.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// The request head is complete and its codec found it well-formed; `Context::request` shows its fields.
    RequestHead {
        /// What the head says besides its fields.
        facts: RequestFacts<'a>,
        /// Now, on the wall; the shard's anchor plus the time since, so that it costs no clock call.
        wall: SystemTime,
    },
    /// The codec refused the request's head, or it did not come in time.
    HeadRefused {
        /// What could be read of it; empty method and target where nothing could.
        facts: RequestFacts<'a>,
        /// Why.
        refusal: Refusal,
        /// As in [`Event::RequestHead`].
        wall: SystemTime,
    },
    /// A head that nobody can be answered for: the client left in the middle of it, or its HTTP/2 codec has reset the
    /// stream by itself. The exchange is over at once.
    HeadLost {
        /// What could be read of it.
        facts: RequestFacts<'a>,
        /// Why; its status is what the codec has answered by itself, 0 where nobody has.
        refusal: Refusal,
        /// As in [`Event::RequestHead`].
        wall: SystemTime,
    },
    /// The codec refused the request's body, or the driver's timer for it ran out. With status 0 nobody can be answered:
    /// the codec has ended the request by itself.
    RequestRefused(Refusal),
    /// A piece of the request body, without framing.
    RequestBody(&'a [u8]),
    /// The request's trailers; `RequestEnd` follows.
    RequestTrailers(&'a dyn Fields),
    /// The request is complete.
    RequestEnd,
    /// There is a connection for the attempt.
    Connected {
        /// Whether it carried a request before.
        reused: bool,
        /// What it speaks.
        version: Version,
    },
    /// There is no connection for the attempt.
    ConnectFailed(ConnectFailure),
    /// A response head is complete and its codec found it well-formed; `Context::response` shows its fields.
    ResponseHead {
        /// What the head says besides its fields.
        facts: ResponseFacts,
        /// As in [`UpstreamFailure::held`].
        held: bool,
    },
    /// A piece of the response body, without framing.
    ResponseBody(&'a [u8]),
    /// The answer's trailers; `ResponseEnd` follows.
    ResponseTrailers(&'a dyn Fields),
    /// The answer is complete.
    ResponseEnd,
    /// The upstream connection or stream broke, or its codec refused what it sent.
    UpstreamFailed(UpstreamFailure),
    /// A local reply has been handed over completely.
    ReplySent,
    /// Bytes went through the tunnel since the last report.
    Tunnel {
        /// From the client.
        up: u64,
        /// To the client.
        down: u64,
    },
    /// The tunnel is closed.
    TunnelEnd,
    /// The client's connection or stream is gone, or takes no bytes any more.
    DownstreamGone,
    /// A drain has lasted its time: whatever is under way ends now.
    Cut,
    /// The deadline has passed, maybe.
    Timer,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFailure {
    /// Refused or unreachable; nothing was sent.
    Refused,
    /// The TLS handshake failed.
    Tls,
    /// The cluster has as many connections, or as many requests wait for one, as it may have (`UO`).
    Overflow,
    /// The endpoint has as many connections as it may have; another one may have room.
    Full,
}

/// How an upstream broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamFailure {
    /// In which way.
    pub kind: FailureKind,
    /// How much of the request the upstream may have seen.
    pub sent: Sent,
    /// Whether the request body so far could be sent again from its first byte.
    pub held: bool,
    /// Whether a byte of an answer came, if only the beginning of its head.
    pub answered: bool,
}

/// In which way an upstream broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It closed the connection (FIN, RST) in the middle.
    Closed,
    /// It reset the stream (HTTP/2 RST_STREAM).
    Reset,
    /// It refused the stream without looking at it (HTTP/2 REFUSED_STREAM, or GOAWAY below the stream): safe to send
    /// again, whatever the method.
    Unprocessed,
    /// What it sent breaks the protocol.
    Protocol(&'static str),
}

/// How much of a request an upstream may have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Not a byte.
    Nothing,
    /// Some.
    Part,
    /// All of it.
    Whole,
}

/// What the driver does next. What belongs to it is read from the [`Exchange`](super::Exchange).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the exchange stands still until its driver acts"]
pub enum Action {
    /// Nothing new: pass on what the event brought, and wait for the next one.
    Wait,
    /// Read the request body and report it, but pass nothing on yet.
    Collect,
    /// Get a connection for [`Exchange::attempt`].
    Connect,
    /// Drop the upstream and wait for [`Exchange::deadline`](super::Exchange::deadline): another attempt follows a pause.
    BackOff,
    /// Write the request.
    Send,
    /// Write the interim response and read on.
    RelayInformational,
    /// Write the response head and relay the body.
    RelayHead,
    /// Write the response head and carry bytes both ways.
    Tunnel,
    /// Drop the upstream and write the local reply.
    Respond,
    /// Drop the upstream and cut the client.
    Abort,
    /// The exchange is over, in good order towards the client.
    Done,
    /// The event does not fit the state; nothing changed. The text names both.
    Illegal(&'static str),
}
