//! Bodies and heads from one side to the other, in both directions at once and with backpressure.
//!
//! Nothing is held here: what a side does not take stays with the other, which then reads no more.

use super::{Driver, Stage, reply::Slice, tell};
use crate::{
    body::{Front, Sink, Source, SourceError},
    downstream::Downstream,
    fields::HeadFields,
    upstream::UpstreamStream,
};
use bytes::Bytes;
use sluice_core::{
    exchange::{Action, Event, FailureKind, Sent, UpstreamFailure},
    head::Fields,
    hygiene::{Body, Refusal},
};
use std::task::{Context, Poll};

/// Interim answers to one request; an endpoint that says more makes no progress.
const MOST_INTERIM: u32 = 100;

/// How far one direction is.
#[derive(Debug, Default)]
pub(super) struct Direction {
    /// Bytes that the exchange has been told of.
    pub(super) seen: u64,
    /// Bytes that the sink has taken; less than `seen` when it takes them again.
    pub(super) taken: u64,
    /// The exchange has been told of the end.
    end_seen: bool,
    /// The sink has been told of the end.
    pub(super) finished: bool,
    /// The sink takes no more.
    pub(super) broken: bool,
    /// The source has nothing at the moment.
    pub(super) starved: bool,
    /// The sink takes nothing at the moment.
    pub(super) blocked: bool,
}

impl Direction {
    /// From the first byte again, to another sink.
    pub(super) fn restart(&mut self) {
        *self = Self { seen: self.seen, end_seen: self.end_seen, broken: self.broken, ..Self::default() };
    }

    /// How much of a piece at the front has been reported before; it all counts as reported then.
    fn report(&mut self, length: usize) -> usize {
        let old = (self.seen - self.taken) as usize;
        self.seen = self.seen.max(self.taken + length as u64);
        old.min(length)
    }

    fn took(&mut self, count: usize) {
        self.taken += count as u64;
    }
}

impl<D: Downstream> Driver<'_, D> {
    // === The request ===

    /// Reads the body for the exchange alone.
    pub(super) fn poll_collecting(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        loop {
            self.request.starved = false;
            match self.down.poll_front(cx) {
                Poll::Ready(Ok(Front::Data)) => {
                    let length = self.down.data().len();
                    self.request.report(length);
                    let action = tell!(self, Event::RequestBody(self.down.data()));
                    self.down.consume(length);
                    self.request.took(length);
                    if action != Action::Wait {
                        return Poll::Ready(action);
                    }
                }
                Poll::Ready(Ok(Front::End)) => return Poll::Ready(self.report_request_end()),
                Poll::Ready(Err(error)) => return Poll::Ready(self.request_failed(error)),
                Poll::Pending => {
                    self.request.starved = true;
                    return Poll::Pending;
                }
            }
        }
    }

    pub(super) fn poll_relaying(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        let request = self.poll_request(cx);
        if request.is_ready() {
            return request;
        }
        if self.head_relayed { self.poll_answer(cx) } else { self.poll_head(cx) }
    }

    /// Moves the request's body up.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        self.request.starved = false;
        self.request.blocked = false;
        if self.exchange.is_error_page() {
            self.flush_request(cx);
            return Poll::Pending;
        }
        if self.switching && self.stage == Stage::Relaying && self.down.length() != Body::None {
            // An HTTP/2 client may send ahead. An endpoint that does not switch would read it as its next request.
            self.flush_request(cx);
            return Poll::Pending;
        }
        if let Some(collected) = self.exchange.collected() {
            let rest = collected.get(self.request.taken as usize..).unwrap_or_default();
            return self.poll_collected(cx, rest.len());
        }
        while !self.request.finished && (!self.request.broken || self.copies_alone()) {
            match self.down.poll_front(cx) {
                Poll::Ready(Ok(Front::Data)) => {
                    let old = self.request.report(self.down.data().len());
                    if old < self.down.data().len() && self.stage != Stage::Tunnel {
                        let action = tell!(self, Event::RequestBody(&self.down.data()[old..]));
                        if action != Action::Wait {
                            return Poll::Ready(action);
                        }
                    }
                    if self.mirrors.want_body() && self.poll_mirrors(cx).is_pending() {
                        break;
                    }
                    if self.request.broken {
                        self.pass_request(self.down.data().len());
                        continue;
                    }
                    let Some(up) = &mut self.up else { return Poll::Pending };
                    match up.poll_push(cx, &*self.down) {
                        Poll::Ready(Ok(count)) => self.pass_request(count),
                        Poll::Ready(Err(_)) => self.request.broken = true,
                        Poll::Pending => {
                            self.request.blocked = true;
                            return Poll::Pending;
                        }
                    }
                }
                Poll::Ready(Ok(Front::End)) => {
                    if self.stage != Stage::Tunnel {
                        let action = self.report_request_end();
                        if action != Action::Wait {
                            return Poll::Ready(action);
                        }
                        self.mirrors.end(self.down.trailers());
                    }
                    self.request.finished = true;
                    if self.request.broken {
                        break;
                    }
                    let Some(up) = &mut self.up else { return Poll::Pending };
                    self.request.broken |= up.finish(self.down.trailers()).is_err();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(self.request_failed(error)),
                Poll::Pending => {
                    self.request.starved = true;
                    break;
                }
            }
        }
        self.flush_request(cx);
        Poll::Pending
    }

    /// So many bytes have gone up: the copies get them, too.
    fn pass_request(&mut self, count: usize) {
        if self.mirrors.want_body() {
            let known = self.mirrors.missing(self.request.taken, count);
            self.mirrors.give(&self.down.share(count).slice(known..));
        }
        self.down.consume(count);
        self.request.took(count);
    }

    /// Whether the body goes on to the copies although the endpoint takes no more of it. Not before its answer has come:
    /// until then what was read had better be kept for a retry.
    fn copies_alone(&self) -> bool {
        self.head_relayed && self.mirrors.want_body()
    }

    /// Sends a body that a filter had collected.
    fn poll_collected(&mut self, cx: &mut Context<'_>, mut left: usize) -> Poll<Action> {
        while left > 0 && !self.request.broken {
            if self.mirrors.want_body() && self.poll_mirrors(cx).is_pending() {
                break;
            }
            let (Some(up), Some(body)) = (&mut self.up, self.exchange.collected()) else {
                return Poll::Pending;
            };
            let at = body.len() - left;
            match up.poll_push(cx, &Slice::front(&body[at..])) {
                Poll::Ready(Ok(count)) => {
                    if self.mirrors.want_body() {
                        let known = self.mirrors.missing(self.request.taken, count);
                        self.mirrors.give(&Bytes::copy_from_slice(&body[at + known..at + count]));
                    }
                    left -= count;
                    self.request.took(count);
                }
                Poll::Ready(Err(_)) => self.request.broken = true,
                Poll::Pending => {
                    self.request.blocked = true;
                    return Poll::Pending;
                }
            }
        }
        if let Some(up) = &mut self.up
            && left == 0
            && !self.request.finished
            && !self.request.broken
        {
            self.request.broken |= up.finish(HeadFields::Empty).is_err();
            self.request.finished = true;
            self.mirrors.end(HeadFields::Empty);
        }
        self.flush_request(cx);
        Poll::Pending
    }

    /// Pending while copies that are behind should have a turn.
    fn poll_mirrors(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.mirrors.poll_fair(cx, self.accepted.shard.now())
    }

    fn flush_request(&mut self, cx: &mut Context<'_>) {
        if let Some(up) = &mut self.up
            && !self.request.broken
        {
            match up.poll_flush(cx) {
                Poll::Ready(flushed) => self.request.broken |= flushed.is_err(),
                Poll::Pending => self.request.blocked = true,
            }
        }
    }

    /// Tells the exchange, once, that the request is complete. A request without a body never said that one would come.
    fn report_request_end(&mut self) -> Action {
        if self.request.end_seen || self.down.length() == Body::None {
            return Action::Wait;
        }
        self.request.end_seen = true;
        let trailers = self.down.trailers();
        if trailers.count() > 0 {
            let action = tell!(self, Event::RequestTrailers(&trailers));
            if action != Action::Wait {
                return action;
            }
        }
        tell!(self, Event::RequestEnd)
    }

    pub(super) fn request_failed(&mut self, error: SourceError) -> Action {
        match error {
            SourceError::Gone | SourceError::Reset => self.client_gone(),
            SourceError::Malformed { status, details } => {
                tell!(self, Event::RequestRefused(Refusal::codec(status, details)))
            }
        }
    }

    // === The answer ===

    /// Waits for a head. Interim ones that were relayed leave first, so that they do not pile up.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        if self.interim > 0 {
            let flushed = self.flush_answer(cx);
            if flushed.is_ready() || self.response.blocked {
                return flushed;
            }
        }
        let Some(up) = &mut self.up else { return Poll::Pending };
        match up.poll_head(cx) {
            Poll::Ready(Ok(facts)) => {
                self.head_status = facts.status;
                self.interim += u32::from(facts.status < 200 && facts.status != 101);
                if self.interim > MOST_INTERIM {
                    return Poll::Ready(
                        self.upstream_failed(FailureKind::Protocol("too_many_interim_answers")),
                    );
                }
                let held = self.held();
                Poll::Ready(tell!(self, Event::ResponseHead { facts, held }))
            }
            Poll::Ready(Err(kind)) => Poll::Ready(self.upstream_failed(kind)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether the request's body so far could be sent again.
    pub(super) fn held(&self) -> bool {
        self.exchange.collected().is_some() || self.down.held()
    }

    pub(super) fn relay_informational(&mut self) {
        let Some(up) = &self.up else { return };
        let mut head = self.down.begin_head(self.head_status, Body::None);
        let response = up.fields();
        let exchange = &self.exchange;
        self.accepted.with_scene(self.listener, &self.down.fields(), &response, |_, scene| {
            exchange.write_informational_fields(scene, &mut head);
        });
        // Where the client is gone, the flush finds out.
        let _ = self.down.send_head(head);
    }

    pub(super) fn relay_head(&mut self) {
        self.write_head(false);
        self.head_relayed = true;
    }

    pub(super) fn begin_tunnel(&mut self) {
        self.write_head(true);
        if let Some(up) = &mut self.up {
            up.begin_tunnel();
        }
        self.request = Direction::default();
        self.head_relayed = true;
        self.stage = Stage::Tunnel;
    }

    pub(super) fn write_head(&mut self, tunnel: bool) {
        if !self.exchange.downstream_reusable() {
            self.down.close_after();
        } else if self.accepted.draining() {
            self.down.wind_down();
        }
        if self.exchange.copies_go_on() && self.mirrors.want_body() {
            self.down.read_on();
        }
        let status = self.exchange.response_status();
        let mut head = if tunnel {
            self.down.begin_tunnel(status)
        } else {
            self.down.begin_head(status, self.exchange.response_body())
        };
        let request = self.down.fields();
        let response = self.up.as_ref().map_or(HeadFields::Empty, |up| up.fields());
        let exchange = &mut self.exchange;
        self.accepted.with_scene(self.listener, &request, &response, |_, scene| {
            self.accepted.shard.with_date(|date| exchange.write_response_fields(scene, date, &mut head));
        });
        let _ = self.down.send_head(head);
    }

    /// Moves the answer's body down.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        self.response.starved = false;
        while !self.response.finished {
            let Some(up) = &mut self.up else { return Poll::Pending };
            match up.poll_front(cx) {
                Poll::Ready(Ok(Front::Data)) => {
                    let length = up.data().len();
                    let old = self.response.report(length);
                    if old < length
                        && self.stage != Stage::Tunnel
                        && let Some(up) = &self.up
                    {
                        let action = tell!(self, Event::ResponseBody(&up.data()[old..]));
                        if action != Action::Wait {
                            return Poll::Ready(action);
                        }
                    }
                    let Some(up) = &mut self.up else { return Poll::Pending };
                    match self.down.poll_push(cx, up) {
                        Poll::Ready(Ok(count)) => {
                            up.consume(count);
                            self.response.took(count);
                        }
                        Poll::Ready(Err(_)) => return Poll::Ready(self.client_gone()),
                        Poll::Pending => {
                            self.response.blocked = true;
                            return Poll::Pending;
                        }
                    }
                }
                Poll::Ready(Ok(Front::End)) => {
                    let Some(up) = &self.up else { return Poll::Pending };
                    let trailers = up.trailers();
                    if trailers.count() > 0
                        && self.stage != Stage::Tunnel
                        && !std::mem::replace(&mut self.response.end_seen, true)
                    {
                        let action = tell!(self, Event::ResponseTrailers(&trailers));
                        if action != Action::Wait {
                            return Poll::Ready(action);
                        }
                    }
                    let Some(up) = &self.up else { return Poll::Pending };
                    if self.down.finish(up.trailers()).is_err() {
                        return Poll::Ready(self.client_gone());
                    }
                    self.response.finished = true;
                }
                Poll::Ready(Err(error)) => {
                    let kind = match error {
                        SourceError::Gone => FailureKind::Closed,
                        SourceError::Reset => FailureKind::Reset,
                        SourceError::Malformed { details, .. } => FailureKind::Protocol(details),
                    };
                    return Poll::Ready(self.upstream_failed(kind));
                }
                Poll::Pending => {
                    self.response.starved = true;
                    break;
                }
            }
        }
        self.flush_answer(cx)
    }

    /// Sends what was gathered for the client; the end of a whole answer is the end of the exchange.
    fn flush_answer(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        self.response.blocked = false;
        match self.down.poll_flush(cx) {
            Poll::Ready(Ok(())) if self.response.finished && self.stage == Stage::Relaying => {
                Poll::Ready(tell!(self, Event::ResponseEnd))
            }
            Poll::Ready(Ok(())) => Poll::Pending,
            Poll::Ready(Err(_)) => Poll::Ready(self.client_gone()),
            Poll::Pending => {
                self.response.blocked = true;
                Poll::Pending
            }
        }
    }

    /// The client takes nothing more, or sends nothing more of what it owes.
    pub(super) fn client_gone(&mut self) -> Action {
        let event = if self.stage == Stage::Tunnel { Event::TunnelEnd } else { Event::DownstreamGone };
        let action = tell!(self, event);
        self.down.cut();
        action
    }

    fn upstream_failed(&mut self, kind: FailureKind) -> Action {
        if self.stage == Stage::Tunnel {
            self.down.cut();
            return tell!(self, Event::TunnelEnd);
        }
        let sent = match &self.up {
            Some(up) if !up.started() => Sent::Nothing,
            _ if self.request.finished && !self.request.blocked && !self.request.broken => Sent::Whole,
            _ => Sent::Part,
        };
        let held = self.held();
        let answered = self.up.as_ref().is_some_and(UpstreamStream::answered);
        tell!(self, Event::UpstreamFailed(UpstreamFailure { kind, sent, held, answered }))
    }

    // === Tunnels ===

    /// Carries opaque bytes both ways until both ways have ended.
    pub(super) fn poll_tunnel(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        let before = (self.request.taken, self.response.taken);
        let up = self.poll_request(cx);
        let down = self.poll_answer(cx);
        for step in [up, down] {
            if step.is_ready() {
                return step;
            }
        }
        let (up, down) = (self.request.taken - before.0, self.response.taken - before.1);
        if up + down > 0 {
            let action = tell!(self, Event::Tunnel { up, down });
            if action != Action::Wait {
                return Poll::Ready(action);
            }
        }
        let request_over = self.request.broken || (self.request.finished && !self.request.blocked);
        if request_over && self.response.finished && !self.response.blocked {
            return Poll::Ready(tell!(self, Event::TunnelEnd));
        }
        Poll::Pending
    }
}
