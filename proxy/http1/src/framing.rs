//! How a message's body ends (RFC 9112 section 6.3), with everything ambiguous refused.

use crate::fields::{FieldIndex, FieldsView, is_token, list};
use crate::{Error, Known, KnownSet, Method, Version};

/// How the body of a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Framing {
    /// There is no body and nothing declared one.
    #[default]
    None,
    /// This many bytes; 0 is what `Content-Length: 0` gives, and unlike [`Framing::None`] was declared.
    Length(u64),
    /// Chunked transfer coding, perhaps with trailers.
    Chunked,
    /// Until the connection closes. Responses only.
    Close,
    /// Not HTTP any more: both directions carry opaque bytes until they close. A `CONNECT` *request* has this framing
    /// too, but its tunnel stands only once a 2xx went back; before that, bytes after its head are held.
    Tunnel,
}

impl Framing {
    /// Whether no byte of this message follows its head.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// What a response answers: without it, neither its framing nor a 101 can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// The method as it went to the upstream.
    pub method: Method,
    /// Whether an `Upgrade` went to the upstream; a 101 is refused otherwise.
    pub upgrade: bool,
}

impl From<Method> for Asked {
    fn from(method: Method) -> Self {
        Self { method, upgrade: false }
    }
}

const DECLARING: KnownSet = KnownSet::of(&[Known::ContentLength, Known::TransferEncoding]);

/// The framing of a request.
#[inline]
pub(crate) fn of_request(
    index: &FieldIndex,
    block: &[u8],
    method: Method,
    version: Version,
) -> Result<Framing, Error> {
    let declared = if index.seen.intersects(DECLARING) {
        declared(index.view(block), index.seen, version)?
    } else {
        Framing::None
    };
    match (method, declared) {
        (Method::Connect, Framing::None) => Ok(Framing::Tunnel),
        (Method::Connect, _) => Err(Error::UnexpectedBody),
        (_, declared) => Ok(declared),
    }
}

/// The framing of a response.
#[inline]
pub(crate) fn of_response(
    index: &FieldIndex,
    block: &[u8],
    status: u16,
    version: Version,
    asked: Asked,
) -> Result<Framing, Error> {
    let declared = if index.seen.intersects(DECLARING) {
        declared(index.view(block), index.seen, version)?
    } else {
        Framing::None
    };
    match status {
        101 if !asked.upgrade => Err(Error::UnexpectedUpgrade),
        // Old servers send `Content-Length: 0` here; anything else says a body follows where none may.
        100..=199 | 204 if !declared.is_empty() => Err(Error::UnexpectedBody),
        101 => Ok(Framing::Tunnel),
        100..=199 | 204 | 304 => Ok(Framing::None),
        _ if asked.method == Method::Head => Ok(Framing::None),
        // Whatever such an answer declares is to be ignored (RFC 9110 section 9.3.6).
        200..=299 if asked.method == Method::Connect => Ok(Framing::Tunnel),
        _ if declared == Framing::None => Ok(Framing::Close),
        _ => Ok(declared),
    }
}

#[cold]
fn both() -> Error {
    Error::ConflictingFraming
}

fn declared(fields: FieldsView<'_>, seen: KnownSet, version: Version) -> Result<Framing, Error> {
    if seen.contains(Known::TransferEncoding) {
        if seen.contains(Known::ContentLength) {
            return Err(both());
        }
        return transfer_encoding(fields, version);
    }
    let mut lengths = fields.known(Known::ContentLength);
    let length = lengths.next().ok_or(Error::ContentLength).and_then(parse_length)?;
    if lengths.next().is_some() {
        return Err(Error::RepeatedContentLength);
    }
    Ok(Framing::Length(length))
}

fn parse_length(value: &[u8]) -> Result<u64, Error> {
    if value.is_empty() {
        return Err(Error::ContentLength);
    }
    let mut length = 0u64;
    for &byte in value {
        if !byte.is_ascii_digit() {
            return Err(Error::ContentLength);
        }
        length = length
            .checked_mul(10)
            .and_then(|length| length.checked_add(u64::from(byte - b'0')))
            .ok_or(Error::ContentLength)?;
    }
    Ok(length)
}

fn transfer_encoding(fields: FieldsView<'_>, version: Version) -> Result<Framing, Error> {
    if version == Version::Http10 {
        return Err(Error::TransferEncodingInHttp10);
    }
    let mut values = fields.known(Known::TransferEncoding);
    let value = values.next().unwrap_or_default();
    if values.next().is_some() {
        return Err(Error::TransferEncoding);
    }
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    // Not ours to decode; only the status is left to find. Names that are tokens are codings we lack, and `chunked`
    // may stand among them only once and last.
    let mut chunked = false;
    let mut codings = 0;
    for coding in list(value) {
        if chunked || !is_token(coding) {
            return Err(Error::TransferEncoding);
        }
        chunked = coding.eq_ignore_ascii_case(b"chunked");
        codings += 1;
    }
    if codings == 0 || (chunked && codings == 1) {
        return Err(Error::TransferEncoding);
    }
    Err(Error::UnsupportedTransferEncoding)
}
