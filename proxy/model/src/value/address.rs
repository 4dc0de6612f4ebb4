//! Addresses: CIDR blocks and endpoints.

use super::{InvalidValue, text_value};
use crate::convert::brief;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// A block of IP addresses, `10.0.0.0/8` or `fd00::/8`; a bare address is a block of one. Host bits are cleared
/// while reading, as nginx and Istio do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    network: IpAddr,
    length: u8,
}

text_value!(Cidr, "Cidr", "A block of IP addresses such as 10.0.0.0/8 or ::1.", None);

impl Cidr {
    /// The first address of the block.
    pub const fn network(self) -> IpAddr {
        self.network
    }

    /// The number of leading bits that count.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether the address lies in this block. IPv4-mapped IPv6 addresses count as IPv4.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0);
                u32::from(address) & mask == u32::from(network)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
                u128::from(address) & mask == u128::from(network)
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || {
            InvalidValue(format!(
                "`{}` is not an address block: write `10.0.0.0/8` or `2001:db8::/32`",
                brief(text)
            ))
        };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) if !length.starts_with('+') => {
                (address, Some(length.parse::<u8>().map_err(|_| wrong())?))
            }
            Some(_) => return Err(wrong()),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(bits);
        if length > bits {
            return Err(wrong());
        }
        let (address, length) = match address {
            // Addresses are compared in their canonical form, so a mapped block is one of IPv4.
            IpAddr::V6(v6) if length >= 96 => match v6.to_ipv4_mapped() {
                Some(v4) => (IpAddr::V4(v4), length - 96),
                None => (address, length),
            },
            _ => (address, length),
        };
        let network = match address {
            IpAddr::V4(v4) => {
                IpAddr::V4((u32::from(v4) & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)).into())
            }
            IpAddr::V6(v6) => IpAddr::V6(
                (u128::from(v6) & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)).into(),
            ),
        };
        Ok(Self { network, length })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.network, self.length)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Where an endpoint listens: an address and port, or a DNS name and port that is resolved while running.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointAddress {
    /// `10.1.2.3:8080` or `[fd00::1]:8080`.
    Socket(SocketAddr),
    /// `reviews.example.com:8080`; every address behind the name is an endpoint of its own.
    Name(Box<str>, u16),
}

text_value!(
    EndpointAddress,
    "EndpointAddress",
    "An address and port (10.1.2.3:8080, [::1]:8080) or a DNS name and port (reviews.example.com:8080).",
    Some("^.+:[0-9]+$")
);

impl FromStr for EndpointAddress {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return if address.port() == 0 {
                Err(InvalidValue(format!("`{text}` has port 0, which nobody can connect to")))
            } else {
                Ok(Self::Socket(address))
            };
        }
        let wrong = || {
            InvalidValue(format!(
                "`{}` is not an endpoint: write `10.1.2.3:8080`, `[::1]:8080` or `name.example.com:8080`",
                brief(text)
            ))
        };
        let (name, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 =
            port.parse().ok().filter(|number| *number != 0 && !port.starts_with('+')).ok_or_else(wrong)?;
        let labels_ok = name.len() <= 253
            && name.strip_suffix('.').unwrap_or(name).split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            });
        let numeric = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if labels_ok && !numeric {
            Ok(Self::Name(name.to_ascii_lowercase().into(), port))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(out),
            Self::Name(name, port) => write!(out, "{name}:{port}"),
        }
    }
}

impl fmt::Debug for EndpointAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
