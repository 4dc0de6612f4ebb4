//! One request to an HTTP/2 endpoint.

use super::{
    super::{RequestLine, UpstreamStream},
    session::{Lease, Session},
};
use crate::{
    body::{Front, Sink, SinkGone, Source, SourceError},
    fields::HeadFields,
    h2::{Keep, Receiver, Sender, USUAL_FIELDS, append},
    shard::Shard,
};
use bytes::Bytes;
use h2::{Reason, client::ResponseFuture, ext::Protocol};
use http::{HeaderMap, Method, Request, Uri, header, uri::PathAndQuery};
use sluice_core::{
    exchange::FailureKind,
    head::{FieldSink, ReceivedField},
    hygiene::{Body, ResponseFacts, Version},
};
use sluice_http1::Known;
use std::{
    fmt::Write,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// One request and its answer.
#[derive(Debug)]
pub(crate) struct Stream {
    lease: Lease,
    sending: Option<(ResponseFuture, Sender)>,
    /// Why the request could not be sent.
    unsendable: Option<FailureKind>,
    /// The fields of the last head.
    fields: HeaderMap,
    answer: Option<Receiver>,
    written: u64,
    /// The peer has been asked to switch protocols and has not said that it does: nothing may follow the head.
    switching: bool,
}

/// A head that is being written.
#[derive(Debug)]
pub(crate) struct Head {
    /// `None` where HTTP/2 cannot carry it.
    request: Option<Request<()>>,
    body: Body,
    fields: HeaderMap,
}

impl Stream {
    pub(super) fn new(session: Rc<Session>, shard: &Rc<Shard>) -> Self {
        Self {
            lease: Lease::new(session, shard),
            sending: None,
            unsendable: None,
            fields: HeaderMap::new(),
            answer: None,
            written: 0,
            switching: false,
        }
    }

    fn send(&mut self, head: Head) -> Result<(), FailureKind> {
        let Head { request, body, mut fields } = head;
        let mut request = request.ok_or(FailureKind::Protocol("request_not_for_http2"))?;
        let mut sender = self.lease.session().sender();
        let extended = request.extensions().get::<Protocol>().is_some();
        if extended && !sender.is_extended_connect_protocol_enabled() {
            return Err(FailureKind::Protocol("extended_connect_not_enabled"));
        }
        if let (Body::Length(length), false) = (body, extended) {
            fields.insert(header::CONTENT_LENGTH, length.into());
        }
        *request.headers_mut() = fields;
        self.switching = request.method() == Method::CONNECT;
        let last = body == Body::None && !self.switching;
        let (response, stream) = sender.send_request(request, last).map_err(|error| failure(&error))?;
        self.sending = Some((response, Sender::new(stream, last)));
        Ok(())
    }
}

impl UpstreamStream for Stream {
    type Head = Head;

    fn begin_head(&mut self, line: &RequestLine<'_>, body: Body) -> Head {
        Head { request: request(line), body, fields: HeaderMap::with_capacity(USUAL_FIELDS) }
    }

    fn send_head(&mut self, head: Head) -> Result<(), SinkGone> {
        self.send(head).map_err(|failure| {
            self.unsendable = Some(failure);
            SinkGone
        })
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseFacts, FailureKind>> {
        let Some((response, _)) = &mut self.sending else {
            return Poll::Ready(Err(self.unsendable.unwrap_or(FailureKind::Closed)));
        };
        if let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
            let (head, ()) = interim.map_err(|error| failure(&error))?.into_parts();
            well_formed(&head.headers)?;
            self.fields = head.headers;
            let status = head.status.as_u16();
            return Poll::Ready(Ok(ResponseFacts { version: Version::Http2, status, body: Body::None }));
        }
        let response = ready!(Pin::new(response).poll(cx)).map_err(|error| failure(&error))?;
        let (head, body) = response.into_parts();
        well_formed(&head.headers)?;
        let length = Receiver::declared(&body, &head.headers);
        self.lease.complete = body.is_end_stream();
        self.fields = head.headers;
        self.answer = Some(Receiver::new(body, length, Keep::Nothing));
        let status = head.status.as_u16();
        Poll::Ready(Ok(ResponseFacts { version: Version::Http2, status, body: length }))
    }

    fn fields(&self) -> HeadFields<'_> {
        HeadFields::Http2(&self.fields)
    }

    fn begin_tunnel(&mut self) {
        self.switching = false;
    }

    fn started(&self) -> bool {
        // Handed to the connection's task: whether it has left, nobody can tell.
        self.sending.is_some()
    }

    fn answered(&self) -> bool {
        self.answer.is_some()
    }
}

impl FieldSink for Head {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        append(&mut self.fields, Known::of(name), name, value);
    }

    fn received(&mut self, field: &ReceivedField<'_>) {
        append(&mut self.fields, field.known, field.name, field.value);
    }
}

impl Source for Stream {
    fn length(&self) -> Body {
        self.answer.as_ref().map_or(Body::None, Receiver::length)
    }

    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        let Some(answer) = &mut self.answer else { return Poll::Ready(Err(SourceError::Gone)) };
        let front = ready!(answer.poll_front(cx));
        self.lease.complete |= front == Ok(Front::End);
        Poll::Ready(front)
    }

    fn data(&self) -> &[u8] {
        self.answer.as_ref().map_or(&[], Receiver::data)
    }

    fn last(&self) -> bool {
        self.answer.as_ref().is_some_and(Receiver::last)
    }

    fn share(&self, count: usize) -> Bytes {
        self.answer.as_ref().map_or_else(Bytes::new, |answer| answer.share(count))
    }

    fn consume(&mut self, count: usize) {
        if let Some(answer) = &mut self.answer {
            answer.consume(count);
        }
    }

    fn trailers(&self) -> HeadFields<'_> {
        self.answer.as_ref().map_or(HeadFields::Empty, Receiver::trailers)
    }

    fn rewind(&mut self) -> bool {
        false
    }

    fn held(&self) -> bool {
        false
    }
}

impl Sink for Stream {
    fn poll_push<S: Source>(&mut self, cx: &mut Context<'_>, source: &S) -> Poll<Result<usize, SinkGone>> {
        let Some((_, sender)) = self.sending.as_mut().filter(|_| !self.switching) else {
            return Poll::Ready(Err(SinkGone));
        };
        let pushed = ready!(sender.poll_push(cx, source))?;
        self.written += pushed as u64;
        Poll::Ready(Ok(pushed))
    }

    fn finish(&mut self, trailers: HeadFields<'_>) -> Result<(), SinkGone> {
        if self.switching {
            return Ok(());
        }
        self.sending.as_mut().map_or(Err(SinkGone), |(_, sender)| sender.finish(trailers))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SinkGone>> {
        // The connection's task writes what streams have handed over.
        Poll::Ready(Ok(()))
    }

    fn written(&self) -> u64 {
        self.written
    }
}

/// The pseudo header fields; `None` where HTTP/2 has no form for them.
fn request(line: &RequestLine<'_>) -> Option<Request<()>> {
    let plain_connect = line.method == "CONNECT" && line.protocol.is_none();
    let uri = Uri::builder().authority(line.authority);
    let uri = if plain_connect { uri } else { uri.scheme(line.scheme).path_and_query(path(line.target)?) };
    let method = match line.protocol {
        Some(_) => Method::CONNECT,
        None => Method::from_bytes(line.method.as_bytes()).ok()?,
    };
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri.build().ok()?;
    *request.version_mut() = http::Version::HTTP_2;
    if let Some(protocol) = line.protocol {
        request.extensions_mut().insert(Protocol::from(protocol));
    }
    Some(request)
}

/// HTTP/1 admits any visible ASCII in a target, the crate what RFC 3986 does: the rest is percent-encoded.
fn path(target: &str) -> Option<PathAndQuery> {
    if let Ok(path) = PathAndQuery::try_from(target) {
        return Some(path);
    }
    PathAndQuery::try_from(encoded(target).as_str()).ok()
}

fn encoded(target: &str) -> String {
    let mut text = String::with_capacity(target.len() + 16);
    for character in target.chars() {
        match character {
            '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => {
                // Writing to a string cannot fail.
                let _ = write!(text, "%{:02X}", character as u32);
            }
            _ => text.push(character),
        }
    }
    text
}

/// RFC 9113 section 8.2.1, where HTTP/1 would have trimmed the spaces: a value with one has two readings. The crate lets
/// them pass.
fn well_formed(fields: &HeaderMap) -> Result<(), FailureKind> {
    let outside = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let spaced = |value: &[u8]| outside(value.first()) || outside(value.last());
    let malformed = fields.values().any(|value| spaced(value.as_bytes()));
    if malformed { Err(FailureKind::Protocol("http2_field_value")) } else { Ok(()) }
}

fn failure(error: &h2::Error) -> FailureKind {
    if error.is_library() {
        FailureKind::Protocol("http2_protocol_error")
    } else if error.is_go_away() {
        // Reaches only streams that the peer says it has not looked at.
        FailureKind::Unprocessed
    } else if error.is_reset() {
        if error.reason() == Some(Reason::REFUSED_STREAM) {
            FailureKind::Unprocessed
        } else {
            FailureKind::Reset
        }
    } else {
        FailureKind::Closed
    }
}
