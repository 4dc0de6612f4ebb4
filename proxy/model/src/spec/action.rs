//! What is done with a request.

use super::{Canary, RouteHeaders, Sticky, is_default};
use crate::value::{InvalidValue, Percent, Regex, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Send it to a cluster, or split it over several.
    Forward(Forward),
    /// Tell the client to go elsewhere.
    Redirect(Redirect),
    /// Answer it here.
    Respond(DirectResponse),
}

/// Where a request may go. The canaries are asked first, in the order header, cookie, sticky position, weight; what
/// they leave is split over the destinations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// One, or several with weights. The share of each is its weight over the sum, whatever the sum; a weight of 0 takes
    /// nothing.
    pub destinations: Vec<Destination>,
    /// Alternatives to the destinations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<Canary>,
    /// What the canaries' weights are parts of; at least their sum counts.
    #[serde(default = "hundred", skip_serializing_if = "is_hundred")]
    pub canary_total: u32,
    /// Keep a client on its side of the split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
}

impl Forward {
    /// Everything to one cluster.
    pub fn to(cluster: String) -> Self {
        let destination = Destination { cluster, weight: one(), headers: RouteHeaders::default() };
        Self { destinations: vec![destination], canaries: Vec::new(), canary_total: hundred(), sticky: None }
    }
}

const fn hundred() -> u32 {
    100
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_hundred(total: &u32) -> bool {
    *total == 100
}

/// A cluster and its share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The cluster.
    pub cluster: String,
    /// Its part of the sum; irrelevant for a single destination.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
    /// Header edits for this destination. They run before the route's, so the route's `set` wins.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: RouteHeaders,
}

pub(super) const fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_one(weight: &u32) -> bool {
    *weight == 1
}

/// How path and host change on the way up. The query is always kept. The original path travels in
/// `x-envoy-original-path`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rewrite {
    /// The new path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathRewrite>,
    /// The new host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostRewrite>,
}

/// The new path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathRewrite {
    /// Replaces the part that the route's prefix matched; where the route matched exactly or by regex, the whole path;
    /// where it has no path condition, the leading `/`.
    Prefix(String),
    /// Replaces the whole path.
    Whole(String),
    /// Replaces what a regular expression finds.
    Regex(RegexRewrite),
}

/// Replaces what a regular expression finds in the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegexRewrite {
    /// The expression, searched anywhere in the path; every occurrence is replaced.
    pub pattern: Regex,
    /// What takes its place: `\1` to `\9` are captures, `\0` the whole occurrence, `\\` a backslash.
    pub replacement: String,
    /// Compare without regard to case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignore_case: bool,
    /// The first occurrence decides, and the replacement becomes the whole path (ingress-nginx `rewrite-target`). Where
    /// nothing is found the path stays.
    #[serde(default, skip_serializing_if = "is_default")]
    pub replace_whole: bool,
}

/// The new host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostRewrite {
    /// This host, with or without a port.
    Literal(String),
    /// The host of the endpoint as its cluster writes it (a DNS name stays a name).
    Endpoint,
}

/// Tell the client to go elsewhere. Parts that are absent keep what the request had.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Redirect {
    /// `http` or `https`. Changing it drops the port if it was the old scheme's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<super::Scheme>,
    /// The host, with or without a port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port; the scheme's own port is not printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<RedirectPath>,
    /// Leave the query out.
    #[serde(skip_serializing_if = "is_default")]
    pub strip_query: bool,
    /// Leave out one `/` at the very end, also where it is the whole path (ingress-nginx `ssl-redirect`).
    #[serde(skip_serializing_if = "is_default")]
    pub trim_slash: bool,
    /// `location` is a path alone, which the client reads where it is (nginx `absolute_redirect off`). Not with another
    /// scheme, host or port.
    #[serde(skip_serializing_if = "is_default")]
    pub relative: bool,
    /// The status.
    pub code: RedirectCode,
}

/// The path of a redirect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedirectPath {
    /// The whole path; a `?` in it replaces the query.
    Whole(String),
    /// Takes the place of the part that the route's prefix matched.
    Prefix(String),
    /// Replaces what a regular expression finds.
    Regex(RegexRewrite),
}

/// The status of a redirect, written as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum RedirectCode {
    /// 301 Moved Permanently.
    #[default]
    MovedPermanently,
    /// 302 Found.
    Found,
    /// 303 See Other.
    SeeOther,
    /// 307 Temporary Redirect.
    TemporaryRedirect,
    /// 308 Permanent Redirect.
    PermanentRedirect,
}

impl RedirectCode {
    const ALL: [Self; 5] = [
        Self::MovedPermanently,
        Self::Found,
        Self::SeeOther,
        Self::TemporaryRedirect,
        Self::PermanentRedirect,
    ];

    /// The number.
    pub const fn get(self) -> u16 {
        match self {
            Self::MovedPermanently => 301,
            Self::Found => 302,
            Self::SeeOther => 303,
            Self::TemporaryRedirect => 307,
            Self::PermanentRedirect => 308,
        }
    }
}

impl From<RedirectCode> for u16 {
    fn from(code: RedirectCode) -> Self {
        code.get()
    }
}

impl TryFrom<u16> for RedirectCode {
    type Error = InvalidValue;

    fn try_from(number: u16) -> Result<Self, InvalidValue> {
        let known = Self::ALL.into_iter().find(|code| code.get() == number);
        known.ok_or_else(|| {
            InvalidValue(format!(
                "`{number}` is not the status of a redirect: write 301, 302, 303, 307 or 308"
            ))
        })
    }
}

impl JsonSchema for RedirectCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RedirectCode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "enum": Self::ALL.map(Self::get), "description": "The status of a redirect."
        })
    }
}

/// Answer the request here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectResponse {
    /// The status.
    pub status: StatusCode,
    /// The body, at most 1 MiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// The `content-type`; absent means `text/plain` where there is a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

/// A copy of the request that goes elsewhere; its answer is discarded. It never delays or fails the request itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The cluster that gets the copy.
    pub cluster: String,
    /// How many requests are copied; all of them when absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub percent: Percent,
    /// The host that the copy carries; absent keeps the one that the request has after its own rewrite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What the copy asks for; absent keeps what the request asks for after its own rewrite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<MirrorTarget>,
    /// Edits of the copy's request headers, after the route's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: super::HeaderEdits,
}

/// What a copy asks for (nginx `mirror` with `proxy_pass`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MirrorTarget {
    /// What the client asked for, path and query.
    Received,
    /// This path, and the query if there is one in it; the client's query is left out.
    Whole(String),
}
