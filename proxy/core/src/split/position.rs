//! Where a client's position comes from.

use super::Names;
use crate::route::{
    MatchScratch, RequestView,
    condition::{cookie, query_value},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sluice_filter::Fields;
use sluice_model::spec::{self, HashKey};
use std::{fmt, net::IpAddr};
use xxhash_rust::xxh3::xxh3_64;

/// How clients keep their position.
#[derive(Debug)]
pub(super) enum Stickiness {
    /// XXH3 (64 bits, seed 0) of what the client sends: replicas agree without sharing anything.
    Hash(HashKey),
    Cookie(PositionCookie),
}

/// A cookie that holds a position: URL-safe base64 of eight bytes (big-endian) and the first sixteen bytes of their
/// HMAC-SHA256. Without the key a client can neither choose a side nor tell which position it has elsewhere.
pub(super) struct PositionCookie {
    name: Box<str>,
    /// `; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax`
    attributes: Box<str>,
    key: Hmac<Sha256>,
}

const POSITION: usize = 8;
const SIGNATURE: usize = 16;

/// A position cookie to set.
#[derive(Debug, Clone, Copy)]
pub struct SetCookie<'f> {
    position: u64,
    cookie: &'f PositionCookie,
}

// === impl Stickiness ===

impl Stickiness {
    pub(super) fn compile(sticky: &spec::Sticky, names: &dyn Names) -> Self {
        match sticky {
            spec::Sticky::Hash(key) => Self::Hash(key.clone()),
            spec::Sticky::Cookie(cookie) => Self::Cookie(PositionCookie::new(cookie, names.key(&cookie.key))),
        }
    }

    /// The position that the request brings; `None` where it brings none that counts.
    pub(super) fn position<F: Fields + ?Sized>(
        &self,
        request: &RequestView<'_, F>,
        scratch: &mut MatchScratch,
    ) -> Option<u64> {
        let value = scratch.values.value_mut();
        match self {
            Self::Hash(HashKey::Header(name)) => request.fields.first(name.as_str()).map(xxh3_64),
            Self::Hash(HashKey::Cookie(name)) => cookie(request.fields, name, value).then(|| xxh3_64(value)),
            Self::Hash(HashKey::Query(name)) => {
                query_value(request.query?, name).map(|value| xxh3_64(value.as_bytes()))
            }
            Self::Hash(HashKey::SourceIp) => Some(match request.source.to_canonical() {
                IpAddr::V4(address) => xxh3_64(&address.octets()),
                IpAddr::V6(address) => xxh3_64(&address.octets()),
            }),
            Self::Cookie(of) => cookie(request.fields, &of.name, value).then(|| of.read(value))?,
        }
    }

    /// The cookie that keeps a position which was just drawn.
    pub(super) fn cookie(&self, position: u64) -> Option<SetCookie<'_>> {
        match self {
            Self::Hash(_) => None,
            Self::Cookie(cookie) => Some(SetCookie { position, cookie }),
        }
    }
}

// === impl PositionCookie ===

impl PositionCookie {
    fn new(cookie: &spec::StickyCookie, key: &[u8]) -> Self {
        use fmt::Write;
        let mut attributes = format!("; Path={}", cookie.path);
        if let Some(ttl) = cookie.ttl {
            // Writing to a String cannot fail.
            let _ = write!(attributes, "; Max-Age={}", ttl.get().as_secs());
        }
        attributes.push_str("; HttpOnly; SameSite=Lax");
        // HMAC takes keys of any length, so the second arm is never reached; it would only make all cookies redraw.
        let key = Hmac::new_from_slice(key)
            .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
        Self { name: cookie.name.as_str().into(), attributes: attributes.into(), key }
    }

    fn read(&self, value: &[u8]) -> Option<u64> {
        let mut bytes = [0; POSITION + SIGNATURE];
        let length = URL_SAFE_NO_PAD.decode_slice(value, &mut bytes).ok()?;
        let (position, signature) = bytes.split_at(POSITION);
        let position: [u8; POSITION] = position.try_into().ok()?;
        // Compares in constant time.
        let signed = self.key.clone().chain_update(position).verify_truncated_left(signature).is_ok();
        (length == bytes.len() && signed).then(|| u64::from_be_bytes(position))
    }

    fn write(&self, position: u64, out: &mut Vec<u8>) {
        let position = position.to_be_bytes();
        let signature = self.key.clone().chain_update(position).finalize().into_bytes();
        let mut bytes = [0; POSITION + SIGNATURE];
        bytes[..POSITION].copy_from_slice(&position);
        bytes[POSITION..].copy_from_slice(&signature[..SIGNATURE]);
        let mut text = [0; (POSITION + SIGNATURE) / 3 * 4];
        let length = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).unwrap_or_default();
        out.extend_from_slice(&text[..length]);
    }
}

impl fmt::Debug for PositionCookie {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PositionCookie({})", self.name)
    }
}

// === impl SetCookie ===

impl SetCookie<'_> {
    /// Appends the value of the `set-cookie` field. A client that came over TLS (`secure`) keeps it off plaintext.
    pub fn write(&self, secure: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(self.cookie.name.as_bytes());
        out.push(b'=');
        self.cookie.write(self.position, out);
        out.extend_from_slice(self.cookie.attributes.as_bytes());
        if secure {
            out.extend_from_slice(b"; Secure");
        }
    }
}
