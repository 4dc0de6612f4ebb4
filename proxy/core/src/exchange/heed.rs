//! What a request may say of its own time and tries, where its peer is believed (Envoy's router; Istio, on the way out of a pod).

use super::{Context, Exchange};
use crate::route::Retry;
use sluice_filter::Fields;
use std::time::Duration;

/// The most that routes can ask for.
const MOST_RETRIES: u64 = 50;

impl Exchange {
    /// Takes it in.
    pub(super) fn heed(&mut self, cx: &Context<'_>) {
        if !cx.listener.spec.headers.envoy || !self.asked.trusted {
            return;
        }
        let timeout = number(cx.request, "x-envoy-upstream-rq-timeout-ms");
        self.asked.timeout = timeout.map(Duration::from_millis);
        let retries = number(cx.request, "x-envoy-max-retries");
        self.asked.retries = retries.map(|retries| retries.min(MOST_RETRIES) as u8);
    }

    /// Tries after the first one. A route that tries nothing again does not do so for a client either.
    pub(super) fn attempts(&self, retry: &Retry) -> usize {
        let asked = self.asked.retries.filter(|_| retry.attempts > 0);
        asked.unwrap_or(retry.attempts).into()
    }
}

/// A decimal number that is the whole value of a field.
fn number(fields: &dyn Fields, name: &str) -> Option<u64> {
    let value = fields.first(name)?.trim_ascii();
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}
