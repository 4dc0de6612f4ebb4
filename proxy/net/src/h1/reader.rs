//! Reads messages from a stream: a head at the front of a buffer, its body behind it.
//!
//! The head stays where it was read, so that its index keeps pointing into it until the exchange is over. The body is
//! decoded in place behind it; as long as it fits there it is also held for a retry. A longer one streams through the
//! rest of the buffer, or through a large buffer of its own.

use crate::{
    body::{Front, SourceError},
    fields::HeadFields,
    io::{Buffer, Buffers, SMALL, Stream},
};
use bytes::Bytes;
use sluice_core::hygiene::Body;
use sluice_http1::{BodyDecoder, BodyLimits, Framing, State};
use std::{
    io,
    ops::Range,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// A read into less space than this is not worth a system call.
const LEAST_SPACE: usize = 4 * 1024;

/// The reading half of an HTTP/1 connection.
#[derive(Debug)]
pub(crate) struct Reader {
    buffers: Rc<Buffers>,
    /// The head and what came behind it; none while the connection is idle.
    first: Option<Buffer>,
    /// Where a large body streams through.
    large: Option<Buffer>,
    head: usize,
    decoder: BodyDecoder,
    framing: Framing,
    /// The piece of body at the front, by position in the active buffer.
    front: Range<usize>,
    /// The body's end has been decoded; it may still have a piece in front of it.
    ended: bool,
    /// The stream has ended.
    eof: bool,
    /// Some byte of the body is no longer held.
    dropped: bool,
}

impl Reader {
    pub(crate) fn new(buffers: Rc<Buffers>) -> Self {
        Self {
            buffers,
            first: None,
            large: None,
            head: 0,
            decoder: BodyDecoder::new(Framing::None, BodyLimits::default()),
            framing: Framing::None,
            front: 0..0,
            ended: false,
            eof: false,
            dropped: false,
        }
    }

    // === Heads ===

    /// Bytes that have been read and belong to the next message.
    pub(crate) fn unread(&self) -> &[u8] {
        self.first.as_ref().map_or(&[], Buffer::unread)
    }

    /// Reads more of a head. `Ready(0)` is the end of the stream. `limit` bounds the head; a full buffer grows up to it.
    pub(crate) fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let buffer = self.first.get_or_insert_with(|| self.buffers.small());
        if buffer.space().is_empty() {
            if buffer.start() > 0 {
                buffer.compact();
            } else {
                // One byte beyond the limit lets the codec see that it is exceeded.
                buffer.enlarge((buffer.capacity() * 4).min(limit.max(SMALL) + 1));
            }
        }
        let space = buffer.space();
        if space.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        let count = ready!(stream.poll_read(cx, space))?;
        buffer.grown(count);
        self.eof |= count == 0;
        Poll::Ready(Ok(count))
    }

    /// The next `length` unread bytes are a head with this framing: its body comes next.
    pub(crate) fn begin_body(&mut self, length: usize, framing: Framing) {
        if let Some(buffer) = &mut self.first {
            buffer.consume(length);
            self.head = buffer.start();
        }
        self.framing = framing;
        self.decoder.start(framing);
        self.front = 0..0;
        self.ended = self.decoder.is_end();
        self.dropped = false;
    }

    /// The block that the current head was parsed from: everything from `begin` to the end of the head.
    pub(crate) fn block(&self) -> &[u8] {
        self.first.as_ref().map_or(&[], |buffer| buffer.range(0..self.head))
    }

    /// The message is followed by opaque bytes: they are the body from now on, until the stream ends.
    pub(crate) fn begin_tunnel(&mut self) {
        self.framing = Framing::Tunnel;
        self.decoder.start(Framing::Tunnel);
        self.ended = false;
        self.dropped = true;
    }

    /// Drops an informational head, so that the next head begins the block.
    pub(crate) fn skip_head(&mut self) {
        if let Some(buffer) = &mut self.first {
            buffer.compact();
        }
        self.head = 0;
    }

    /// Forgets the message; what was read beyond it begins the next one. Gives the buffers back where nothing was.
    pub(crate) fn finish_message(&mut self) {
        if let Some(large) = self.large.take()
            && !large.unread().is_empty()
        {
            self.first = Some(large);
        }
        match &mut self.first {
            Some(buffer) if !buffer.unread().is_empty() => buffer.compact(),
            first => *first = None,
        }
        self.head = 0;
        self.front = 0..0;
        self.ended = true;
        self.framing = Framing::None;
    }

    /// Gives the buffers back with all that is in them; nothing is read here any more.
    pub(crate) fn forget(&mut self) {
        self.first = None;
        self.large = None;
        self.head = 0;
        self.front = 0..0;
    }

    /// Whether the stream has ended.
    pub(crate) const fn eof(&self) -> bool {
        self.eof
    }

    // === The body ===

    /// What the head said.
    pub(crate) const fn length(&self) -> Body {
        match self.framing {
            Framing::None => Body::None,
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked | Framing::Close | Framing::Tunnel => Body::Unknown,
        }
    }

    /// Bytes of body that are still to come, where the head told how many there are.
    pub(crate) fn remaining(&self) -> Option<u64> {
        if self.ended { Some(0) } else { self.decoder.remaining() }
    }

    /// Whether the body has been read to its end, and nothing of it is left at the front.
    pub(crate) fn complete(&self) -> bool {
        self.ended && self.front.is_empty()
    }

    /// Whether bytes wait that the body's end does not cover.
    pub(crate) fn has_surplus(&self) -> bool {
        self.large.as_ref().or(self.first.as_ref()).is_some_and(|buffer| !buffer.unread().is_empty())
    }

    /// See [`Source::poll_front`](crate::body::Source::poll_front).
    pub(crate) fn poll_front(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
    ) -> Poll<Result<Front, SourceError>> {
        loop {
            if !self.front.is_empty() {
                return Poll::Ready(Ok(Front::Data));
            }
            if self.ended {
                return Poll::Ready(Ok(Front::End));
            }
            if self.has_surplus() {
                self.decode()?;
                continue;
            }
            if self.eof {
                self.decoder.finish().map_err(|_| SourceError::Gone)?;
                self.ended = true;
                continue;
            }
            let space = self.make_room().space();
            let count = ready!(stream.poll_read(cx, space))?;
            self.active().grown(count);
            self.eof |= count == 0;
        }
    }

    /// Reads ahead while nothing of the body is wanted: into the space behind what is there, and no further. `Ready(0)`
    /// is the end of the stream.
    pub(crate) fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
    ) -> Poll<io::Result<usize>> {
        if self.eof {
            return Poll::Ready(Ok(0));
        }
        let space = self.active().space();
        if space.is_empty() {
            return Poll::Pending;
        }
        let count = ready!(stream.poll_read(cx, space))?;
        self.active().grown(count);
        self.eof |= count == 0;
        Poll::Ready(Ok(count))
    }

    pub(crate) fn data(&self) -> &[u8] {
        self.large.as_ref().or(self.first.as_ref()).map_or(&[], |buffer| buffer.range(self.front.clone()))
    }

    pub(crate) fn last(&self) -> bool {
        self.ended && self.decoder.trailers().is_empty()
    }

    pub(crate) fn share(&self, count: usize) -> Bytes {
        let data = self.data();
        Bytes::copy_from_slice(&data[..count.min(data.len())])
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.front.start = (self.front.start + count).min(self.front.end);
    }

    pub(crate) fn trailers(&self) -> HeadFields<'_> {
        let trailers = self.decoder.trailers();
        if trailers.is_empty() { HeadFields::Empty } else { HeadFields::Http1(trailers.fields()) }
    }

    pub(crate) fn rewind(&mut self) -> bool {
        if self.dropped {
            return false;
        }
        if let Some(buffer) = &mut self.first {
            buffer.rewind(self.head);
        }
        self.decoder.start(self.framing);
        self.front = 0..0;
        self.ended = self.decoder.is_end();
        true
    }

    pub(crate) const fn held(&self) -> bool {
        !self.dropped
    }

    /// Takes framing and one piece of data off the unread bytes.
    fn decode(&mut self) -> Result<(), SourceError> {
        let Some(buffer) = self.large.as_mut().or(self.first.as_mut()) else { return Ok(()) };
        let at = buffer.start();
        let step = self
            .decoder
            .decode(buffer.unread())
            .map_err(|error| SourceError::Malformed { status: error.status(), details: error.details() })?;
        self.front = at + step.data.start..at + step.data.end;
        self.ended = step.state == State::End;
        buffer.consume(step.consumed);
        Ok(())
    }

    fn active(&mut self) -> &mut Buffer {
        match &mut self.large {
            Some(large) => large,
            None => self.first.get_or_insert_with(|| self.buffers.small()),
        }
    }

    /// A buffer with room for a read. Everything that was read has been decoded and consumed.
    fn make_room(&mut self) -> &mut Buffer {
        let head = self.head;
        if self.active().space().len() < LEAST_SPACE {
            self.dropped = true;
            let large = self.remaining().is_none_or(|remaining| remaining > SMALL as u64);
            match &mut self.large {
                Some(buffer) => buffer.truncate(0),
                None if large => self.large = Some(self.buffers.large()),
                None => self.active().truncate(head),
            }
            if self.active().space().len() < LEAST_SPACE {
                // The head itself fills its buffer.
                self.large = Some(self.buffers.large());
            }
        }
        self.active()
    }
}
