//! Canaries: alternatives that get a share of a route's requests.

use crate::value::{Duration, HeaderName, Regex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RouteHeaders, is_default};

/// An alternative to a route's destinations (the ingress-nginx canary family, scoped to the route).
///
/// The rules of all canaries are asked in this order: every header rule, every cookie rule, the sticky position, the
/// weights. `never` in a canary's header or cookie rules that canary out for the request; the others go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// The cluster.
    pub cluster: String,
    /// Its part of the route's `canary_total`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub weight: u32,
    /// A header that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<CanaryHeader>,
    /// A cookie that decides: `always` takes the canary, `never` does not, anything else goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// A value of the cookie that takes the canary; any other one goes on, `always` and `never` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie_value: Option<String>,
    /// Header edits for this destination. They run before the route's, so the route's `set` wins.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: RouteHeaders,
    /// The object that this canary was made from (`Ingress ns/name`), where that is another one than the route's; seen in
    /// `explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// A header that decides for or against a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryHeader {
    /// The field name.
    pub name: HeaderName,
    /// When it decides.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rule: CanaryHeaderRule,
}

/// When a canary header decides. Whatever a rule does not decide goes on to cookie, position and weight.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CanaryHeaderRule {
    /// `always` takes the canary, `never` does not.
    #[default]
    AlwaysNever,
    /// Any value takes the canary.
    Present,
    /// Any value rules the canary out.
    Never,
    /// This value takes the canary.
    Value(String),
    /// A value in which the expression is found takes the canary.
    Regex(Regex),
}

/// Keeps a client at one position of the split. The position is a number from 0 to 2^64, not a side: each canary owns
/// its share from 0 upwards, so raising 10 to 20 percent moves nobody back, 100 takes all, and 0 or a removed canary
/// releases everybody at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sticky {
    /// The position is a hash of something that the client sends. Requests without it are drawn at random.
    Hash(HashKey),
    /// The position is drawn once and kept in a signed cookie.
    Cookie(StickyCookie),
}

/// What a client is recognised by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashKey {
    /// A header's value.
    Header(HeaderName),
    /// A cookie's value.
    Cookie(String),
    /// A query parameter's first value.
    Query(String),
    /// The client address, as trust settles it.
    SourceIp,
}

/// A signed cookie that holds a client's position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StickyCookie {
    /// The cookie's name.
    pub name: String,
    /// A secret of kind `key`; all replicas that share it agree. A cookie that it did not sign is drawn again.
    pub key: String,
    /// `max-age`; absent makes a session cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// The cookie's path.
    #[serde(default = "root", skip_serializing_if = "is_root")]
    pub path: String,
}

fn root() -> String {
    "/".to_owned()
}

fn is_root(path: &String) -> bool {
    path == "/"
}
