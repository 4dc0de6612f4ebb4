//! The request's body and its refusals.

use super::{Action, Context, Exchange, State};
use crate::hygiene::{Body, Refusal, RequestFacts, Rule};
use sluice_filter::{BodyContext, BodyVerdict, Fields, Phase, TrailersContext};
use std::time::{Instant, SystemTime};

impl Exchange {
    pub(super) fn request_body_piece(&mut self, now: Instant, data: &[u8], cx: &mut Context<'_>) -> Action {
        if self.request_ended {
            return Action::Illegal("a request body after its end");
        }
        match self.state {
            State::Collecting | State::Sending | State::Relaying => {}
            // Another attempt is under way, and the driver goes on reading what it holds.
            State::Connecting | State::BackingOff if self.sends > 0 => {}
            // What a client sends on after a local reply is read over.
            State::Responding => {
                self.record.bytes_received += data.len() as u64;
                return Action::Wait;
            }
            _ => return Action::Illegal("a request body before its time"),
        }
        self.deadlines.active = Some(now);
        self.record.bytes_received += data.len() as u64;
        if let Body::Length(length) = self.asked.body
            && self.record.bytes_received > length
        {
            return self.refuse(now, &Rule::LengthMismatch.refusal(), cx);
        }
        if self.max_body.is_some_and(|most| self.record.bytes_received > most) {
            return self.refuse(now, &Rule::BodyTooLarge.refusal(), cx);
        }
        if self.state == State::Collecting {
            if self.collected.len() + data.len() > self.collect_limit {
                return self.refuse(now, &Rule::BodyTooLarge.refusal(), cx);
            }
            self.collected.extend_from_slice(data);
            return Action::Wait;
        }
        self.run_request_body(now, data, false, cx)
    }

    fn run_request_body(&mut self, now: Instant, data: &[u8], end: bool, cx: &mut Context<'_>) -> Action {
        if !self.phases.contains(Phase::RequestBody) {
            return Action::Wait;
        }
        let verdict = match &mut self.chain {
            Some(chain) => chain.on_request_body(&mut BodyContext { data, end }),
            None => BodyVerdict::Continue,
        };
        self.body_verdict(now, verdict, cx)
    }

    pub(super) fn request_trailers(
        &mut self,
        now: Instant,
        fields: &dyn Fields,
        cx: &mut Context<'_>,
    ) -> Action {
        if self.request_ended || !self.takes_request() {
            return Action::Illegal("request trailers at the wrong time");
        }
        if self.state == State::Responding || !self.phases.contains(Phase::RequestTrailers) {
            return Action::Wait;
        }
        let verdict = match &mut self.chain {
            Some(chain) => chain.on_request_trailers(&mut TrailersContext { fields }),
            None => BodyVerdict::Continue,
        };
        self.body_verdict(now, verdict, cx)
    }

    pub(super) fn body_verdict(
        &mut self,
        now: Instant,
        verdict: BodyVerdict,
        cx: &mut Context<'_>,
    ) -> Action {
        match verdict {
            BodyVerdict::Continue => Action::Wait,
            BodyVerdict::Respond(response) if self.state == State::Relaying => {
                self.record.details = response.details;
                self.abort(now, "filter", cx)
            }
            BodyVerdict::Respond(response) => self.filter_reply(now, response, cx),
        }
    }

    pub(super) fn request_end(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        if self.request_ended || !self.takes_request() {
            return Action::Illegal("the end of a request at the wrong time");
        }
        if self.state == State::Responding {
            self.end_request(now);
            return Action::Wait;
        }
        if let Body::Length(length) = self.asked.body
            && self.record.bytes_received != length
        {
            return self.refuse(now, &Rule::LengthMismatch.refusal(), cx);
        }
        self.end_request(now);
        if self.state == State::Collecting {
            return self.collected_all(now, cx);
        }
        self.run_request_body(now, &[], true, cx)
    }

    /// Whether more of the request's body may come.
    fn takes_request(&self) -> bool {
        match self.state {
            State::Collecting | State::Sending | State::Relaying | State::Responding => true,
            State::Connecting | State::BackingOff => self.sends > 0,
            _ => false,
        }
    }

    pub(super) fn end_request(&mut self, now: Instant) {
        self.request_ended = true;
        self.deadlines.active = Some(now);
        self.record.request_complete = Some(now.saturating_duration_since(self.record.started));
    }

    /// A head that the codec refused.
    pub(super) fn head_refused(
        &mut self,
        now: Instant,
        facts: &RequestFacts<'_>,
        refusal: &Refusal,
        wall: SystemTime,
        cx: &mut Context<'_>,
    ) -> Action {
        self.begin_badly(now, facts, wall, cx).unwrap_or_else(|| self.refuse(now, refusal, cx))
    }

    /// A head whose end never came: nobody waits for an answer any more.
    pub(super) fn head_lost(
        &mut self,
        now: Instant,
        facts: &RequestFacts<'_>,
        refusal: &Refusal,
        wall: SystemTime,
        cx: &mut Context<'_>,
    ) -> Action {
        self.begin_badly(now, facts, wall, cx).unwrap_or_else(|| {
            self.record.status = refusal.status;
            self.record.flags.insert(refusal.flag);
            self.record.details = refusal.details;
            self.finish(now, cx);
            Action::Done
        })
    }

    /// Begins with what is known of a head that is no request.
    fn begin_badly(
        &mut self,
        now: Instant,
        facts: &RequestFacts<'_>,
        wall: SystemTime,
        cx: &mut Context<'_>,
    ) -> Option<Action> {
        if self.state != State::Idle {
            return Some(Action::Illegal("a head that failed while a request is under way"));
        }
        self.begin(now, wall, cx);
        self.note_facts(facts, cx.request);
        None
    }

    pub(super) fn request_refused(
        &mut self,
        now: Instant,
        refusal: &Refusal,
        cx: &mut Context<'_>,
    ) -> Action {
        match self.state {
            State::Idle => Action::Illegal("a refused request where there is none"),
            State::Responding => {
                self.forsaken = true;
                self.close_downstream = true;
                Action::Wait
            }
            State::Tunnel => Action::Illegal("a refused request in a tunnel"),
            _ => self.refuse(now, refusal, cx),
        }
    }

    /// The client's fault: answered where that is still possible.
    pub(super) fn refuse(&mut self, now: Instant, refusal: &Refusal, cx: &mut Context<'_>) -> Action {
        self.record.flags.insert(refusal.flag);
        self.forsaken = true;
        self.close_downstream |= refusal.close;
        if self.state == State::Relaying {
            return self.abort(now, refusal.details, cx);
        }
        if refusal.status == 0 {
            self.record.details = refusal.details;
            return self.abort(now, refusal.details, cx);
        }
        self.local(now, refusal.status, refusal.details, refusal.text(), cx)
    }
}
