//! What both sides of HTTP/2 have in common: bodies as sources and sinks, over the streams of the `h2` crate.
//!
//! The crate frames, compresses and keeps the windows. What is ours: credit is returned only for bytes that have left on
//! the other side, so a slow reader stops its sender; and every setting that bounds memory is named here.

mod receiver;
mod sender;

pub(crate) use receiver::{Keep, Receiver};
pub(crate) use sender::Sender;

use sluice_core::head::{FieldSink, HeaderMapSink};
use std::time::Duration;

/// Credit of one stream: what a peer may send before somebody has taken it. Also the bound of what a slow reader makes
/// us hold of an answer, beside [`SEND_BUFFER`].
pub(crate) const STREAM_WINDOW: u32 = 64 * 1024;

/// Bytes of a stream that wait for the socket, beyond what its sender has credit for.
pub(crate) const SEND_BUFFER: usize = 64 * 1024;

/// Streams that were reset and are remembered, so that frames on their way are told from nonsense.
pub(crate) const REMEMBERED_RESETS: usize = 50;

/// For how long they are.
pub(crate) const RESET_MEMORY: Duration = Duration::from_secs(10);

/// Streams that a peer may open and reset before they were looked at, and streams that break the protocol, before the
/// connection is ended with ENHANCE_YOUR_CALM (CVE-2023-44487, CVE-2025-8671).
pub(crate) const RESET_BUDGET: usize = 100;

/// Credit of a connection: that of all its streams together, because one connection carries the requests of many and a
/// stream that nobody reads must not stop the others.
pub(crate) fn connection_window(streams: u32) -> u32 {
    STREAM_WINDOW.saturating_mul(streams.max(1)).min(i32::MAX as u32)
}

/// Fields into a map, without those that HTTP/2 forbids (RFC 9113 section 8.2.2): an HTTP/1 peer may have sent them where
/// nobody looks, in trailers.
pub(crate) fn append(map: &mut http::HeaderMap, name: &[u8], value: &[u8]) {
    const CONNECTION: [&[u8]; 5] =
        [b"connection", b"transfer-encoding", b"upgrade", b"keep-alive", b"proxy-connection"];
    let forbidden = CONNECTION.iter().any(|field| field.eq_ignore_ascii_case(name))
        || (name.eq_ignore_ascii_case(b"te") && value != b"trailers");
    if !forbidden {
        HeaderMapSink(map).field(name, value);
    }
}
