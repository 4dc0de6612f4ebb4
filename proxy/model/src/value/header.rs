//! Names of header fields, query parameters and cookies.

use super::{InvalidValue, text_value};
use crate::convert::brief;
use std::{fmt, str::FromStr};

/// A header field name (RFC 9110 section 5.1: a token), kept in lower case because names are compared without
/// regard to case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderName(Box<str>);

text_value!(
    HeaderName,
    "HeaderName",
    "A header field name; compared without regard to case.",
    Some(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
);

impl HeaderName {
    /// `x-forwarded-for`.
    pub fn x_forwarded_for() -> Self {
        Self("x-forwarded-for".into())
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the field belongs to a connection or to the framing of one message (RFC 9110 section 7.6.1): Sluice makes
    /// such fields itself, and nobody edits them.
    pub fn is_hop_by_hop(&self) -> bool {
        matches!(
            self.as_str(),
            "connection"
                | "content-length"
                | "http2-settings"
                | "keep-alive"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "expect"
        )
    }
}

/// Whether a byte may stand in a token (RFC 9110 section 5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

impl FromStr for HeaderName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if !text.is_empty() && text.bytes().all(is_token_byte) {
            Ok(Self(text.to_ascii_lowercase().into()))
        } else {
            Err(InvalidValue(format!(
                "`{}` is not a header name: letters, digits and `-` are safe",
                brief(text)
            )))
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}
