//! File descriptors that are kept for admin, so that it answers when traffic has taken all others.

use std::{cell::RefCell, fs::File};

/// Descriptors that are kept.
const KEPT: usize = 4;

/// Spare descriptors. Each one that is released makes room for one admin connection.
pub(super) struct Reserve(RefCell<Vec<File>>);

impl Reserve {
    pub(super) fn new() -> Self {
        let reserve = Self(RefCell::default());
        reserve.refill();
        reserve
    }

    /// Gives one up; `false` when there is none.
    pub(super) fn release(&self) -> bool {
        self.0.borrow_mut().pop().is_some()
    }

    /// Takes back what the system gives.
    pub(super) fn refill(&self) {
        let mut kept = self.0.borrow_mut();
        while kept.len() < KEPT {
            match File::open("/dev/null") {
                Ok(file) => kept.push(file),
                Err(_) => return,
            }
        }
    }
}
