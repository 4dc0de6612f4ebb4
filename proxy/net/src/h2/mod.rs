//! What both sides of HTTP/2 have in common: bodies as sources and sinks, over the streams of the `h2` crate.
//!
//! The crate frames, compresses and keeps the windows. What is ours: credit is returned only for bytes that have left on
//! the other side, so a slow reader stops its sender; and every setting that bounds memory is named here.

mod receiver;
mod sender;

pub(crate) use receiver::{Keep, Receiver};
pub(crate) use sender::Sender;

use crate::fields::HeadFields;
use http::HeaderMap;
use sluice_core::head::HeaderMapSink;
use sluice_filter::Fields;
use sluice_http1::{Known, KnownSet};
use std::time::Duration;

/// Credit of one stream: what a peer may send before somebody has taken it. It bounds what a slow reader makes us hold of
/// one body, beside [`SEND_BUFFER`], and how fast one body can come: a window per round trip, here 40 Mbit/s at 50 ms.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;

/// A stream's part of its connection's credit.
const STREAM_SHARE: u32 = STREAM_WINDOW / 4;

/// Credit of a connection with few streams.
const LEAST_CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes of a stream that wait for the socket, beyond what its sender has credit for.
pub(crate) const SEND_BUFFER: usize = 64 * 1024;

/// Streams that were reset and are remembered, so that frames on their way are told from nonsense.
pub(crate) const REMEMBERED_RESETS: usize = 50;

/// For how long they are.
pub(crate) const RESET_MEMORY: Duration = Duration::from_secs(10);

/// Streams that a peer may open and reset before they were looked at, and streams that break the protocol, before the
/// connection is ended with ENHANCE_YOUR_CALM (CVE-2023-44487, CVE-2025-8671).
pub(crate) const RESET_BUDGET: usize = 100;

/// Credit of a connection that may have so many streams: what all its slow readers together make us hold. One connection
/// carries the requests of many, and a stream that nobody reads must not stop the others: a quarter of the streams may
/// stand still with full windows before the rest goes short.
pub(crate) fn connection_window(streams: u32) -> u32 {
    STREAM_SHARE.saturating_mul(streams).clamp(LEAST_CONNECTION_WINDOW, i32::MAX as u32)
}

/// Fields for which a head has room at once.
pub(crate) const USUAL_FIELDS: usize = 12;

/// Fields into a map, without those that HTTP/2 forbids (RFC 9113 section 8.2.2).
pub(crate) fn append(map: &mut HeaderMap, known: Known, name: &[u8], value: &[u8]) {
    const CONNECTION: KnownSet = KnownSet::of(&[
        Known::Connection,
        Known::TransferEncoding,
        Known::Upgrade,
        Known::KeepAlive,
        Known::ProxyConnection,
    ]);
    if !CONNECTION.contains(known) && (known != Known::Te || value == b"trailers") {
        HeaderMapSink(map).classified(known, name, value);
    }
}

/// Trailers into a map. Whoever merges them into the head must not find framing, routing or trust there (RFC 9110 section
/// 6.5.1); names that may not be trailers are skipped, here as in HTTP/1.
pub(crate) fn trailers(fields: HeadFields<'_>) -> HeaderMap {
    let mut map = HeaderMap::new();
    fields.each(&mut |name, value| {
        let known = Known::of(name);
        if !known.forbidden_in_trailers() {
            append(&mut map, known, name, value);
        }
    });
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_carry_nothing_that_belongs_in_a_head() {
        let mut received = HeaderMap::new();
        for name in ["x-sum", "content-length", "host", "te", "x-forwarded-for", "grpc-status", "upgrade"] {
            received.insert(name, "1".parse().unwrap());
        }
        let sent = trailers(HeadFields::Http2(&received));
        assert_eq!(sent.keys().collect::<Vec<_>>(), ["x-sum", "grpc-status"]);
    }

    #[test]
    fn one_stream_never_holds_a_connection_up() {
        assert_eq!(connection_window(1), LEAST_CONNECTION_WINDOW);
        assert_eq!(connection_window(100), 25 * STREAM_WINDOW);
        assert_eq!(connection_window(10_000), 2_500 * STREAM_WINDOW);
    }
}
