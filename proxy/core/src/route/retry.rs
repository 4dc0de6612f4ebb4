//! What a route tries again, ready to ask.

use sluice_model::spec::{self, RetryOn};
use std::time::Duration;

/// See [`spec::Retry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first one.
    pub attempts: u8,
    /// [`RetryOn::ConnectFailure`].
    pub connect_failure: bool,
    /// [`RetryOn::RefusedStream`].
    pub refused_stream: bool,
    /// [`RetryOn::Reset`].
    pub reset: bool,
    /// [`RetryOn::ResetBeforeRequest`].
    pub reset_before_request: bool,
    /// [`RetryOn::Timeout`].
    pub timeout: bool,
    /// [`RetryOn::InvalidAnswer`].
    pub invalid_answer: bool,
    /// See [`spec::Retry::per_try_timeout`]; `None` is no bound.
    pub per_try_timeout: Option<Duration>,
    /// See [`spec::BackOff`]: base and longest.
    pub back_off: (Duration, Duration),
    /// See [`spec::Retry::within`]; `None` is no bound.
    pub within: Option<Duration>,
    /// See [`spec::Retry::same_endpoint`].
    pub same_endpoint: bool,
    /// See [`spec::Retry::non_idempotent`].
    pub non_idempotent: bool,
    statuses: Box<[u16]>,
    /// One bit per status.
    grpc: u32,
}

impl Retry {
    /// Whether an answer like this is not good enough. `grpc` is the status in the head of a gRPC answer.
    pub fn rejects(&self, status: u16, grpc: Option<u8>) -> bool {
        self.statuses.contains(&status)
            || grpc.is_some_and(|status| self.grpc & 1_u32.checked_shl(status.into()).unwrap_or(0) != 0)
    }
}

impl From<&spec::Retry> for Retry {
    fn from(retry: &spec::Retry) -> Self {
        let on = |wanted| retry.on.contains(&wanted);
        let statuses = retry.on.iter().filter_map(|on| match on {
            RetryOn::Status(status) => Some(status.get()),
            _ => None,
        });
        let grpc = retry.on.iter().filter_map(|on| match on {
            RetryOn::Grpc(status) => 1_u32.checked_shl((*status).into()),
            _ => None,
        });
        Self {
            attempts: retry.attempts,
            connect_failure: on(RetryOn::ConnectFailure),
            refused_stream: on(RetryOn::RefusedStream),
            reset: on(RetryOn::Reset),
            reset_before_request: on(RetryOn::ResetBeforeRequest),
            timeout: on(RetryOn::Timeout),
            invalid_answer: on(RetryOn::InvalidAnswer),
            per_try_timeout: retry.per_try_timeout.limit(),
            back_off: (retry.back_off.base.get(), retry.back_off.max.get()),
            within: retry.within.limit(),
            same_endpoint: retry.same_endpoint,
            non_idempotent: retry.non_idempotent,
            statuses: statuses.collect(),
            grpc: grpc.fold(0, |set, bit| set | bit),
        }
    }
}
