//! Route tables, virtual hosts and routes.

use super::{
    Action, ErrorPages, Mirror, ResponseRewrite, Retry, Rewrite, RouteHeaders, RouteLabels, RouteMatch,
    is_default,
};
use crate::value::{Duration, HostPattern, Percent, Size, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which request goes where: hosts first, then the routes of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// Unique among route tables.
    pub name: String,
    /// Hosts and their routes. The most specific host pattern wins (see the host syntax); its routes are then final:
    /// no other virtual host is asked when none of them matches.
    #[serde(default)]
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
}

/// Hosts that share routes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VirtualHost {
    /// Unique in its table.
    pub name: String,
    /// A pattern may stand in one virtual host of a table only.
    pub hosts: Vec<HostPattern>,
    /// How the routes below are ordered.
    #[serde(default, skip_serializing_if = "is_default")]
    pub order: RouteOrder,
    /// The routes.
    #[serde(default)]
    pub routes: Vec<Route>,
}

/// How the routes of a virtual host are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteOrder {
    /// The most specific match wins. In this order: path exact, segment prefix, string prefix, regex, none; the longer
    /// path; more of the other conditions in the order method, headers, query, cookies, source, port, scheme,
    /// authority; the route that is written first.
    #[default]
    Precedence,
    /// The first match in the written order wins (VirtualService).
    Explicit,
}

/// One rule: what it matches and what is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Unique in its virtual host; seen in logs, metrics and `explain`.
    pub name: String,
    /// Any one of these; an empty list matches every request.
    #[serde(default, rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<RouteMatch>,
    /// What is done with the request.
    pub action: Action,
    /// How path and host change on the way up. Only for `forward`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rewrite: Rewrite,
    /// How links and cookies in the upstream's answers change on the way down. Only for `forward`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub response_rewrite: ResponseRewrite,
    /// Header edits in both directions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: RouteHeaders,
    /// Bounds in time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: RouteTimeouts,
    /// What is tried again. Only for `forward`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: Retry,
    /// Request body; more gives 413. Absent takes the listener's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<Size>,
    /// Pages in the place of errors. Not for `redirect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_pages: Option<ErrorPages>,
    /// Copies of the request that go elsewhere; their answers are discarded. Only for `forward`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Mirror>,
    /// Filters, in the order in which requests pass them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// The object that this route was made from (`VirtualService ns/name`); seen in logs and `explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The object that `origin` left the decision to, and that the rule is written in (a delegate of a VirtualService).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate: Option<String>,
    /// The rule of that object, for metrics in the words of ingress-nginx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<RouteLabels>,
}

impl Route {
    /// A route for every request, without anything else.
    pub fn new(name: String, action: Action) -> Self {
        Self {
            name,
            matches: Vec::new(),
            action,
            rewrite: Rewrite::default(),
            headers: RouteHeaders::default(),
            response_rewrite: ResponseRewrite::default(),
            timeouts: RouteTimeouts::default(),
            retry: Retry::default(),
            max_body: None,
            error_pages: None,
            mirrors: Vec::new(),
            filters: Vec::new(),
            origin: None,
            delegate: None,
            labels: None,
        }
    }
}

/// Bounds in time for one request. `0` switches a bound off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteTimeouts {
    /// From the complete request head to the end of the answer, all attempts included; then 504 `UT`, or a cut where
    /// the answer has begun. Upgraded connections are exempt.
    pub request: Duration,
    /// No byte in either direction for this long; then 504 `SI`, or a cut where the answer has begun.
    pub idle: Duration,
    /// The endpoint takes nothing of a request that there is more of for this long (nginx `proxy_send_timeout`); then the
    /// same. `idle` does not count meanwhile; with `0` it does, and is the only bound.
    #[serde(skip_serializing_if = "Duration::is_zero")]
    pub send: Duration,
}

impl Default for RouteTimeouts {
    fn default() -> Self {
        Self { request: Duration::ZERO, idle: Duration::from_secs(300), send: Duration::ZERO }
    }
}

/// A filter and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Delays and errors on purpose.
    Fault(Fault),
}

/// Delays and errors on purpose: the delay is drawn first, then the abort (Istio's `HTTPFaultInjection`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Hold a share of the requests back before they are routed on (flag `DI`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<FaultDelay>,
    /// Answer a share of the requests without asking the upstream (flag `FI`, body `fault filter abort`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<FaultAbort>,
}

/// A delay for a share of the requests. The route's request timeout does not count it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultDelay {
    /// How long.
    pub fixed: Duration,
    /// How many; all of them when absent.
    #[serde(default)]
    pub percent: Percent,
}

/// An error for a share of the requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultAbort {
    /// Which error.
    pub status: FaultAbortStatus,
    /// How many; all of them when absent.
    #[serde(default)]
    pub percent: Percent,
}

/// The kind of error that an abort answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultAbortStatus {
    /// An HTTP status.
    Http(StatusCode),
    /// A gRPC status number, 0 to 16: HTTP 200 with `grpc-status` in the head.
    Grpc(#[schemars(range(max = 16))] u8),
}
