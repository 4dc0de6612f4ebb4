//! What a cluster bears, and what becomes of endpoints that fail.

use super::is_default;
use crate::value::{Duration, Percent, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of what a cluster is sent may be retries, so that whoever fails is not asked more and more (Envoy's
/// `retry_budget`; Istio `trafficPolicy.retryBudget`). A retry that finds no room waits for some, a few pauses long, and is then
/// given up with flag `UO`. A retry after a failed connect or a refused stream costs nothing, as the endpoint that failed has looked
/// at nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBudget {
    /// So many retries for the requests of the last ten seconds, over all shards. A retry that was answered well does not
    /// count any longer.
    pub percent: Percent,
    /// So many retries where that is fewer.
    pub min_concurrent: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { percent: Percent::whole(20), min_concurrent: 3 }
    }
}

/// How much a cluster may be given at once, over all shards (Envoy's circuit breakers; Istio `connectionPool`). 0 is no limit.
/// What does not fit is answered at once: 503 `UO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterLimits {
    /// Open connections, idle ones included (Istio `tcp.maxConnections`). Requests that need another one wait until one is
    /// free or over, for the cluster's `connect_timeout` at most; an idle one that another shard keeps is given up within a
    /// second.
    #[serde(skip_serializing_if = "is_default")]
    pub connections: u32,
    /// Requests that wait for a connection: for one that is being made, or one that is free again (Istio
    /// `http.http1MaxPendingRequests`).
    #[serde(skip_serializing_if = "is_default")]
    pub pending_requests: u32,
    /// Requests that wait or are being served (Istio `http.http2MaxRequests`).
    #[serde(skip_serializing_if = "is_default")]
    pub requests: u32,
    /// Requests that are being tried again (Istio `http.maxRetries`). One too many keeps the answer, or failure, that there
    /// was.
    #[serde(skip_serializing_if = "is_default")]
    pub retries: u32,
}

/// How much each endpoint of a cluster may be given at once, over all shards. 0 is no limit. Who has enough is passed over; where
/// all have, the answer is 503 `UO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointLimits {
    /// Open connections, idle ones included (nginx `max_conns`).
    #[serde(skip_serializing_if = "is_default")]
    pub connections: u32,
    /// Requests that wait or are being served (HAProxy `maxconn` of a server).
    #[serde(skip_serializing_if = "is_default")]
    pub requests: u32,
}

/// Which endpoints are left out for a while because of how they answer (Envoy's outlier detection; Istio `outlierDetection`;
/// nginx `max_fails`). By default, who has not answered at all three times in a row.
///
/// An endpoint that comes back is given one request at a time until it has answered one well; who fails that is out again, for
/// longer. Nothing of this applies to clusters that are served at the original destination.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutlierDetection {
    /// So many answers of 500 to 599 in a row (Istio `consecutive5xxErrors`); 0 is off. With `split_local_errors: false` a
    /// request that got no answer counts, too.
    pub consecutive_5xx: u32,
    /// So many answers of 502, 503 or 504 in a row (Istio `consecutiveGatewayErrors`); 0 is off. With
    /// `split_local_errors: false` a request that got no answer counts, too.
    pub consecutive_gateway_errors: u32,
    /// So many requests in a row that got no answer, or half of one: no connection, a reset, a timeout (Istio
    /// `consecutiveLocalOriginFailures`); 0 is off.
    pub consecutive_local_errors: u32,
    /// Requests without an answer are no answers of 5xx (Istio `splitExternalLocalOriginErrors`).
    pub split_local_errors: bool,
    /// So many requests without an answer within a time, in a row or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fails: Option<MaxFails>,
    /// Who answers much worse than the others; absent is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<SuccessRate>,
    /// For how long the first time; each further time it is so much longer, and shorter again after times without failure
    /// (Istio `baseEjectionTime`; nginx `fail_timeout`).
    pub base_ejection_time: Duration,
    /// For how long at most (Envoy `max_ejection_time`).
    pub max_ejection_time: Duration,
    /// Of the endpoints, at most this share is left out (Istio `maxEjectionPercent`); one may always be, unless it is the only
    /// one.
    pub max_ejection_percent: Percent,
}

impl OutlierDetection {
    /// Nobody is left out.
    pub fn off() -> Self {
        Self { consecutive_local_errors: 0, ..Self::default() }
    }

    /// Whether anybody may be left out.
    pub const fn is_on(&self) -> bool {
        self.consecutive_5xx > 0
            || self.consecutive_gateway_errors > 0
            || self.consecutive_local_errors > 0
            || self.max_fails.is_some()
            || self.success_rate.is_some()
    }
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_5xx: 0,
            consecutive_gateway_errors: 0,
            consecutive_local_errors: 3,
            split_local_errors: false,
            max_fails: None,
            success_rate: None,
            base_ejection_time: Duration::from_secs(10),
            max_ejection_time: Duration::from_secs(300),
            max_ejection_percent: Percent::whole(50),
        }
    }
}

/// As nginx counts failures (`max_fails` and `fail_timeout` of a server): requests without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaxFails {
    /// So many of them (nginx `max_fails`).
    #[schemars(range(min = 1))]
    pub fails: u32,
    /// Within this time (nginx `fail_timeout`; how long the endpoint is left out says `base_ejection_time`).
    pub within: Duration,
}

impl Default for MaxFails {
    fn default() -> Self {
        Self { fails: 1, within: Duration::from_secs(10) }
    }
}

/// Leaves out who answers much worse than the others: whose share of good answers in an interval lies more than so many standard
/// deviations below the mean of all (Envoy's success rate ejection).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SuccessRate {
    /// How long answers are counted before they are compared (Envoy `interval`).
    pub interval: Duration,
    /// Fewer endpoints that had enough requests are not compared (Envoy `success_rate_minimum_hosts`).
    #[schemars(range(min = 2))]
    pub min_endpoints: u32,
    /// Whose requests were fewer in the interval is not compared (Envoy `success_rate_request_volume`).
    #[schemars(range(min = 1))]
    pub min_requests: u32,
    /// How many standard deviations (Envoy `success_rate_stdev_factor`, which is a thousand times as much).
    pub deviations: f64,
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self { interval: Duration::from_secs(10), min_endpoints: 5, min_requests: 100, deviations: 1.9 }
    }
}

/// Asks each endpoint whether it serves, once for the process. Until the first answer an endpoint is taken for healthy; the first
/// answer decides at once, later ones as the thresholds say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// The pause between two checks of an endpoint.
    #[serde(default = "interval", skip_serializing_if = "is_interval")]
    pub interval: Duration,
    /// Each pause is longer by up to this share, by chance, so that endpoints are not all asked at once.
    #[serde(default = "jitter", skip_serializing_if = "is_jitter")]
    pub jitter: Percent,
    /// How long a check may take.
    #[serde(default = "timeout", skip_serializing_if = "is_timeout")]
    pub timeout: Duration,
    /// So many good answers in a row bring an endpoint back (Envoy `healthy_threshold`; HAProxy `rise`).
    #[serde(default = "healthy_threshold", skip_serializing_if = "is_healthy_threshold")]
    #[schemars(range(min = 1))]
    pub healthy_threshold: u32,
    /// So many bad answers in a row take it out (Envoy `unhealthy_threshold`; HAProxy `fall`).
    #[serde(default = "unhealthy_threshold", skip_serializing_if = "is_unhealthy_threshold")]
    #[schemars(range(min = 1))]
    pub unhealthy_threshold: u32,
    /// The port that is asked; absent is the endpoint's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
}

/// What a health check asks. HTTP and gRPC speak with the endpoint as requests do: with the cluster's TLS where it has some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// A connection can be made.
    Tcp,
    /// A GET is answered well.
    Http(HttpProbe),
    /// `grpc.health.v1.Health/Check` answers SERVING.
    Grpc(GrpcProbe),
}

/// A GET, over HTTP/2 where the cluster speaks only that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpProbe {
    /// Path and query.
    #[serde(default = "root", skip_serializing_if = "is_root")]
    pub path: String,
    /// The `host` that is sent; absent is the endpoint's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Statuses of a good answer; without any, 200 to 399.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<StatusCode>,
    /// Text that the first 64 KiB of a good answer's body hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// A call of the gRPC health checking protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcProbe {
    /// The service that is asked about; empty is the server as a whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
}

const fn interval() -> Duration {
    Duration::from_secs(10)
}

const fn jitter() -> Percent {
    Percent::whole(10)
}

const fn timeout() -> Duration {
    Duration::from_secs(2)
}

const fn healthy_threshold() -> u32 {
    2
}

const fn unhealthy_threshold() -> u32 {
    3
}

fn root() -> String {
    "/".into()
}

macro_rules! is_default_of {
    ($($name:ident($kind:ty) = $default:ident;)*) => {
        $(#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
        fn $name(value: &$kind) -> bool {
            *value == $default()
        })*
    };
}

is_default_of! {
    is_interval(Duration) = interval;
    is_jitter(Percent) = jitter;
    is_timeout(Duration) = timeout;
    is_healthy_threshold(u32) = healthy_threshold;
    is_unhealthy_threshold(u32) = unhealthy_threshold;
    is_root(String) = root;
}
