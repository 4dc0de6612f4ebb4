//! What is tried again.

use super::is_default;
use crate::value::{Duration, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a request is sent again (Istio's `HTTPRetry`, nginx `proxy_next_upstream`). Always: only before the client has got
/// anything of an answer, only while the whole body so far is still held, and at an endpoint that this request has not
/// tried, as long as there is one. A connection that had died while it was idle is replaced without counting.
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
    /// will do. Not at the same endpoint again.
    ConnectFailure,
    /// The endpoint refused the request without looking at it (HTTP/2 REFUSED_STREAM, or GOAWAY below the stream). Any
    /// method will do.
    RefusedStream,
    /// The connection ended, or the stream was reset, before an answer began. Not at the same endpoint again.
    Reset,
    /// An answer with this status, 400 to 599. The last one that is tried goes to the client.
    Status(StatusCode),
    /// The answer to a gRPC call that has this `grpc-status`, 1 to 16, in its head (an answer without messages).
    Grpc(u8),
}

impl Default for Retry {
    fn default() -> Self {
        let on = vec![RetryOn::ConnectFailure, RetryOn::RefusedStream, RetryOn::Reset];
        Self { attempts: 2, on, within: Duration::ZERO, non_idempotent: false }
    }
}
