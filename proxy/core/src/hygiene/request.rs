//! Requests under the table.

use super::{Body, Refusal, RequestFacts, Rule, Target, Version, authority::is_authority};
use crate::head::{Received, ReceivedField};
use sluice_http1::{Known, encode::is_clean_field};
use sluice_model::spec::{self, UnderscorePolicy};

/// What is left of a request head after the table: every part has one meaning. Borrows from the head.
#[derive(Debug, Clone, Copy)]
pub struct Admitted<'a> {
    /// Host and port as sent; empty for HTTP/1.0 without Host.
    pub authority: &'a str,
    /// The path as sent, without query: begins with `/`, or is `*` (OPTIONS). `/` for CONNECT.
    pub path: &'a str,
    /// The query as sent, without `?`.
    pub query: Option<&'a str>,
    /// The other protocol that the client asks for.
    pub switch: Switch<'a>,
    /// Whether `Connection` names fields, so that the writer has to look them up.
    pub names_fields: bool,
    /// Whether the client takes trailers (`TE: trailers`).
    pub te_trailers: bool,
    /// Whether some field name has an underscore.
    pub underscores: bool,
}

/// A request for something else than HTTP on the same connection or stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch<'a> {
    /// None.
    No,
    /// HTTP/1.1 `Upgrade` to this protocol.
    Upgrade(&'a str),
    /// HTTP/2 extended CONNECT to this protocol (RFC 8441).
    Extended(&'a str),
    /// CONNECT.
    Connect,
}

/// Applies the table to a request head.
pub fn request<'a>(
    facts: &RequestFacts<'a>,
    fields: &'a (impl Received + ?Sized),
    listener: &spec::Listener,
) -> Result<Admitted<'a>, Refusal> {
    if facts.version == Version::Http10 && listener.require_http11 {
        return Err(Rule::Http10.refusal());
    }
    let seen = look(facts, fields, listener)?;
    let (target_authority, path, query) = target(facts)?;
    let host = if seen.hosts > 0 {
        fields.first("host").map(|host| text(host, Rule::HostInvalid)).transpose()?
    } else {
        None
    };
    let authority = settle_host(facts, target_authority, host)?;
    let switch = switch(facts, &seen, fields)?;
    Ok(Admitted {
        authority,
        path,
        query,
        switch,
        names_fields: seen.names_fields,
        te_trailers: seen.te_trailers,
        underscores: seen.underscores,
    })
}

/// What one pass over the fields found.
#[derive(Default)]
struct Seen {
    hosts: u32,
    upgrades: u32,
    lengths: u32,
    upgrade_listed: bool,
    names_fields: bool,
    te_trailers: bool,
    underscores: bool,
    refused: Option<Rule>,
}

fn look(
    facts: &RequestFacts<'_>,
    fields: &(impl Received + ?Sized),
    listener: &spec::Listener,
) -> Result<Seen, Refusal> {
    let http2 = facts.version == Version::Http2;
    let mut seen = Seen::default();
    fields.each_received(&mut |&ReceivedField { known, name, value, typed, .. }| {
        // No name that has a meaning has one.
        if known == Known::Other && name.contains(&b'_') {
            seen.underscores = true;
            if listener.headers.underscores == UnderscorePolicy::Refuse {
                seen.refused.get_or_insert(Rule::Underscore);
            }
        }
        if http2 && (is_padded(value) || !(typed || is_http2_field(name, value))) {
            seen.refused.get_or_insert(Rule::ControlByte);
        }
        match known {
            Known::Host => seen.hosts += 1,
            Known::Upgrade | Known::KeepAlive | Known::ProxyConnection | Known::TransferEncoding if http2 => {
                seen.refused.get_or_insert(Rule::ConnectionField);
            }
            Known::Connection if http2 => {
                seen.refused.get_or_insert(Rule::ConnectionField);
            }
            Known::Upgrade => seen.upgrades += 1,
            Known::Connection => {
                for option in list(value) {
                    if option.eq_ignore_ascii_case(b"upgrade") {
                        seen.upgrade_listed = true;
                    } else if !option.eq_ignore_ascii_case(b"close")
                        && !option.eq_ignore_ascii_case(b"keep-alive")
                    {
                        seen.names_fields = true;
                    }
                }
            }
            Known::Te => {
                let trailers = |element: &[u8]| element.eq_ignore_ascii_case(b"trailers");
                seen.te_trailers |= list(value).any(trailers);
                if http2 && !list(value).all(trailers) {
                    seen.refused.get_or_insert(Rule::TeInHttp2);
                }
            }
            Known::ContentLength => {
                seen.lengths += 1;
                if http2 && (value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit)) {
                    seen.refused.get_or_insert(Rule::LengthInvalid);
                }
                if http2 && facts.body == Body::None && value.iter().any(|byte| *byte != b'0') {
                    seen.refused.get_or_insert(Rule::LengthMismatch);
                }
            }
            Known::Expect
                if facts.version != Version::Http10 && !value.eq_ignore_ascii_case(b"100-continue") =>
            {
                seen.refused.get_or_insert(Rule::ExpectUnknown);
            }
            _ => {}
        }
    });
    if seen.hosts > 1 {
        return Err(Rule::HostRepeated.refusal());
    }
    if seen.lengths > 1 {
        return Err(Rule::LengthRepeated.refusal());
    }
    seen.refused.map_or(Ok(seen), |rule| Err(rule.refusal()))
}

type Parts<'a> = (Option<&'a str>, &'a str, Option<&'a str>);

fn target<'a>(facts: &RequestFacts<'a>) -> Result<Parts<'a>, Refusal> {
    match facts.target {
        Target::Line(line) => line_target(facts.method, target_text(line)?),
        Target::Pseudo { scheme, authority, path, protocol } => {
            if facts.method == "CONNECT" && protocol.is_none() {
                return if scheme.is_none() && path.is_none() && authority.is_some() {
                    Ok((authority, "/", None))
                } else {
                    Err(Rule::TargetForm.refusal())
                };
            }
            if !scheme.is_some_and(|scheme| {
                scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
            }) {
                return Err(Rule::SchemeInvalid.refusal());
            }
            let path = path.filter(|path| !path.is_empty()).ok_or(Rule::PathMissing.refusal())?;
            let (path, query) = origin(facts.method, target_text(path)?)?;
            Ok((authority, path, query))
        }
    }
}

fn line_target<'a>(method: &str, target: &'a str) -> Result<Parts<'a>, Refusal> {
    if method == "CONNECT" {
        let port = target.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && !port.ends_with(']'));
        return if is_authority(target.as_bytes()) && port {
            Ok((Some(target), "/", None))
        } else {
            Err(Rule::TargetForm.refusal())
        };
    }
    if target.starts_with('/') || target == "*" {
        let (path, query) = origin(method, target)?;
        return Ok((None, path, query));
    }
    let rest = strip_scheme(target).ok_or(Rule::TargetForm.refusal())?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(Rule::UserInfo.refusal());
    }
    let (path, query) = match path.strip_prefix('?') {
        Some(query) => ("/", Some(query)),
        None if path.is_empty() => ("/", None),
        None => origin(method, path)?,
    };
    Ok((Some(authority), path, query))
}

fn strip_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let head = target.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| &target[scheme.len()..])
    })
}

fn origin<'a>(method: &str, target: &'a str) -> Result<(&'a str, Option<&'a str>), Refusal> {
    if target == "*" {
        return if method == "OPTIONS" { Ok((target, None)) } else { Err(Rule::TargetForm.refusal()) };
    }
    if !target.starts_with('/') {
        return Err(Rule::TargetForm.refusal());
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    if memchr::memmem::find(path.as_bytes(), b"%00").is_some() {
        return Err(Rule::EncodedNul.refusal());
    }
    Ok((path, query))
}

/// Only visible ASCII, and no fragment.
fn target_text(target: &str) -> Result<&str, Refusal> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Rule::TargetBytes.refusal());
    }
    if memchr::memchr(b'#', target.as_bytes()).is_some() {
        return Err(Rule::Fragment.refusal());
    }
    Ok(target)
}

fn text(bytes: &[u8], otherwise: Rule) -> Result<&str, Refusal> {
    str::from_utf8(bytes).map_err(|_| otherwise.refusal())
}

/// One authority out of target and Host. RFC 9112 section 3.2.2 lets the target win; whoever sends two different ones
/// wants two readers to disagree, so that is refused.
fn settle_host<'a>(
    facts: &RequestFacts<'_>,
    target: Option<&'a str>,
    host: Option<&'a str>,
) -> Result<&'a str, Refusal> {
    let check = |authority: &'a str| {
        if is_authority(authority.as_bytes()) {
            Ok(authority)
        } else if authority.contains('@') {
            Err(Rule::UserInfo.refusal())
        } else {
            Err(Rule::HostInvalid.refusal())
        }
    };
    match (target, host) {
        (Some(target), Some(host)) => {
            check(target)?;
            if target.eq_ignore_ascii_case(host) { Ok(target) } else { Err(Rule::HostDisagrees.refusal()) }
        }
        // RFC 9112 section 3.2: HTTP/1.1 needs Host whatever the form of the target.
        (Some(_), None) if facts.version == Version::Http11 => Err(Rule::HostMissing.refusal()),
        (Some(authority), None) | (None, Some(authority)) => check(authority),
        (None, None) if facts.version == Version::Http10 => Ok(""),
        (None, None) => Err(Rule::HostMissing.refusal()),
    }
}

fn switch<'a>(
    facts: &RequestFacts<'a>,
    seen: &Seen,
    fields: &'a (impl Received + ?Sized),
) -> Result<Switch<'a>, Refusal> {
    let extended = match facts.target {
        Target::Pseudo { protocol: Some(protocol), .. } => {
            if facts.method != "CONNECT" || !is_token(protocol.as_bytes()) {
                return Err(Rule::ProtocolWithoutConnect.refusal());
            }
            Some(protocol)
        }
        _ => None,
    };
    if let Some(protocol) = extended {
        // The stream itself carries the other protocol; a length makes no sense.
        return if matches!(facts.body, Body::Length(_)) {
            Err(Rule::ConnectWithBody.refusal())
        } else {
            Ok(Switch::Extended(protocol))
        };
    }
    if facts.method == "CONNECT" {
        return if matches!(facts.body, Body::Length(_)) {
            Err(Rule::ConnectWithBody.refusal())
        } else {
            Ok(Switch::Connect)
        };
    }
    if seen.upgrades == 0 || !seen.upgrade_listed || facts.version != Version::Http11 {
        return Ok(Switch::No);
    }
    let value = fields.first("upgrade").unwrap_or_default();
    if list(value).any(|protocol| protocol.eq_ignore_ascii_case(b"h2c")) {
        return Ok(Switch::No);
    }
    let protocol = text(value, Rule::UpgradeRepeated)?;
    let single = protocol.bytes().all(|byte| is_token_byte(byte) || byte == b'/') && !protocol.is_empty();
    if seen.upgrades > 1 || !single {
        return Err(Rule::UpgradeRepeated.refusal());
    }
    match facts.body {
        Body::None | Body::Length(0) => Ok(Switch::Upgrade(protocol)),
        Body::Length(_) | Body::Unknown => Err(Rule::UpgradeWithBody.refusal()),
    }
}

/// The elements of a comma-separated list (RFC 9110 section 5.6.1).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_byte)
}

/// RFC 9113 section 8.2.1: a name in lower case.
fn is_http2_field(name: &[u8], value: &[u8]) -> bool {
    is_clean_field(name, value) && !name.iter().any(u8::is_ascii_uppercase)
}

/// RFC 9113 section 8.2.1: no space around a value. HTTP/1 would have trimmed it, so such a value has two readings.
fn is_padded(value: &[u8]) -> bool {
    let outside = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    outside(value.first()) || outside(value.last())
}
