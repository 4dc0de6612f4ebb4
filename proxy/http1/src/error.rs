//! Why a message was refused.

/// Why a message was refused. Whose fault it is follows from what was parsed: a request is the client's, and
/// [`Error::status`] answers it; a response is the upstream's, and the client gets 502 whatever the error. In both cases
/// the connection it came on must be closed, and never pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.reason())]
#[non_exhaustive]
pub enum Error {
    /// More than one CRLF before a request line, or any before a status line.
    LeadingBlank,
    /// The method is empty or has a byte that is not a token byte.
    Method,
    /// The method is longer than [`Limits::MAX_METHOD`](crate::Limits::MAX_METHOD).
    MethodTooLong,
    /// The request target is empty (two spaces), has a control byte, or is not UTF-8; or the line ends after it
    /// (HTTP/0.9).
    Target,
    /// The request target is longer than the limit.
    TargetTooLong,
    /// What stands in the version's place is not one, or something follows it in the request line.
    Version,
    /// A well-formed version that is neither 1.0 nor 1.1.
    UnsupportedVersion,
    /// The status line is malformed.
    StatusLine,
    /// A line ends in LF alone.
    BareLf,
    /// A CR that no LF follows.
    BareCr,
    /// A field line begins with white space (obsolete line folding, or a blank before the first field).
    ObsFold,
    /// A field name is empty, is followed by white space or has a byte that is not a token byte; or the line has no
    /// colon.
    FieldName,
    /// A field value has a control byte.
    FieldValue,
    /// The head is longer than the limit, or a field name longer than 64 KiB.
    HeadTooLarge,
    /// More fields than the limit.
    TooManyFields,
    /// `Content-Length` is not a plain decimal number below 2^64.
    ContentLength,
    /// More than one `Content-Length`, equal ones included.
    RepeatedContentLength,
    /// `Transfer-Encoding` is repeated, empty, malformed, or does not end in its only `chunked`.
    TransferEncoding,
    /// `Transfer-Encoding` names a coding other than `chunked`.
    UnsupportedTransferEncoding,
    /// `Transfer-Encoding` in HTTP/1.0.
    TransferEncodingInHttp10,
    /// Both `Transfer-Encoding` and `Content-Length`.
    ConflictingFraming,
    /// A `CONNECT` request, or a 1xx or 204 response, declares a body.
    UnexpectedBody,
    /// A 101 response that nobody asked for.
    UnexpectedUpgrade,
    /// A chunk size is empty, has more than 16 digits, or something else than a digit in it.
    ChunkSize,
    /// A chunk extension has a control byte.
    ChunkExtension,
    /// Chunk extensions are longer than the limit.
    ChunkExtensionTooLarge,
    /// No CRLF after the data of a chunk.
    ChunkEnd,
    /// The trailer section is longer, or has more fields, than the limit.
    TrailersTooLarge,
    /// The connection ended before the body did.
    Truncated,
}

impl Error {
    /// The status that answers a client's message. For an upstream's message it is 502 instead.
    pub const fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::HeadTooLarge | Self::TooManyFields | Self::TrailersTooLarge => 431,
            Self::MethodTooLong | Self::UnsupportedTransferEncoding => 501,
            Self::UnsupportedVersion => 505,
            _ => 400,
        }
    }

    /// A sentence for people, without anything the peer sent.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::LeadingBlank => "blank lines before the message",
            Self::Method => "malformed method",
            Self::MethodTooLong => "method too long",
            Self::Target => "malformed request target",
            Self::TargetTooLong => "request target too long",
            Self::Version => "malformed HTTP version",
            Self::UnsupportedVersion => "unsupported HTTP version",
            Self::StatusLine => "malformed status line",
            Self::BareLf => "line ends without CR",
            Self::BareCr => "CR without LF",
            Self::ObsFold => "field line begins with white space",
            Self::FieldName => "malformed field name",
            Self::FieldValue => "control byte in a field value",
            Self::HeadTooLarge => "message head too large",
            Self::TooManyFields => "too many fields",
            Self::ContentLength => "malformed Content-Length",
            Self::RepeatedContentLength => "more than one Content-Length",
            Self::TransferEncoding => "malformed Transfer-Encoding",
            Self::UnsupportedTransferEncoding => "unsupported transfer coding",
            Self::TransferEncodingInHttp10 => "Transfer-Encoding in HTTP/1.0",
            Self::ConflictingFraming => "both Content-Length and Transfer-Encoding",
            Self::UnexpectedBody => "message must not have a body",
            Self::UnexpectedUpgrade => "protocol switched without being asked",
            Self::ChunkSize => "malformed chunk size",
            Self::ChunkExtension => "malformed chunk extension",
            Self::ChunkExtensionTooLarge => "chunk extensions too large",
            Self::ChunkEnd => "chunk data not followed by CRLF",
            Self::TrailersTooLarge => "trailers too large",
            Self::Truncated => "message ended early",
        }
    }

    /// A word for access logs and metrics; stable.
    pub const fn details(self) -> &'static str {
        match self {
            Self::LeadingBlank => "http1.leading_blank",
            Self::Method => "http1.method",
            Self::MethodTooLong => "http1.method_too_long",
            Self::Target => "http1.target",
            Self::TargetTooLong => "http1.target_too_long",
            Self::Version => "http1.version",
            Self::UnsupportedVersion => "http1.unsupported_version",
            Self::StatusLine => "http1.status_line",
            Self::BareLf => "http1.bare_lf",
            Self::BareCr => "http1.bare_cr",
            Self::ObsFold => "http1.obs_fold",
            Self::FieldName => "http1.field_name",
            Self::FieldValue => "http1.field_value",
            Self::HeadTooLarge => "http1.head_too_large",
            Self::TooManyFields => "http1.too_many_fields",
            Self::ContentLength => "http1.content_length",
            Self::RepeatedContentLength => "http1.repeated_content_length",
            Self::TransferEncoding => "http1.transfer_encoding",
            Self::UnsupportedTransferEncoding => "http1.unsupported_transfer_encoding",
            Self::TransferEncodingInHttp10 => "http1.transfer_encoding_in_http10",
            Self::ConflictingFraming => "http1.conflicting_framing",
            Self::UnexpectedBody => "http1.unexpected_body",
            Self::UnexpectedUpgrade => "http1.unexpected_upgrade",
            Self::ChunkSize => "http1.chunk_size",
            Self::ChunkExtension => "http1.chunk_extension",
            Self::ChunkExtensionTooLarge => "http1.chunk_extension_too_large",
            Self::ChunkEnd => "http1.chunk_end",
            Self::TrailersTooLarge => "http1.trailers_too_large",
            Self::Truncated => "http1.truncated",
        }
    }
}
