//! What goes out: read by drivers after an action.

use super::{Context, Exchange, State, Switching};
use crate::head::{
    Edits, FieldSink, RequestHead, ResponseHead, write_informational, write_request, write_response,
};
use crate::head::{Handshake, has_crumbs};
use crate::hygiene::{Body, Version};
use crate::pool::Reuse;
use crate::rewrite::HostRewrite;
use crate::route;
use crate::snapshot::{Cluster, Endpoint};
use sluice_http1::Method;
use sluice_model::spec::{Believed, MirrorTarget};
use std::sync::Arc;

const WEBSOCKET: &str = "websocket";

/// The connection that is to be got.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The cluster, for its protocol, TLS and keep-alive settings.
    pub cluster: &'a Arc<Cluster>,
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// Which idle connections will do.
    pub reuse: Reuse,
    /// Counts from 1 over all endpoints and retries of the request.
    pub number: u32,
}

/// The first line of an outgoing request, or its pseudo header fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// The method. With `protocol`: `GET` in HTTP/1, `CONNECT` in HTTP/2.
    pub method: &'a str,
    /// `http` or `https`: how the upstream is reached, as its `:scheme` should say (RFC 9113 section 8.3.1). A server must
    /// refuse `https` on a connection that is not secured (RFC 9110 section 7.4). How the client came is told by
    /// `x-forwarded-proto`.
    pub scheme: &'a str,
    /// Host and port as the upstream sees them.
    pub authority: &'a str,
    /// Path and query, `*`, or for CONNECT the authority.
    pub target: &'a str,
    /// The protocol to switch to: Upgrade in HTTP/1, extended CONNECT in HTTP/2.
    pub protocol: Option<&'a str>,
}

/// A copy of the request for a mirror.
#[derive(Debug)]
pub struct MirrorCopy {
    place: usize,
    cluster: Arc<Cluster>,
    endpoint: usize,
    edits: Edits,
}

// === impl MirrorCopy ===

impl MirrorCopy {
    pub(super) const fn new(place: usize, cluster: Arc<Cluster>, endpoint: usize, edits: Edits) -> Self {
        Self { place, cluster, endpoint, edits }
    }

    /// The cluster that gets the copy.
    pub const fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// The endpoint that gets the copy.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.cluster.endpoints.endpoints().get(self.endpoint)
    }
}

// === impl Exchange ===

impl Exchange {
    /// What [`Action::Connect`](super::Action::Connect) asks for; `None` before the first.
    pub fn attempt(&self) -> Option<Attempt<'_>> {
        let cluster = self.towards()?;
        let endpoint = cluster.endpoints.endpoints().get(self.endpoint)?;
        Some(Attempt { cluster, endpoint, reuse: self.reuse, number: self.record.attempts })
    }

    /// The first line of the request for the connected upstream.
    pub fn outgoing(&self) -> Outgoing<'_> {
        let authority = self.outgoing_authority();
        let http2 = self.record.upstream_version == Some(Version::Http2);
        let protocol = match self.asked.switch {
            // Upgrade ignores case (RFC 9110 section 7.8); who reads `:protocol` compares with the registered name.
            Switching::Upgrade if http2 && self.is_websocket() => Some(WEBSOCKET),
            Switching::Upgrade | Switching::Extended => Some(&*self.asked.protocol),
            Switching::No | Switching::Connect => None,
        };
        let method = match self.asked.switch {
            Switching::Extended if !http2 => "GET",
            Switching::Upgrade if http2 => "CONNECT",
            _ => self.request_edits.method().unwrap_or(&self.record.method),
        };
        Outgoing {
            method,
            scheme: scheme_towards(self.towards()),
            authority,
            target: if self.asked.switch == Switching::Connect { authority } else { self.outgoing_target() },
            protocol,
        }
    }

    /// Whether the request asks for another protocol on the connection or stream that it gets.
    pub fn switches(&self) -> bool {
        matches!(self.asked.switch, Switching::Upgrade | Switching::Extended)
    }

    fn is_websocket(&self) -> bool {
        self.asked.protocol.eq_ignore_ascii_case(WEBSOCKET)
    }

    fn outgoing_target(&self) -> &str {
        self.request_edits.path().or_else(|| str::from_utf8(&self.target).ok()).unwrap_or("/")
    }

    fn outgoing_authority(&self) -> &str {
        if let Some(authority) = self.request_edits.authority() {
            return authority;
        }
        let endpoint = || self.attempt().map(|attempt| &*attempt.endpoint.authority);
        let route = self.record.route.as_ref().filter(|_| self.page.is_none());
        let rewritten = match route.and_then(|route| route.rewrite.host()) {
            Some(HostRewrite::Literal(host)) => Some(&**host),
            Some(HostRewrite::Endpoint) => endpoint(),
            None => None,
        };
        let received = Some(self.asked_authority()).filter(|authority| !authority.is_empty());
        // An HTTP/1.0 client may name no host; HTTP/1.1 upwards needs one.
        rewritten.or(received).or_else(endpoint).unwrap_or_default()
    }

    /// What the client asked, as far as trust settles it.
    fn asked_authority(&self) -> &str {
        match &*self.asked.forwarded_host {
            "" => &self.record.authority,
            host => host,
        }
    }

    /// How the request body is framed on its way up.
    pub const fn request_body(&self) -> Body {
        match self.asked.body {
            _ if self.page.is_some() => Body::None,
            Body::None => Body::None,
            _ if self.collect_limit > 0 => Body::Length(self.collected.len() as u64),
            body => body,
        }
    }

    /// Writes the fields of the request for the connected upstream.
    pub fn write_request_fields(&mut self, cx: &Context<'_>, sink: &mut dyn FieldSink) {
        let mut scratch = std::mem::take(&mut self.text);
        write_request(&self.outgoing_head(cx, None), &mut scratch, sink);
        self.text = scratch;
    }

    fn outgoing_head<'a>(&'a self, cx: &'a Context<'_>, mirror: Option<&'a Edits>) -> RequestHead<'a> {
        let http2 = self.record.upstream_version == Some(Version::Http2);
        let websocket = self.is_websocket();
        let handshake = match self.asked.switch {
            Switching::Upgrade if http2 && websocket => Handshake::Drop,
            Switching::Extended if !http2 && websocket => {
                Handshake::Key(str::from_utf8(&self.websocket_key).unwrap_or_default())
            }
            _ => Handshake::Keep,
        };
        let id = self.record.request_id();
        let forwarded = &cx.listener.spec.forwarded;
        RequestHead {
            fields: cx.request,
            edits: &self.request_edits,
            more_edits: mirror,
            names_fields: self.asked.names_fields,
            te_trailers: self.asked.te_trailers,
            crumbs: has_crumbs(self.asked.version),
            trusted: self.asked.trusted,
            append: forwarded.append,
            forwarded: forwarded.fields,
            believed: forwarded.believed == Believed::All,
            client_field: forwarded.client_field.as_str(),
            client: match &*self.asked.client_text {
                "" => cx.connection.peer_text(),
                client => client,
            },
            peer: cx.connection.peer_text(),
            scheme: self.record.scheme,
            authority: self.asked_authority(),
            port: cx.listener.public_port.as_deref().unwrap_or(cx.connection.port_text()),
            request_id: (!id.is_empty()).then_some(id),
            attempt: Some(self.record.attempts)
                .filter(|_| cx.listener.spec.headers.envoy && self.page.is_none()),
            original_path: self.rewritten.then_some(&*self.record.path),
            underscores: cx.listener.spec.headers.underscores,
            without_expect: mirror.is_some() || self.collect_limit > 0 || self.page.is_some(),
            handshake,
        }
    }

    // === Mirrors ===

    /// The copies to start at the first send. They carry the request's body as it streams.
    pub fn mirrors(&self) -> &[MirrorCopy] {
        &self.mirrors
    }

    /// The first line of a copy.
    pub fn mirror_outgoing(&self, index: usize) -> Outgoing<'_> {
        let copy = self.mirrors.get(index);
        let mirror = copy.and_then(|copy| self.record.route.as_ref()?.mirrors.get(copy.place));
        let host = mirror.and_then(|mirror| mirror.host.as_deref());
        let outgoing = self.outgoing();
        Outgoing {
            authority: copy.and_then(|copy| copy.edits.authority()).or(host).unwrap_or(outgoing.authority),
            target: match mirror.and_then(|mirror| mirror.target.as_ref()) {
                None => outgoing.target,
                Some(MirrorTarget::Received) => &self.record.path,
                Some(MirrorTarget::Whole(target)) => target,
            },
            scheme: scheme_towards(copy.map(MirrorCopy::cluster)),
            ..outgoing
        }
    }

    /// Writes the fields of a copy: those of the request, with the mirror's edits after its own, and without `expect`.
    pub fn write_mirror_fields(&mut self, index: usize, cx: &Context<'_>, sink: &mut dyn FieldSink) {
        let mut scratch = std::mem::take(&mut self.text);
        if let Some(copy) = self.mirrors.get(index) {
            write_request(&self.outgoing_head(cx, Some(&copy.edits)), &mut scratch, sink);
        }
        self.text = scratch;
    }

    // === The way down ===

    /// The status that the client gets.
    pub const fn response_status(&self) -> u16 {
        self.answer.status
    }

    /// How the answer's body is framed on its way down.
    pub const fn response_body(&self) -> Body {
        self.answer.body
    }

    /// Writes the fields of the answer: of the upstream's after `RelayHead` and `Tunnel`, of the local reply after
    /// `Respond`. `date` is the current time as an IMF-fixdate, for answers without one.
    pub fn write_response_fields(&mut self, cx: &Context<'_>, date: &str, sink: &mut dyn FieldSink) {
        let server = cx.listener.spec.headers.server.as_deref();
        if self.state == State::Responding {
            let mut message = std::mem::take(&mut self.text);
            {
                let direct = match self.record.route.as_ref().map(|route| &route.action) {
                    Some(route::Action::Respond(direct)) => direct.content_type.as_deref(),
                    _ => None,
                };
                let fields = self.reply.fields(direct, &mut message);
                let head = ResponseHead {
                    fields: &fields,
                    edits: &self.response_edits,
                    keep_length: false,
                    server,
                    date: Some(date),
                    upgrade: None,
                    accept: None,
                    drop_accept: false,
                    service_time: None,
                };
                write_response(&head, sink);
            }
            self.text = message;
            return;
        }
        let http2 = self.record.upstream_version == Some(Version::Http2);
        let tunnel = self.state == State::Tunnel;
        let upgrade = tunnel && self.asked.switch == Switching::Upgrade;
        let accept = upgrade && http2 && self.is_websocket();
        let head = ResponseHead {
            fields: cx.response,
            edits: &self.response_edits,
            keep_length: self.asked.method == Method::Head || self.answer.status == 304,
            server,
            date: None,
            upgrade: upgrade.then_some(&*self.asked.protocol),
            accept: accept.then(|| str::from_utf8(&self.websocket_accept).unwrap_or_default()),
            drop_accept: tunnel && self.asked.switch == Switching::Extended,
            service_time: if cx.listener.spec.headers.envoy { self.service_time() } else { None },
        };
        write_response(&head, sink);
    }

    /// From the end of the request to the head of the answer; `None` where the answer began first.
    fn service_time(&self) -> Option<u64> {
        let asked = self.record.request_complete?;
        let answered = self.record.response_started?;
        Some(answered.checked_sub(asked)?.as_millis() as u64)
    }

    /// Writes the fields of an interim response.
    pub fn write_informational_fields(&self, cx: &Context<'_>, sink: &mut dyn FieldSink) {
        write_informational(cx.response, sink);
    }
}

fn scheme_towards(cluster: Option<&Arc<Cluster>>) -> &'static str {
    if cluster.is_some_and(|cluster| cluster.spec.tls.is_some()) { "https" } else { "http" }
}
