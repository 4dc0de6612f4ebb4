//! How much a mirror may hold while it is slower than the request it copies.
//!
//! A mirror never delays its request, so what it cannot send yet has to be held, and what cannot be held ends it. Two
//! bounds apply: [`MOST_HELD`] for each mirror, and a cap for all mirrors of a shard.

use std::cell::Cell;
use std::rc::Rc;

/// Bytes that one mirror may hold.
pub const MOST_HELD: usize = 1 << 20;

/// What all mirrors of a shard hold together.
#[derive(Debug)]
pub struct Budget {
    held: Cell<usize>,
    cap: usize,
}

/// What one mirror holds. Dropping it gives everything back to the budget.
#[derive(Debug)]
pub struct Account {
    budget: Rc<Budget>,
    held: usize,
}

/// A bound is reached: the mirror is to be reset and counted. Nothing was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The mirror itself is too slow.
    #[error("the mirror is too slow")]
    Mirror,
    /// All mirrors of the shard together hold too much.
    #[error("the mirrors of this shard hold too much")]
    Shard,
}

// === impl Budget ===

impl Budget {
    /// A budget of so many bytes for all mirrors of a shard.
    pub fn new(cap: usize) -> Rc<Self> {
        Rc::new(Self { held: Cell::new(0), cap })
    }

    /// Bytes that are held now.
    pub fn held(&self) -> usize {
        self.held.get()
    }

    /// An account for one mirror.
    pub fn open(self: &Rc<Self>) -> Account {
        Account { budget: Rc::clone(self), held: 0 }
    }
}

// === impl Account ===

impl Account {
    /// Another piece waits to be sent.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Full> {
        let own = self.held.saturating_add(bytes);
        let all = self.budget.held.get().saturating_add(bytes);
        if own > MOST_HELD {
            return Err(Full::Mirror);
        }
        if all > self.budget.cap {
            return Err(Full::Shard);
        }
        self.held = own;
        self.budget.held.set(all);
        Ok(())
    }

    /// So many bytes of what waited have been sent.
    pub fn release(&mut self, bytes: usize) {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.budget.held.set(self.budget.held.get() - bytes);
    }

    /// Bytes that wait.
    pub const fn held(&self) -> usize {
        self.held
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.release(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_holds_a_mebibyte_and_the_shard_its_cap() {
        let budget = Budget::new(MOST_HELD + 10);
        let mut one = budget.open();
        let mut two = budget.open();
        assert_eq!(one.hold(MOST_HELD), Ok(()));
        assert_eq!(one.hold(1), Err(Full::Mirror));
        assert_eq!(two.hold(11), Err(Full::Shard));
        assert_eq!(two.hold(10), Ok(()));
        one.release(5);
        assert_eq!((one.held(), budget.held()), (MOST_HELD - 5, MOST_HELD + 5));
        drop(one);
        assert_eq!(budget.held(), 10);
        drop(two);
        assert_eq!(budget.held(), 0);
    }
}
