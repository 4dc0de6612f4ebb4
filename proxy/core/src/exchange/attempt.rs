//! Endpoints, connections, and what is tried again.

use super::{
    Action, ConnectFailure, Context, Exchange, FailureKind, Reuse, Sent, State, Switching, UpstreamFailure,
};
use crate::flags::ResponseFlags;
use crate::hygiene::{Body, Rule, Version};
use crate::route::Retry;
use std::time::{Duration, Instant};

/// A request body up to this length is expected to be still held should a reused connection fail.
const LIKELY_HELD: u64 = 16 * 1024;

const RESET: &str = "upstream_reset_before_response_started";

impl Exchange {
    /// The next endpoint in turn that was not tried yet.
    pub(super) fn connect(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        if self.pick(now, cx) {
            return Action::Connect;
        }
        self.record.flags.insert(ResponseFlags::NO_HEALTHY_UPSTREAM);
        self.local(now, 503, "no_healthy_upstream", "no healthy upstream", cx)
    }

    /// A try at the chosen endpoint.
    pub(super) fn start_try(&mut self, now: Instant) {
        self.reuse = if self.stale { Reuse::Fresh } else { self.allowed_reuse() };
        self.start_attempt(now);
    }

    fn start_attempt(&mut self, now: Instant) {
        self.first_try.get_or_insert(now);
        if self.page.is_none() {
            self.record.attempts += 1;
            self.record.attempt_started = Some(now.saturating_duration_since(self.record.started));
            self.record.attempt_connected = None;
        }
        let timeout = self.towards().and_then(|cluster| cluster.spec.connect_timeout.limit());
        self.deadlines.connect = timeout.and_then(|timeout| now.checked_add(timeout));
        self.state = State::Connecting;
    }

    /// A request that could be sent again should the connection turn out to be dead rides any idle one.
    fn allowed_reuse(&self) -> Reuse {
        let held = match self.asked.body {
            _ if self.page.is_some() => true,
            Body::None => true,
            Body::Length(length) => length <= LIKELY_HELD,
            Body::Unknown => self.collect_limit > 0,
        };
        if self.is_idempotent() && held {
            return Reuse::Any;
        }
        let within = self.towards().map(|cluster| cluster.spec.keep_alive.unsafe_reuse_within.get());
        within.map_or(Reuse::Fresh, Reuse::IdleLessThan)
    }

    /// Asking twice is the same as asking once (RFC 9110 section 9.2.2). A switch of protocols never is; to show a page is.
    fn is_idempotent(&self) -> bool {
        self.page.is_some() || self.asked.method.is_idempotent() && self.asked.switch == Switching::No
    }

    pub(super) fn connected(&mut self, now: Instant, reused: bool, version: Version) -> Action {
        if self.state != State::Connecting {
            return Action::Illegal("a connection that nobody asked for");
        }
        self.reused = reused;
        self.record.upstream_version = Some(version);
        if self.page.is_none() {
            self.record.attempt_connected = Some(now.saturating_duration_since(self.record.started));
        }
        self.deadlines.connect = None;
        self.deadlines.active = Some(now);
        if self.page.is_none() {
            self.sends += 1;
        }
        if self.is_first_send() {
            self.record.mirrors = self.mirrors.len() as u32;
        }
        self.state = State::Sending;
        Action::Send
    }

    pub(super) fn connect_failed(
        &mut self,
        now: Instant,
        failure: ConnectFailure,
        cx: &mut Context<'_>,
    ) -> Action {
        if self.state != State::Connecting {
            return Action::Illegal("a failed connection that nobody asked for");
        }
        let (reason, text) = match failure {
            ConnectFailure::Refused => (
                "connection_failure",
                "upstream connect error or disconnect/reset before headers. reset reason: connection failure",
            ),
            ConnectFailure::Tls => (
                "tls_failure",
                "upstream connect error or disconnect/reset before headers. reset reason: connection failure (TLS)",
            ),
            ConnectFailure::Overflow => {
                self.record.failure = Some("overflow");
                self.record.flags.insert(ResponseFlags::OVERFLOW);
                return self.local(
                    now,
                    503,
                    "upstream_reset_before_response_started{overflow}",
                    "upstream connect error or disconnect/reset before headers. reset reason: overflow",
                    cx,
                );
            }
        };
        self.record.failure = Some(reason);
        self.try_elsewhere(now, text, cx)
    }

    pub(super) fn connect_timed_out(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        self.record.failure = Some("connection_timeout");
        let text =
            "upstream connect error or disconnect/reset before headers. reset reason: connection timeout";
        self.try_elsewhere(now, text, cx)
    }

    /// Nothing was sent, so any request may be sent again.
    fn try_elsewhere(&mut self, now: Instant, text: &'static str, cx: &mut Context<'_>) -> Action {
        if self.retries(|retry| retry.connect_failure) && self.another(now, cx) {
            return Action::Connect;
        }
        self.give_up(ResponseFlags::UPSTREAM_CONNECT_FAILURE);
        self.local(now, 503, "upstream_reset_before_response_started{connection_failure}", text, cx)
    }

    /// What the route says of it.
    fn retries(&self, on: impl Fn(&Retry) -> bool) -> bool {
        self.record.route.as_ref().is_some_and(|route| on(&route.retry))
    }

    /// Whether one more failed try leaves another one. A connection that had died while it was idle is none.
    fn count_failure(&mut self, now: Instant) -> bool {
        self.tried.push(self.endpoint);
        let since = self.first_try.map_or(Duration::ZERO, |first| now.saturating_duration_since(first));
        self.retries(|retry| {
            let in_time = retry.within.is_none_or(|within| since < within);
            in_time && self.tried.len() <= self.attempts(retry)
        })
    }

    /// At another endpoint; where there is none, once more at the same, if the route says so.
    fn another(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        if self.retries(|retry| retry.same_endpoint) {
            self.another_or_same(now, cx)
        } else {
            self.count_failure(now) && self.pick(now, cx)
        }
    }

    /// At another endpoint; where there is none, once more at the same.
    fn another_or_same(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        if !self.count_failure(now) {
            return false;
        }
        if !self.pick(now, cx) {
            self.busy = self.towards().and_then(|cluster| cluster.balance.occupy(self.endpoint));
            self.start_try(now);
        }
        true
    }

    /// Whether the answer that begins is one that the route tries again, and there is another try.
    pub(super) fn rejected(
        &mut self,
        now: Instant,
        status: u16,
        grpc: Option<u8>,
        held: bool,
        cx: &mut Context<'_>,
    ) -> bool {
        let grpc = grpc.filter(|_| self.record.grpc);
        if !self.retries(|retry| retry.rejects(status, grpc))
            || !self.may_repeat()
            || !self.is_held(held)
            || self.answer.informational
        {
            return false;
        }
        let again = self.another_or_same(now, cx);
        if !again && self.record.attempts > 1 {
            self.record.flags.insert(ResponseFlags::RETRIES_EXHAUSTED);
        }
        again
    }

    fn give_up(&mut self, flag: ResponseFlags) {
        self.record.flags.insert(flag);
        if self.record.attempts > 1 {
            self.record.flags.insert(ResponseFlags::RETRIES_EXHAUSTED);
        }
    }

    pub(super) fn upstream_failed(
        &mut self,
        now: Instant,
        failure: UpstreamFailure,
        cx: &mut Context<'_>,
    ) -> Action {
        let (flag, text) = match failure.kind {
            FailureKind::Closed => (
                ResponseFlags::UPSTREAM_CLOSED,
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            ),
            FailureKind::Reset => (
                ResponseFlags::UPSTREAM_RESET,
                "upstream connect error or disconnect/reset before headers. reset reason: remote reset",
            ),
            FailureKind::Unprocessed => (
                ResponseFlags::UPSTREAM_RESET,
                "upstream connect error or disconnect/reset before headers. reset reason: remote refused stream reset",
            ),
            FailureKind::Protocol(_) => (
                ResponseFlags::UPSTREAM_PROTOCOL_ERROR,
                "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
            ),
        };
        match self.state {
            State::Sending => {}
            State::Relaying | State::Tunnel => {
                self.record.flags.insert(flag);
                let why = if let FailureKind::Protocol(why) = failure.kind {
                    self.record.failure = Some(why);
                    why
                } else {
                    "upstream_reset_after_response_started"
                };
                return self.abort(now, why, cx);
            }
            // It was dropped already.
            State::Responding => return Action::Wait,
            _ => return Action::Illegal("a failure of an upstream that was not asked"),
        }
        if let FailureKind::Protocol(why) = failure.kind {
            self.give_up(flag);
            self.record.failure = Some(why);
            return self.local(now, 502, Rule::MessageFraming.row().details, text, cx);
        }
        if self.may_send_again(failure) {
            if self.reused && !self.stale {
                // It was closed while it was idle: that says nothing about the endpoint.
                self.stale = true;
                self.reuse = Reuse::Fresh;
                self.start_attempt(now);
                return Action::Connect;
            }
            let again = if failure.kind == FailureKind::Unprocessed {
                self.retries(|retry| retry.refused_stream) && self.another_or_same(now, cx)
            } else {
                self.retries(|retry| retry.reset) && self.another(now, cx)
            };
            if again {
                return Action::Connect;
            }
        }
        self.give_up(flag);
        self.local(now, 503, RESET, text, cx)
    }

    /// Only while no byte of an answer came, the request was unsent or may be repeated, and all of it is still there.
    fn may_send_again(&self, failure: UpstreamFailure) -> bool {
        let harmless =
            failure.sent == Sent::Nothing || failure.kind == FailureKind::Unprocessed || self.may_repeat();
        harmless && self.is_held(failure.held) && !failure.answered && !self.answer.informational
    }

    /// The upstream may have acted on the request: whether it may do so again.
    fn may_repeat(&self) -> bool {
        let other = self.asked.switch == Switching::No && self.retries(|retry| retry.non_idempotent);
        self.is_idempotent() || other
    }

    fn is_held(&self, held: bool) -> bool {
        held || self.page.is_some() || self.collect_limit > 0 || self.asked.body == Body::None
    }
}
