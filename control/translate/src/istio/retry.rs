//! When a request is tried again.

use super::notes::Notes;
use crate::report::Reason;
use sluice_crds::istio::HttpRetry;
use sluice_model::{
    spec::{BackOff, Retry, RetryOn},
    value::{Duration, StatusCode},
};

/// What is tried again where nobody says anything else, in a VirtualService or because there is none.
const DEFAULT_ON: &str = "connect-failure,refused-stream,unavailable,cancelled";

/// The most that the model takes.
const MOST: u32 = 50;

/// The longest pause is so many times the first one.
const LONGEST_PAUSE: u64 = 10;

/// The retries of a rule.
pub(super) fn retry(written: Option<&HttpRetry>, at: &str, notes: &mut Notes<'_>) -> Retry {
    let Some(written) = written else { return of(2, DEFAULT_ON, at, notes) };
    if written.attempts == 0 {
        if !written.retry_on.is_empty()
            || written.per_try_timeout.is_some()
            || written.retry_remote_localities.is_some()
        {
            notes.invalid(at, "`attempts: 0` switches retries off, so nothing else can be said about them");
        }
        return Retry { attempts: 0, ..Retry::default() };
    }
    if written.per_try_timeout.is_some_and(|timeout| timeout.get().as_millis() < 1) {
        notes.invalid(&format!("{at}.perTryTimeout"), "a timeout is at least `0.001s`");
    }
    if written.attempts > MOST {
        let message = format!("at most {MOST} are made");
        notes.odd(Reason::NoEffect, &format!("{at}.attempts"), message);
    }
    let on = if written.retry_on.is_empty() { DEFAULT_ON } else { &written.retry_on };
    let retry = of(written.attempts.min(MOST) as u8, on, &format!("{at}.retryOn"), notes);
    let per_try = written.per_try_timeout.map_or(0, |timeout| timeout.get().as_millis() as u64);
    let base = written.backoff.map(|base| base.get().as_millis() as u64).filter(|base| *base > 0);
    let back_off = base.map(|base| BackOff {
        base: Duration::from_millis(base),
        max: Duration::from_millis(base.saturating_mul(LONGEST_PAUSE)),
    });
    Retry { per_try_timeout: Duration::from_millis(per_try), back_off: back_off.unwrap_or_default(), ..retry }
}

fn of(attempts: u8, tokens: &str, at: &str, notes: &mut Notes<'_>) -> Retry {
    let mut on: Vec<RetryOn> = Vec::new();
    for token in tokens.split(',') {
        for condition in conditions(token.trim(), at, notes) {
            if !on.contains(&condition) {
                on.push(condition);
            }
        }
    }
    if on.is_empty() {
        return Retry { attempts: 0, ..Retry::default() };
    }
    // Envoy looks at what happened only, never at the method, and where all endpoints were tried, it asks them again.
    Retry { attempts, on, same_endpoint: true, non_idempotent: true, ..Retry::default() }
}

/// What a word of `retryOn` means.
fn conditions(token: &str, at: &str, notes: &mut Notes<'_>) -> Vec<RetryOn> {
    const NO_ANSWER: [RetryOn; 4] =
        [RetryOn::ConnectFailure, RetryOn::RefusedStream, RetryOn::Reset, RetryOn::Timeout];
    let statuses = |range: std::ops::RangeInclusive<u16>| {
        range.filter_map(|status| StatusCode::new(status).ok()).map(RetryOn::Status)
    };
    match token {
        "connect-failure" => vec![RetryOn::ConnectFailure],
        "refused-stream" => vec![RetryOn::RefusedStream],
        "reset" => NO_ANSWER.into(),
        "5xx" => NO_ANSWER.into_iter().chain(statuses(500..=599)).collect(),
        "gateway-error" => NO_ANSWER.into_iter().chain(statuses(502..=504)).collect(),
        "retriable-4xx" => statuses(409..=409).collect(),
        "cancelled" => vec![RetryOn::Grpc(1)],
        "deadline-exceeded" => vec![RetryOn::Grpc(4)],
        "resource-exhausted" => vec![RetryOn::Grpc(8)],
        "internal" => vec![RetryOn::Grpc(13)],
        "unavailable" => vec![RetryOn::Grpc(14)],
        // Which statuses those are is said by numbers beside it.
        "retriable-status-codes" => Vec::new(),
        "reset-before-request" => {
            vec![RetryOn::ConnectFailure, RetryOn::RefusedStream, RetryOn::ResetBeforeRequest]
        }
        "retriable-headers" | "envoy-ratelimited" | "http3-post-connect-failure" => {
            notes.odd(
                Reason::NotInEffect,
                at,
                format!("`{token}` is not in effect: nothing here means that"),
            );
            Vec::new()
        }
        number => {
            match number.parse::<u16>() {
                Ok(status @ 400..=599) => return statuses(status..=status).collect(),
                Ok(status @ 100..=399) => {
                    let message = format!("an answer of status {status} is no failure and not tried again");
                    notes.odd(Reason::NoEffect, at, message);
                }
                _ => notes.invalid(
                    at,
                    format!("`{number}` is nothing that can be tried again: write `5xx`, `reset`, `connect-failure`, `503`, ..."),
                ),
            }
            Vec::new()
        }
    }
}
