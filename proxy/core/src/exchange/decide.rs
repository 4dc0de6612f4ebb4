//! From the request's head to its destination.

use super::pick::Picked;
use super::{Action, Context, Exchange, MirrorCopy, State, Switching, request_id, websocket};
use crate::flags::ResponseFlags;
use crate::head::{NoFields, Trust, WithoutUnderscores, apply, forwarded_host};
use crate::hygiene::{self, Admitted, Body, RequestFacts, Rule, Switch, Target, Version, host_of};
use crate::normalize::normalize;
use crate::route::{self, Outcome, RequestView, Route};
use crate::snapshot::Listener;
use crate::split::Forward;
use crate::template::Facts;
use sluice_filter::{BodyContext, BodyVerdict, Edits, Fields, Op, OpResult, Phase, RequestContext, Verdict};
use sluice_http1::Method;
use sluice_model::spec::{RequestId, UpstreamPath};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// What the route says is done.
enum Decision {
    Redirect(u16),
    Respond,
    Connect,
    NoCluster,
}

impl Exchange {
    /// The first event of a request, whatever it is.
    pub(super) fn begin(&mut self, now: Instant, wall: SystemTime, cx: &Context<'_>) {
        let record = &mut self.record;
        record.started = now;
        record.started_at = wall;
        record.peer = cx.connection.peer;
        record.client = cx.connection.peer;
        record.local = cx.connection.local;
        record.connection = cx.connection.id;
        record.server_name.clone_from(&cx.connection.server_name);
        if !record.listener.as_ref().is_some_and(|listener| Arc::ptr_eq(listener, &cx.listener.spec)) {
            record.listener = Some(Arc::clone(&cx.listener.spec));
        }
        record.scheme = if cx.connection.tls { "https" } else { "http" };
        self.asked.client = cx.connection.peer.ip();
        self.deadlines.active = Some(now);
    }

    pub(super) fn request_head(
        &mut self,
        now: Instant,
        facts: &RequestFacts<'_>,
        wall: SystemTime,
        cx: &mut Context<'_>,
    ) -> Action {
        if self.state != State::Idle {
            return Action::Illegal("a request head while a request is under way");
        }
        self.begin(now, wall, cx);
        self.note_facts(facts, cx.request);
        if facts.body == Body::None {
            self.end_request(now);
        }
        let admitted = match hygiene::request(facts, cx.request, &cx.listener.spec) {
            Ok(admitted) => admitted,
            Err(refusal) => return self.refuse(now, &refusal, cx),
        };
        self.note_admitted(now, &admitted, cx);
        match normalize(cx.listener.spec.path.normalize, admitted.path, &mut cx.shard.path) {
            Ok(path) => self.record.normal_path.push_str(path),
            Err(_) => return self.refuse(now, &Rule::EncodedNul.refusal(), cx),
        }
        let listener = cx.listener;
        let host = &self.asked.authority[self.asked.host.clone()];
        let Some(table) = listener.serving(cx.connection.scope.as_deref(), host) else {
            return self.refuse(now, &Rule::Misdirected.refusal(), cx);
        };
        let fields = WithoutUnderscores(cx.request);
        let view = view(&self.asked, &self.record, fields.heeded(&listener.spec.headers), listener);
        match table.find(&view, &mut cx.shard.scratch) {
            Outcome::Found(route, matched) => {
                self.record.route = Some(Arc::clone(route));
                self.matched = Some(matched);
                self.max_body =
                    route.max_body.or(listener.spec.limits.body.map(sluice_model::value::Size::get));
                if let Some(chain) = &route.chain {
                    self.phases = chain.phases();
                    self.chain = Some(chain.open());
                }
            }
            Outcome::NoHost | Outcome::NoRoute => {
                self.record.flags.insert(ResponseFlags::NO_ROUTE);
                return self.local(now, 404, "route_not_found", "", cx);
            }
        }
        if let (Body::Length(length), Some(most)) = (self.asked.body, self.max_body)
            && length > most
        {
            return self.refuse(now, &Rule::BodyTooLarge.refusal(), cx);
        }
        if self.phases.contains(Phase::RequestHead) {
            self.run_chain(now, None, cx)
        } else {
            self.proceed(now, cx)
        }
    }

    /// What the log shows even of a request that is refused.
    pub(super) fn note_facts(&mut self, facts: &RequestFacts<'_>, fields: &dyn Fields) {
        self.record.version = facts.version;
        self.record.method.push_str(facts.method);
        let path = match facts.target {
            Target::Line(line) => Some(line),
            Target::Pseudo { path, .. } => path,
        };
        self.record.path.push_str(path.unwrap_or_default());
        self.record.grpc = fields.first("content-type").is_some_and(is_grpc);
        self.asked.version = facts.version;
        self.asked.method = Method::of(facts.method.as_bytes());
        self.asked.body = facts.body;
    }

    fn note_admitted(&mut self, now: Instant, admitted: &Admitted<'_>, cx: &mut Context<'_>) {
        let asked = &mut self.asked;
        self.record.authority.push_str(admitted.authority);
        asked.authority.push_str(admitted.authority);
        asked.authority.make_ascii_lowercase();
        asked.host = 0..host_of(&asked.authority).len();
        self.record.path.clear();
        self.record.path.push_str(admitted.path);
        asked.path_end = admitted.path.len();
        if let Some(query) = admitted.query {
            self.record.path.push('?');
            self.record.path.push_str(query);
        }
        asked.names_fields = admitted.names_fields;
        asked.te_trailers = admitted.te_trailers;
        let (switch, protocol) = match admitted.switch {
            Switch::No => (Switching::No, ""),
            Switch::Upgrade(protocol) => (Switching::Upgrade, protocol),
            Switch::Extended(protocol) => (Switching::Extended, protocol),
            Switch::Connect => (Switching::Connect, ""),
        };
        asked.switch = switch;
        asked.protocol.push_str(protocol);
        if switch != Switching::No {
            // What follows the head belongs to the other protocol.
            asked.body = Body::None;
        }
        let peer = cx.connection.peer;
        let trust = Trust::of(&cx.listener.spec.forwarded, peer.ip(), cx.connection.tls, cx.request);
        asked.trusted = trust.trusted;
        asked.client = trust.client;
        asked.scheme = trust.scheme;
        if trust.client != peer.ip() {
            let _ = write!(asked.client_text, "{}", trust.client);
        }
        if trust.trusted {
            let host = forwarded_host(&cx.listener.spec.forwarded, cx.request);
            asked.forwarded_host.push_str(host.unwrap_or_default());
        }
        self.record.scheme = trust.scheme.as_str();
        let port = if trust.client == peer.ip() { peer.port() } else { 0 };
        self.record.client = SocketAddr::new(trust.client, port);
        if switch != Switching::No && !self.request_ended {
            self.end_request(now);
        }
        self.settle_request_id(cx);
        self.heed(cx);
    }

    fn settle_request_id(&mut self, cx: &mut Context<'_>) {
        let keep = match cx.listener.spec.request_id {
            RequestId::Off => return,
            RequestId::Keep => true,
            RequestId::KeepTrusted => self.asked.trusted,
        };
        let kept = keep && cx.request.first("x-request-id").is_some_and(|id| self.record.set_request_id(id));
        if !kept {
            self.record.set_own_request_id(&request_id::uuid(&mut cx.shard.rng));
        }
    }

    // === Filters ===

    fn run_chain(&mut self, now: Instant, result: Option<OpResult>, cx: &mut Context<'_>) -> Action {
        let Some(mut chain) = self.chain.take() else { return self.proceed(now, cx) };
        let query = query(&self.asked, &self.record);
        let fields = WithoutUnderscores(cx.request);
        let mut request = RequestContext {
            method: &self.record.method,
            scheme: self.record.scheme,
            authority: &self.asked.authority,
            path: &self.record.normal_path,
            query,
            client: self.asked.client,
            grpc: self.record.grpc,
            fields: fields.heeded(&cx.listener.spec.headers),
            edits: &mut self.request_edits,
            rng: &mut cx.shard.rng,
        };
        let verdict = match result {
            None => chain.on_request_head(&mut request),
            Some(result) => chain.on_op(&mut request, result),
        };
        self.chain = Some(chain);
        match verdict {
            Verdict::Continue => self.proceed(now, cx),
            Verdict::Respond(response) => self.filter_reply(now, response, cx),
            Verdict::Buffer(limit) => {
                self.collect_limit = limit.max(1);
                self.start_clocks(now);
                self.state = State::Collecting;
                if self.request_ended { self.collected_all(now, cx) } else { Action::Collect }
            }
            Verdict::Pause(op) => self.pause(now, op),
        }
    }

    fn pause(&mut self, now: Instant, op: Op) -> Action {
        let until = match op {
            Op::Sleep(time) => now.checked_add(time),
            _ => Some(now),
        };
        self.record.flags.insert(ResponseFlags::DELAY_INJECTED);
        self.deadlines.sleep = until;
        self.state = State::Paused;
        Action::Wait
    }

    pub(super) fn wake(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        self.deadlines.sleep = None;
        self.run_chain(now, Some(OpResult::Slept), cx)
    }

    /// The whole body is here for the filter that asked for it.
    pub(super) fn collected_all(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        if self.phases.contains(Phase::RequestBody)
            && let Some(chain) = &mut self.chain
            && let BodyVerdict::Respond(response) =
                chain.on_request_body(&mut BodyContext { data: &self.collected, end: true })
        {
            return self.filter_reply(now, response, cx);
        }
        self.proceed(now, cx)
    }

    fn start_clocks(&mut self, now: Instant) {
        if self.deadlines.request.is_none() {
            let request = match self.asked.timeout {
                Some(asked) => Some(asked).filter(|asked| !asked.is_zero()),
                None => self.record.route.as_ref().and_then(|route| route.timeouts.request),
            };
            self.deadlines.request = request.and_then(|request| now.checked_add(request));
        }
        self.deadlines.active = Some(now);
    }

    // === The route's action ===

    fn proceed(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        self.start_clocks(now);
        let Some(route) = self.record.route.clone() else { return Action::Illegal("no route to go on with") };
        let decision = match &route.action {
            route::Action::Forward(forward) => self.forward(now, &route, forward, cx),
            route::Action::Redirect(redirect) => {
                let mut location = std::mem::take(self.location());
                if let Some(matched) = self.matched {
                    let fields = WithoutUnderscores(cx.request);
                    let fields = fields.heeded(&cx.listener.spec.headers);
                    let mut view = view(&self.asked, &self.record, fields, cx.listener);
                    if !self.asked.forwarded_host.is_empty() {
                        view.authority = &self.asked.forwarded_host;
                    }
                    redirect.location(&view, matched, &mut cx.shard.scratch, &mut location);
                }
                *self.location() = location;
                Decision::Redirect(redirect.status)
            }
            route::Action::Respond(_) => Decision::Respond,
        };
        match (decision, &route.action) {
            (Decision::Redirect(status), _) => self.redirect(now, status, cx),
            (Decision::Respond, route::Action::Respond(direct)) => {
                self.direct(now, direct.status, direct.body.clone(), cx)
            }
            (Decision::Connect, _) => self.connect(now, cx),
            (Decision::NoCluster | Decision::Respond, _) => {
                self.record.flags.insert(ResponseFlags::NO_CLUSTER);
                self.local(now, 503, "cluster_not_found", "", cx)
            }
        }
    }

    fn forward(
        &mut self,
        now: Instant,
        route: &Arc<Route>,
        forward: &Forward,
        cx: &mut Context<'_>,
    ) -> Decision {
        let shard = &mut *cx.shard;
        let fields = WithoutUnderscores(cx.request);
        let fields = fields.heeded(&cx.listener.spec.headers);
        let view = view(&self.asked, &self.record, fields, cx.listener);
        let Some(chosen) = forward.choose(&view, &mut shard.rng, &mut shard.scratch) else {
            return Decision::NoCluster;
        };
        if let Some(cookie) = &chosen.set_cookie {
            cookie.write(self.asked.scheme == route::Scheme::Https, &mut self.set_cookie);
        }
        let destination = chosen.destination;
        let Some(cluster) = cx.snapshot.cluster(destination.cluster) else {
            self.record.missing_cluster = Some(Arc::clone(&destination.cluster_name));
            return Decision::NoCluster;
        };
        self.record.cluster = Some(cx.connection.resolve(cluster));
        if !destination.edits.response.is_empty() {
            self.destination_edits = Some(Arc::clone(&destination.edits.response));
        }
        self.write_target(route, cx);
        let facts = Facts {
            record: &self.record,
            request: fields,
            response: &NoFields,
            trailers: &NoFields,
            hostname: &cx.shard.hostname,
        };
        apply(&destination.edits.request, &facts, &mut self.request_edits, &mut self.text);
        apply(&route.edits.request, &facts, &mut self.request_edits, &mut self.text);
        if self.asked.switch == Switching::No {
            self.sample_mirrors(now, route, cx);
        } else if self.asked.switch == Switching::Extended {
            self.websocket_key = websocket::key(&mut cx.shard.rng);
        }
        Decision::Connect
    }

    fn write_target(&mut self, route: &Route, cx: &mut Context<'_>) {
        self.rewritten = self.matched.is_some_and(|matched| {
            route.rewrite.path(&self.record.normal_path, matched, &mut cx.shard.scratch, &mut self.target)
        });
        if !self.rewritten {
            let path = match cx.listener.spec.path.upstream {
                UpstreamPath::Normalized => &self.record.normal_path,
                UpstreamPath::Received => &self.record.path[..self.asked.path_end],
            };
            self.target.extend_from_slice(path.as_bytes());
        }
        self.target.extend_from_slice(&self.record.path.as_bytes()[self.asked.path_end..]);
    }

    fn sample_mirrors(&mut self, now: Instant, route: &Route, cx: &mut Context<'_>) {
        for (place, mirror) in route.mirrors.iter().enumerate() {
            if cx.shard.rng.u32(..1_000_000) >= mirror.percent.millionths() {
                continue;
            }
            let Some(cluster) = cx.snapshot.cluster(mirror.cluster) else { continue };
            let mut key = std::mem::take(&mut self.text);
            let picked = self.pick_of(cluster, &[], &mut key, now, cx);
            self.text = key;
            // Copies are not counted: whoever is asked for an answer is busy.
            let Some(Picked { place: endpoint, .. }) = picked else { continue };
            let mut edits = Edits::new();
            let fields = WithoutUnderscores(cx.request);
            let facts = Facts {
                record: &self.record,
                request: fields.heeded(&cx.listener.spec.headers),
                response: &NoFields,
                trailers: &NoFields,
                hostname: &cx.shard.hostname,
            };
            apply(&mirror.edits, &facts, &mut edits, &mut self.text);
            self.mirrors.push(MirrorCopy::new(place, Arc::clone(cluster), endpoint, edits));
        }
    }
}

/// What matching looks at.
fn view<'a>(
    asked: &'a super::Asked,
    record: &'a crate::record::Record,
    fields: &'a dyn Fields,
    listener: &Listener,
) -> RequestView<'a, dyn Fields + 'a> {
    RequestView {
        method: &record.method,
        scheme: asked.scheme,
        authority: &asked.authority,
        host: &asked.authority[asked.host.clone()],
        path: &record.normal_path,
        query: query(asked, record),
        source: asked.client,
        port: listener.spec.public_port.unwrap_or(record.local.port()),
        fields,
    }
}

/// The query as received, without its `?`.
fn query<'a>(asked: &super::Asked, record: &'a crate::record::Record) -> Option<&'a str> {
    record.path.get(asked.path_end + 1..)
}

/// `application/grpc`, also with a format (`+proto`) or parameters behind; `application/grpc-web` is another protocol.
fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    content_type.len() >= GRPC.len()
        && content_type[..GRPC.len()].eq_ignore_ascii_case(GRPC)
        && matches!(content_type.get(GRPC.len()), None | Some(b'+' | b';' | b' '))
}

impl Version {
    /// Whether interim responses may be sent to such a client (RFC 9110 section 15.2).
    pub(super) const fn takes_informational(self) -> bool {
        !matches!(self, Self::Http10)
    }
}
