//! Faults for tests.

use super::notes::Notes;
use crate::report::Reason;
use sluice_crds::istio::{FaultAbort, FaultDelay, HttpFaultInjection, Percent as Written};
use sluice_model::{
    spec::{self, FaultAbortStatus},
    value::{Duration, Percent, StatusCode},
};

/// Names of gRPC statuses, by number.
const GRPC: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The fault of a rule; `None` where it befalls nobody.
pub(super) fn fault(written: &HttpFaultInjection, at: &str, notes: &mut Notes<'_>) -> Option<spec::Filter> {
    if written.delay.is_none() && written.abort.is_none() {
        notes.invalid(at, "a fault is a `delay` or an `abort`, or both");
    }
    let delay = written.delay.as_ref().and_then(|delay| self::delay(delay, &format!("{at}.delay"), notes));
    let abort = written.abort.as_ref().and_then(|abort| self::abort(abort, &format!("{at}.abort"), notes));
    (delay.is_some() || abort.is_some()).then_some(spec::Filter::Fault(spec::Fault { delay, abort }))
}

fn delay(written: &FaultDelay, at: &str, notes: &mut Notes<'_>) -> Option<spec::FaultDelay> {
    let Some(fixed) = written.fixed_delay else {
        notes.invalid(at, "write `fixedDelay`: other delays are not supported");
        return None;
    };
    if fixed.get().as_millis() < 1 {
        notes.invalid(&format!("{at}.fixedDelay"), "a delay is at least `0.001s`");
        return None;
    }
    let percent = share(written.percentage.as_ref(), written.percent, at, notes)?;
    Some(spec::FaultDelay { fixed: Duration::from_millis(fixed.get().as_millis() as u64), percent })
}

fn abort(written: &FaultAbort, at: &str, notes: &mut Notes<'_>) -> Option<spec::FaultAbort> {
    let status = match (written.http_status, &written.grpc_status) {
        (Some(status), _) => match StatusCode::new(status) {
            Ok(status) => FaultAbortStatus::Http(status),
            Err(error) => {
                notes.invalid(&format!("{at}.httpStatus"), error.to_string());
                return None;
            }
        },
        (None, Some(name)) => match GRPC.iter().position(|known| known == name) {
            Some(number) => FaultAbortStatus::Grpc(number as u8),
            None => {
                let message = format!("`{name}` is not a gRPC status: write a name such as UNAVAILABLE");
                notes.invalid(&format!("{at}.grpcStatus"), message);
                return None;
            }
        },
        (None, None) => {
            notes.invalid(at, "write `httpStatus` or `grpcStatus`: other errors are not supported");
            return None;
        }
    };
    let percent = share(written.percentage.as_ref(), 0, at, notes)?;
    Some(spec::FaultAbort { status, percent })
}

/// The share; without any it is none. `None` where nobody is concerned.
fn share(written: Option<&Written>, before: u32, at: &str, notes: &mut Notes<'_>) -> Option<Percent> {
    let value = match written {
        Some(percentage) => percentage.value,
        None => f64::from(before),
    };
    match Percent::from_percent(value) {
        Ok(Percent::NONE) => {
            let message = "befalls no request: the share is 0; write `percentage: { value: 100 }` for all";
            notes.odd(Reason::NoEffect, &format!("{at}.percentage"), message);
            None
        }
        Ok(percent) => Some(percent),
        Err(error) => {
            notes.invalid(&format!("{at}.percentage.value"), error.to_string());
            None
        }
    }
}
