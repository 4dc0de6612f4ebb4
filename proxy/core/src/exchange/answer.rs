//! The upstream's answer.

use super::again::Failure;
use super::{Action, Answer, Context, Exchange, State, Switching, websocket};
use crate::flags::ResponseFlags;
use crate::head::{NoFields, WithoutUnderscores, apply};
use crate::hygiene::{self, Body, Refusal, ResponseFacts, Rule, Version};
use crate::shared::Outcome;
use crate::template::Facts;
use sluice_filter::{BodyContext, BodyVerdict, Fields, Phase, ResponseContext, TrailersContext};
use sluice_http1::Method;
use std::time::Instant;

impl Exchange {
    pub(super) fn response_head(
        &mut self,
        now: Instant,
        facts: &ResponseFacts,
        held: bool,
        cx: &mut Context<'_>,
    ) -> Action {
        match self.state {
            State::Sending => {}
            State::Responding => return Action::Wait,
            _ => return Action::Illegal("an answer while none is awaited"),
        }
        self.deadlines.active = Some(now);
        let switching = !matches!(self.asked.switch, Switching::No | Switching::Connect);
        let confirmed = cx
            .response
            .first("upgrade")
            .is_some_and(|protocol| protocol.eq_ignore_ascii_case(self.asked.protocol.as_bytes()));
        if let Err(refusal) = hygiene::response(facts, switching, confirmed) {
            return self.refuse_upstream(now, &refusal, held, cx);
        }
        if facts.status < 200 && facts.status != 101 {
            self.answer.informational = true;
            return if self.asked.version.takes_informational() {
                Action::RelayInformational
            } else {
                Action::Wait
            };
        }
        let Some(tunnel) = self.is_tunnel(facts) else {
            return self.refuse_upstream(now, &Rule::TunnelRefusal.refusal(), held, cx);
        };
        let grpc = cx.response.first("grpc-status").and_then(grpc_status);
        self.report(now, Outcome::Answered(self.status_of(facts.status, grpc)));
        if !tunnel {
            if let Some(again) = self.rejected(now, facts.status, grpc, held, cx) {
                return again;
            }
            if self.error_page(now, facts.status, false, cx) {
                return Action::Connect;
            }
        }
        self.free_room();
        self.record.response_started = Some(now.saturating_duration_since(self.record.started));
        self.record.grpc_status = grpc;
        if let BodyVerdict::Respond(response) = self.run_response_head(facts.status, cx) {
            return self.filter_reply(now, response, cx);
        }
        let bodiless = self.asked.method == Method::Head || matches!(facts.status, 204 | 304);
        let status = self.response_edits.status().filter(|_| !tunnel).unwrap_or(facts.status);
        self.answer = Answer {
            status: if tunnel { self.tunnel_status(status) } else { status },
            body: if bodiless { Body::None } else { facts.body },
            received: 0,
            informational: self.answer.informational,
        };
        self.record.status = self.answer.status;
        self.record.details = if self.page.is_some() { "error_page" } else { "via_upstream" };
        if let Some(rewrite) = self.record.route.as_ref().and_then(|route| route.response_rewrite.as_ref())
            && self.page.is_none()
        {
            rewrite.record(cx.response, &mut self.response_edits, &mut cx.shard.scratch, &mut self.text);
        }
        self.record_response_edits(true, cx);
        if !tunnel {
            self.state = State::Relaying;
            return Action::RelayHead;
        }
        if self.asked.switch == Switching::Upgrade && self.record.upstream_version == Some(Version::Http2) {
            self.websocket_accept =
                websocket::accept(cx.request.first("sec-websocket-key").unwrap_or_default());
        }
        self.answer.body = Body::Unknown;
        self.record.upgraded = true;
        self.close_downstream = true;
        self.state = State::Tunnel;
        Action::Tunnel
    }

    /// Whether bytes are tunnelled from here on; `None` where the answer would mean that to the client, but the
    /// upstream did not.
    fn is_tunnel(&self, facts: &ResponseFacts) -> Option<bool> {
        let success = (200..300).contains(&facts.status);
        let http2 = self.record.upstream_version == Some(Version::Http2);
        match self.asked.switch {
            Switching::No => Some(false),
            Switching::Connect => Some(success),
            Switching::Upgrade | Switching::Extended if http2 => Some(success),
            Switching::Upgrade => Some(facts.status == 101),
            Switching::Extended if success => None,
            Switching::Extended => Some(facts.status == 101),
        }
    }

    const fn tunnel_status(&self, status: u16) -> u16 {
        match self.asked.switch {
            Switching::Upgrade => 101,
            Switching::Extended => 200,
            Switching::No | Switching::Connect => status,
        }
    }

    fn refuse_upstream(
        &mut self,
        now: Instant,
        refusal: &Refusal,
        held: bool,
        cx: &mut Context<'_>,
    ) -> Action {
        let text = "upstream connect error or disconnect/reset before headers. reset reason: protocol error";
        let failure = Failure { flag: refusal.flag, status: refusal.status, details: refusal.details, text };
        self.invalid_answer(now, held, failure, cx)
    }

    /// What the answer says of its endpoint: its status, or the one that the `grpc-status` in its head stands for.
    fn status_of(&self, status: u16, grpc: Option<u8>) -> u16 {
        match grpc.filter(|_| self.record.grpc) {
            Some(2 | 13 | 15) => 500,
            Some(14) => 503,
            Some(4) => 504,
            _ => status,
        }
    }

    fn run_response_head(&mut self, status: u16, cx: &mut Context<'_>) -> BodyVerdict {
        if !self.phases.contains(Phase::ResponseHead) {
            return BodyVerdict::Continue;
        }
        let Some(chain) = &mut self.chain else { return BodyVerdict::Continue };
        chain.on_response_head(&mut ResponseContext {
            status,
            request: cx.request,
            fields: cx.response,
            edits: &mut self.response_edits,
            rng: &mut cx.shard.rng,
        })
    }

    /// The edits of destination and route, behind those of the filters; and the cookie that keeps a client's position.
    /// `upstream`: it is the answer of one.
    pub(super) fn record_response_edits(&mut self, upstream: bool, cx: &Context<'_>) {
        let fields = WithoutUnderscores(cx.request);
        let facts = Facts {
            record: &self.record,
            request: fields.heeded(&cx.listener.spec.headers),
            response: if upstream { cx.response } else { &NoFields },
            trailers: &NoFields,
            hostname: &cx.shard.hostname,
        };
        if let Some(edits) = &self.destination_edits {
            apply(edits, &facts, &mut self.response_edits, &mut self.text);
        }
        if let Some(route) = &self.record.route {
            apply(&route.edits.response, &facts, &mut self.response_edits, &mut self.text);
        }
        if !self.set_cookie.is_empty() {
            // The cookie's parts were checked when the route was compiled.
            let _ = self.response_edits.add("set-cookie", &self.set_cookie);
        }
        self.give_cookie();
    }

    pub(super) fn response_body_piece(&mut self, now: Instant, data: &[u8], cx: &mut Context<'_>) -> Action {
        match self.state {
            State::Relaying => {}
            State::Responding => return Action::Wait,
            _ => return Action::Illegal("a response body without its head"),
        }
        self.deadlines.active = Some(now);
        self.answer.received += data.len() as u64;
        let excess = match self.answer.body {
            Body::None => !data.is_empty(),
            Body::Length(length) => self.answer.received > length,
            Body::Unknown => false,
        };
        if excess {
            return self.doubt(now, cx);
        }
        self.record.bytes_sent += data.len() as u64;
        self.run_response_body(now, data, false, cx)
    }

    fn run_response_body(&mut self, now: Instant, data: &[u8], end: bool, cx: &mut Context<'_>) -> Action {
        if !self.phases.contains(Phase::ResponseBody) {
            return Action::Wait;
        }
        let verdict = match &mut self.chain {
            Some(chain) => chain.on_response_body(&mut BodyContext { data, end }),
            None => BodyVerdict::Continue,
        };
        self.body_verdict(now, verdict, cx)
    }

    pub(super) fn response_trailers(
        &mut self,
        now: Instant,
        fields: &dyn Fields,
        cx: &mut Context<'_>,
    ) -> Action {
        match self.state {
            State::Relaying => {}
            State::Responding => return Action::Wait,
            _ => return Action::Illegal("response trailers without a head"),
        }
        if let Some(status) = fields.first("grpc-status").and_then(grpc_status) {
            self.record.grpc_status = Some(status);
        }
        if !self.phases.contains(Phase::ResponseTrailers) {
            return Action::Wait;
        }
        let verdict = match &mut self.chain {
            Some(chain) => chain.on_response_trailers(&mut TrailersContext { fields }),
            None => BodyVerdict::Continue,
        };
        self.body_verdict(now, verdict, cx)
    }

    pub(super) fn response_end(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        match self.state {
            State::Relaying => {}
            State::Responding => return Action::Wait,
            _ => return Action::Illegal("the end of an answer without its head"),
        }
        if let Body::Length(length) = self.answer.body
            && self.answer.received != length
        {
            return self.doubt(now, cx);
        }
        let last = self.run_response_body(now, &[], true, cx);
        if last != Action::Wait {
            return last;
        }
        self.upstream_clean = true;
        self.report(now, Outcome::Complete);
        self.finish(now, cx);
        Action::Done
    }

    /// The upstream's answer is not what its head said.
    fn doubt(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        self.record.flags.insert(ResponseFlags::UPSTREAM_PROTOCOL_ERROR);
        self.report(now, Outcome::Failed);
        self.abort(now, Rule::SizeMismatch.row().details, cx)
    }
}

fn grpc_status(value: &[u8]) -> Option<u8> {
    str::from_utf8(value).ok()?.parse().ok()
}
