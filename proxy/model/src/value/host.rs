//! Host patterns of a virtual host.

use super::{InvalidValue, Regex, text_value};
use crate::convert::brief;
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// Which request hosts a virtual host answers. Hosts are compared in lower case, without port and without one
/// trailing dot.
///
/// | written | matches |
/// | --- | --- |
/// | `shop.example.com` | that name |
/// | `*.example.com` | one or more labels in front of `.example.com` |
/// | `?.example.com` | exactly one label in front of `.example.com` (what Ingress wildcards mean) |
/// | `*-shop.example.com` | any name that ends in `-shop.example.com`, and has something in front |
/// | `shop.*` | any name that begins with `shop.`, and has something behind |
/// | `~^v[0-9]+\.example\.com$` | a regular expression over the whole host |
/// | `[2001:db8::1]` | that address, however it is spelled; the brackets may be left out |
/// | `*` | everything |
///
/// When several match, exact beats suffix, suffix beats prefix, prefix beats regex, regex beats `*`; the longer
/// suffix or prefix beats the shorter, `?.` beats `*.` of the same suffix, and regexes keep their written order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HostPattern {
    /// One name, in lower case. An IPv6 address stands in brackets, as in requests, and is spelled as RFC 5952 says.
    Exact(Box<str>),
    /// One label in front of this suffix, which begins with a dot.
    OneLabel(Box<str>),
    /// At least one byte in front of this suffix. It begins with a dot (any number of labels) or with any other
    /// byte (`*-shop.example.com`).
    Suffix(Box<str>),
    /// At least one byte behind this prefix.
    Prefix(Box<str>),
    /// A regular expression that has to match the whole host.
    Regex(Regex),
    /// Every host, also a missing one.
    Any,
}

text_value!(
    HostPattern,
    "HostPattern",
    "A host: exact, *.suffix (one label or more), ?.suffix (one label), *-suffix, prefix*, ~regex, or * for all.",
    None
);

fn is_host_text(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && !text.contains("..")
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']')
        })
}

impl HostPattern {
    /// Whether TLS clients can ask for it, and scopes can be told apart by it (RFC 6066, section 3: no addresses).
    pub fn is_server_name(&self) -> bool {
        match self {
            Self::Exact(name) => !is_address(name),
            Self::Suffix(suffix) => suffix.starts_with('.'),
            Self::OneLabel(_) | Self::Any => true,
            Self::Prefix(_) | Self::Regex(_) => false,
        }
    }
}

/// Whether a host is an address, in brackets or without.
fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

impl FromStr for HostPattern {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if let Some(pattern) = text.strip_prefix('~') {
            return pattern.parse().map(Self::Regex);
        }
        let lower = text.to_ascii_lowercase();
        let lower = lower.strip_suffix('.').filter(|text| !text.ends_with('*')).unwrap_or(&lower);
        let bare = lower.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(lower);
        if let Ok(address) = bare.parse::<Ipv6Addr>() {
            return Ok(Self::Exact(format!("[{address}]").into()));
        }
        let (pattern, host): (fn(Box<str>) -> Self, &str) = if lower == "*" {
            return Ok(Self::Any);
        } else if let Some(suffix) = lower.strip_prefix("?.") {
            (Self::OneLabel, &lower[lower.len() - suffix.len() - 1..])
        } else if let Some(suffix) = lower.strip_prefix('*') {
            (Self::Suffix, suffix)
        } else if let Some(prefix) = lower.strip_suffix('*') {
            (Self::Prefix, prefix)
        } else {
            (Self::Exact, lower)
        };
        let port = host.rsplit_once(':').is_some_and(|(_, port)| {
            !host.ends_with(']') && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
        });
        if port && !host.starts_with(':') {
            return Err(InvalidValue(format!(
                "`{}` carries a port; hosts are matched without it, so leave it out or match `authority` in the route",
                brief(text)
            )));
        }
        let dots = match pattern("".into()) {
            Self::Exact(_) => host.starts_with('.') || host.ends_with('.'),
            Self::Suffix(_) | Self::OneLabel(_) => host.ends_with('.'),
            _ => host.starts_with('.'),
        };
        if is_host_text(host) && !dots {
            Ok(pattern(host.into()))
        } else {
            Err(InvalidValue(format!(
                "`{}` is not a host pattern: write a name, `*.suffix`, `?.suffix`, `prefix*`, `~regex` or `*`",
                brief(text)
            )))
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => out.write_str(host),
            Self::OneLabel(suffix) => write!(out, "?{suffix}"),
            Self::Suffix(suffix) => write!(out, "*{suffix}"),
            Self::Prefix(prefix) => write!(out, "{prefix}*"),
            Self::Regex(regex) => write!(out, "~{regex}"),
            Self::Any => out.write_str("*"),
        }
    }
}
