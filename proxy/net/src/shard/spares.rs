//! Things that are not in use, kept for their memory.

use std::cell::RefCell;

/// Kept at most; what a burst took beyond them goes back to the allocator.
const KEPT: usize = 256;

/// A free list, last in, first out. Boxed things, because they are large and move in and out with every request.
#[derive(Debug)]
pub(crate) struct Spares<T>(
    #[allow(clippy::vec_box, reason = "the boxes are what is kept")] RefCell<Vec<Box<T>>>,
);

impl<T> Spares<T> {
    #[allow(clippy::unnecessary_box_returns, reason = "the boxes are what is kept")]
    pub(crate) fn take(&self, make: impl FnOnce() -> Box<T>) -> Box<T> {
        let spare = self.0.borrow_mut().pop();
        spare.unwrap_or_else(make)
    }

    pub(crate) fn keep(&self, spare: Box<T>) {
        let mut spares = self.0.borrow_mut();
        if spares.len() < KEPT {
            spares.push(spare);
        }
    }
}

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}
