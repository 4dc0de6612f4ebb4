//! One request on its way to an endpoint, whichever codec carries it.

use super::{RequestLine, UpstreamStream, h1, h2};
use crate::{
    body::{Front, Sink, SinkGone, Source, SourceError},
    fields::HeadFields,
    h1::Head as Http1Head,
};
use bytes::Bytes;
use sluice_core::{
    exchange::FailureKind,
    head::{FieldSink, ReceivedField},
    hygiene::{Body, ResponseFacts, Version},
    pool::Lease,
};
use std::task::{Context, Poll};

/// One request on its way to an endpoint.
#[derive(Debug)]
pub(crate) enum Upstream {
    /// A connection that nobody else uses meanwhile.
    Http1(Lease<Box<h1::Connection>>),
    /// A stream of a connection that is shared.
    Http2(Box<h2::Stream>),
}

/// A head for either codec.
#[derive(Debug)]
pub(crate) enum Head {
    Http1(Http1Head),
    Http2(Box<h2::Head>),
}

/// Does the same with whichever it is.
macro_rules! either {
    ($value:expr, $stream:ident => $do:expr) => {
        match $value {
            Upstream::Http1(Lease { connection: $stream, .. }) => $do,
            Upstream::Http2($stream) => $do,
        }
    };
}

impl Upstream {
    /// What is spoken.
    pub(crate) const fn version(&self) -> Version {
        match self {
            Self::Http1(_) => Version::Http11,
            Self::Http2(_) => Version::Http2,
        }
    }
}

impl FieldSink for Head {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        match self {
            Self::Http1(head) => head.field(name, value),
            Self::Http2(head) => head.field(name, value),
        }
    }

    fn received(&mut self, field: &ReceivedField<'_>) {
        match self {
            Self::Http1(head) => head.received(field),
            Self::Http2(head) => head.received(field),
        }
    }

    fn own(&mut self, name: &'static str, value: &[u8]) {
        match self {
            Self::Http1(head) => head.own(name, value),
            Self::Http2(head) => head.own(name, value),
        }
    }
}

impl UpstreamStream for Upstream {
    type Head = Head;

    fn begin_head(&mut self, line: &RequestLine<'_>, body: Body) -> Head {
        match self {
            Self::Http1(lease) => Head::Http1(lease.connection.begin_head(line, body)),
            Self::Http2(stream) => Head::Http2(Box::new(stream.begin_head(line, body))),
        }
    }

    fn send_head(&mut self, head: Head) -> Result<(), SinkGone> {
        match (self, head) {
            (Self::Http1(lease), Head::Http1(head)) => lease.connection.send_head(head),
            (Self::Http2(stream), Head::Http2(head)) => stream.send_head(*head),
            // A head goes to whom it was begun for.
            _ => Err(SinkGone),
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseFacts, FailureKind>> {
        either!(self, stream => stream.poll_head(cx))
    }

    fn fields(&self) -> HeadFields<'_> {
        either!(self, stream => stream.fields())
    }

    fn begin_tunnel(&mut self) {
        either!(self, stream => stream.begin_tunnel());
    }

    fn started(&self) -> bool {
        either!(self, stream => stream.started())
    }

    fn answered(&self) -> bool {
        either!(self, stream => stream.answered())
    }
}

impl Source for Upstream {
    fn length(&self) -> Body {
        either!(self, stream => stream.length())
    }

    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        either!(self, stream => stream.poll_front(cx))
    }

    fn data(&self) -> &[u8] {
        either!(self, stream => stream.data())
    }

    fn last(&self) -> bool {
        either!(self, stream => stream.last())
    }

    fn share(&self, count: usize) -> Bytes {
        either!(self, stream => stream.share(count))
    }

    fn consume(&mut self, count: usize) {
        either!(self, stream => stream.consume(count));
    }

    fn trailers(&self) -> HeadFields<'_> {
        either!(self, stream => stream.trailers())
    }

    fn rewind(&mut self) -> bool {
        either!(self, stream => stream.rewind())
    }

    fn held(&self) -> bool {
        either!(self, stream => stream.held())
    }
}

impl Sink for Upstream {
    fn poll_push<S: Source>(&mut self, cx: &mut Context<'_>, source: &S) -> Poll<Result<usize, SinkGone>> {
        either!(self, stream => stream.poll_push(cx, source))
    }

    fn finish(&mut self, trailers: HeadFields<'_>) -> Result<(), SinkGone> {
        either!(self, stream => stream.finish(trailers))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SinkGone>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn written(&self) -> u64 {
        either!(self, stream => stream.written())
    }
}
