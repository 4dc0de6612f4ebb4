//! An HTTP/1.1 client's connection, seen as the downstream side of the one request that it makes now.

use super::end::Ending;
use crate::{
    body::{Front, Sink, SinkGone, Source, SourceError},
    downstream::Downstream,
    fields::HeadFields,
    h1::{Framed, Head, Reader, Unclean, Writer},
    io::Stream,
    shard::Shard,
};
use bytes::Bytes;
use sluice_core::hygiene::{Body, RequestFacts, Target, Version};
use sluice_http1::{self as http1, Framing, Method, Parse, RequestHead, encode};
use std::{
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

/// A request body is read to its end after an early answer if it is known to be no longer than this; otherwise the
/// connection closes after the answer.
pub(super) const DRAINED: u64 = 64 * 1024;

/// A client that ended its sending half after its request waits for the answer, as nginx and HAProxy see it too: it is
/// served within the ordinary timeouts. One that is gone altogether looks the same until its kernel says so with a reset,
/// and behind the end of a stream no reactor reports that: whoever looks so often finds it.
const HALF_CLOSED: Duration = Duration::from_millis(500);

/// What a connection needs only while it has a request; waits in its shard for whoever is next.
#[derive(Debug)]
pub(crate) struct Work {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) request: RequestHead,
}

/// The connection of a client, from the first byte of a request on.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) shard: Rc<Shard>,
    pub(super) stream: Stream,
    /// The listener speaks TLS.
    tls: bool,
    pub(super) work: Box<Work>,
    /// The request's head has been read whole.
    known: bool,
    answer: Answer,
    /// The connection ends after this exchange.
    pub(super) close: bool,
    /// Nothing may be sent any more.
    pub(super) cut: bool,
    /// When to look whether a client that has ended its sending half is still there.
    look_again: Option<Instant>,
    pub(super) ending: Ending,
}

/// How far the answer is.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    /// Of the head that is being written.
    body: Option<Body>,
    tunnel: bool,
    /// 100 was passed on.
    continued: bool,
    /// The rest of the request is read in any case.
    reads_on: bool,
    /// The final head is out.
    begun: bool,
}

/// What reading a head came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadRead {
    /// There is a request.
    Complete,
    /// The client wants HTTP/2; what it sent is still unread.
    Preface,
    /// What it sent is no request.
    Refused(http1::Error),
    /// What it sent begins none.
    Nothing,
    /// It closed, or the socket broke, in front of a request or in the middle of its head.
    Closed,
}

impl Work {
    fn new(shard: &Shard) -> Self {
        Self {
            reader: Reader::new(Rc::clone(&shard.buffers)),
            writer: Writer::default(),
            request: RequestHead::new(),
        }
    }
}

impl Client {
    /// `tls` is whether the listener speaks TLS, whatever the client does.
    pub(super) fn new(shard: &Rc<Shard>, stream: Stream, tls: bool) -> Self {
        Self {
            shard: Rc::clone(shard),
            stream,
            tls,
            work: shard.http1.take(|| Box::new(Work::new(shard))),
            known: false,
            answer: Answer::default(),
            close: false,
            cut: false,
            look_again: None,
            ending: Ending::default(),
        }
    }

    /// Reads the head of a request.
    pub(super) fn poll_request(&mut self, cx: &mut Context<'_>, limits: &http1::Limits) -> Poll<HeadRead> {
        loop {
            let unread = self.work.reader.unread();
            if !unread.is_empty() {
                match self.work.request.parse(unread, limits) {
                    Ok(Parse::Complete { len }) => {
                        // A tunnel stands only once a 2xx has gone back.
                        let framing = match self.work.request.framing() {
                            Framing::Tunnel => Framing::None,
                            framing => framing,
                        };
                        self.work.reader.begin_body(len, framing);
                        self.known = true;
                        return Poll::Ready(HeadRead::Complete);
                    }
                    Ok(Parse::Preface) => return Poll::Ready(HeadRead::Preface),
                    Ok(Parse::Partial) => {}
                    Err(error) => return Poll::Ready(HeadRead::Refused(error)),
                }
            }
            match ready!(self.work.reader.poll_more(cx, &mut self.stream, limits.head)) {
                Ok(0) | Err(_) => return Poll::Ready(HeadRead::Closed),
                Ok(_) => {}
            }
        }
    }

    /// Whether a byte of a request has been read that is not answered yet. The one line end that clients may put in front
    /// of a request (RFC 9112 section 2.2), mostly behind the body before, begins none.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.work.reader.unread(), b"" | b"\r" | b"\r\n")
    }

    /// Forgets what was read and begins no request, so that the connection is idle again; false where there is no
    /// telling yet.
    pub(super) fn set_aside(&mut self) -> bool {
        let idle = matches!(self.work.reader.unread(), b"" | b"\r\n");
        if idle {
            self.work.reader.forget();
            self.work.request.clear();
        }
        idle
    }

    /// Whether the client speaks plain HTTP where the listener expects TLS.
    pub(super) fn plain_at_tls(&self) -> bool {
        self.tls && matches!(self.stream, Stream::Plain(_))
    }

    /// After an exchange: makes the connection ready for the next request.
    pub(super) fn rest(&mut self) {
        self.work.reader.finish_message();
        self.work.writer.rest(&self.shard.buffers);
        self.known = false;
        self.answer = Answer::default();
    }

    /// Between two requests: gives back what only requests need.
    pub(super) fn into_stream(self) -> Stream {
        self.shard.http1.keep(self.work);
        self.stream
    }

    /// Whether the final head of an answer has been written.
    pub(super) const fn answered(&self) -> bool {
        self.answer.begun
    }

    /// Whether a request was read to its end.
    pub(super) fn request_complete(&self) -> bool {
        self.known && self.work.reader.complete()
    }

    /// Whether the request's end has been read, or will be, be it within the bound on what is read for nothing. A client that
    /// waits for a 100 may or may not send its body after another answer: only closing is safe then.
    fn end_is_near(&self, expects: bool) -> bool {
        self.work.reader.complete()
            || ((self.answer.reads_on || self.work.reader.remaining().is_some_and(|rest| rest <= DRAINED))
                && (!expects || self.answer.continued || self.work.reader.has_surplus()))
    }

    fn version(&self) -> http1::Version {
        if self.known {
            self.work.request.view(self.work.reader.block()).version()
        } else {
            http1::Version::Http11
        }
    }

    fn connection_fields(&mut self, text: &mut Vec<u8>) {
        let mut version = http1::Version::Http11;
        if self.known {
            let view = self.work.request.view(self.work.reader.block());
            version = view.version();
            self.close |=
                !view.keep_alive() || self.work.reader.eof() || !self.end_is_near(view.expect_continue());
        } else {
            self.close = true;
        }
        if self.close {
            encode::field(text, b"connection", b"close");
        } else if version == http1::Version::Http10 {
            encode::field(text, b"connection", b"keep-alive");
        }
    }

    fn body_fields(&mut self, text: &mut Vec<u8>, body: Body) -> Framed {
        let head = self.known && self.work.request.view(self.work.reader.block()).method() == Method::Head;
        let bodiless = matches!(self.answer.status, 100..=199 | 204 | 304);
        match body {
            // HTTP/2 can say that there is none by ending the stream; here silence would mean "until I close".
            Body::None if !head && !bodiless => encode::content_length(text, 0),
            Body::Length(length) if self.answer.status != 204 => encode::content_length(text, length),
            Body::Unknown if !head && !bodiless => {
                if self.version() == http1::Version::Http10 {
                    self.close = true;
                    return Framed::Closed;
                }
                encode::chunked(text);
                return Framed::Chunked;
            }
            _ => {}
        }
        if head || bodiless { Framed::Omitted } else { Framed::Counted }
    }

    fn begin(&mut self, status: u16, body: Option<Body>) -> Head {
        self.answer.status = status;
        self.answer.body = body;
        let mut text = self.work.writer.lend(&self.shard.buffers);
        encode::status_line(&mut text, status, encode::reason_phrase(status).as_bytes());
        Head::new(text)
    }
}

impl Downstream for Client {
    type Head = Head;

    fn facts(&self) -> RequestFacts<'_> {
        if !self.known {
            let (method, target) = http1::request_line(self.work.reader.unread());
            let target = Target::Line(target);
            return RequestFacts { version: Version::Http11, method, target, body: Body::None };
        }
        let view = self.work.request.view(self.work.reader.block());
        RequestFacts {
            version: match view.version() {
                http1::Version::Http10 => Version::Http10,
                http1::Version::Http11 => Version::Http11,
            },
            method: view.method_str(),
            target: Target::Line(view.target()),
            body: self.work.reader.length(),
        }
    }

    fn fields(&self) -> HeadFields<'_> {
        if self.known {
            HeadFields::Http1(self.work.request.view(self.work.reader.block()).fields())
        } else {
            HeadFields::Empty
        }
    }

    fn begin_head(&mut self, status: u16, body: Body) -> Head {
        self.begin(status, Some(body))
    }

    fn begin_tunnel(&mut self, status: u16) -> Head {
        self.answer.tunnel = true;
        self.close = true;
        self.begin(status, None)
    }

    fn send_head(&mut self, head: Head) -> Result<(), SinkGone> {
        let mut text = head.finish().map_err(|Unclean| {
            self.cut();
            SinkGone
        })?;
        match self.answer.body.take() {
            None => {
                if self.answer.status == 101 {
                    encode::field(&mut text, b"connection", b"upgrade");
                }
                self.work.writer.begin_body(Framed::Closed);
                self.work.reader.begin_tunnel();
                self.answer.begun = true;
            }
            Some(_) if self.answer.status < 200 => self.answer.continued |= self.answer.status == 100,
            Some(body) => {
                let framed = self.body_fields(&mut text, body);
                self.connection_fields(&mut text);
                self.work.writer.begin_body(framed);
                self.answer.begun = true;
            }
        }
        encode::end_of_head(&mut text);
        self.work.writer.resume(text);
        Ok(())
    }

    fn close_after(&mut self) {
        self.close = true;
    }

    fn read_on(&mut self) {
        self.answer.reads_on = true;
    }

    fn wind_down(&mut self) {
        // Pipelined requests that have arrived are answered first.
        self.close |= !self.work.reader.has_surplus();
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<SourceError> {
        loop {
            match ready!(self.work.reader.poll_ahead(cx, &mut self.stream)) {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => return Poll::Ready(SourceError::Gone),
            }
        }
        if !self.work.reader.complete() && !self.work.reader.has_surplus() {
            return Poll::Ready(SourceError::Gone);
        }
        let now = self.shard.now();
        if self.look_again.is_none_or(|at| at <= now) {
            self.look_again = Some(now + HALF_CLOSED);
            if !matches!(self.stream.tcp().take_error(), Ok(None)) {
                return Poll::Ready(SourceError::Gone);
            }
        }
        Poll::Pending
    }

    fn gone_at(&self) -> Option<Instant> {
        self.look_again
    }

    fn awaits_continue(&self) -> bool {
        self.known
            && !self.answer.continued
            && !self.work.reader.has_surplus()
            && self.work.request.view(self.work.reader.block()).expect_continue()
    }

    fn cut(&mut self) {
        self.cut = true;
        self.close = true;
    }
}

impl Source for Client {
    fn length(&self) -> Body {
        self.work.reader.length()
    }

    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        self.work.reader.poll_front(cx, &mut self.stream)
    }

    fn data(&self) -> &[u8] {
        self.work.reader.data()
    }

    fn last(&self) -> bool {
        self.work.reader.last()
    }

    fn share(&self, count: usize) -> Bytes {
        self.work.reader.share(count)
    }

    fn consume(&mut self, count: usize) {
        self.work.reader.consume(count);
    }

    fn trailers(&self) -> HeadFields<'_> {
        self.work.reader.trailers()
    }

    fn rewind(&mut self) -> bool {
        self.work.reader.rewind()
    }

    fn held(&self) -> bool {
        self.work.reader.held()
    }
}

impl Sink for Client {
    fn poll_push<S: Source>(&mut self, cx: &mut Context<'_>, source: &S) -> Poll<Result<usize, SinkGone>> {
        if self.cut {
            return Poll::Ready(Err(SinkGone));
        }
        self.work.writer.poll_push(cx, &mut self.stream, source)
    }

    fn finish(&mut self, trailers: HeadFields<'_>) -> Result<(), SinkGone> {
        self.work.writer.finish(trailers);
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SinkGone>> {
        if self.cut {
            return Poll::Ready(Err(SinkGone));
        }
        self.work.writer.poll_flush(cx, &mut self.stream)
    }

    fn written(&self) -> u64 {
        self.work.writer.written()
    }
}
