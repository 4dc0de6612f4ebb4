//! How an endpoint of a cluster is chosen.

use super::is_default;
use crate::value::{Duration, HeaderName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an endpoint is chosen. Endpoints with weight 0 take nothing, whatever stands here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balancer {
    /// In turn, smoothly by weight.
    #[default]
    RoundRobin,
    /// By chance, by weight.
    Random,
    /// The one that is busy with fewest requests, of some that are drawn.
    LeastRequest(LeastRequest),
    /// The one that has answered soonest of late, times the requests that it is busy with, of two that are drawn (peak EWMA).
    /// Answers with a status of 500 and above and failures count as slow.
    PeakEwma(PeakEwma),
    /// The same one for the same key, by the ring that nginx (`hash ... consistent`) and memcached clients use. An endpoint that
    /// comes or goes moves the keys of about one endpoint.
    RingHash(RingHash),
    /// The same one for the same key, by a table (Eisenbud et al., Maglev, NSDI 2016): shares are more even than those of a
    /// ring, and an endpoint that comes or goes moves a few keys of others too.
    Maglev(Maglev),
}

/// The one that is busy with fewest requests, of some that are drawn by weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeastRequest {
    /// How many are drawn.
    #[schemars(range(min = 2, max = 100))]
    pub choices: u32,
}

impl Default for LeastRequest {
    fn default() -> Self {
        Self { choices: 2 }
    }
}

/// The one that has answered soonest of late, of two that are drawn by weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PeakEwma {
    /// After so long without an answer about a third of an average is left.
    pub decay: Duration,
}

impl Default for PeakEwma {
    fn default() -> Self {
        Self { decay: Duration::from_secs(10) }
    }
}

/// A ring with 160 points for each unit of weight; where that were more than a million, weights count in proportion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RingHash {
    /// What requests are told apart by.
    pub key: BalancerKey,
}

/// A table of places, each of which belongs to an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Maglev {
    /// What requests are told apart by.
    pub key: BalancerKey,
    /// Its places, a prime number; a hundred times the number of endpoints keeps shares within one percent.
    #[serde(default = "table_size", skip_serializing_if = "is_table_size")]
    #[schemars(range(min = 2, max = 5_000_011))]
    pub table_size: u32,
}

impl Maglev {
    /// The default size.
    pub const TABLE_SIZE: u32 = 65_537;
    /// The largest size.
    pub const MAX_TABLE_SIZE: u32 = 5_000_011;

    /// Whether a table may have so many places: only in prime numbers does everybody's order of wishes go round all places.
    pub fn is_size(places: u32) -> bool {
        (2..=Self::MAX_TABLE_SIZE).contains(&places)
            && (2..=places.isqrt()).all(|divisor| !places.is_multiple_of(divisor))
    }
}

const fn table_size() -> u32 {
    Maglev::TABLE_SIZE
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_table_size(size: &u32) -> bool {
    *size == table_size()
}

/// What requests are told apart by. A request without it, or where it is empty, goes to an
/// endpoint by chance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BalancerKey {
    /// A header's value.
    Header(HeaderName),
    /// A cookie's value.
    Cookie(BalancerCookie),
    /// A query parameter's first value.
    Query(String),
    /// The client address as text, as trust settles it.
    SourceIp,
    /// Text with variables, such as `%REQ(:path)%`; see header edits.
    Template(String),
}

/// A cookie that keeps a client at its endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BalancerCookie {
    /// The cookie's name.
    pub name: String,
    /// Gives the cookie, with a value by chance, to clients that do not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub make: Option<MadeCookie>,
}

/// A cookie that is made where a client sends none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MadeCookie {
    /// `max-age`; absent makes a session cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// The cookie's path; absent leaves it to the client, which takes the folder of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// More attributes, in this order.
    #[serde(skip_serializing_if = "is_default")]
    pub attributes: Vec<CookieAttribute>,
}

/// An attribute of a cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CookieAttribute {
    /// `SameSite`
    pub name: String,
    /// `Lax`; absent for attributes that have none, such as `HttpOnly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}
