//! Rules about pieces of text that end up in a message: hosts, paths, tokens, header values.

use super::{At, Context};
use crate::{convert::brief, value::is_token_byte};
use std::fmt::Write;

/// A header value as it may be sent: no control bytes but the tab, no space at the ends (RFC 9110 section 5.5).
pub(super) fn header_value(cx: &mut Context<'_>, at: At<'_>, text: &str) {
    if let Some(byte) = text.bytes().find(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
        cx.error(at, format!("a header value must not hold control bytes, found {}", name_of(byte)));
    } else if text.trim_matches([' ', '\t']) != text {
        cx.warning(at, "spaces at the ends of a header value do not survive");
    }
}

fn name_of(byte: u8) -> String {
    match byte {
        b'\n' => "a line feed".to_owned(),
        b'\r' => "a carriage return".to_owned(),
        0 => "a zero byte".to_owned(),
        _ => format!("0x{byte:02x}"),
    }
}

/// A path as it stands in a request line: it begins with `/`, and what URIs do not have is percent-encoded.
pub(super) fn path(cx: &mut Context<'_>, at: At<'_>, text: &str, query_allowed: bool) {
    if !text.starts_with('/') {
        let finding = cx.error(at, format!("a path begins with `/`, this one is `{}`", brief(text)));
        if text.contains("://") {
            finding.suggest("leave scheme and host out");
        } else if !text.is_empty() {
            finding.suggest(format!("write `/{}`", brief(text)));
        } else {
            finding.suggest("write `/`");
        }
    }
    path_characters(cx, at, text, query_allowed);
}

/// What a path may consist of.
pub(super) fn path_characters(cx: &mut Context<'_>, at: At<'_>, text: &str, query_allowed: bool) {
    let wrong =
        text.chars().find(|c| c.is_control() || *c == ' ' || !c.is_ascii() || matches!(c, '"' | '<' | '>'));
    if let Some(wrong) = wrong {
        let shown = wrong.escape_default();
        let mut encoded = String::new();
        for byte in wrong.encode_utf8(&mut [0; 4]).bytes() {
            let _ = write!(encoded, "%{byte:02X}");
        }
        cx.error(at, format!("a path cannot hold `{shown}`")).suggest(format!("write `{encoded}`"));
    }
    if text.contains('#') {
        cx.error(at, "a path cannot hold `#`: fragments never reach a server").suggest("write `%23`");
    }
    if !query_allowed && text.contains('?') {
        cx.error(at, "a path does not include the query")
            .suggest("match parameters with `query`, or write `%3F`");
    }
}

/// A host with or without a port, as the `Host` field and a URI carry it.
pub(super) fn authority(cx: &mut Context<'_>, at: At<'_>, text: &str) {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((inner, rest)) if inner.parse::<std::net::Ipv6Addr>().is_ok() => {
                ("x", rest.strip_prefix(':').or((!rest.is_empty()).then_some("?")))
            }
            _ => ("", None),
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if !host_ok(host) || text.contains('/') {
        let finding = cx.error(at, format!("`{}` is not a host", brief(text)));
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split('/').next().unwrap_or_default();
            finding.suggest(format!("write `{}`", brief(host)));
        } else if text.contains('%') {
            finding.suggest("variables are not evaluated here");
        } else if text.contains('/') {
            finding.suggest("leave the path out");
        }
    } else if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        cx.error(at, format!("`{}` does not end in a port from 1 to 65535", brief(text)));
    }
}

/// A host name without a port.
pub(super) fn host(cx: &mut Context<'_>, at: At<'_>, text: &str) {
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if plain.parse::<std::net::IpAddr>().is_err() && !host_ok(text) {
        let finding = cx.error(at, format!("`{}` is not a host name", brief(text)));
        if text.contains(':') {
            finding.suggest("leave the port out");
        }
    }
}

fn host_ok(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}

/// A token: a method, a cookie's name (RFC 9110 section 5.6.2).
pub(super) fn token(cx: &mut Context<'_>, at: At<'_>, noun: &str, text: &str) -> bool {
    let good = !text.is_empty() && text.bytes().all(is_token_byte);
    if !good {
        cx.error(at, format!("`{}` is not {noun}: letters, digits and `-` are safe", brief(text)));
    }
    good
}
