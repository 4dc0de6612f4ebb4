//! HTTP/1.1 towards an endpoint.

use super::{Identity, RequestLine, Room, UpstreamStream};
use crate::{
    Event,
    body::{Front, Sink, SinkGone, Source, SourceError},
    fields::HeadFields,
    h1::{Framed, Head, Reader, Unclean, Writer},
    io::Stream,
    shard::Shard,
};
use bytes::Bytes;
use sluice_core::{
    exchange::FailureKind,
    hygiene::{Body, ResponseFacts, Version},
};
use sluice_http1::{self as http1, Asked, Method, Parse, ResponseHead, encode};
use std::{
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

/// Bounds of an answer's head. A server may say more than a client, and nobody configures it.
const LIMITS: http1::Limits = http1::Limits { head: 128 * 1024, target: 0, fields: 512 };

/// A connection to an endpoint: idle in a pool, or carrying one request.
#[derive(Debug)]
pub(crate) struct Connection {
    shard: Rc<Shard>,
    pub(super) identity: Rc<Identity>,
    stream: Stream,
    /// Counts it among the cluster's connections.
    _room: Room,
    reader: Reader,
    writer: Writer,
    head: ResponseHead,
    asked: Asked,
    body: Body,
    protocol: bool,
    answer: Answer,
    /// The request, its end included, has been handed over.
    finished: bool,
    /// The request could not be written.
    unsendable: bool,
}

/// What has come of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Awaited,
    /// An interim head lies at the front.
    Interim,
    Begun,
}

impl Connection {
    pub(crate) fn new(shard: &Rc<Shard>, identity: Rc<Identity>, stream: Stream, room: Room) -> Box<Self> {
        Box::new(Self {
            shard: Rc::clone(shard),
            identity,
            stream,
            _room: room,
            reader: Reader::new(Rc::clone(&shard.buffers)),
            writer: Writer::default(),
            head: ResponseHead::new(),
            asked: Asked::default(),
            body: Body::None,
            protocol: false,
            answer: Answer::Awaited,
            finished: false,
            unsendable: false,
        })
    }

    /// Whether an idle connection can carry another request. Costs no system call unless something has arrived: an end,
    /// or bytes that nobody asked for; both make it useless. With TLS it may also be a session ticket.
    pub(crate) fn is_open(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        !self.stream.seems_readable() || self.stream.poll_read(&mut cx, &mut [0]).is_pending()
    }

    /// Whether the request and its answer are complete, and nothing casts doubt on where the next answer would begin.
    pub(crate) fn reusable(&self) -> bool {
        self.finished
            && self.answer == Answer::Begun
            && self.writer.is_clean()
            && self.reader.complete()
            && !self.reader.has_surplus()
            && !self.reader.eof()
            && self.head.view(self.reader.block()).keep_alive()
    }

    /// Makes it ready for the pool: memory goes back to the shard.
    pub(crate) fn rest(&mut self) {
        self.reader.finish_message();
        self.writer.rest(&self.shard.buffers);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shard.observer.count(Event::UpstreamClosed { cluster: &self.identity.cluster });
    }
}

impl UpstreamStream for Connection {
    type Head = Head;

    fn begin_head(&mut self, line: &RequestLine<'_>, body: Body) -> Head {
        let method = if line.protocol.is_some() { "GET" } else { line.method };
        self.asked = Asked { method: Method::of(method.as_bytes()), upgrade: line.protocol.is_some() };
        self.protocol = line.protocol.is_some();
        self.body = body;
        self.answer = Answer::Awaited;
        self.finished = false;
        let mut text = self.writer.lend(&self.shard.buffers);
        encode::request_line(&mut text, method.as_bytes(), &[line.target.as_bytes()]);
        encode::field(&mut text, b"host", line.authority.as_bytes());
        if let Some(protocol) = line.protocol {
            encode::field(&mut text, b"connection", b"upgrade");
            encode::field(&mut text, b"upgrade", protocol.as_bytes());
        }
        Head::new(text)
    }

    fn send_head(&mut self, head: Head) -> Result<(), SinkGone> {
        let mut text = head.finish().map_err(|Unclean| {
            self.unsendable = true;
            SinkGone
        })?;
        let framed = match self.body {
            Body::None => Framed::Counted,
            Body::Length(length) => {
                encode::content_length(&mut text, length);
                Framed::Counted
            }
            Body::Unknown => {
                encode::chunked(&mut text);
                Framed::Chunked
            }
        };
        encode::end_of_head(&mut text);
        self.writer.resume(text);
        self.writer.begin_body(framed);
        Ok(())
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseFacts, FailureKind>> {
        if self.unsendable {
            return Poll::Ready(Err(FailureKind::Protocol("request_not_for_http1")));
        }
        if self.answer == Answer::Interim {
            self.reader.skip_head();
            self.answer = Answer::Awaited;
        }
        loop {
            let unread = self.reader.unread();
            if !unread.is_empty() {
                let parsed = self
                    .head
                    .parse(unread, &LIMITS, self.asked)
                    .map_err(|error| FailureKind::Protocol(error.details()))?;
                if let Parse::Complete { len } = parsed {
                    self.reader.begin_body(len, self.head.framing());
                    break;
                }
            }
            match ready!(self.reader.poll_more(cx, &mut self.stream, LIMITS.head)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(FailureKind::Closed)),
                Ok(_) => {}
            }
        }
        let view = self.head.view(self.reader.block());
        self.answer = if view.is_informational() { Answer::Interim } else { Answer::Begun };
        let version = match view.version() {
            http1::Version::Http10 => Version::Http10,
            http1::Version::Http11 => Version::Http11,
        };
        Poll::Ready(Ok(ResponseFacts { version, status: view.status(), body: self.reader.length() }))
    }

    fn fields(&self) -> HeadFields<'_> {
        match self.answer {
            Answer::Awaited => HeadFields::Empty,
            Answer::Interim | Answer::Begun => {
                HeadFields::Http1(self.head.view(self.reader.block()).fields())
            }
        }
    }

    fn begin_tunnel(&mut self) {
        self.reader.begin_tunnel();
        self.writer.begin_body(Framed::Closed);
        self.finished = false;
    }

    fn started(&self) -> bool {
        self.writer.written() > 0
    }

    fn answered(&self) -> bool {
        self.answer != Answer::Awaited || !self.reader.unread().is_empty()
    }
}

impl Source for Connection {
    fn length(&self) -> Body {
        self.reader.length()
    }

    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        self.reader.poll_front(cx, &mut self.stream)
    }

    fn data(&self) -> &[u8] {
        self.reader.data()
    }

    fn last(&self) -> bool {
        self.reader.last()
    }

    fn share(&self, count: usize) -> Bytes {
        self.reader.share(count)
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
    }

    fn trailers(&self) -> HeadFields<'_> {
        self.reader.trailers()
    }

    fn rewind(&mut self) -> bool {
        false
    }

    fn held(&self) -> bool {
        false
    }
}

impl Sink for Connection {
    fn poll_push<S: Source>(&mut self, cx: &mut Context<'_>, source: &S) -> Poll<Result<usize, SinkGone>> {
        self.writer.poll_push(cx, &mut self.stream, source)
    }

    fn finish(&mut self, trailers: HeadFields<'_>) -> Result<(), SinkGone> {
        self.writer.finish(trailers);
        self.finished = true;
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SinkGone>> {
        self.writer.poll_flush(cx, &mut self.stream)
    }

    fn written(&self) -> u64 {
        self.writer.written()
    }
}
