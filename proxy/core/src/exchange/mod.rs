//! One request from its head to its record: the state machine that decides while others carry the bytes.
//!
//! ```text
//!        RequestHead            Timer (a filter's Sleep)
//!  Idle ────────────▶ Deciding ◀───────────────────────▶ Paused
//!                        │ │ Action::Collect (a filter wants the whole body)
//!                        │ ├───────────────────────────▶ Collecting ──RequestEnd──┐
//!                        │ │ Action::Connect                                      │
//!                        │ └───────────────────────▶ Connecting ◀─────────────────┤
//!                        │                             │  ▲ ConnectFailed, Timer: another endpoint
//!                        │              Connected      │  │ UpstreamFailed: retry
//!                        │              Action::Send   ▼  │
//!                        │                            Sending ──ResponseHead──▶ Relaying ──ResponseEnd──▶ Done
//!                        │ Action::Respond               │ Action::RelayHead       │                        ▲
//!                        ▼                               ▼                         │ Action::Tunnel         │
//!                    Responding ◀──(504, 503, 413 ...)───┘                         ▼                        │
//!                        └───────ReplySent──────────────────────────────────▶   Tunnel ──TunnelEnd──────────┘
//! ```
//!
//! # Contract for drivers
//!
//! A driver owns an [`Exchange`] per request ([`Exchange::reset`] makes it ready for the next one and keeps its
//! memory), tells it every [`Event`] with the time and a [`Context`], and does what the returned [`Action`] says.
//! Data that belongs to an action is read from the exchange afterwards. Nothing here blocks, and nothing waits but
//! [`Exchange::deadline`].
//!
//! **Heads.** The driver keeps the request head (bytes and index, or `HeaderMap`) until the exchange is done, and the
//! response head from `ResponseHead` until it has been written. `Context::request` and `Context::response` show
//! them on every call; the exchange copies nothing of them but the text of its record.
//!
//! **Timers.** Ask [`Exchange::deadline`] after every call (a few comparisons), arm one timer for it and send
//! [`Event::Timer`] when it passes. Early and spurious timers are harmless: the exchange compares with `now`, and
//! answers [`Action::Wait`]. A deadline that moves later needs no re-arming, only asking again when the timer fires.
//! Timers of the connection (header, keep-alive, between body pieces, write) are the driver's; it reports those that
//! hit a request with [`Event::RequestRefused`] ([`Refusal::header_timeout`], [`Refusal::body_timeout`]) or
//! [`Event::DownstreamGone`].
//!
//! **Request body.** Send no `RequestBody`, `RequestTrailers` or `RequestEnd` before [`Action::Send`] or
//! [`Action::Collect`], also where the bytes are already in the buffer; for `Body::None` the end is implied and
//! `RequestEnd` is not sent at all. Every byte is reported once: a retry sends what the driver holds again without
//! reporting it again. The action `Wait` after a body event means "pass it on".
//!
//! - After `Collect`, report the body as it comes and pass nothing on; the exchange keeps it. Later, at `Send`, the
//!   body to be sent is [`Exchange::collected`], on every attempt; nothing more follows it but [`Exchange`]-recorded
//!   trailers do not exist in this case.
//! - `UpstreamFailed::held` says whether the driver could send the body again from its first byte: nothing was
//!   discarded so far. A body that was never read from the client counts as held; so does a collected one.
//!
//! **Connecting.** At [`Action::Connect`] read [`Exchange::attempt`]: cluster, endpoint, [`Reuse`]. Take an idle
//! connection that fits or make one; answer `Connected` or `ConnectFailed`. An HTTP/2 connection counts as reused
//! when it has carried a request before. The connect timeout is part of `deadline`; if another `Connect` comes while
//! one is under way, drop the old attempt. A reused connection that turns out dead before a byte of the answer came is
//! `UpstreamFailed`.
//!
//! **Sending.** At [`Action::Send`] write [`Exchange::outgoing`] (request line or pseudo header fields) and
//! [`Exchange::write_request_fields`], then the body, encoded as [`Exchange::request_body`] says. Start the mirrors
//! ([`Exchange::mirrors`]) on the first `Send` only.
//!
//! **Answer.** `ResponseHead` for 1xx too. [`Action::RelayInformational`]: write status and fields with
//! [`Exchange::write_informational_fields`] and read on. [`Action::RelayHead`]: write
//! [`Exchange::response_status`] and [`Exchange::write_response_fields`], then the body, encoded as
//! [`Exchange::response_body`] says. `ResponseBody` events count; `Wait` means "pass it on". `ResponseEnd` after
//! the last byte: [`Action::Done`]. Where the answer has no body ([`Body::None`]) send `ResponseEnd` at once after
//! `RelayHead`. An answer may be over before the request is ([`Exchange::request_ended`] is false then): the
//! downstream connection is closed after it (HTTP/2: RST_STREAM with NO_ERROR), the upstream one not pooled.
//!
//! **[`Action::Respond`].** Drop the upstream connection, if there is one (HTTP/2: reset the stream with CANCEL). Write
//! [`Exchange::response_status`], [`Exchange::write_response_fields`] and [`Exchange::reply_body`]; then report
//! `ReplySent`. It never comes after `RelayHead`.
//!
//! **[`Action::Abort`].** The answer cannot be finished: drop the upstream connection and cut the downstream one so
//! that the client notices (no last chunk; HTTP/2: RST_STREAM with INTERNAL_ERROR). The exchange is done.
//!
//! **[`Action::Tunnel`].** Write the head as for `RelayHead`, then carry bytes both ways; report `Tunnel` amounts
//! whenever convenient (they keep the idle timeout away), and `TunnelEnd`.
//!
//! **The end.** After `Done` or `Abort` the [`Record`] is final. Ask [`Exchange::upstream_reusable`] and
//! [`Exchange::downstream_reusable`] before keeping a connection; the driver adds what only it knows (`connection:
//! close` from the peer, left-over bytes).
//!
//! **Illegal moves.** An event that does not fit the state changes nothing and comes back as [`Action::Illegal`]; drivers
//! count it, tests fail on it. After `Done` or `Abort`, events are ignored with `Wait`: they were on their way.

use crate::head::Fields;
use crate::hygiene::{Refusal, RequestFacts, ResponseFacts, Version};
use std::time::SystemTime;

pub use crate::pool::Reuse;

/// What happened.
pub enum Event<'a> {
    /// The request head is complete and its codec found it well-formed; `Context::request` shows its fields.
    RequestHead {
        /// What the head says besides its fields.
        facts: RequestFacts<'a>,
        /// Now, on the wall; the shard's anchor plus the time since, so that it costs no clock call.
        wall: SystemTime,
    },
    /// The codec refused the request's head or body, or one of the driver's timers for them ran out.
    RequestRefused {
        /// Why.
        refusal: Refusal,
        /// As in [`Event::RequestHead`].
        wall: SystemTime,
    },
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
    ResponseHead(ResponseFacts),
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
    /// The driver's own bound on connections or streams is reached (`UO`).
    Overflow,
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

/// What the driver does next. What belongs to it is read from the [`Exchange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the exchange stands still until its driver acts"]
pub enum Action {
    /// Nothing new: pass on what the event brought, and wait for the next one.
    Wait,
    /// Read the request body and report it, but pass nothing on yet.
    Collect,
    /// Get a connection for [`Exchange::attempt`].
    Connect,
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
