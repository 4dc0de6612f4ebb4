//! Hosts and ports as they come in requests (RFC 3986 section 3.2).

use std::net::Ipv6Addr;

/// Whether this is a host with an optional port: a name of letters, digits, `-`, `_`, `.` and percent-free sub-delims
/// is kept to letters, digits, `-`, `_` and `.`; or an IPv6 address in brackets. No user information.
pub fn is_authority(text: &[u8]) -> bool {
    let (host, port) = split_port(text);
    let port_fits = port.is_none_or(|port| {
        port.len() <= 5
            && port.iter().all(u8::is_ascii_digit)
            && str::from_utf8(port).is_ok_and(|port| port.is_empty() || port.parse::<u16>().is_ok())
    });
    port_fits && host.len() <= 255 && is_host(host)
}

fn is_host(host: &[u8]) -> bool {
    if let [b'[', inner @ .., b']'] = host {
        return str::from_utf8(inner).is_ok_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    }
    // Labels are not empty, but for the last one: as if a dot stood before the first.
    let mut before = b'.';
    let mut fits = !host.is_empty();
    for &byte in host {
        fits &= HOST_BYTES[usize::from(byte)] && !(byte == b'.' && before == b'.');
        before = byte;
    }
    fits
}

/// Letters, digits, `-`, `_` and `.`.
const HOST_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128u8 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        byte += 1;
    }
    table
};

/// Host and port; the colon belongs to neither.
fn split_port(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let from =
        if text.first() == Some(&b'[') { text.iter().position(|byte| *byte == b']').unwrap_or(0) } else { 0 };
    match text[from..].iter().position(|byte| *byte == b':') {
        Some(colon) => (&text[..from + colon], Some(&text[from + colon + 1..])),
        None => (text, None),
    }
}

/// The host that routes are matched with: without port and without one trailing dot. Letter case is kept.
pub fn host_of(authority: &str) -> &str {
    let (host, _) = split_port(authority.as_bytes());
    let host = &authority[..host.len()];
    host.strip_suffix('.').unwrap_or(host)
}
