//! What a field name is to a proxy.

use sluice_http1::Known;

/// What a field name is to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Goes on to the other side.
    EndToEnd,
    /// Belongs to the one connection, or to its framing: always made anew.
    HopByHop,
    /// `content-length`: framing, but end to end where an answer has no body (HEAD, 304).
    Length,
    /// `host`, which travels as the authority.
    Host,
    /// `te`: only `trailers` goes on.
    Te,
    /// `cookie`: comes in crumbs from HTTP/2.
    Cookie,
    /// `x-forwarded-for`.
    ForwardedFor,
    /// `x-forwarded-proto`, `-host`, `-port`: stamped where no trusted peer did.
    ForwardedFact,
    /// `forwarded`, other `x-forwarded-*` and `x-envoy-*`: believed only of trusted peers.
    Identity,
    /// `x-request-id`.
    RequestId,
    /// An underscore spelling of a name that we set or judge by: some servers read it as the same.
    OwnAlias,
    /// Any other name with an underscore.
    Underscore,
}

/// What this name, in any case, is to a proxy.
pub fn role(name: &[u8]) -> Role {
    role_of(Known::of(name), name)
}

/// The same for a name that has been classified.
pub(super) fn role_of(known: Known, name: &[u8]) -> Role {
    match known {
        Known::Other => {}
        Known::Connection
        | Known::KeepAlive
        | Known::ProxyConnection
        | Known::TransferEncoding
        | Known::Upgrade
        | Known::Http2Settings => return Role::HopByHop,
        Known::ContentLength => return Role::Length,
        Known::Host => return Role::Host,
        Known::Te => return Role::Te,
        Known::Cookie => return Role::Cookie,
        Known::XForwardedFor => return Role::ForwardedFor,
        Known::XForwardedHost | Known::XForwardedPort | Known::XForwardedProto => return Role::ForwardedFact,
        Known::Forwarded => return Role::Identity,
        Known::XRequestId => return Role::RequestId,
        _ => return Role::EndToEnd,
    }
    if starts(name, b"x-forwarded-") || starts(name, b"x-envoy-") {
        return Role::Identity;
    }
    // Names are short: setting up a vectorised search costs more than it saves.
    if !name.contains(&b'_') {
        return Role::EndToEnd;
    }
    let mut dashed = [0; 32];
    let length = name.len().min(dashed.len());
    for (to, from) in dashed.iter_mut().zip(name) {
        *to = if *from == b'_' { b'-' } else { *from };
    }
    let dashed = &dashed[..length];
    let prefix = starts(dashed, b"x-forwarded-") || starts(dashed, b"x-envoy-");
    if prefix || (name.len() == length && !matches!(role(dashed), Role::EndToEnd | Role::Underscore)) {
        Role::OwnAlias
    } else {
        Role::Underscore
    }
}

fn starts(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && name[..prefix.len()].eq_ignore_ascii_case(prefix)
}

/// Whether the field stays although `Connection` names it: others decide by it, so nobody may talk it away.
pub(super) fn is_protected(name: &[u8]) -> bool {
    !matches!(role(name), Role::EndToEnd | Role::Underscore)
        || matches!(
            Known::of(name),
            Known::Authorization
                | Known::ProxyAuthorization
                | Known::Origin
                | Known::ContentType
                | Known::ContentEncoding
                | Known::ContentRange
                | Known::CacheControl
                | Known::SetCookie
                | Known::Location
                | Known::Expect
                | Known::Date
        )
        || starts(name, b"x-real-ip")
        || starts(name, b"x-b3-")
        || starts(name, b"traceparent")
        || starts(name, b"tracestate")
}

/// Whether edits of this name are ignored: what the codec writes itself.
pub(super) fn is_fixed(name: &str) -> bool {
    matches!(role(name.as_bytes()), Role::HopByHop | Role::Length | Role::Host | Role::Te)
}
