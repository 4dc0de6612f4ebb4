//! What ingress-nginx tells upstreams about the client and what it asked.

use super::{FieldSink, RequestHead, request::join};
use sluice_model::spec::ForwardedFields;

/// Names that are made here, beside `x-forwarded-*`.
const TOLD: [&[u8]; 4] =
    [b"x-real-ip", b"x-scheme", b"x-original-forwarded-for", b"x-original-forwarded-host"];

/// What a client certificate says, which only who has seen the certificate may tell.
const OF_CERTIFICATES: &[u8] = b"ssl-client-";

/// Whether what the client sent goes: what is made here, and what nobody may send.
pub(super) fn is_told(name: &[u8]) -> bool {
    match name.first() {
        Some(b'x' | b'X') => TOLD.iter().any(|told| name.eq_ignore_ascii_case(told)),
        Some(b's' | b'S') => {
            name.get(..OF_CERTIFICATES.len()).is_some_and(|start| start.eq_ignore_ascii_case(OF_CERTIFICATES))
        }
        // Programs behind CGI read it as their proxy (CVE-2016-5385).
        Some(b'p' | b'P') => name.eq_ignore_ascii_case(b"proxy"),
        _ => false,
    }
}

/// Writes the fields.
pub(super) fn tell(
    head: &RequestHead<'_>,
    dropped: &dyn Fn(&[u8]) -> bool,
    scratch: &mut Vec<u8>,
    sink: &mut dyn FieldSink,
) {
    let said = |name: &str| head.fields.first(name).filter(|_| head.trusted && head.believed);
    let port = said("x-forwarded-port").unwrap_or(head.port.as_bytes());
    let facts: [(&[u8], &[u8]); 6] = [
        (b"x-real-ip", head.client.as_bytes()),
        (b"x-forwarded-host", head.authority.as_bytes()),
        (b"x-forwarded-port", port),
        (b"x-forwarded-proto", head.scheme.as_bytes()),
        (b"x-forwarded-scheme", head.scheme.as_bytes()),
        (b"x-scheme", head.scheme.as_bytes()),
    ];
    for (name, value) in facts {
        if !value.is_empty() && !dropped(name) {
            sink.field(name, value);
        }
    }
    join(head.fields, head.client_field, b", ", scratch);
    if !scratch.is_empty() && !dropped(b"x-original-forwarded-for") {
        sink.field(b"x-original-forwarded-for", scratch);
    }
    if !dropped(b"x-forwarded-for") {
        if head.forwarded == ForwardedFields::NginxFull {
            if !head.trusted {
                scratch.clear();
            } else if !scratch.is_empty() {
                scratch.extend_from_slice(b", ");
            }
            scratch.extend_from_slice(head.peer.as_bytes());
            sink.field(b"x-forwarded-for", scratch);
        } else {
            sink.field(b"x-forwarded-for", head.client.as_bytes());
        }
    }
    if let Some(host) = head.fields.first("x-forwarded-host").filter(|host| !host.is_empty())
        && !dropped(b"x-original-forwarded-host")
    {
        sink.field(b"x-original-forwarded-host", host);
    }
}
