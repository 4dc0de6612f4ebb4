//! The stream under a connection: gives out first what was read while sniffing, notices a client that takes no bytes, and
//! lingers at the end.

use super::Tally;
use crate::{downstream::LINGERED, io::Stream, io::Timers};
use bytes::{Buf, Bytes};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes read at once when nobody wants them.
const DISCARDED: usize = 4 * 1024;

#[derive(Debug)]
pub(super) struct Io {
    pub(super) stream: Stream,
    pub(super) unread: Bytes,
    pub(super) tally: Rc<Tally>,
    pub(super) timers: Rc<Timers>,
    /// Bytes that were read and forgotten at the end.
    pub(super) discarded: usize,
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let count = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread[..count]);
            self.unread.advance(count);
            return Poll::Ready(Ok(()));
        }
        let read = AsyncRead::poll_read(Pin::new(&mut self.stream), cx, buffer);
        if read.is_ready() {
            self.tally.read(self.timers.now());
        }
        read
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let write = self.stream.poll_write(cx, bytes);
        self.tally.wrote(&write, self.timers.now());
        if let Poll::Ready(Ok(count)) = write {
            self.tally.sent([bytes], count);
        }
        write
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = self.stream.poll_write_vectored(cx, slices);
        self.tally.wrote(&write, self.timers.now());
        if let Poll::Ready(Ok(count)) = write {
            self.tally.sent(slices.iter().map(|slice| &**slice), count);
        }
        write
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = self.stream.poll_flush(cx);
        if flush.is_pending() {
            self.tally.wrote(&flush, self.timers.now());
        }
        flush
    }

    /// Ends our side, then reads and forgets what the client still sends (window updates, mostly) until it closes:
    /// closing at once would answer that with a reset, and lose what the client has not read yet. Ended from outside when
    /// it takes too long.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.tally.ended_at().is_none() {
            ready!(self.stream.poll_shutdown(cx))?;
            self.tally.finished(self.timers.now());
        }
        let mut discarded = [0; DISCARDED];
        while self.discarded <= LINGERED {
            match ready!(self.stream.poll_read(cx, &mut discarded))? {
                0 => break,
                count => self.discarded += count,
            }
            self.tally.read(self.timers.now());
        }
        Poll::Ready(Ok(()))
    }
}
