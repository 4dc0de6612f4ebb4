//! The annotations of ingress-nginx: which there are, what their values look like, and what becomes of them.
//!
//! A name is looked up without its prefix ([`PREFIX`] unless the flag `--annotations-prefix` says otherwise); whatever else
//! stands under the prefix is unknown and has to be reported.

mod table;
mod value;

pub use value::{InvalidValue, Value, ValueKind};

use crate::verdict::Verdict;
use sluice_model::convert::nearest;

/// What stands before the names, without the slash.
pub const PREFIX: &str = "nginx.ingress.kubernetes.io";

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotation {
    /// The name after the prefix.
    pub name: &'static str,
    /// What values look like.
    pub value: ValueKind,
    /// What an absent annotation means; `None` where the ConfigMap or nothing decides.
    pub default: Option<&'static str>,
    /// What it is about.
    pub scope: Scope,
    /// What somebody who may write it could do with it.
    pub risk: Risk,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What an annotation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of its Ingress, or the hosts of it.
    Ingress,
    /// The paths of its Ingress.
    Location,
}

/// What somebody who may write an annotation could do with it; the order is the order of risk. The ConfigMap key
/// `annotations-risk-level` says which are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Nothing to others.
    Low,
    /// Something to users of the same host.
    Medium,
    /// Something to others.
    High,
    /// Anything.
    Critical,
}

/// What ingress-nginx makes of a value that it cannot read. One bad Ingress never affects others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadValue {
    /// It is as if the annotation were not there.
    Ignored,
    /// The paths of the Ingress answer 503.
    Denied,
    /// The Ingress is not served at all.
    Dropped,
    /// Whoever sends the header of the canary stays with the main Ingress; cookie and weight are not asked.
    KeepsMain,
}

/// Rows whose paths answer 503 when the value is bad.
const DENIED: [&str; 10] = [
    "auth-type",
    "auth-url",
    "auth-secret",
    "auth-tls-secret",
    "proxy-ssl-secret",
    "allowlist-source-range",
    "whitelist-source-range",
    "denylist-source-range",
    "custom-headers",
    "auth-proxy-set-headers",
];

/// Rows that drop the Ingress when the value is bad.
const DROPPED: [&str; 11] = [
    "limit-connections",
    "limit-rps",
    "limit-rpm",
    "limit-burst-multiplier",
    "limit-rate",
    "limit-rate-after",
    "limit-allowlist",
    "limit-whitelist",
    "permanent-redirect",
    "temporal-redirect",
    "auth-secret-type",
];

/// Names that mean the same as another.
const ALIASES: [(&str, &str); 2] =
    [("whitelist-source-range", "allowlist-source-range"), ("limit-whitelist", "limit-allowlist")];

/// Names that are found in manifests and that ingress-nginx has no use for either, any more.
const WITHOUT_EFFECT: [&str; 14] = [
    "secure-backends",
    "session-cookie-hash",
    "enable-websockets",
    "use-forwarded-headers",
    "add-base-url",
    "base-url-scheme",
    "client-header-buffer-size",
    "large-client-header-buffers",
    "enable-opentracing",
    "opentracing-trust-incoming-span",
    "opentracing-operation-name",
    "enable-influxdb",
    "lua-resty-waf",
    "global-rate-limit",
];

/// What a name under the prefix is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// An annotation of ingress-nginx.
    Known(&'static Annotation),
    /// A name that has, or got, no effect in ingress-nginx either.
    WithoutEffect,
    /// Anything else, and what was probably meant.
    Unknown(Option<&'static str>),
}

/// The table.
static TABLE: [Annotation; table::TABLE.len()] = table::TABLE;

/// All rows; aliases have rows of their own.
pub fn all() -> &'static [Annotation] {
    &TABLE
}

/// Looks a name up, without its prefix.
pub fn look_up(name: &str) -> Lookup {
    if let Some(annotation) = TABLE.iter().find(|annotation| annotation.name == name) {
        return Lookup::Known(annotation);
    }
    let gone =
        |known: &str| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    if WITHOUT_EFFECT.iter().any(|known| gone(known)) || name.starts_with("influxdb-") {
        return Lookup::WithoutEffect;
    }
    Lookup::Unknown(nearest(name, TABLE.iter().map(|annotation| annotation.name)))
}

/// The name that an alias stands for, or the name itself.
pub fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, canonical)| canonical)
}

impl Annotation {
    /// Reads a value. What becomes of a bad one is [`bad_value`](Self::bad_value).
    pub fn parse(&self, text: &str) -> Result<Value, InvalidValue> {
        self.value.parse(text)
    }

    /// What a value that [`parse`](Self::parse) refuses leads to. An expression that ingress-nginx could match and RE2
    /// cannot is no reason to guess: it drops the Ingress, whatever the row.
    pub fn bad_value(&self, error: &InvalidValue) -> BadValue {
        if self.name == "canary-by-header-pattern" && !error.needs_backtracking() {
            BadValue::KeepsMain
        } else if error.is_expression() || DROPPED.contains(&self.name) {
            BadValue::Dropped
        } else if DENIED.contains(&self.name) || self.verdict.fails_closed() {
            BadValue::Denied
        } else {
            BadValue::Ignored
        }
    }
}

#[cfg(test)]
mod tests;
