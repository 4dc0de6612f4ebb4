//! Header edits.

use super::is_default;
use crate::value::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Header edits in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteHeaders {
    /// On the way up.
    #[serde(skip_serializing_if = "is_default")]
    pub request: HeaderEdits,
    /// On the way down; also for redirects, direct responses and answers that the proxy makes after routing, except those
    /// of a fault.
    #[serde(skip_serializing_if = "is_default")]
    pub response: HeaderEdits,
}

/// Edits of one head, in the order remove, set, add. Values are computed from the head as it was before any edit. A
/// `set` or `add` of request header `host` sets the host. Framing and hop-by-hop fields cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderEdits {
    /// Names that are removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<HeaderName>,
    /// Fields that replace all of the same name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<HeaderValue>,
    /// Fields that are appended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<HeaderValue>,
}

/// A field to set or add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderValue {
    /// The field name.
    pub name: HeaderName,
    /// The value, with variables such as `%REQ(x-user)%` or `%DOWNSTREAM_REMOTE_ADDRESS%`; `%%` is a percent sign. A
    /// value that comes out empty is left out.
    pub value: String,
}
