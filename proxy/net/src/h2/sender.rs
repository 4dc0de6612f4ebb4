//! The sending half of a stream.

use crate::{
    body::{SinkGone, Source},
    fields::HeadFields,
    io::LARGE,
};
use bytes::Bytes;
use h2::{Reason, SendStream};
use std::task::{Context, Poll, ready};

/// A body that leaves on a stream. The connection's task writes it; nothing here waits for the socket but the window.
#[derive(Debug)]
pub(crate) struct Sender {
    stream: SendStream<Bytes>,
    ended: bool,
}

impl Sender {
    /// `ended` where the head has ended the stream.
    pub(crate) const fn new(stream: SendStream<Bytes>, ended: bool) -> Self {
        Self { stream, ended }
    }

    /// See [`Sink::poll_push`](crate::body::Sink::poll_push). The peer's credit is taken only for bytes that are there.
    pub(crate) fn poll_push<S: Source>(
        &mut self,
        cx: &mut Context<'_>,
        source: &S,
    ) -> Poll<Result<usize, SinkGone>> {
        if self.ended {
            return Poll::Ready(Err(SinkGone));
        }
        let length = source.data().len();
        self.stream.reserve_capacity(length.min(LARGE));
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(SinkGone)),
            }
        }
        let count = length.min(self.stream.capacity());
        let last = count == length && source.last();
        self.stream.send_data(source.share(count), last).map_err(|_| SinkGone)?;
        self.ended = last;
        Poll::Ready(Ok(count))
    }

    /// See [`Sink::finish`](crate::body::Sink::finish).
    pub(crate) fn finish(&mut self, trailers: HeadFields<'_>) -> Result<(), SinkGone> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        let map = super::trailers(trailers);
        let sent = if map.is_empty() {
            self.stream.send_data(Bytes::new(), true)
        } else {
            self.stream.send_trailers(map)
        };
        sent.map_err(|_| SinkGone)
    }

    /// Waits for a reset of the stream, with its reason, or for the connection to break.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Option<Reason>> {
        self.stream.poll_reset(cx).map(Result::ok)
    }

    pub(crate) fn reset(&mut self, reason: Reason) {
        self.ended = true;
        self.stream.send_reset(reason);
    }
}
