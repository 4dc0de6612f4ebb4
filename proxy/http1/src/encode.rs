//! Messages, appended to a buffer piece by piece.
//!
//! Nothing here formats or allocates beyond the buffer's own growth. What came through this crate's parser, or was
//! checked when configuration was compiled, is written as it is ([`field`]); anything else goes through the checked
//! functions ([`try_field`]), which refuse what would break the message and then append nothing.

use crate::Version;
use crate::fields::is_token;
pub use crate::fields::is_value;

/// What messages are appended to.
pub trait Output {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Output for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Output for bytes::BytesMut {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl<O: Output + ?Sized> Output for &mut O {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        (**self).put(bytes);
    }
}

/// A name, value, method, target or reason that may not stand in a message. Nothing was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes that may not stand in an HTTP message")]
pub struct Unencodable;

/// `METHOD target HTTP/1.1`. The target comes in pieces (a path, `?`, a query) so that nobody has to join them.
#[inline]
pub fn request_line(out: &mut impl Output, method: &[u8], target: &[&[u8]]) {
    debug_assert!(is_token(method), "method is not a token");
    out.put(method);
    out.put(b" ");
    for piece in target {
        debug_assert!(is_target(piece), "control byte or space in a target");
        out.put(piece);
    }
    out.put(b" HTTP/1.1\r\n");
}

/// [`request_line`] for a method and target from outside.
pub fn try_request_line(out: &mut impl Output, method: &[u8], target: &[&[u8]]) -> Result<(), Unencodable> {
    let empty = target.iter().all(|piece| piece.is_empty());
    if empty || !is_token(method) || !target.iter().all(|piece| is_target(piece)) {
        return Err(Unencodable);
    }
    request_line(out, method, target);
    Ok(())
}

/// `HTTP/1.1 status reason`. A proxy answers in its own version, whatever the upstream's was. An empty `reason` is
/// fine; [`reason_phrase`] has the usual ones. Statuses outside 100 to 999 are written as 500.
#[inline]
pub fn status_line(out: &mut impl Output, status: u16, reason: &[u8]) {
    debug_assert!((100..1000).contains(&status), "status has three digits");
    debug_assert!(is_value(reason), "control byte in a reason");
    let status = if (100..1000).contains(&status) { status } else { 500 };
    let digits =
        [b'0' + (status / 100) as u8, b'0' + (status / 10 % 10) as u8, b'0' + (status % 10) as u8, b' '];
    out.put(b"HTTP/1.1 ");
    out.put(&digits);
    out.put(reason);
    out.put(b"\r\n");
}

/// One field line, with a name and value that are known to be clean.
#[inline]
pub fn field(out: &mut impl Output, name: &[u8], value: &[u8]) {
    debug_assert!(is_token(name), "field name is not a token");
    debug_assert!(is_value(value), "control byte in a field value");
    out.put(name);
    out.put(b": ");
    out.put(value);
    out.put(b"\r\n");
}

/// One field line, with a name and value from outside.
pub fn try_field(out: &mut impl Output, name: &[u8], value: &[u8]) -> Result<(), Unencodable> {
    if !is_token(name) || !is_value(value) {
        return Err(Unencodable);
    }
    field(out, name, value);
    Ok(())
}

/// `content-length: n`
pub fn content_length(out: &mut impl Output, length: u64) {
    field(out, b"content-length", itoa::Buffer::new().format(length).as_bytes());
}

/// `transfer-encoding: chunked`
pub fn chunked(out: &mut impl Output) {
    out.put(b"transfer-encoding: chunked\r\n");
}

/// The empty line.
#[inline]
pub fn end_of_head(out: &mut impl Output) {
    out.put(b"\r\n");
}

/// The line before the data of a chunk. `len` 0 would end the body: use [`last_chunk`]; here it appends nothing.
pub fn chunk_prefix(out: &mut impl Output, len: usize) {
    debug_assert!(len > 0, "an empty chunk ends the body");
    if len > 0 {
        out.put(ChunkPrefix::new(len).as_ref());
    }
}

/// The line end after the data of a chunk.
#[inline]
pub fn chunk_end(out: &mut impl Output) {
    out.put(b"\r\n");
}

/// The last chunk, the trailers (known to be clean; check others with [`is_clean_field`]), and the end of the body.
pub fn last_chunk<'a>(out: &mut impl Output, trailers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
    out.put(b"0\r\n");
    for (name, value) in trailers {
        field(out, name, value);
    }
    out.put(b"\r\n");
}

/// The line before the data of a chunk, on the stack, for vectored writes. `as_ref` gives its bytes.
#[derive(Debug, Clone, Copy)]
pub struct ChunkPrefix {
    bytes: [u8; 18],
    start: u8,
}

impl ChunkPrefix {
    /// The line for a chunk of `len` bytes.
    pub fn new(len: usize) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = [0; 18];
        bytes[16] = b'\r';
        bytes[17] = b'\n';
        let mut start = 16;
        let mut rest = len;
        loop {
            start -= 1;
            bytes[start] = DIGITS[rest & 15];
            rest >>= 4;
            if rest == 0 || start == 0 {
                break;
            }
        }
        Self { bytes, start: start as u8 }
    }
}

impl AsRef<[u8]> for ChunkPrefix {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(usize::from(self.start)..).unwrap_or_default()
    }
}

/// Whether a name and a value may be written with [`field`].
pub fn is_clean_field(name: &[u8], value: &[u8]) -> bool {
    is_token(name) && is_value(value)
}

fn is_target(piece: &[u8]) -> bool {
    piece.iter().all(|&byte| byte > b' ' && byte != 0x7f)
}

/// The version that everything here writes.
pub const VERSION: Version = Version::Http11;

/// The registered reason phrase of a status, or an empty one.
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "",
    }
}
