//! Buffers of a shard: fixed sizes, recycled last in, first out, so that the one taken next is warm in the cache.

use std::{cell::RefCell, ops::Range, rc::Rc};

/// Holds a head and the body bytes that come with it. Most requests need no other buffer.
pub(crate) const SMALL: usize = 16 * 1024;
/// For streaming large bodies in few system calls. A slow reader holds one of these and two small ones, in which the heads of
/// its request and of its answer lie: 64 KiB.
pub(crate) const LARGE: usize = 32 * 1024;

/// Free buffers kept per shard and size; what a burst took beyond them goes back to the allocator.
const KEPT_SMALL: usize = 256;
const KEPT_LARGE: usize = 32;
const KEPT_TEXTS: usize = 256;
/// A text that grew beyond this is not kept.
const LARGEST_TEXT: usize = 2 * SMALL;

/// The buffers of one shard.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    small: RefCell<Vec<Box<[u8]>>>,
    large: RefCell<Vec<Box<[u8]>>>,
    texts: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// An empty vector that has been used before: for heads that are being written.
    pub(crate) fn text(&self) -> Vec<u8> {
        self.texts.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a vector back.
    pub(crate) fn keep_text(&self, mut text: Vec<u8>) {
        let mut texts = self.texts.borrow_mut();
        if (1..=LARGEST_TEXT).contains(&text.capacity()) && texts.len() < KEPT_TEXTS {
            text.clear();
            texts.push(text);
        }
    }

    /// A buffer of [`SMALL`] bytes. Its old content is unspecified.
    pub(crate) fn small(self: &Rc<Self>) -> Buffer {
        self.take(&self.small, SMALL)
    }

    /// A buffer of [`LARGE`] bytes. Its old content is unspecified.
    pub(crate) fn large(self: &Rc<Self>) -> Buffer {
        self.take(&self.large, LARGE)
    }

    fn take(self: &Rc<Self>, free: &RefCell<Vec<Box<[u8]>>>, size: usize) -> Buffer {
        let bytes = free.borrow_mut().pop().unwrap_or_else(|| vec![0; size].into_boxed_slice());
        Buffer { bytes, start: 0, end: 0, home: Rc::clone(self) }
    }

    fn give_back(&self, bytes: Box<[u8]>) {
        let (free, kept) = match bytes.len() {
            SMALL => (&self.small, KEPT_SMALL),
            LARGE => (&self.large, KEPT_LARGE),
            _ => return,
        };
        let mut free = free.borrow_mut();
        if free.len() < kept {
            free.push(bytes);
        }
    }
}

/// A block of memory with bytes that were read and not yet used in the middle: `start..end`. Goes back to its shard
/// when it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    home: Rc<Buffers>,
}

impl Buffer {
    /// The bytes that were read and not yet used.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Bytes by absolute position, used or not.
    pub(crate) fn range(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Absolute position of the first unread byte.
    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    /// Marks bytes as used.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Makes used bytes unread again, from this absolute position on.
    pub(crate) fn rewind(&mut self, start: usize) {
        self.start = start.min(self.end);
    }

    /// Where the next bytes are read to. Empty when the block is full to its end.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// Records that so many bytes were written into [`space`](Self::space).
    pub(crate) fn grown(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// The size of the block.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the unread bytes and everything behind `position`, which must not lie beyond the filled part.
    pub(crate) fn truncate(&mut self, position: usize) {
        self.end = position.min(self.end);
        self.start = self.start.min(self.end);
    }

    /// Moves the unread bytes to the front of the block.
    pub(crate) fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Takes a larger block and keeps all positions: for a head that is longer than a small buffer.
    pub(crate) fn enlarge(&mut self, capacity: usize) {
        if capacity <= self.bytes.len() {
            return;
        }
        let mut larger = if capacity <= LARGE {
            let Buffer { bytes, .. } = &mut self.home.large();
            std::mem::take(bytes)
        } else {
            vec![0; capacity].into_boxed_slice()
        };
        larger[..self.end].copy_from_slice(&self.bytes[..self.end]);
        let old = std::mem::replace(&mut self.bytes, larger);
        self.home.give_back(old);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if !bytes.is_empty() {
            self.home.give_back(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffer: &mut Buffer, bytes: &[u8]) {
        buffer.space()[..bytes.len()].copy_from_slice(bytes);
        buffer.grown(bytes.len());
    }

    #[test]
    fn the_last_buffer_given_back_is_the_next_one_taken() {
        let buffers = Rc::new(Buffers::default());
        let mut first = buffers.small();
        fill(&mut first, b"warm");
        let second = buffers.small();
        drop(second);
        drop(first);
        let mut again = buffers.small();
        assert_eq!(&again.space()[..4], b"warm");
        assert_eq!(buffers.small.borrow().len(), 1);
    }

    #[test]
    fn enlarging_keeps_positions_and_recycles_the_old_block() {
        let buffers = Rc::new(Buffers::default());
        let mut buffer = buffers.small();
        fill(&mut buffer, b"GET / HTTP/1.1");
        buffer.consume(4);
        buffer.enlarge(SMALL + 1);
        assert_eq!((buffer.unread(), buffer.capacity()), (&b"/ HTTP/1.1"[..], LARGE));
        assert_eq!(buffers.small.borrow().len(), 1);
        buffer.enlarge(LARGE * 3);
        assert_eq!((buffer.range(0..14), buffer.capacity()), (&b"GET / HTTP/1.1"[..], LARGE * 3));
        drop(buffer);
        assert_eq!(buffers.large.borrow().len(), 1, "odd sizes are not kept");
    }

    #[test]
    fn compacting_moves_what_is_unread_to_the_front() {
        let buffers = Rc::new(Buffers::default());
        let mut buffer = buffers.small();
        fill(&mut buffer, b"onetwo");
        buffer.consume(3);
        buffer.compact();
        assert_eq!((buffer.unread(), buffer.start()), (&b"two"[..], 0));
        assert_eq!(buffer.space().len(), SMALL - 3);
    }
}
