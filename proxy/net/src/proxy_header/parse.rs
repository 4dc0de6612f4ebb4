//! The bytes of a header.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header: what a sender adds to addresses in version 2 has no use here, and no more room than this.
const LONGEST: usize = 4096;
/// The longest of version 1, line end included.
const LONGEST_LINE: usize = 107;
/// No header of either version is shorter.
const SHORTEST: usize = 15;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyHeader {
    /// The connection is the sender's own, or of a kind that has no addresses.
    Local,
    /// It is another one's.
    Proxied { source: SocketAddr, destination: SocketAddr },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Complete(ProxyHeader),
    /// At least that many bytes more belong to it.
    Incomplete {
        missing: usize,
    },
    Invalid,
}

/// Reads a header from its beginning. `bytes` must not reach behind it, which they do not where they are read as
/// [`Parsed::Incomplete`] asks.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, wanted)| byte == wanted);
    if begins(SIGNATURE) {
        binary(bytes)
    } else if begins(b"PROXY ") {
        line(bytes)
    } else {
        Parsed::Invalid
    }
}

/// Version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 1234 80`, ended by CR LF.
fn line(bytes: &[u8]) -> Parsed {
    if let Some(line) = bytes.strip_suffix(b"\r\n") {
        let text = str::from_utf8(line).ok().filter(|_| bytes.len() <= LONGEST_LINE);
        return text.and_then(addresses).map_or(Parsed::Invalid, Parsed::Complete);
    }
    if bytes.contains(&b'\n') || bytes.len() >= LONGEST_LINE {
        return Parsed::Invalid;
    }
    let least = if bytes.starts_with(b"PROXY TCP4 ") { 32 } else { SHORTEST };
    let end = if bytes.ends_with(b"\r") { 1 } else { 2 };
    Parsed::Incomplete { missing: least.saturating_sub(bytes.len()).max(end) }
}

fn addresses(line: &str) -> Option<ProxyHeader> {
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(ProxyHeader::Local);
    }
    let mut address = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (from, to) = (address()?, address()?);
    let (from_port, to_port) = (port(words.next()?)?, port(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    proxied(SocketAddr::new(from, from_port), SocketAddr::new(to, to_port))
}

/// A number without a sign and without zeros in front.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| plain)
}

/// Version 2.
fn binary(bytes: &[u8]) -> Parsed {
    let Some(&[version, family, high, low]) = bytes.get(SIGNATURE.len()..FIXED) else {
        return Parsed::Incomplete { missing: if bytes.is_empty() { SHORTEST } else { FIXED - bytes.len() } };
    };
    let whole = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if whole > LONGEST || version >> 4 != 2 {
        return Parsed::Invalid;
    }
    if bytes.len() < whole {
        return Parsed::Incomplete { missing: whole - bytes.len() };
    }
    let rest = &bytes[FIXED..];
    let header = match (version & 0x0f, family) {
        // LOCAL; without a family; a Unix socket, which has no address here.
        (0, _) | (1, 0x00 | 0x31 | 0x32) => Some(ProxyHeader::Local),
        (1, 0x11) => rest.first_chunk::<12>().and_then(|block| {
            let address = |at: usize| Ipv4Addr::new(block[at], block[at + 1], block[at + 2], block[at + 3]);
            ends(address(0).into(), address(4).into(), [block[8], block[9], block[10], block[11]])
        }),
        (1, 0x21) => rest.first_chunk::<36>().and_then(|block| {
            let address = |at: usize| block[at..].first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets));
            ends(address(0)?.into(), address(16)?.into(), [block[32], block[33], block[34], block[35]])
        }),
        _ => None,
    };
    header.map_or(Parsed::Invalid, Parsed::Complete)
}

fn ends(from: IpAddr, to: IpAddr, [a, b, c, d]: [u8; 4]) -> Option<ProxyHeader> {
    let port = |high, low| u16::from_be_bytes([high, low]);
    proxied(SocketAddr::new(from, port(a, b)), SocketAddr::new(to, port(c, d)))
}

/// Nobody is on the way to port 0.
fn proxied(source: SocketAddr, destination: SocketAddr) -> Option<ProxyHeader> {
    (destination.port() > 0).then_some(ProxyHeader::Proxied { source, destination })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(source: &str, destination: &str) -> ProxyHeader {
        ProxyHeader::Proxied { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    /// Reads as the reader does, from bytes that go on behind the header.
    fn read(stream: &[u8]) -> (Parsed, usize) {
        let mut end = 0;
        loop {
            match parse(&stream[..end]) {
                Parsed::Incomplete { missing } if end + missing <= stream.len() => end += missing,
                parsed => return (parsed, end),
            }
        }
    }

    fn complete(header: &[u8]) -> ProxyHeader {
        let stream = [header, b"GET / HTTP/1.1\r\n\r\n"].concat();
        let (parsed, end) = read(&stream);
        assert_eq!(end, header.len(), "exactly the header is read");
        for cut in 0..header.len() {
            assert!(matches!(parse(&header[..cut]), Parsed::Incomplete { .. }), "cut at {cut}");
        }
        match parsed {
            Parsed::Complete(header) => header,
            other => panic!("{other:?}"),
        }
    }

    fn v2(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[version, family], &length, rest].concat()
    }

    #[test]
    fn version_1_names_both_ends_in_words() {
        for (line, header) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.7 1234 80\r\n", to("192.0.2.1:1234", "198.51.100.7:80")),
            ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n", to("1.1.1.1:1", "1.1.1.1:1")),
            ("PROXY TCP6 :: :: 1 1\r\n", to("[::]:1", "[::]:1")),
            (
                "PROXY TCP6 2001:db8::1 2001:db8::2 65535 443\r\n",
                to("[2001:db8::1]:65535", "[2001:db8::2]:443"),
            ),
            ("PROXY UNKNOWN\r\n", ProxyHeader::Local),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ProxyHeader::Local),
        ] {
            assert_eq!(complete(line.as_bytes()), header, "{line}");
        }
    }

    #[test]
    fn version_2_names_both_ends_in_bytes_and_may_say_more() {
        let four = [192, 0, 2, 1, 198, 51, 100, 7, 4, 210, 0, 80];
        assert_eq!(complete(&v2(0x21, 0x11, &four)), to("192.0.2.1:1234", "198.51.100.7:80"));
        let more = [&four[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        assert_eq!(complete(&v2(0x21, 0x11, &more)), to("192.0.2.1:1234", "198.51.100.7:80"));
        let six = [[0_u8; 15].as_slice(), &[1], &[0; 15], &[2], &[0, 1, 1, 187]].concat();
        assert_eq!(complete(&v2(0x21, 0x21, &six)), to("[::1]:1", "[::2]:443"));
        assert_eq!(complete(&v2(0x20, 0x11, &four)), ProxyHeader::Local, "LOCAL");
        assert_eq!(complete(&v2(0x20, 0, &[])), ProxyHeader::Local);
        assert_eq!(complete(&v2(0x21, 0, &[])), ProxyHeader::Local, "UNSPEC");
    }

    #[test]
    fn what_is_no_header_is_refused_with_its_first_wrong_byte() {
        for wrong in ["GET / HTTP/1.1\r\n", "PROXX ", "\r\n\r\nG", "proxy TCP4 "] {
            assert_eq!(read(format!("{wrong}{:30}", "").as_bytes()).0, Parsed::Invalid, "{wrong}");
        }
        for wrong in [
            "PROXY TCP4 192.0.2.1 198.51.100.7 1234 0\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 1234 080\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 1234 +80\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 1234 80 \r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.7 1234 80\r\n",
            "PROXY TCP4 ::1 ::2 1234 80 and so on and on\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.7 1234 80\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.7 1234 80\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 1234 80\n",
        ] {
            assert_eq!(read(wrong.as_bytes()).0, Parsed::Invalid, "{wrong}");
        }
        let endless = format!("PROXY UNKNOWN {:200}\r\n", "");
        let (parsed, end) = read(endless.as_bytes());
        assert_eq!(parsed, Parsed::Invalid);
        assert!(end <= LONGEST_LINE + 1);
    }

    #[test]
    fn version_2_is_bounded_and_knows_its_kinds() {
        let four = [192, 0, 2, 1, 198, 51, 100, 7, 4, 210, 0, 80];
        for (version, family) in [(0x11, 0x11), (0x22, 0x11), (0x21, 0x12), (0x21, 0x22), (0x21, 0x41)] {
            assert_eq!(parse(&v2(version, family, &four)), Parsed::Invalid, "{version:x} {family:x}");
        }
        assert_eq!(parse(&v2(0x21, 0x21, &four)), Parsed::Invalid, "too short for its family");
        let long = v2(0x21, 0x11, &[0; LONGEST]);
        assert_eq!(parse(&long[..FIXED]), Parsed::Invalid, "refused before it is read");
    }
}
