//! What a route matches.

use super::is_default;
use crate::value::{Cidr, HeaderName, Regex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Conditions that must all hold. An absent condition holds for every request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteMatch {
    /// The path without query, in the listener's normal form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathMatch>,
    /// Compare the path without regard to ASCII case, regexes included.
    #[serde(skip_serializing_if = "is_default")]
    pub ignore_path_case: bool,
    /// Any one of these; compared as sent, `GET` is not `get`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// The method, compared in another way than word by word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<ValueMatch>,
    /// All of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatch>,
    /// All of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<QueryMatch>,
    /// All of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<CookieMatch>,
    /// The client address (as trust settles it) lies in one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<Cidr>,
    /// The port that the request came in on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Whether the client came over TLS, as far as trust settles it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// Host and port as sent, in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<ValueMatch>,
    /// All of these, besides the conditions above: the request line as if it were fields (`headers` and `withoutHeaders` of a
    /// VirtualService).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pseudo_headers: Vec<PseudoHeaderMatch>,
}

/// A condition on a part of the request line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PseudoHeaderMatch {
    /// Which part.
    pub name: PseudoHeader,
    /// The condition.
    pub value: ValueMatch,
    /// Turn the condition round.
    #[serde(default, skip_serializing_if = "is_default")]
    pub invert: bool,
}

/// A part of the request line, named as in HTTP/2 (RFC 9113 section 8.3.1), whatever the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PseudoHeader {
    /// The method as sent.
    #[serde(rename = ":method")]
    Method,
    /// `http` or `https`: whether the client came over TLS, as far as trust settles it.
    #[serde(rename = ":scheme")]
    Scheme,
    /// Host and port as sent, in lower case; absent where the client names no host.
    #[serde(rename = ":authority")]
    Authority,
    /// The path in the listener's normal form, and the query as sent.
    #[serde(rename = ":path")]
    Path,
}

impl PseudoHeader {
    /// `:method` and so on.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => ":method",
            Self::Scheme => ":scheme",
            Self::Authority => ":authority",
            Self::Path => ":path",
        }
    }
}

/// A scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Plaintext.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that goes without saying: 80 or 443.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A condition on the path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathMatch {
    /// The whole path.
    Exact(String),
    /// Whole segments: `/a/b` matches `/a/b`, `/a/b/` and `/a/b/c`, not `/a/bc`. A trailing slash is irrelevant.
    Prefix(String),
    /// Any path that begins with these bytes: `/a/b` matches `/a/bc`.
    StringPrefix(String),
    /// A regular expression.
    Regex(PathRegex),
}

/// A regular expression over the path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathRegex {
    /// The expression, in RE2 syntax.
    pub pattern: Regex,
    /// Where it is anchored.
    #[serde(default, skip_serializing_if = "is_default")]
    pub anchor: RegexAnchor,
}

/// Where a regular expression is anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegexAnchor {
    /// It matches the whole path (VirtualService).
    #[default]
    Full,
    /// It matches from the start (ingress-nginx locations).
    Start,
    /// It matches anywhere.
    Search,
}

/// A condition on a value. Repeated header fields are joined with `,` before they are compared; for `exact`, any single
/// one of the values is enough as well.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueMatch {
    /// There is a value, even an empty one.
    Present,
    /// There is none.
    Absent,
    /// It is this value.
    Exact(String),
    /// It begins with this.
    Prefix(String),
    /// It ends with this.
    Suffix(String),
    /// It contains this.
    Contains(String),
    /// The expression matches all of it.
    Regex(Regex),
}

/// A condition on a request header.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderMatch {
    /// The field name. `cookie` sees all cookie fields joined with `; `.
    pub name: HeaderName,
    /// The condition.
    pub value: ValueMatch,
    /// Turn the condition round.
    #[serde(default, skip_serializing_if = "is_default")]
    pub invert: bool,
    /// Read a missing field as an empty value (VirtualService `withoutHeaders`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub missing_as_empty: bool,
    /// Compare without regard to ASCII case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignore_case: bool,
}

/// A condition on a query parameter: its first value, percent-decoding not applied.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryMatch {
    /// The key; `?k` and `?k=` both have the empty value.
    pub name: String,
    /// The condition.
    pub value: ValueMatch,
    /// Turn the condition round.
    #[serde(default, skip_serializing_if = "is_default")]
    pub invert: bool,
}

/// A condition on a cookie: its first value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CookieMatch {
    /// The cookie's name, compared as sent.
    pub name: String,
    /// The condition.
    pub value: ValueMatch,
    /// Turn the condition round.
    #[serde(default, skip_serializing_if = "is_default")]
    pub invert: bool,
}
