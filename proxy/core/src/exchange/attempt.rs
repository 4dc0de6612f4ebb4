//! Endpoints, connections, and what becomes of tries at them.

use super::again::{Failure, Whom};
use super::{
    Action, ConnectFailure, Context, Exchange, FailureKind, Reuse, Sent, State, Switching, UpstreamFailure,
};
use crate::flags::ResponseFlags;
use crate::hygiene::{Body, Rule, Version};
use crate::shared::{Limit, Outcome};
use std::time::Instant;

/// A request body up to this length is expected to be still held should a reused connection fail.
const LIKELY_HELD: u64 = 16 * 1024;

const RESET: &str = "upstream_reset_before_response_started";

impl Exchange {
    /// The first endpoint, if the cluster takes one more request.
    pub(super) fn connect(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        if let Some(cluster) = &self.record.cluster
            && cluster.spec.limits.requests > 0
        {
            self.share = cluster.shared.cluster().hold(Limit::Requests, cluster.spec.limits.requests);
            if self.share.is_none() {
                return self.overflow(now, cx);
            }
        }
        if self.pick(now, true, cx) {
            return Action::Connect;
        }
        if self.record.cluster.as_ref().is_some_and(|cluster| cluster.shared.is_full(&cluster.spec)) {
            return self.overflow(now, cx);
        }
        self.fail(now, Failure::NO_HEALTHY_UPSTREAM, cx)
    }

    /// A bound of ours is reached.
    fn overflow(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        self.record.failure = Some("overflow");
        self.record.flags.insert(ResponseFlags::OVERFLOW);
        self.local(
            now,
            503,
            "upstream_reset_before_response_started{overflow}",
            "upstream connect error or disconnect/reset before headers. reset reason: overflow",
            cx,
        )
    }

    /// A try at the chosen endpoint.
    pub(super) fn start_try(&mut self, now: Instant) {
        self.reuse = if self.stale { Reuse::Fresh } else { self.allowed_reuse() };
        self.start_attempt(now);
    }

    fn start_attempt(&mut self, now: Instant) {
        self.note_try(now);
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
        let text = match failure {
            ConnectFailure::Refused => {
                self.record.failure = Some("connection_failure");
                Failure::CONNECT.text
            }
            ConnectFailure::Tls => {
                self.record.failure = Some("tls_failure");
                "upstream connect error or disconnect/reset before headers. reset reason: connection failure (TLS)"
            }
            ConnectFailure::Overflow => return self.overflow(now, cx),
            ConnectFailure::Full => {
                // It counts as no failure, and nobody waits for it.
                self.again.tried.push(self.endpoint);
                return if self.pick(now, true, cx) { Action::Connect } else { self.overflow(now, cx) };
            }
        };
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
        self.report(now, Outcome::Failed);
        // Nobody has seen the try.
        self.free_room();
        let on = self.retries(|retry| retry.connect_failure);
        self.again_or(now, on, Whom::Others, Failure { text, ..Failure::CONNECT }, cx)
    }

    /// What came of the try, for those who choose endpoints.
    pub(super) fn report(&self, now: Instant, outcome: Outcome) {
        if let Some(busy) = &self.busy {
            let took = || {
                let total = now.saturating_duration_since(self.record.started);
                total.saturating_sub(self.record.attempt_started.unwrap_or_default())
            };
            match outcome {
                Outcome::Answered(status) => busy.note(now, took, status >= 500),
                Outcome::Failed => busy.note(now, took, true),
                Outcome::Complete => {}
            }
        }
        if let Some(cluster) = self.towards() {
            cluster.shared.report(&cluster.spec.outlier_detection, self.endpoint, now, outcome);
        }
    }

    /// Whether the answer that begins is one that the route tries again, and what follows then.
    pub(super) fn rejected(
        &mut self,
        now: Instant,
        status: u16,
        grpc: Option<u8>,
        held: bool,
        cx: &mut Context<'_>,
    ) -> Option<Action> {
        let grpc = grpc.filter(|_| self.record.grpc);
        if !self.retries(|retry| retry.rejects(status, grpc)) {
            return None;
        }
        self.spend_room(now);
        if !self.may_repeat() || !self.is_held(held) || self.answer.informational {
            return None;
        }
        let again = self.again(now, Whom::Anybody, None, cx);
        if again.is_none() && self.record.attempts > 1 {
            self.record.flags.insert(ResponseFlags::RETRIES_EXHAUSTED);
        }
        again
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
                if self.state == State::Relaying {
                    self.report(now, Outcome::Failed);
                }
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
            self.record.failure = Some(why);
            let failure_of = Failure { flag, status: 502, details: Rule::MessageFraming.row().details, text };
            return self.invalid_answer(now, failure.held, failure_of, cx);
        }
        // It was closed while it was idle: that says nothing about the endpoint.
        let unanswered = !failure.answered && !self.answer.informational;
        let aged = self.reused && failure.kind == FailureKind::Closed && unanswered;
        if !aged && failure.kind != FailureKind::Unprocessed {
            self.report(now, Outcome::Failed);
        }
        let may = self.may_send_again(failure);
        let unseen = failure.sent == Sent::Nothing || failure.kind == FailureKind::Unprocessed;
        if unseen {
            self.free_room();
        } else {
            self.spend_room(now);
        }
        if may && self.reused && !self.stale && (unseen || self.take_room(now)) {
            self.stale = true;
            self.reuse = Reuse::Fresh;
            self.start_attempt(now);
            return Action::Connect;
        }
        // Whoever was closed under our hands has most likely seen nothing, but nobody knows.
        let status = if aged && !may { 502 } else { 503 };
        let failed = Failure { flag, status, details: RESET, text };
        let (on, whom) = if failure.kind == FailureKind::Unprocessed {
            (self.retries(|retry| retry.refused_stream), Whom::Anybody)
        } else {
            let unsent = failure.sent == Sent::Nothing;
            (self.retries(|retry| retry.reset || unsent && retry.reset_before_request), Whom::Others)
        };
        self.again_or(now, may && on, whom, failed, cx)
    }

    /// An answer whose head breaks the protocol.
    pub(super) fn invalid_answer(
        &mut self,
        now: Instant,
        held: bool,
        failure: Failure,
        cx: &mut Context<'_>,
    ) -> Action {
        self.report(now, Outcome::Failed);
        self.spend_room(now);
        let on = self.retries(|retry| retry.invalid_answer) && self.may_repeat() && self.is_held(held);
        self.again_or(now, on && !self.answer.informational, Whom::Others, failure, cx)
    }

    /// No answer began in time.
    pub(super) fn unanswered(&mut self, now: Instant, failure: Failure, cx: &mut Context<'_>) -> Action {
        self.report(now, Outcome::Failed);
        self.spend_room(now);
        let on = self.retries(|retry| retry.timeout) && self.may_repeat() && self.is_held(self.held);
        self.again_or(now, on && !self.answer.informational, Whom::Others, failure, cx)
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
