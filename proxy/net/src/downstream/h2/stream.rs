//! One request of an HTTP/2 client.

use super::{Tally, faults};
use crate::{
    body::{Front, Sink, SinkGone, Source, SourceError},
    downstream::Downstream,
    fields::HeadFields,
    h2::{Keep, Receiver, Sender, USUAL_FIELDS, append},
    io::Timers,
    shard::Shard,
};
use bytes::Bytes;
use h2::{Reason, RecvStream, ext::Protocol, server::SendResponse};
use http::{HeaderMap, Request, Response, StatusCode, header, request};
use sluice_core::{
    flags::ResponseFlags,
    head::{FieldSink, ReceivedField},
    hygiene::{Body, Refusal, RequestFacts, Target, Version},
};
use sluice_http1::Known;
use sluice_model::spec::ListenerLimits;
use std::{
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

/// One request and the way back for its answer.
#[derive(Debug)]
pub(crate) struct Stream {
    id: u32,
    head: request::Parts,
    /// In place of a `:scheme` that came without `:authority`, which the crate forgets.
    scheme: &'static str,
    body: Receiver,
    answer: Answer,
    written: u64,
    tally: Rc<Tally>,
    timers: Rc<Timers>,
    began: Instant,
    /// The client took the request back.
    reset: bool,
    /// It holds its body back until it is told to go on.
    waits: bool,
}

/// The way back.
#[derive(Debug)]
enum Answer {
    /// No final head has been sent.
    Awaited(SendResponse<Bytes>),
    Begun(Sender),
}

/// A head that is being written.
#[derive(Debug)]
pub(crate) struct Head {
    status: u16,
    kind: Kind,
    fields: HeaderMap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Informational,
    Final(Body),
    Tunnel,
}

/// Bytes that RFC 9113 section 6.5.2 counts for a field beside its name and value.
const FIELD_OVERHEAD: usize = 32;

impl Stream {
    pub(super) fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        tls: bool,
        shard: &Shard,
        tally: &Rc<Tally>,
    ) -> Self {
        let (head, body) = request.into_parts();
        let length = Receiver::declared(&body, &head.headers);
        let body = Receiver::new(body, length, Keep::Beginning);
        let scheme = if tls { "https" } else { "http" };
        let expects = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        let waits = length != Body::None && head.headers.get(header::EXPECT).is_some_and(expects);
        let id = respond.stream_id().as_u32();
        tally.begin(id);
        Self {
            id,
            head,
            scheme,
            body,
            answer: Answer::Awaited(respond),
            written: 0,
            tally: Rc::clone(tally),
            timers: Rc::clone(&shard.timers),
            began: shard.now(),
            reset: false,
            waits,
        }
    }

    /// Holds the head to the listener's bounds. The crate bounds it too, a little above, so that what breaks only ours
    /// is answered and logged like any other refusal.
    pub(super) fn oversized(&self, limits: &ListenerLimits) -> Option<Refusal> {
        let target = self.head.uri.path_and_query().map_or(0, |path| path.as_str().len());
        let authority = self.head.uri.authority().map_or(0, |authority| authority.as_str().len());
        let fields = || self.head.headers.iter();
        let size: usize =
            fields().map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD).sum();
        let flag = ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR;
        let refusal = |status, details| Some(Refusal { status, flag, details, close: false });
        if target as u64 > limits.target.get() {
            refusal(414, "target_too_long")
        } else if (size + target + authority) as u64 > limits.head.get() {
            refusal(431, "head_too_long")
        } else if fields().count() > usize::from(limits.header_count) {
            refusal(431, "too_many_fields")
        } else {
            None
        }
    }
}

impl Downstream for Stream {
    type Head = Head;

    fn facts(&self) -> RequestFacts<'_> {
        let uri = &self.head.uri;
        let protocol = self.head.extensions.get::<Protocol>();
        let plain_connect = self.head.method == http::Method::CONNECT && protocol.is_none();
        let scheme = uri.scheme_str().or((!plain_connect).then_some(self.scheme));
        RequestFacts {
            version: Version::Http2,
            method: self.head.method.as_str(),
            target: Target::Pseudo {
                scheme,
                authority: uri.authority().map(http::uri::Authority::as_str),
                // A path that is missing would read as `/`.
                path: uri
                    .path_and_query()
                    .filter(|_| !uri.path().is_empty())
                    .map(http::uri::PathAndQuery::as_str),
                protocol: protocol.map(Protocol::as_str),
            },
            body: self.body.length(),
        }
    }

    fn fields(&self) -> HeadFields<'_> {
        HeadFields::Http2(&self.head.headers)
    }

    fn begin_head(&mut self, status: u16, body: Body) -> Head {
        let kind = if (100..200).contains(&status) { Kind::Informational } else { Kind::Final(body) };
        Head { status, kind, fields: HeaderMap::with_capacity(USUAL_FIELDS) }
    }

    fn begin_tunnel(&mut self, status: u16) -> Head {
        // RFC 8441 section 5: what HTTP/1.1 answers with 101 is a 200 here.
        let status = if status == 101 { 200 } else { status };
        Head { status, kind: Kind::Tunnel, fields: HeaderMap::with_capacity(USUAL_FIELDS) }
    }

    fn send_head(&mut self, head: Head) -> Result<(), SinkGone> {
        let Head { status, kind, mut fields } = head;
        let Answer::Awaited(respond) = &mut self.answer else { return Err(SinkGone) };
        if let Kind::Final(Body::Length(length)) = kind {
            fields.insert(header::CONTENT_LENGTH, length.into());
        }
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| SinkGone)?;
        *response.headers_mut() = fields;
        if kind == Kind::Informational {
            self.waits &= status != 100;
            return respond.send_informational(response).map_err(|_| SinkGone);
        }
        let last = kind == Kind::Final(Body::None);
        let stream = respond.send_response(response, last).map_err(|_| SinkGone)?;
        self.answer = Answer::Begun(Sender::new(stream, last));
        Ok(())
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<SourceError> {
        let reason = match &mut self.answer {
            Answer::Awaited(respond) => ready!(respond.poll_reset(cx)).ok(),
            Answer::Begun(sender) => ready!(sender.poll_reset(cx)),
        };
        // The crate does not say whose reset it is: clients cancel, a fault is what it finds by itself. Either counts.
        self.reset = true;
        Poll::Ready(match reason.and_then(faults::refusal) {
            Some(Refusal { details, .. }) => SourceError::Malformed { status: 0, details },
            None => SourceError::Reset,
        })
    }

    fn awaits_continue(&self) -> bool {
        self.waits
    }

    fn cut(&mut self) {
        match &mut self.answer {
            Answer::Awaited(respond) => respond.send_reset(Reason::INTERNAL_ERROR),
            Answer::Begun(sender) => sender.reset(Reason::INTERNAL_ERROR),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.tally.end(self.id, self.began, self.timers.now(), self.reset);
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
        self.body.length()
    }

    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        let front = ready!(self.body.poll_front(cx));
        self.waits = false;
        self.reset |= front == Err(SourceError::Reset);
        Poll::Ready(front)
    }

    fn data(&self) -> &[u8] {
        self.body.data()
    }

    fn last(&self) -> bool {
        self.body.last()
    }

    fn share(&self, count: usize) -> Bytes {
        self.body.share(count)
    }

    fn consume(&mut self, count: usize) {
        self.body.consume(count);
    }

    fn trailers(&self) -> HeadFields<'_> {
        self.body.trailers()
    }

    fn rewind(&mut self) -> bool {
        self.body.rewind()
    }

    fn held(&self) -> bool {
        self.body.held()
    }
}

impl Sink for Stream {
    fn poll_push<S: Source>(&mut self, cx: &mut Context<'_>, source: &S) -> Poll<Result<usize, SinkGone>> {
        let Answer::Begun(sender) = &mut self.answer else { return Poll::Ready(Err(SinkGone)) };
        let pushed = ready!(sender.poll_push(cx, source))?;
        self.written += pushed as u64;
        Poll::Ready(Ok(pushed))
    }

    fn finish(&mut self, trailers: HeadFields<'_>) -> Result<(), SinkGone> {
        match &mut self.answer {
            Answer::Awaited(_) => Err(SinkGone),
            Answer::Begun(sender) => sender.finish(trailers),
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SinkGone>> {
        // The connection's task writes what streams have handed over.
        Poll::Ready(Ok(()))
    }

    fn written(&self) -> u64 {
        self.written
    }
}
