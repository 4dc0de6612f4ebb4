//! When patience ends.

use super::{Action, Context, Exchange, State};
use crate::flags::ResponseFlags;
use std::time::{Duration, Instant};

impl Exchange {
    /// When [`Event::Timer`] is due; `None` where nothing is waited for, or only the peers' pleasure.
    pub fn deadline(&self) -> Option<Instant> {
        let request = || self.deadlines.request;
        match self.state {
            State::Idle | State::Responding | State::Done => None,
            State::Paused => self.deadlines.sleep,
            State::Collecting | State::Sending | State::Relaying => earlier(request(), self.idle_deadline()),
            State::Connecting => earlier(request(), self.deadlines.connect),
            State::Tunnel => self.idle_deadline(),
        }
    }

    /// How long the route lets both directions be silent; `None` is for ever.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.record.route.as_ref()?.timeouts.idle
    }

    fn idle_deadline(&self) -> Option<Instant> {
        self.deadlines.active?.checked_add(self.idle_timeout()?)
    }

    pub(super) fn timer(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        let passed = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        match self.state {
            State::Paused if passed(self.deadlines.sleep) => self.wake(now, cx),
            State::Collecting | State::Connecting | State::Sending if passed(self.deadlines.request) => {
                self.record.flags.insert(ResponseFlags::UPSTREAM_TIMEOUT);
                self.local(now, 504, "upstream_response_timeout", "upstream request timeout", cx)
            }
            State::Relaying if passed(self.deadlines.request) => {
                self.record.flags.insert(ResponseFlags::UPSTREAM_TIMEOUT);
                self.abort(now, "upstream_response_timeout", cx)
            }
            State::Connecting if passed(self.deadlines.connect) => self.connect_timed_out(now, cx),
            State::Collecting | State::Sending if passed(self.idle_deadline()) => {
                self.record.flags.insert(ResponseFlags::IDLE_TIMEOUT);
                self.local(now, 504, "stream_idle_timeout", "stream timeout", cx)
            }
            State::Relaying | State::Tunnel if passed(self.idle_deadline()) => {
                self.record.flags.insert(ResponseFlags::IDLE_TIMEOUT);
                self.abort(now, "stream_idle_timeout", cx)
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
