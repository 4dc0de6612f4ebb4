//! Answers that the proxy makes by itself.

use super::{Action, Context, Exchange, State};
use crate::flags::ResponseFlags;
use crate::head::{Fields, Received};
use crate::hygiene::Body;
use bytes::Bytes;
use sluice_filter::LocalResponse;
use sluice_http1::Method;
use smallvec::SmallVec;
use std::time::Instant;

/// The answer that is made here.
#[derive(Debug, Default)]
pub(super) struct Reply {
    body: Bytes,
    kind: Kind,
    /// Response edits of route and destination apply.
    pub(super) edited: bool,
    location: Vec<u8>,
    grpc: Option<u8>,
}

#[derive(Debug, Default)]
enum Kind {
    #[default]
    Text,
    Redirect,
    /// The route's direct response.
    Direct,
    Filter(Box<LocalResponse>),
}

/// The fields of a local reply, before edits.
pub(super) struct ReplyFields<'a>(SmallVec<[(&'a [u8], &'a [u8]); 4]>);

// === impl Reply ===

impl Reply {
    pub(super) fn clear(&mut self) {
        self.body = Bytes::new();
        self.kind = Kind::Text;
        self.edited = false;
        self.location.clear();
        self.grpc = None;
    }

    pub(super) fn body(&self, empty: bool) -> &Bytes {
        static NOTHING: Bytes = Bytes::new();
        if empty || self.grpc.is_some() { &NOTHING } else { &self.body }
    }

    /// `direct` is the content type of the route's direct response; `message` is written on.
    pub(super) fn fields<'a>(&'a self, direct: Option<&'a str>, message: &'a mut Vec<u8>) -> ReplyFields<'a> {
        let mut fields: SmallVec<[(&[u8], &[u8]); 4]> = SmallVec::new();
        if let Some(status) = self.grpc {
            const DIGITS: [&str; 17] =
                ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];
            fields.push((b"content-type", b"application/grpc"));
            fields.push((b"grpc-status", DIGITS[usize::from(status.min(16))].as_bytes()));
            if !self.body.is_empty() {
                percent_encode(&self.body, message);
                fields.push((b"grpc-message", message.as_slice()));
            }
            return ReplyFields(fields);
        }
        let mut typed = false;
        match &self.kind {
            Kind::Text => {}
            Kind::Redirect => fields.push((b"location", self.location.as_slice())),
            Kind::Direct => {
                if let Some(content_type) = direct {
                    typed = true;
                    fields.push((b"content-type", content_type.as_bytes()));
                }
            }
            Kind::Filter(response) => {
                for (name, value) in &response.fields {
                    typed |= name.eq_ignore_ascii_case("content-type");
                    if sluice_filter::is_field_name(&name.to_ascii_lowercase())
                        && sluice_filter::is_field_value(value)
                    {
                        fields.push((name.as_bytes(), value));
                    }
                }
            }
        }
        if !typed && !self.body.is_empty() {
            fields.push((b"content-type", b"text/plain"));
        }
        ReplyFields(fields)
    }
}

impl Received for ReplyFields<'_> {}

impl Fields for ReplyFields<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| *value)
    }
    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        self.0.iter().for_each(|(name, value)| visit(name, value));
    }
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes())) {
            visit(value);
        }
    }
    fn count(&self) -> usize {
        self.0.len()
    }
}

// === impl Exchange ===

impl Exchange {
    /// A plain text that says what went wrong.
    pub(super) fn local(
        &mut self,
        now: Instant,
        status: u16,
        details: &'static str,
        text: &'static str,
        cx: &mut Context<'_>,
    ) -> Action {
        self.reply.body = Bytes::from_static(text.as_bytes());
        self.respond(now, status, None, details, cx)
    }

    /// `location` has been written into the reply by [`Exchange::location`].
    pub(super) fn redirect(&mut self, now: Instant, status: u16, cx: &mut Context<'_>) -> Action {
        self.reply.kind = Kind::Redirect;
        self.record.grpc = false;
        self.respond(now, status, None, "direct_response", cx)
    }

    pub(super) fn location(&mut self) -> &mut Vec<u8> {
        &mut self.reply.location
    }

    pub(super) fn direct(&mut self, now: Instant, status: u16, body: Bytes, cx: &mut Context<'_>) -> Action {
        self.reply.kind = Kind::Direct;
        self.reply.body = body;
        self.respond(now, status, None, "direct_response", cx)
    }

    pub(super) fn filter_reply(
        &mut self,
        now: Instant,
        response: Box<LocalResponse>,
        cx: &mut Context<'_>,
    ) -> Action {
        let (status, grpc, details) = (response.status, response.grpc_status, response.details);
        self.reply.body = response.body.clone();
        self.reply.kind = Kind::Filter(response);
        if let Kind::Filter(response) = &self.reply.kind
            && response.fault
        {
            self.record.flags.insert(ResponseFlags::FAULT_INJECTED);
        }
        self.respond(now, status, grpc, details, cx)
    }

    fn respond(
        &mut self,
        now: Instant,
        status: u16,
        grpc: Option<u8>,
        details: &'static str,
        cx: &mut Context<'_>,
    ) -> Action {
        let fault = matches!(&self.reply.kind, Kind::Filter(response) if response.fault);
        let mut status = if (200..=599).contains(&status) { status } else { 500 };
        if let Some(page) = &self.page {
            status = page.status;
            self.reply.clear();
        } else if self.error_page(now, status, true, cx) {
            return Action::Connect;
        }
        self.reply.edited = self.record.route.is_some() && !fault;
        let status = if self.record.grpc {
            self.reply.grpc = Some(grpc.unwrap_or_else(|| grpc_status(status)));
            self.record.grpc_status = self.reply.grpc;
            200
        } else {
            status
        };
        self.record.status = status;
        self.record.details = details;
        // A gRPC status counts in the head only where the head ends the stream ("Trailers-Only").
        let bodiless =
            matches!(status, 204 | 304) || self.asked.method == Method::Head || self.reply.grpc.is_some();
        self.answer.status = status;
        self.answer.body =
            if bodiless { Body::None } else { Body::Length(self.reply.body(false).len() as u64) };
        self.upstream_clean = false;
        if !self.request_ended && !self.copies_go_on() {
            self.close_downstream = true;
        }
        self.response_edits.clear();
        if self.reply.edited {
            self.record_response_edits(false, cx);
        }
        self.state = State::Responding;
        Action::Respond
    }
}

/// The gRPC status that an HTTP status maps to (gRPC's `http-grpc-status-mapping.md`, but 504 keeps its meaning).
const fn grpc_status(status: u16) -> u8 {
    match status {
        200 => 0,
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        413 => 8,
        429 | 502 | 503 => 14,
        504 => 4,
        _ => 2,
    }
}

/// The form of `grpc-message`: bytes outside of visible ASCII and `%` as `%XX`.
fn percent_encode(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.clear();
    for &byte in text {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}
