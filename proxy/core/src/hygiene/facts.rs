//! What a codec reports of a head besides its fields.

/// A version of HTTP on one side of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

impl Version {
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`: the form of access logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// How much body was declared, as the codec's framing rules settled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// None: no framing in a request, END_STREAM with the head, or an answer that never has one (HEAD, 204, 304).
    None,
    /// Exactly so many bytes; 0 is not [`Body::None`]: `content-length: 0` is sent on.
    Length(u64),
    /// As many as come: chunked, until close, or HTTP/2 without `content-length`.
    Unknown,
}

/// What a request is for, as its codec spells it.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// HTTP/1: the request target as sent.
    Line(&'a str),
    /// HTTP/2: the pseudo header fields.
    Pseudo {
        /// `:scheme`.
        scheme: Option<&'a str>,
        /// `:authority`.
        authority: Option<&'a str>,
        /// `:path`.
        path: Option<&'a str>,
        /// `:protocol` (RFC 8441).
        protocol: Option<&'a str>,
    },
}

/// A request head besides its fields.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'a> {
    /// The version.
    pub version: Version,
    /// The method as sent; the codec has checked that it is a token.
    pub method: &'a str,
    /// The target.
    pub target: Target<'a>,
    /// The declared body.
    pub body: Body,
}

/// A response head besides its fields.
#[derive(Debug, Clone, Copy)]
pub struct ResponseFacts {
    /// The version.
    pub version: Version,
    /// The status.
    pub status: u16,
    /// The declared body.
    pub body: Body,
}
