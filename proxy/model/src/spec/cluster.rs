//! Clusters: groups of endpoints that serve the same thing.

use super::{
    Balancer, ClusterLabels, ClusterLimits, EndpointLimits, HealthCheck, OutlierDetection, RetryBudget,
    is_default,
};
use crate::value::{Duration, EndpointAddress, Percent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A group of endpoints that serve the same thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Unique; the cluster's identity across reloads.
    pub name: String,
    /// Where it is served. An empty list answers 503 `UH`.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// How an endpoint is chosen.
    #[serde(default, skip_serializing_if = "is_default")]
    pub balancer: Balancer,
    /// What is spoken to the endpoints.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protocol: ClusterProtocol,
    /// TLS to the endpoints; absent means plaintext.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ClusterTls>,
    /// How long connecting may take, TLS included; then another endpoint is tried.
    #[serde(default = "connect_timeout", skip_serializing_if = "is_connect_timeout")]
    pub connect_timeout: Duration,
    /// How connections are kept for the next request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep_alive: KeepAlive,
    /// How much of what it is sent may be retries.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry_budget: RetryBudget,
    /// How much it may be given at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: ClusterLimits,
    /// How much each endpoint may be given at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub endpoint_limits: EndpointLimits,
    /// Which endpoints are left out for a while because of how they answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub outlier_detection: OutlierDetection,
    /// Whether endpoints serve is asked of them, too; absent asks nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Where less than this share of the endpoints is neither left out nor unhealthy, all are asked as if they were well (Envoy
    /// `healthy_panic_threshold`; Istio `minHealthPercent`). So by default, where nobody is well, a request is tried rather
    /// than refused; 0 answers 503 `UH`.
    #[serde(default = "panic_threshold", skip_serializing_if = "is_panic_threshold")]
    pub panic_threshold: Percent,
    /// Served at the address that the client's connection was on its way to (see `original_destination` of listeners),
    /// in place of `endpoints`. A connection that does not say so answers 503 `UH`; mirrors copy nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub original_destination: bool,
    /// Stands in for something that is not there, or that must not be used as it is: requests get 503 `NC`, mirrors copy
    /// nothing. Everything else about the cluster is irrelevant.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unavailable: bool,
    /// Who serves it, for metrics in the words of ingress-nginx and Istio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<ClusterLabels>,
    /// The objects that it was made from; shown by `sluice explain`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
}

impl Cluster {
    /// A plaintext HTTP/1.1 cluster with every default.
    pub fn new(name: String, endpoints: Vec<Endpoint>) -> Self {
        Self {
            name,
            endpoints,
            balancer: Balancer::default(),
            protocol: ClusterProtocol::default(),
            tls: None,
            connect_timeout: connect_timeout(),
            keep_alive: KeepAlive::default(),
            retry_budget: RetryBudget::default(),
            limits: ClusterLimits::default(),
            endpoint_limits: EndpointLimits::default(),
            outlier_detection: OutlierDetection::default(),
            health_check: None,
            panic_threshold: panic_threshold(),
            original_destination: false,
            unavailable: false,
            labels: None,
            origins: Vec::new(),
        }
    }

    /// One that is served where the client's connection was on its way to.
    pub fn original_destination(name: String) -> Self {
        Self { original_destination: true, ..Self::new(name, Vec::new()) }
    }

    /// One that answers 503 `NC`.
    pub fn unavailable(name: String) -> Self {
        Self { unavailable: true, ..Self::new(name, Vec::new()) }
    }
}

const fn connect_timeout() -> Duration {
    Duration::from_secs(5)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_connect_timeout(timeout: &Duration) -> bool {
    *timeout == connect_timeout()
}

const fn panic_threshold() -> Percent {
    Percent::whole(1)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_panic_threshold(threshold: &Percent) -> bool {
    *threshold == panic_threshold()
}

/// One place where a cluster is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// An address, or a DNS name whose every address becomes an endpoint.
    pub address: EndpointAddress,
    /// Its share next to the others; 0 takes nothing.
    #[serde(default = "super::action::one", skip_serializing_if = "is_one")]
    #[schemars(range(max = 65535))]
    pub weight: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_one(weight: &u32) -> bool {
    *weight == 1
}

/// What is spoken to the endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClusterProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by ALPN over TLS, by prior knowledge without. What gRPC needs.
    Http2,
    /// With TLS: HTTP/2 where ALPN agrees on it, else HTTP/1.1. Without TLS: HTTP/1.1.
    Auto,
}

/// TLS to the endpoints. The server is verified unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterTls {
    /// The server name that is sent and verified; absent takes the endpoint's DNS name, or its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// How the server's certificate is verified.
    #[serde(default, skip_serializing_if = "is_default")]
    pub verify: ServerVerification,
}

/// How a server's certificate is verified.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerVerification {
    /// Against the trust anchors of the system.
    #[default]
    System,
    /// Against a secret of kind `ca`.
    Ca(String),
    /// Not at all. Anybody on the way can read and change the traffic.
    Insecure,
}

/// How connections are kept for the next request. All numbers are per shard and endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeepAlive {
    /// Idle connections that are kept; 0 means a connection for each request.
    pub max_idle: u32,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Requests on one connection before it is closed; 0 means no limit.
    pub max_requests: u32,
    /// A request that must not be sent twice rides only a fresh connection or one that was idle for less than this.
    pub unsafe_reuse_within: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            max_idle: 256,
            idle_timeout: Duration::from_secs(60),
            max_requests: 0,
            unsafe_reuse_within: Duration::from_secs(1),
        }
    }
}
