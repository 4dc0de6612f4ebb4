//! The written form: what stands in a static file, field by field, with every default.
//!
//! Conventions, the same everywhere: enums are maps with one key (`path: { prefix: /api }`), no key is ever
//! ignored, durations are `5s`, sizes are `64KiB`, and `0` switches a time limit off. References between
//! resources are by name.

mod action;
mod balancer;
mod canary;
mod cluster;
mod error_pages;
mod headers;
mod labels;
mod listener;
mod matching;
mod original_destination;
mod process;
mod resilience;
mod response;
mod retry;
mod route;
mod secret;

pub use action::{
    Action, Destination, DirectResponse, Forward, HostRewrite, Mirror, MirrorTarget, PathRewrite, Redirect,
    RedirectCode, RedirectPath, RegexRewrite, Rewrite,
};
pub use balancer::{
    Balancer, BalancerCookie, BalancerKey, CookieAttribute, LeastRequest, MadeCookie, Maglev, PeakEwma,
    RingHash,
};
pub use canary::{Canary, CanaryHeader, CanaryHeaderRule, HashKey, Sticky, StickyCookie};
pub use cluster::{Cluster, ClusterProtocol, ClusterTls, Endpoint, KeepAlive, ServerVerification};
pub use error_pages::{ErrorPages, ErrorsOf};
pub use headers::{HeaderEdits, HeaderValue, RouteHeaders};
pub use labels::{ClusterLabels, RouteLabels, ServiceLabels, Workload, WorkloadLabels};
pub use listener::{
    Believed, Forwarded, ForwardedFields, HeaderPolicy, Listener, ListenerLimits, ListenerTimeouts,
    ListenerTls, NormalizePath, PathPolicy, Protocol, RequestId, TlsScope, UnderscorePolicy, UpstreamPath,
};
pub use matching::{
    CookieMatch, HeaderMatch, PathMatch, PathRegex, PseudoHeader, PseudoHeaderMatch, QueryMatch, RegexAnchor,
    RouteMatch, Scheme, ValueMatch,
};
pub use original_destination::{AddressTable, OriginalDestination};
pub use process::{AcceptMode, AccessLog, AccessLogFormat, AccessLogTarget, Admin, Dns, Runtime};
pub use resilience::{
    ClusterLimits, EndpointLimits, GrpcProbe, HealthCheck, HttpProbe, MaxFails, OutlierDetection, Probe,
    RetryBudget, SuccessRate,
};
pub use response::{DomainRewrite, ReferenceRewrite, RegexReplacement, ResponseRewrite, TextReplacement};
pub use retry::{BackOff, Retry, RetryOn};
pub use route::{
    Fault, FaultAbort, FaultAbortStatus, FaultDelay, Filter, Route, RouteOrder, RouteTable, RouteTimeouts,
    VirtualHost,
};
pub use secret::{DataSource, Secret, SecretKind, TlsCertificate};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

// Parts are shared: where two versions of a configuration have the same part, not just an equal one, it is neither checked nor
// compiled again; see `validate_after`. (Not for users, who read this documentation in the schema.)
/// A whole static file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The admin endpoint.
    pub admin: Admin,
    /// Threads, draining and memory caps of the process.
    pub runtime: Runtime,
    /// One line for each finished request; absent means off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
    /// How DNS names of endpoints are resolved.
    pub dns: Dns,
    /// Sockets that accept traffic.
    pub listeners: Vec<Arc<Listener>>,
    /// Which request goes where.
    pub route_tables: Vec<Arc<RouteTable>>,
    /// Groups of endpoints that serve the same thing.
    pub clusters: Vec<Arc<Cluster>>,
    /// Certificates, trust anchors and keys.
    pub secrets: Vec<Arc<Secret>>,
}

/// For `skip_serializing_if`: leaves out what equals its default, so that printed configurations stay short.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
