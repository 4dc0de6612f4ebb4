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
//!                        │              Connected      │  │ UpstreamFailed, ResponseHead, Timer: retry, or BackingOff first
//!                        │              Action::Send   ▼  │
//!                        │                            Sending ──ResponseHead──▶ Relaying ──ResponseEnd──▶ Done
//!                        │ Action::Respond               │ Action::RelayHead       │                        ▲
//!                        ▼                               ▼                         │ Action::Tunnel         │
//!                    Responding ◀──(504, 503, 413 ...)───┘                         ▼                        │
//!                        └───────ReplySent──────────────────────────────────▶   Tunnel ──TunnelEnd──────────┘
//! ```
//!
//! In BackingOff the upstream is gone and the next attempt waits for its time, and for room where the cluster has none for
//! retries; its `Timer` leads to Connecting.
//!
//! Once, in the place of an answer that is an error, everything leads to Connecting: see Error pages below.
//!
//! Deciding is over within one call. In Idle, `HeadRefused` leads to Responding and `HeadLost` to Done. From every state but
//! Idle and Done, `DownstreamGone` and `Cut` lead to Done; `RequestRefused` leads to Responding, or cuts an answer that has
//! begun.
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
//! hit a request with [`Event::HeadRefused`] ([`Refusal::header_timeout`]), [`Event::RequestRefused`]
//! ([`Refusal::body_timeout`]) or [`Event::DownstreamGone`].
//!
//! **Request body.** Send no `RequestBody`, `RequestTrailers` or `RequestEnd` before [`Action::Send`] or
//! [`Action::Collect`], also where the bytes are already in the buffer; for `Body::None` the end is implied and
//! `RequestEnd` is not sent at all. Every byte is reported once: a retry sends what the driver holds again without
//! reporting it again. The action `Wait` after a body event means "pass it on". A request that asks for another protocol
//! (Upgrade, CONNECT) is complete with its head: what follows waits for the tunnel.
//!
//! - After `Collect`, report the body as it comes and pass nothing on; the exchange keeps it. Later, at `Send`, the
//!   body to be sent is [`Exchange::collected`], whole, on every attempt; trailers are not kept.
//! - `UpstreamFailed::held`, and [`Exchange::request_held`] before a `Timer`, says whether the driver could send the body again
//!   from its first byte: nothing was discarded so far. A body that was never read from the client counts as held; so does a collected one.
//!
//! **Connecting.** At [`Action::Connect`] read [`Exchange::attempt`]: cluster, endpoint, [`Reuse`]. Take an idle
//! connection that fits or make one; answer `Connected` or `ConnectFailed`. An HTTP/2 connection counts as reused
//! when it has carried a request before. The connect timeout is part of `deadline`; if another `Connect` comes while
//! one is under way, drop the old attempt. A reused connection that turns out dead before a byte of the answer came is
//! `UpstreamFailed`.
//!
//! [`Action::BackOff`] means that the attempt has come to nothing: drop its connection, read nothing of the client's body, and
//! wait for the deadline; `Timer` then gives `Connect`, another `BackOff`, or the end.
//!
//! **Sending.** At [`Action::Send`] write [`Exchange::outgoing`] (request line or pseudo header fields, host, and for a
//! protocol switch `connection` and `upgrade`) and [`Exchange::write_request_fields`], then the body, framed as
//! [`Exchange::request_body`] says. Start the mirrors ([`Exchange::mirrors`]) on the first `Send` only
//! ([`Exchange::is_first_send`]). Nobody but the codec writes `connection`, `content-length` and `transfer-encoding`.
//!
//! While the endpoint takes nothing of it, say since when ([`Exchange::request_blocked`]): the route may have a patience of
//! its own for that.
//!
//! **Copies.** A mirror ends with the client's body, not with the primary's answer. Where the answer comes first, or is our
//! own, and [`Exchange::copies_go_on`], read the body on for the copies that still want it, also after `Done`: up to
//! [`Exchange::max_body`], and with no pause longer than [`Exchange::idle_timeout`]. Nothing of it is reported then. The
//! downstream connection need not close behind such an answer.
//!
//! **Answer.** [`Action::Connect`] or [`Action::BackOff`] after `ResponseHead` means that the answer is dropped with its connection and the
//! request is tried again. `ResponseHead` for 1xx too; where it gives `Wait`, drop that head and read on (an HTTP/1.0 client takes
//! none). [`Action::RelayInformational`]: write status and fields with
//! [`Exchange::write_informational_fields`] and read on. [`Action::RelayHead`]: write
//! [`Exchange::response_status`] and [`Exchange::write_response_fields`], then the body, framed as
//! [`Exchange::response_body`] says. `ResponseBody` events count; `Wait` means "pass it on". `ResponseEnd` after
//! the last byte: [`Action::Done`]. Where the answer has no body ([`Body::None`]) send `ResponseEnd` at once after
//! `RelayHead`. An answer may be over before the request is ([`Exchange::request_ended`] is false then): the
//! downstream connection is closed after it (HTTP/2: RST_STREAM with NO_ERROR), the upstream one not pooled.
//!
//! **[`Action::Respond`].** Drop the upstream connection, if there is one (HTTP/2: reset the stream with CANCEL). Write
//! [`Exchange::response_status`], [`Exchange::write_response_fields`] and [`Exchange::reply_body`]; then report
//! `ReplySent`. It never comes after `RelayHead`.
//!
//! **Error pages.** Where [`Exchange::is_error_page`] holds after an [`Action::Connect`], the answer that there was, of the
//! upstream or our own, is dropped with its connection, and a page is asked for in its place. `Connected`, `Send` and all
//! that follows are as for a request, but the head goes alone: no body, no mirrors, and nothing more of the client's request
//! is read or reported.
//!
//! **[`Action::Abort`].** The answer cannot be finished: drop the upstream connection and cut the downstream one so
//! that the client notices (no last chunk; HTTP/2: RST_STREAM with INTERNAL_ERROR). The exchange is done.
//!
//! **[`Action::Tunnel`].** Write the head as for `RelayHead` (the codec adds `connection: upgrade` to a 101; the `upgrade`
//! field is among ours), then carry bytes both ways; report `Tunnel` amounts
//! whenever convenient (they keep the idle timeout away), and `TunnelEnd`.
//!
//! **The end.** After `Done` or `Abort` the [`Record`] is final. Ask [`Exchange::upstream_reusable`] and
//! [`Exchange::downstream_reusable`] before keeping a connection; the driver adds what only it knows (`connection:
//! close` from the peer, left-over bytes).
//!
//! **Illegal moves.** An event that does not fit the state changes nothing and comes back as [`Action::Illegal`]; drivers
//! count it, tests fail on it. After `Done` or `Abort`, events are ignored with `Wait`: they were on their way.

mod again;
mod answer;
mod attempt;
mod connection;
mod decide;
mod error_page;
mod event;
mod heed;
mod pick;
mod reply;
mod request;
mod request_id;
#[cfg(test)]
mod tests;
mod time;
mod websocket;
mod write;

pub use crate::pool::Reuse;
pub use connection::{Connection, Context, ShardState};
pub use event::{Action, ConnectFailure, Event, FailureKind, Sent, UpstreamFailure};
pub use write::{Attempt, MirrorCopy, Outgoing};

use crate::balance::{Busy, MadeCookie};
use crate::edits::CompiledEdits;
use crate::flags::ResponseFlags;
use crate::head::Edits;
use crate::hygiene::{Body, Version};
use crate::record::Record;
use crate::route::{MatchInfo, Scheme};
use crate::shared::Held;
use again::Again;
use bytes::Bytes;
use error_page::Page;
use reply::Reply;
use sluice_filter::{ChainState, LogContext, Phase, PhaseMask};
use sluice_http1::Method;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One request from its head to its record. See the [module documentation](self) for the contract.
pub struct Exchange {
    state: State,
    record: Record,
    asked: Asked,
    /// The filters of the route; `None` for most routes.
    chain: Option<Box<dyn ChainState>>,
    phases: PhaseMask,
    matched: Option<MatchInfo>,
    /// The endpoint of the attempt, by its place in the cluster's set.
    endpoint: usize,
    /// What it holds where it is tried again.
    again: Again,
    /// Of the cluster's limit of requests, where it has one.
    share: Option<Held>,
    /// The same of the endpoint's.
    endpoint_share: Option<Held>,
    /// Counts the attempt at its endpoint.
    busy: Option<Busy>,
    /// The cookie that keeps the client at its endpoint, where the client sent none.
    made_cookie: Option<MadeCookie>,
    reuse: Reuse,
    /// The attempt rides a connection that has carried a request before.
    reused: bool,
    /// A reused connection of the endpoint has failed already.
    stale: bool,
    /// The request's body so far could be sent again; see [`Exchange::request_held`].
    held: bool,
    /// Path and query on their way up.
    target: Vec<u8>,
    rewritten: bool,
    request_edits: Edits,
    response_edits: Edits,
    /// The page in the place of an error, once one is asked for.
    page: Option<Page>,
    /// Response edits of the destination, where it has any; they run before the route's.
    destination_edits: Option<Arc<CompiledEdits>>,
    set_cookie: Vec<u8>,
    mirrors: Vec<MirrorCopy>,
    collected: Vec<u8>,
    collect_limit: usize,
    max_body: Option<u64>,
    request_ended: bool,
    /// Nothing more of the request is read: it was refused, or its client is gone or cut.
    forsaken: bool,
    /// The framing towards the client is in doubt, or the request was not read to its end.
    close_downstream: bool,
    upstream_clean: bool,
    reply: Reply,
    /// What the answer's head declared.
    answer: Answer,
    websocket_key: [u8; websocket::KEY],
    websocket_accept: [u8; websocket::ACCEPT],
    sends: u32,
    deadlines: Deadlines,
    text: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Paused,
    Collecting,
    Connecting,
    BackingOff,
    Sending,
    Relaying,
    Tunnel,
    Responding,
    Done,
}

/// What the request's head came to.
struct Asked {
    method: Method,
    version: Version,
    body: Body,
    /// In lower case; the host is a part of it.
    authority: String,
    host: Range<usize>,
    /// Where the path ends in what was received: the query begins there, with its `?`.
    path_end: usize,
    switch: Switching,
    /// The protocol to switch to.
    protocol: String,
    names_fields: bool,
    te_trailers: bool,
    trusted: bool,
    client: IpAddr,
    /// The client's address, where it is not the peer's.
    client_text: String,
    /// The host that a trusted peer says the client asked; it counts upwards and in redirects.
    forwarded_host: String,
    scheme: Scheme,
    /// How long it may take, where it says so itself; zero is for ever.
    timeout: Option<Duration>,
    /// How often it is tried again, where it says so itself.
    retries: Option<u8>,
}

/// The other protocol that the client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switching {
    No,
    Upgrade,
    Extended,
    Connect,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    /// As the client gets it.
    status: u16,
    body: Body,
    received: u64,
    informational: bool,
}

/// When patience ends.
#[derive(Debug, Clone, Copy, Default)]
struct Deadlines {
    sleep: Option<Instant>,
    connect: Option<Instant>,
    request: Option<Instant>,
    /// The last byte in either direction.
    active: Option<Instant>,
    /// Since when the endpoint takes nothing of the request.
    blocked: Option<Instant>,
}

// === impl Exchange ===

impl Exchange {
    /// An exchange that waits for its first request.
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Idle,
            record: Record::new(now),
            asked: Asked {
                method: Method::Get,
                version: Version::Http11,
                body: Body::None,
                authority: String::new(),
                host: 0..0,
                path_end: 0,
                switch: Switching::No,
                protocol: String::new(),
                names_fields: false,
                te_trailers: false,
                trusted: false,
                client: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
                client_text: String::new(),
                forwarded_host: String::new(),
                scheme: Scheme::Http,
                timeout: None,
                retries: None,
            },
            chain: None,
            phases: PhaseMask::NONE,
            matched: None,
            endpoint: 0,
            again: Again::default(),
            share: None,
            endpoint_share: None,
            busy: None,
            made_cookie: None,
            reuse: Reuse::Any,
            reused: false,
            stale: false,
            held: true,
            target: Vec::new(),
            rewritten: false,
            request_edits: Edits::new(),
            response_edits: Edits::new(),
            page: None,
            destination_edits: None,
            set_cookie: Vec::new(),
            mirrors: Vec::new(),
            collected: Vec::new(),
            collect_limit: 0,
            max_body: None,
            request_ended: false,
            forsaken: false,
            close_downstream: false,
            upstream_clean: false,
            reply: Reply::default(),
            answer: Answer { status: 0, body: Body::None, received: 0, informational: false },
            websocket_key: [0; websocket::KEY],
            websocket_accept: [0; websocket::ACCEPT],
            sends: 0,
            deadlines: Deadlines::default(),
            text: Vec::new(),
        }
    }

    /// Makes it ready for the next request; its memory is kept, a large collected body excepted.
    pub fn reset(&mut self, now: Instant) {
        self.state = State::Idle;
        self.record.reset(now);
        self.asked.authority.clear();
        self.asked.host = 0..0;
        self.asked.path_end = 0;
        self.asked.protocol.clear();
        self.asked.client_text.clear();
        self.asked.forwarded_host.clear();
        self.asked.timeout = None;
        self.asked.retries = None;
        self.asked.switch = Switching::No;
        self.asked.body = Body::None;
        self.asked.names_fields = false;
        self.asked.te_trailers = false;
        self.chain = None;
        self.phases = PhaseMask::NONE;
        self.matched = None;
        self.release();
        self.again.reset();
        self.held = true;
        self.made_cookie = None;
        self.reused = false;
        self.stale = false;
        self.target.clear();
        self.rewritten = false;
        self.request_edits.clear();
        self.response_edits.clear();
        self.page = None;
        self.destination_edits = None;
        self.set_cookie.clear();
        self.mirrors.clear();
        self.collected = Vec::new();
        self.request_ended = false;
        self.forsaken = false;
        self.close_downstream = false;
        self.upstream_clean = false;
        self.reply.clear();
        self.answer = Answer { status: 0, body: Body::None, received: 0, informational: false };
        self.sends = 0;
        self.deadlines = Deadlines::default();
    }

    /// Takes an event and says what to do next.
    pub fn on(&mut self, now: Instant, event: Event<'_>, cx: &mut Context<'_>) -> Action {
        if self.state == State::Done {
            return Action::Wait;
        }
        match event {
            Event::RequestHead { facts, wall } => self.request_head(now, &facts, wall, cx),
            Event::HeadRefused { facts, refusal, wall } => self.head_refused(now, &facts, &refusal, wall, cx),
            Event::HeadLost { facts, refusal, wall } => self.head_lost(now, &facts, &refusal, wall, cx),
            Event::RequestRefused(refusal) => self.request_refused(now, &refusal, cx),
            Event::RequestBody(data) => self.request_body_piece(now, data, cx),
            Event::RequestTrailers(fields) => self.request_trailers(now, fields, cx),
            Event::RequestEnd => self.request_end(now, cx),
            Event::Connected { reused, version } => self.connected(now, reused, version),
            Event::ConnectFailed(failure) => self.connect_failed(now, failure, cx),
            Event::ResponseHead { facts, held } => self.response_head(now, &facts, held, cx),
            Event::ResponseBody(data) => self.response_body_piece(now, data, cx),
            Event::ResponseTrailers(fields) => self.response_trailers(now, fields, cx),
            Event::ResponseEnd => self.response_end(now, cx),
            Event::UpstreamFailed(failure) => self.upstream_failed(now, failure, cx),
            Event::ReplySent => self.reply_sent(now, cx),
            Event::Tunnel { up, down } => self.tunnelled(now, up, down),
            Event::TunnelEnd => self.tunnel_end(now, cx),
            Event::DownstreamGone => self.downstream_gone(now, cx),
            Event::Cut => self.cut(now, cx),
            Event::Timer => self.timer(now, cx),
        }
    }

    /// What is known about the request; final once the exchange is done.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Whether the exchange is over.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the whole request was received.
    pub const fn request_ended(&self) -> bool {
        self.request_ended
    }

    /// Whether the upstream connection may serve another request, as far as the exchange knows: both messages were
    /// whole and undoubted.
    pub const fn upstream_reusable(&self) -> bool {
        self.upstream_clean && (self.request_ended || self.page.is_some())
    }

    /// Whether the client's connection may serve another request, as far as the exchange knows. Known when the answer's
    /// head is written, so that it can say `connection: close`; the driver adds what it knows.
    pub const fn downstream_reusable(&self) -> bool {
        !self.close_downstream
    }

    /// The request's body where a filter had it collected; `None` where it streams.
    pub fn collected(&self) -> Option<&[u8]> {
        (self.collect_limit > 0).then_some(&self.collected)
    }

    /// Whether this is the first time that the request is sent: the time to start the mirrors.
    pub const fn is_first_send(&self) -> bool {
        self.sends == 1
    }

    /// Whether the copies that were started get the rest of the request's body although it is answered, or about to be.
    /// Not where it was refused, or its client is gone: the body ends there.
    pub fn copies_go_on(&self) -> bool {
        self.sends > 0 && !self.mirrors.is_empty() && !self.forsaken
    }

    /// Bytes that the request's body may have; `None` is no bound.
    pub const fn max_body(&self) -> Option<u64> {
        self.max_body
    }

    // === The end ===

    fn reply_sent(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        if self.state != State::Responding {
            return Action::Illegal("a local reply was sent that nobody asked for");
        }
        self.record.bytes_sent += self.reply_body().len() as u64;
        self.finish(now, cx);
        Action::Done
    }

    fn tunnelled(&mut self, now: Instant, up: u64, down: u64) -> Action {
        if self.state != State::Tunnel {
            return Action::Illegal("tunnelled bytes without a tunnel");
        }
        self.deadlines.active = Some(now);
        self.record.bytes_received += up;
        self.record.bytes_sent += down;
        Action::Wait
    }

    fn tunnel_end(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        if self.state != State::Tunnel {
            return Action::Illegal("the end of a tunnel that is none");
        }
        self.close_downstream = true;
        self.finish(now, cx);
        Action::Done
    }

    fn downstream_gone(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        if self.state == State::Idle {
            return Action::Illegal("a client left that has asked nothing");
        }
        if self.state != State::Tunnel {
            self.record.flags.insert(ResponseFlags::DOWNSTREAM_GONE);
            if self.record.status == 0 || self.record.details.is_empty() {
                self.record.details = "downstream_remote_disconnect";
            }
        }
        self.forsaken = true;
        self.close_downstream = true;
        self.finish(now, cx);
        Action::Done
    }

    fn cut(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        if self.state == State::Idle {
            return Action::Illegal("a cut where there is no request");
        }
        self.record.flags.insert(ResponseFlags::LOCAL_RESET);
        self.abort(now, "drain_deadline", cx)
    }

    /// Cuts an answer that has begun.
    fn abort(&mut self, now: Instant, why: &'static str, cx: &mut Context<'_>) -> Action {
        self.record.termination = Some(why);
        self.forsaken = true;
        self.close_downstream = true;
        self.upstream_clean = false;
        self.finish(now, cx);
        Action::Abort
    }

    /// Counts for nobody any longer.
    fn release(&mut self) {
        self.busy = None;
        self.share = None;
        self.endpoint_share = None;
        self.again.release();
    }

    fn finish(&mut self, now: Instant, cx: &mut Context<'_>) {
        self.state = State::Done;
        self.release();
        self.record.duration = now.saturating_duration_since(self.record.started);
        if !self.request_ended {
            self.close_downstream = true;
        }
        if self.phases.contains(Phase::Log)
            && let Some(chain) = &mut self.chain
        {
            chain.on_log(&LogContext {
                status: self.record.status,
                request: cx.request,
                bytes_received: self.record.bytes_received,
                bytes_sent: self.record.bytes_sent,
            });
        }
    }

    /// The answer that the exchange makes by itself.
    pub fn reply_body(&self) -> &Bytes {
        self.reply.body(self.asked.method == Method::Head || matches!(self.answer.body, Body::None))
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Exchange")
            .field("state", &self.state)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}
