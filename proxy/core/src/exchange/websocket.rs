//! The WebSocket handshake between HTTP/1.1 Upgrade and extended CONNECT (RFC 6455 section 4, RFC 8441 section 5): the
//! first carries a key and its answer, the second neither.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// Length of a key as text.
pub(super) const KEY: usize = 24;
/// Length of the answer as text.
pub(super) const ACCEPT: usize = 28;

/// A new key.
pub(super) fn key(rng: &mut fastrand::Rng) -> [u8; KEY] {
    let mut text = [0; KEY];
    // Sixteen bytes always make 24 characters.
    let _ = STANDARD.encode_slice(rng.u128(..).to_be_bytes(), &mut text);
    text
}

/// The answer to a key.
pub(super) fn accept(key: &[u8]) -> [u8; ACCEPT] {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut text = [0; ACCEPT];
    let _ = STANDARD.encode_slice(hash.finalize(), &mut text);
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn answers_the_key_of_the_rfc() {
        assert_eq!(super::accept(b"dGhlIHNhbXBsZSBub25jZQ=="), *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        let key = super::key(&mut fastrand::Rng::with_seed(1));
        assert!(key.ends_with(b"=="));
    }
}
