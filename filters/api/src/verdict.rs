//! What a filter decides.

use bytes::Bytes;
use std::time::Duration;

/// What a filter decides about a head.
#[derive(Debug)]
pub enum Verdict {
    /// Go on with the next filter.
    Continue,
    /// Answer now. From the request head on, the upstream is not asked; from the response head, its answer is
    /// dropped. Later filters do not run; the log phase does.
    Respond(Box<LocalResponse>),
    /// Collect the request body up to this many bytes before anything is sent; more is answered with 413. The body
    /// phase then sees it in one piece. Only from the request head; elsewhere it means [`Verdict::Continue`].
    Buffer(usize),
    /// Hold everything until the operation is done; then [`Filter::on_op`](crate::Filter::on_op) of the same filter
    /// decides.
    Pause(Op),
}

/// What a filter decides about a piece of a body, or about trailers: these are on their way, so there is no waiting.
#[derive(Debug)]
pub enum BodyVerdict {
    /// Go on with the next filter.
    Continue,
    /// Answer now. Where the answer to the client has begun, the exchange is cut instead.
    Respond(Box<LocalResponse>),
}

/// Something to wait for. It is data: the exchange or its driver runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Nothing but time passes. Timeouts of the route do not run meanwhile.
    Sleep(Duration),
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpResult {
    /// The time has passed.
    Slept,
}

/// An answer that a filter makes up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalResponse {
    /// The status, 200 to 599.
    pub status: u16,
    /// Fields besides `content-length`, `content-type: text/plain` and `date`, which are filled in where missing.
    pub fields: Vec<(String, Bytes)>,
    /// The body.
    pub body: Bytes,
    /// For requests that speak gRPC: the `grpc-status` to send in place of the one that the status maps to.
    pub grpc_status: Option<u8>,
    /// Why, for `%RESPONSE_CODE_DETAILS%`.
    pub details: &'static str,
    /// Whether this is an injected fault: the flag is then `FI`, and the route's response header edits do not apply.
    pub fault: bool,
}
