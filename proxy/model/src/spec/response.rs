//! What an upstream says about itself in its answers.

use super::is_default;
use crate::value::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rewriting of links and cookies in which an upstream names itself as the proxy knows it, not as clients do. Only
/// answers of upstreams are rewritten, before the route's header edits; of each list, the first rule that fits a value
/// rewrites it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseRewrite {
    /// `location`, and in `refresh` what stands behind `url=` (nginx `proxy_redirect`). A relative result stays relative.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub location: Vec<ReferenceRewrite>,
    /// The `Path` attribute of `set-cookie` (nginx `proxy_cookie_path`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cookie_path: Vec<ReferenceRewrite>,
    /// The `Domain` attribute of `set-cookie` (nginx `proxy_cookie_domain`). A cookie without one gets none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cookie_domain: Vec<DomainRewrite>,
}

/// A rule for URIs and paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceRewrite {
    /// A value that begins with `from` begins with `to` instead. Case counts.
    Prefix(TextReplacement),
    /// A value in which the expression is found is replaced as a whole.
    Regex(RegexReplacement),
}

/// A rule for domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DomainRewrite {
    /// The domain `from` becomes `to`. Neither case nor a dot at the beginning matters; such a dot stays where the
    /// cookie has one.
    Exact(TextReplacement),
    /// A domain in which the expression is found is replaced as a whole.
    Regex(RegexReplacement),
}

/// One text in the place of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextReplacement {
    /// What is replaced.
    pub from: String,
    /// What takes its place.
    pub to: String,
}

/// A new value made from what an expression finds in the old one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegexReplacement {
    /// The expression, searched anywhere in the value.
    pub pattern: Regex,
    /// The new value: `\1` to `\9` are captures, `\0` the occurrence, `\\` a backslash.
    pub replacement: String,
    /// Compare without regard to case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignore_case: bool,
}
