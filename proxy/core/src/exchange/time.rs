//! When patience ends.

use super::again::Failure;
use super::{Action, Context, Exchange, State};
use crate::flags::ResponseFlags;
use crate::shared::Outcome;
use std::time::{Duration, Instant};

impl Exchange {
    /// When [`Event::Timer`] is due; `None` where nothing is waited for, or only the peers' pleasure.
    pub fn deadline(&self) -> Option<Instant> {
        let request = || self.deadlines.request;
        match self.state {
            State::Idle | State::Responding | State::Done => None,
            State::Paused => self.deadlines.sleep,
            State::Sending => earlier(earlier(request(), self.idle_deadline()), self.try_deadline()),
            State::Collecting | State::Relaying => earlier(request(), self.idle_deadline()),
            State::Connecting => earlier(earlier(request(), self.deadlines.connect), self.try_deadline()),
            State::BackingOff => earlier(request(), self.again.deadline()),
            State::Tunnel => self.idle_deadline(),
        }
    }

    /// How long the route lets both directions be silent; `None` is for ever.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.record.route.as_ref()?.timeouts.idle
    }

    /// Since when the endpoint has taken nothing of the request that there is more of; `None` while it takes some, or there
    /// is no more at the moment.
    pub fn request_blocked(&mut self, now: Instant, since: Option<Instant>) {
        if self.deadlines.blocked.is_some() && since.is_none() {
            self.deadlines.active = Some(now);
        }
        self.deadlines.blocked = since;
    }

    /// Whether the request's body so far could be sent again from its first byte; drivers say so before a `Timer`.
    pub const fn request_held(&mut self, held: bool) {
        self.held = held;
    }

    /// When the try has lasted too long; `None` also as long as the client has not sent all of its request.
    fn try_deadline(&self) -> Option<Instant> {
        let timeout = self.record.route.as_ref()?.retry.per_try_timeout?;
        if self.page.is_some() {
            return None;
        }
        let from = self.record.attempt_started?.max(self.record.request_complete?);
        self.record.started.checked_add(from)?.checked_add(timeout)
    }

    /// When the endpoint has taken nothing for too long; `None` also where that has no bound of its own.
    fn send_deadline(&self) -> Option<Instant> {
        self.deadlines.blocked?.checked_add(self.record.route.as_ref()?.timeouts.send?)
    }

    fn idle_deadline(&self) -> Option<Instant> {
        let idle = || self.deadlines.active?.checked_add(self.idle_timeout()?);
        self.send_deadline().or_else(idle)
    }

    /// What the record says of it.
    fn idle_details(&self) -> &'static str {
        if self.send_deadline().is_some() { "request_send_timeout" } else { "stream_idle_timeout" }
    }

    pub(super) fn timer(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        let passed = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        match self.state {
            State::Paused if passed(self.deadlines.sleep) => self.wake(now, cx),
            State::Collecting | State::Connecting | State::BackingOff | State::Sending
                if passed(self.deadlines.request) =>
            {
                if self.state == State::Sending && self.request_ended {
                    self.report(now, Outcome::Failed);
                    self.spend_room(now);
                }
                self.record.flags.insert(ResponseFlags::UPSTREAM_TIMEOUT);
                self.local(now, 504, "upstream_response_timeout", "upstream request timeout", cx)
            }
            State::Relaying if passed(self.deadlines.request) => {
                self.record.flags.insert(ResponseFlags::UPSTREAM_TIMEOUT);
                self.abort(now, "upstream_response_timeout", cx)
            }
            State::BackingOff if passed(self.again.deadline()) => self.resume(now, cx),
            State::Connecting if passed(self.deadlines.connect) || passed(self.try_deadline()) => {
                self.connect_timed_out(now, cx)
            }
            State::Sending if passed(self.try_deadline()) => {
                let failure = Failure {
                    flag: ResponseFlags::UPSTREAM_TIMEOUT,
                    status: 504,
                    details: "upstream_per_try_timeout",
                    text: "upstream request timeout",
                };
                self.unanswered(now, failure, cx)
            }
            State::Sending if self.request_ended && passed(self.idle_deadline()) => {
                let failure = Failure {
                    flag: ResponseFlags::IDLE_TIMEOUT,
                    status: 504,
                    details: self.idle_details(),
                    text: "stream timeout",
                };
                self.unanswered(now, failure, cx)
            }
            State::Collecting | State::Sending if passed(self.idle_deadline()) => {
                self.record.flags.insert(ResponseFlags::IDLE_TIMEOUT);
                self.local(now, 504, self.idle_details(), "stream timeout", cx)
            }
            State::Relaying | State::Tunnel if passed(self.idle_deadline()) => {
                self.record.flags.insert(ResponseFlags::IDLE_TIMEOUT);
                self.abort(now, self.idle_details(), cx)
            }
            _ => Action::Wait,
        }
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
