//! How a connection of a client ends, or goes on after a request that was not read to its end.

use super::client::Client;
use crate::{
    body::{Front, Source},
    downstream::LINGERED,
};
use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

impl Client {
    /// Reads the rest of a request that was answered early. `false` where there is no orderly end.
    pub(super) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match ready!(self.poll_front(cx)) {
                Ok(Front::Data) => self.consume(self.data().len()),
                Ok(Front::End) => return Poll::Ready(true),
                Err(_) => return Poll::Ready(false),
            }
        }
    }

    /// Ends the sending direction, then reads and forgets what a client that has not finished still sends: closing at
    /// once would answer its bytes with a reset, and that takes back an answer which it has not read yet.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.answered() || (self.cut && self.cut_short(cx)) {
            return Poll::Ready(());
        }
        if !self.ending.shut {
            ready!(self.stream.poll_shutdown(cx)).ok();
            self.ending.shut = true;
            if self.work.reader.eof() || self.has_said_its_last() {
                return Poll::Ready(());
            }
            self.work.reader.forget();
        }
        loop {
            if ready!(self.stream.poll_readable(cx)).is_err() {
                return Poll::Ready(());
            }
            let mut buffer = self.shard.buffers.small();
            match ready!(self.stream.poll_read(cx, buffer.space())) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(count) => self.ending.discarded += count,
            }
            if self.ending.discarded > LINGERED {
                return Poll::Ready(());
            }
        }
    }

    /// Whether the client itself has made this its last request, and has sent all of it. Others may have sent the next one
    /// before they read that there is none.
    fn has_said_its_last(&self) -> bool {
        self.request_complete()
            && !self.work.reader.has_surplus()
            && !self.work.request.view(self.work.reader.block()).keep_alive()
    }

    /// An answer that was cut short must not look like one that ended: where only the end of the stream marks the end,
    /// a reset says so. `true` where nothing more is to be done.
    fn cut_short(&mut self, cx: &mut Context<'_>) -> bool {
        if self.work.writer.ends_by_closing() {
            let _ = socket2::SockRef::from(self.stream.tcp()).set_linger(Some(Duration::ZERO));
            return true;
        }
        // What has come so far is the client's, unless it takes nothing.
        !self.ending.shut && !matches!(self.work.writer.poll_flush(cx, &mut self.stream), Poll::Ready(Ok(())))
    }
}

/// How far the end of the connection is.
#[derive(Debug, Default)]
pub(super) struct Ending {
    shut: bool,
    discarded: usize,
}
