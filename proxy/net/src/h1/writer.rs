//! Writes messages to a stream: heads and small pieces of body are gathered and leave in one write, large pieces are
//! written from where they lie.

use crate::{
    body::{SinkGone, Source},
    fields::HeadFields,
    io::{Buffers, Stream},
};
use sluice_filter::Fields;
use sluice_http1::{Known, encode};
use std::{
    io::IoSlice,
    task::{Context, Poll, ready},
};

/// Pieces up to this size are copied behind what is gathered: one slice costs the kernel less than two.
const COPIED: usize = 4 * 1024;
/// What is gathered at most before it is written.
const GATHERED: usize = 16 * 1024;

const NO_MORE_CHUNKS: &[u8] = b"\r\n0\r\n\r\n";
const CHUNK_END: &[u8] = b"\r\n";

/// How the end of a body is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Framed {
    /// There is no body, or the peer knows how long it is.
    #[default]
    Counted,
    /// Chunks.
    Chunked,
    /// By the end of the stream, which this side then ends: a close-delimited answer or a tunnel.
    Closed,
    /// No byte of the body is sent (the answer to HEAD).
    Omitted,
}

/// The writing half of an HTTP/1 connection.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    gathered: Vec<u8>,
    /// How much of `gathered` has left.
    sent: usize,
    framed: Framed,
    /// Bytes of data that an announced chunk still lacks.
    chunk: usize,
    /// The last chunk went out with the data before it.
    closed: bool,
    /// The stream's sending direction is to be ended after everything has left.
    shutdown: Shutdown,
    /// TLS may hold bytes back.
    unflushed: bool,
    written: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Shutdown {
    #[default]
    No,
    Wanted,
    Done,
}

impl Writer {
    /// Lends what is gathered, so that a head can be written behind it while its connection is read;
    /// [`resume`](Self::resume) brings it back.
    pub(crate) fn lend(&mut self, buffers: &Buffers) -> Vec<u8> {
        if self.gathered.capacity() == 0 { buffers.text() } else { std::mem::take(&mut self.gathered) }
    }

    /// Brings back what was lent, longer by a head.
    pub(crate) fn resume(&mut self, text: Vec<u8>) {
        self.gathered = text;
    }

    /// The head is complete; this is how its body is framed.
    pub(crate) fn begin_body(&mut self, framed: Framed) {
        self.framed = framed;
        self.chunk = 0;
        self.closed = false;
    }

    /// See [`Sink::poll_push`](crate::body::Sink::poll_push).
    pub(crate) fn poll_push<S: Source>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        source: &S,
    ) -> Poll<Result<usize, SinkGone>> {
        let data = source.data();
        if self.framed == Framed::Omitted {
            return Poll::Ready(Ok(data.len()));
        }
        if self.chunk == 0 && data.len() <= COPIED && self.gathered.len() + data.len() <= GATHERED {
            self.gather(data);
            return Poll::Ready(Ok(data.len()));
        }
        loop {
            let taken = ready!(self.poll_write_through(cx, stream, data, source.last()))?;
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
        }
    }

    fn gather(&mut self, data: &[u8]) {
        if self.framed == Framed::Chunked {
            encode::chunk_prefix(&mut self.gathered, data.len());
            self.gathered.extend_from_slice(data);
            encode::chunk_end(&mut self.gathered);
        } else {
            self.gathered.extend_from_slice(data);
        }
    }

    /// One write of what is gathered and of `data`; says how much of `data` left.
    fn poll_write_through(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        data: &[u8],
        last: bool,
    ) -> Poll<Result<usize, SinkGone>> {
        let mut tail: &[u8] = &[];
        let mut body = data;
        if self.framed == Framed::Chunked {
            if self.chunk == 0 {
                encode::chunk_prefix(&mut self.gathered, data.len());
                self.chunk = data.len();
            }
            body = &data[..data.len().min(self.chunk)];
            if body.len() == self.chunk {
                tail = if last && body.len() == data.len() { NO_MORE_CHUNKS } else { CHUNK_END };
            }
        }
        let before = self.gathered.len() - self.sent;
        let count = if before == 0 && tail.is_empty() {
            ready!(stream.poll_write(cx, body))?
        } else {
            let slices = [IoSlice::new(&self.gathered[self.sent..]), IoSlice::new(body), IoSlice::new(tail)];
            let first = usize::from(before == 0);
            ready!(stream.poll_write_vectored(cx, &slices[first..]))?
        };
        if count == 0 {
            return Poll::Ready(Err(SinkGone));
        }
        self.wrote(count);
        self.sent += count.min(before);
        if self.sent == self.gathered.len() {
            self.gathered.clear();
            self.sent = 0;
        }
        let taken = count.saturating_sub(before).min(body.len());
        if self.framed == Framed::Chunked {
            self.chunk -= taken;
            if taken == body.len() && !tail.is_empty() {
                // What is left of the tail goes in front of whatever comes next.
                self.gathered.extend_from_slice(&tail[count - before - taken..]);
                self.closed = tail.len() == NO_MORE_CHUNKS.len();
            }
        }
        Poll::Ready(Ok(taken))
    }

    /// See [`Sink::finish`](crate::body::Sink::finish).
    pub(crate) fn finish(&mut self, trailers: HeadFields<'_>) {
        match self.framed {
            Framed::Chunked if !self.closed => {
                self.gathered.extend_from_slice(b"0\r\n");
                let gathered = &mut self.gathered;
                trailers.each(&mut |name, value| {
                    // Whoever merges trailers into the head must not find framing or routing there (RFC 9110 6.5.1).
                    if Known::of(name).forbidden_in_trailers() {
                        return;
                    }
                    // The codecs check what they read, but HTTP/2 allows more bytes in values.
                    let _ = encode::try_field(gathered, name, value);
                });
                encode::end_of_head(&mut self.gathered);
                self.closed = true;
            }
            Framed::Closed if self.shutdown == Shutdown::No => self.shutdown = Shutdown::Wanted,
            _ => {}
        }
    }

    /// See [`Sink::poll_flush`](crate::body::Sink::poll_flush).
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
    ) -> Poll<Result<(), SinkGone>> {
        while self.sent < self.gathered.len() {
            let count = ready!(stream.poll_write(cx, &self.gathered[self.sent..]))?;
            if count == 0 {
                return Poll::Ready(Err(SinkGone));
            }
            self.wrote(count);
            self.sent += count;
        }
        self.gathered.clear();
        self.sent = 0;
        if self.unflushed {
            ready!(stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        if self.shutdown == Shutdown::Wanted {
            ready!(stream.poll_shutdown(cx))?;
            self.shutdown = Shutdown::Done;
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, count: usize) {
        self.written += count as u64;
        self.unflushed = true;
    }

    /// Bytes that have left so far.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Whether the end of the stream is what ends the body.
    pub(crate) fn ends_by_closing(&self) -> bool {
        self.framed == Framed::Closed
    }

    /// Whether everything that was gathered has left.
    pub(crate) fn is_clean(&self) -> bool {
        self.gathered.is_empty() && self.chunk == 0 && !self.unflushed
    }

    /// Between two messages: gives the memory back and starts counting anew.
    pub(crate) fn rest(&mut self, buffers: &Buffers) {
        buffers.keep_text(std::mem::take(&mut self.gathered));
        *self = Self::default();
    }
}
