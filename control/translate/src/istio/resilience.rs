//! `connectionPool`, `outlierDetection` and `retryBudget`: what a cluster bears, and which endpoints are left out.

use super::notes::Notes;
use crate::report::Reason;
use sluice_crds::istio::{ConnectionPoolSettings, OutlierDetection, RetryBudget};
use sluice_model::{
    spec,
    value::{Duration, Percent},
};

/// Istio's defaults.
const CONSECUTIVE_5XX: u32 = 5;
const CONSECUTIVE_LOCAL: u32 = 5;
const BASE_EJECTION_TIME: Duration = Duration::from_secs(30);
const MAX_EJECTION_PERCENT: u32 = 10;

/// How much a cluster may be given at once.
pub(super) fn limits(pool: &ConnectionPoolSettings) -> spec::ClusterLimits {
    let (tcp, http) = (pool.tcp.as_ref(), pool.http.as_ref());
    spec::ClusterLimits {
        connections: tcp.map_or(0, |tcp| tcp.max_connections),
        pending_requests: http.map_or(0, |http| http.http1_max_pending_requests),
        requests: http.map_or(0, |http| http.http2_max_requests),
        retries: http.map_or(0, |http| http.max_retries),
    }
}

/// Which endpoints are left out for a while, and the share of endpoints that are well below which all are asked.
pub(super) fn outliers(written: &OutlierDetection) -> (spec::OutlierDetection, Percent) {
    let split = written.split_external_local_origin_errors;
    let before = Some(written.consecutive_errors).filter(|errors| *errors > 0);
    let base = written.base_ejection_time.map(|time| time.get().as_millis() as u64);
    let base = base.filter(|millis| *millis > 0).map_or(BASE_EJECTION_TIME, Duration::from_millis);
    let usual = spec::OutlierDetection::default();
    let most =
        if written.max_ejection_percent == 0 { MAX_EJECTION_PERCENT } else { written.max_ejection_percent };
    let detection = spec::OutlierDetection {
        consecutive_5xx: written.consecutive_5xx_errors.unwrap_or(CONSECUTIVE_5XX),
        consecutive_gateway_errors: written.consecutive_gateway_errors.or(before).unwrap_or(0),
        consecutive_local_errors: if split {
            written.consecutive_local_origin_failures.unwrap_or(CONSECUTIVE_LOCAL)
        } else {
            0
        },
        split_local_errors: split,
        base_ejection_time: base,
        max_ejection_time: usual.max_ejection_time.max(base),
        max_ejection_percent: Percent::whole(most),
        ..spec::OutlierDetection::off()
    };
    (detection, Percent::whole(written.min_health_percent))
}

/// How many requests may be retries.
pub(super) fn retry_budget(written: &RetryBudget) -> spec::RetryBudget {
    let usual = spec::RetryBudget::default();
    let percent = written.percent.and_then(|percent| Percent::from_percent(percent).ok());
    let least = Some(written.min_retry_concurrency).filter(|least| *least > 0);
    spec::RetryBudget {
        percent: percent.unwrap_or(usual.percent),
        min_concurrent: least.unwrap_or(usual.min_concurrent),
    }
}

/// What is wrong with `outlierDetection`.
pub(super) fn check_outliers(written: &OutlierDetection, at: &str, notes: &mut Notes<'_>) {
    for (field, percent) in [
        ("maxEjectionPercent", written.max_ejection_percent),
        ("minHealthPercent", written.min_health_percent),
    ] {
        if percent > 100 {
            notes.invalid(&format!("{at}.{field}"), format!("`{percent}` is more than 100 percent"));
        }
    }
    if written.consecutive_local_origin_failures.is_some_and(|failures| failures > 0)
        && !written.split_external_local_origin_errors
    {
        let message = "counts only with `splitExternalLocalOriginErrors: true`; write that too";
        notes.invalid(&format!("{at}.consecutiveLocalOriginFailures"), message);
    }
    if written.consecutive_errors > 0 {
        let message = "is what `consecutiveGatewayErrors` was called before; write that";
        notes.odd(Reason::NoEffect, &format!("{at}.consecutiveErrors"), message);
    }
}

/// What is wrong with `retryBudget`.
pub(super) fn check_budget(written: &RetryBudget, at: &str, notes: &mut Notes<'_>) {
    if let Some(Err(error)) = written.percent.map(Percent::from_percent) {
        notes.invalid(&format!("{at}.percent"), error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_pool_does_not_limit_is_not_limited() {
        let pool = json!({ "tcp": { "maxConnections": 1 }, "http": { "http1MaxPendingRequests": 2 } });
        let found = limits(&serde_json::from_value(pool).unwrap());
        let wanted =
            spec::ClusterLimits { connections: 1, pending_requests: 2, ..spec::ClusterLimits::default() };
        assert_eq!(found, wanted);
        let pool = json!({ "http": { "http2MaxRequests": 3, "maxRetries": 4 } });
        let found = limits(&serde_json::from_value(pool).unwrap());
        assert_eq!((found.connections, found.requests, found.retries), (0, 3, 4));
    }

    #[test]
    fn outliers_have_the_defaults_of_istio() {
        let of = |written: serde_json::Value| outliers(&serde_json::from_value(written).unwrap());
        let (usual, panic) = of(json!({}));
        assert_eq!(panic, Percent::NONE, "where nobody is well, nobody is asked");
        assert_eq!(
            (usual.consecutive_5xx, usual.consecutive_gateway_errors, usual.consecutive_local_errors),
            (5, 0, 0)
        );
        assert_eq!(usual.base_ejection_time, Duration::from_secs(30));
        assert_eq!(usual.max_ejection_percent, Percent::whole(10));
        let (own, panic) = of(json!({
            "consecutive5xxErrors": 0, "consecutiveGatewayErrors": 3, "baseEjectionTime": "10m",
            "splitExternalLocalOriginErrors": true, "maxEjectionPercent": 100, "minHealthPercent": 30
        }));
        assert_eq!(panic, Percent::whole(30));
        assert_eq!(
            (own.consecutive_5xx, own.consecutive_gateway_errors, own.consecutive_local_errors),
            (0, 3, 5)
        );
        assert_eq!(own.max_ejection_time, Duration::from_secs(600), "never less than the first time");
        assert_eq!(own.max_ejection_percent, Percent::ALL);
    }
}
