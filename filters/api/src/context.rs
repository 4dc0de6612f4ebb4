//! What a filter may see and do in each phase. A handle that a phase must not use is not in its context.

use crate::{Edits, Fields};
use std::net::IpAddr;

/// The request head, with the route known and the destination not yet chosen.
pub struct RequestContext<'a> {
    /// The method as sent.
    pub method: &'a str,
    /// `http` or `https`, as trust settles it.
    pub scheme: &'static str,
    /// Host and port as sent, in lower case.
    pub authority: &'a str,
    /// The path without query, in the listener's normal form.
    pub path: &'a str,
    /// The query without `?`.
    pub query: Option<&'a str>,
    /// The client address, as trust settles it.
    pub client: IpAddr,
    /// Whether the request speaks gRPC (`content-type: application/grpc`, also with `+` or `;` behind).
    pub grpc: bool,
    /// The fields as received.
    pub fields: &'a dyn Fields,
    /// Changes of the request on its way up. The route's own edits come after those of its filters.
    pub edits: &'a mut Edits,
    /// Randomness.
    pub rng: &'a mut fastrand::Rng,
}

/// The upstream's answer, of which nothing was sent to the client.
pub struct ResponseContext<'a> {
    /// The status as the upstream sent it.
    pub status: u16,
    /// The request's fields as received.
    pub request: &'a dyn Fields,
    /// The answer's fields as received.
    pub fields: &'a dyn Fields,
    /// Changes of the answer on its way down. The route's own edits come after those of its filters.
    pub edits: &'a mut Edits,
    /// Randomness.
    pub rng: &'a mut fastrand::Rng,
}

/// A piece of a body. Filters look at it; the bytes pass as they are.
pub struct BodyContext<'a> {
    /// The piece. Where a filter buffered the request, this is all of it.
    pub data: &'a [u8],
    /// Whether nothing follows.
    pub end: bool,
}

/// Trailers.
pub struct TrailersContext<'a> {
    /// The fields as received.
    pub fields: &'a dyn Fields,
}

/// The end of the exchange.
pub struct LogContext<'a> {
    /// The status that the client got; 0 when none was sent.
    pub status: u16,
    /// The request's fields as received.
    pub request: &'a dyn Fields,
    /// Body bytes received from the client.
    pub bytes_received: u64,
    /// Body bytes sent to the client.
    pub bytes_sent: u64,
}
