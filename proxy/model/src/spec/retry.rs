//! What is tried again.

use super::is_default;
use crate::value::{Duration, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a request is sent again (Istio's `HTTPRetry`, nginx `proxy_next_upstream`). Always: only before the client has got
/// anything of an answer, only while the whole body so far is still held, and at an endpoint that this request has not
/// tried, as long as there is one. An endpoint that could not be reached, or broke off, is not asked again unless
/// `same_endpoint` says so. A connection that had died while it was idle is replaced without counting. Of what a cluster is
/// sent, only a share may be retries: see its `retry_budget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Tries after the first one; 0 is off.
    #[schemars(range(max = 50))]
    pub attempts: u8,
    /// What is tried again.
    pub on: Vec<RetryOn>,
    /// No further try begins so long after the first one (nginx `proxy_next_upstream_timeout`); 0 is no bound.
    #[serde(skip_serializing_if = "is_default")]
    pub within: Duration,
    /// How long a try may take, from its beginning to the head of its answer; what the client still sends of its body
    /// meanwhile does not count (Istio `perTryTimeout`). 0 is no bound. Over is over: the answer is 504 `UT`, unless
    /// `timeout` is tried again.
    #[serde(skip_serializing_if = "is_default")]
    pub per_try_timeout: Duration,
    /// The pauses before a request is sent again.
    #[serde(skip_serializing_if = "is_default")]
    pub back_off: BackOff,
    /// Where no endpoint is left that was not tried, those that could not be reached or broke off are asked again too
    /// (Istio); otherwise they are not (nginx).
    #[serde(skip_serializing_if = "is_default")]
    pub same_endpoint: bool,
    /// Also requests that are not idempotent, such as POST, where the upstream may have acted on them (nginx
    /// `non_idempotent`; what Istio does).
    #[serde(skip_serializing_if = "is_default")]
    pub non_idempotent: bool,
}

/// Something that is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// There is no connection: refused, TLS failed, or the cluster's `connect_timeout`. Nothing was sent, so any method
    /// will do.
    ConnectFailure,
    /// The endpoint refused the request without looking at it (HTTP/2 REFUSED_STREAM, or GOAWAY below the stream). Any
    /// method will do.
    RefusedStream,
    /// The connection ended, or the stream was reset, before an answer began.
    Reset,
    /// The same, but only where not a byte of the request was sent (Envoy `reset-before-request`). Any method will do.
    ResetBeforeRequest,
    /// No answer began in time: by `per_try_timeout`, or by the route's `idle` or `send` timeout (nginx `timeout`).
    Timeout,
    /// The head of the answer breaks the protocol (nginx `invalid_header`).
    InvalidAnswer,
    /// An answer with this status, 400 to 599. The last one that is tried goes to the client.
    Status(StatusCode),
    /// The answer to a gRPC call that has this `grpc-status`, 1 to 16, in its head (an answer without messages).
    Grpc(u8),
}

/// Pauses before a request is sent again: before the first retry none to `base`, by chance, and before each further one none
/// to twice as much, up to `max` (Envoy's `retry_back_off`; Istio `retries.backoff`). What no endpoint has seen yet, because
/// there was no connection, goes to another endpoint at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackOff {
    /// The longest first pause; 0 pauses never, as nginx.
    pub base: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { base: Duration::from_millis(25), max: Duration::from_millis(250) }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 2,
            on: vec![RetryOn::ConnectFailure, RetryOn::RefusedStream, RetryOn::Reset, RetryOn::Timeout],
            within: Duration::ZERO,
            per_try_timeout: Duration::ZERO,
            back_off: BackOff::default(),
            same_endpoint: false,
            non_idempotent: false,
        }
    }
}
