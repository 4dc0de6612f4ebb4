//! Who the client is, and who may say so.

use crate::hygiene::{host_of, is_authority};
use sluice_filter::Fields;
use sluice_model::{
    spec::{self, Believed, Scheme},
    value::Cidr,
};
use std::net::{IpAddr, SocketAddr};

/// What a listener believes of the peer of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trust {
    /// The peer's forwarded headers are believed.
    pub(crate) trusted: bool,
    /// The client's address.
    pub(crate) client: IpAddr,
    /// Whether the client came over TLS.
    pub(crate) scheme: Scheme,
}

impl Trust {
    pub(crate) fn of(
        forwarded: &spec::Forwarded,
        peer: IpAddr,
        tls: bool,
        fields: &(impl Fields + ?Sized),
    ) -> Self {
        let peer = peer.to_canonical();
        let scheme = if tls { Scheme::Https } else { Scheme::Http };
        let trusted = is_trusted(&forwarded.trusted, peer);
        if !trusted {
            let Some(client) = outermost(forwarded, fields) else {
                return Self { trusted, client: peer, scheme };
            };
            return Self { trusted, client, scheme: said_scheme(fields).unwrap_or(scheme) };
        }
        let said = if forwarded.believed == Believed::Client { None } else { said_scheme(fields) };
        let scheme = said.unwrap_or(scheme);
        let client = client_address(&forwarded.trusted, forwarded.client_field.as_str(), peer, fields);
        Self { trusted, client, scheme }
    }
}

/// How the client came, as whoever is believed says.
fn said_scheme(fields: &(impl Fields + ?Sized)) -> Option<Scheme> {
    let proto = fields.first("x-forwarded-proto")?;
    [Scheme::Http, Scheme::Https]
        .into_iter()
        .find(|scheme| proto.eq_ignore_ascii_case(scheme.as_str().as_bytes()))
}

/// The client that the outermost of so many trusted hops saw; `None` where the entries do not say it.
fn outermost(forwarded: &spec::Forwarded, fields: &(impl Fields + ?Sized)) -> Option<IpAddr> {
    let hops = forwarded.trusted_hops as usize;
    if hops == 0 {
        return None;
    }
    let each = |visit: &mut dyn FnMut(&[u8])| {
        fields.each_value(forwarded.client_field.as_str(), &mut |value| {
            let entries = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            entries.filter(|entry| !entry.is_empty()).for_each(&mut *visit);
        });
    };
    let mut count: usize = 0;
    each(&mut |_| count += 1);
    let wanted = count.checked_sub(hops)?;
    let (mut place, mut found) = (0, None);
    each(&mut |entry| {
        if place == wanted {
            found = parse(entry);
        }
        place += 1;
    });
    found
}

fn is_trusted(trusted: &[Cidr], address: IpAddr) -> bool {
    trusted.iter().any(|block| block.contains(address))
}

/// The first host that a trusted peer says the client asked, where upstreams are told as ingress-nginx tells them.
pub(crate) fn forwarded_host<'f>(forwarded: &spec::Forwarded, fields: &'f dyn Fields) -> Option<&'f str> {
    if !forwarded.fields.is_nginx() || forwarded.believed == Believed::Client {
        return None;
    }
    let first = fields.first("x-forwarded-host")?.split(|byte| *byte == b',').next()?.trim_ascii();
    str::from_utf8(first).ok().filter(|host| is_authority(host.as_bytes()))
}

/// The client behind trusted proxies: `field`, `x-forwarded-for` for most, is read from the right until an address that is not trusted; that
/// is the client. Where all are trusted it is the leftmost; an entry that is no address ends the walk, since whoever
/// wrote it cannot be told from a client.
pub fn client_address(
    trusted: &[Cidr],
    field: &str,
    peer: IpAddr,
    fields: &(impl Fields + ?Sized),
) -> IpAddr {
    if !is_trusted(trusted, peer) {
        return peer;
    }
    // Values come left to right. One pass with a running candidate is the walk from the right: the rightmost entry that
    // is untrusted or unreadable restarts the candidate with what stands right of it.
    let mut candidate: Option<IpAddr> = None;
    let mut settled = false;
    fields.each_value(field, &mut |value| {
        for entry in
            value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty())
        {
            match parse(entry) {
                Some(address) if !is_trusted(trusted, address) => {
                    candidate = Some(address);
                    settled = true;
                }
                Some(address) => {
                    if !settled && candidate.is_none() {
                        candidate = Some(address);
                    }
                }
                None => {
                    candidate = None;
                    settled = false;
                }
            }
        }
    });
    candidate.unwrap_or(peer)
}

/// An address, perhaps with a port, perhaps in brackets.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?;
    let address =
        text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address
        .or_else(|| host_of(text).strip_prefix('[')?.strip_suffix(']')?.parse().ok())
        .map(|address| address.to_canonical())
}
