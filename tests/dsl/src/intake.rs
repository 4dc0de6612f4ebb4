//! Bodies that arrive.

use std::hash::{DefaultHasher, Hasher};

/// A body that arrives piece by piece; kept, or only counted and hashed.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    keeps: bool,
    pub(crate) body: Vec<u8>,
    pub(crate) length: usize,
    hasher: DefaultHasher,
}

/// A hash of a body, to compare long ones by.
pub fn digest(body: &[u8]) -> u64 {
    let mut intake = Intake::new(false);
    intake.take(body);
    intake.digest()
}

impl Intake {
    pub(crate) fn new(keeps: bool) -> Self {
        Self { keeps, body: Vec::new(), length: 0, hasher: DefaultHasher::new() }
    }

    pub(crate) fn take(&mut self, piece: &[u8]) {
        self.length += piece.len();
        self.hasher.write(piece);
        if self.keeps {
            self.body.extend_from_slice(piece);
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        self.hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_does_not_depend_on_the_pieces() {
        let mut intake = Intake::new(true);
        for piece in [&b"he"[..], b"", b"llo wor", b"ld"] {
            intake.take(piece);
        }
        assert_eq!((intake.digest(), intake.length), (digest(b"hello world"), 11));
        assert_eq!(intake.body, b"hello world");
        assert_ne!(digest(b"hello world"), digest(b"hello_world"));
    }
}
