//! What requests are told apart by, for balancers that send the same key to the same endpoint.

use crate::{
    route::condition::{cookie, query_value},
    template::{Facts, Missing, evaluate},
};
use sluice_model::{spec, template::Template};
use std::fmt::Write;

/// A key, ready to be read from requests.
#[derive(Debug)]
pub(crate) struct BalancerKey {
    spec: spec::BalancerKey,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Header(Box<str>),
    Cookie(Box<str>, Option<Attributes>),
    Query(Box<str>),
    SourceIp,
    Template(Template),
}

/// `; Path=/; Max-Age=3600; HttpOnly`
#[derive(Debug)]
struct Attributes(Box<str>);

/// A cookie that a client gets because it sent none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MadeCookie(u64);

// === impl BalancerKey ===

impl BalancerKey {
    pub(super) fn compile(spec: &spec::BalancerKey) -> Self {
        let kind = match spec {
            spec::BalancerKey::Header(name) => Kind::Header(name.as_str().into()),
            spec::BalancerKey::Cookie(cookie) => {
                Kind::Cookie(cookie.name.as_str().into(), cookie.make.as_ref().map(Attributes::of))
            }
            spec::BalancerKey::Query(name) => Kind::Query(name.as_str().into()),
            spec::BalancerKey::SourceIp => Kind::SourceIp,
            // Validation has read the same text before.
            spec::BalancerKey::Template(text) => Kind::Template(text.parse().unwrap_or_default()),
        };
        Self { spec: spec.clone(), kind }
    }

    /// Whether it is what this one comes to.
    pub(super) fn is(&self, spec: &spec::BalancerKey) -> bool {
        self.spec == *spec
    }

    /// Puts the request's key into `out`; nothing where it has none, or an empty one. `client` is the client's address as
    /// text.
    pub(crate) fn read(&self, facts: &Facts<'_>, client: &str, out: &mut Vec<u8>) {
        out.clear();
        match &self.kind {
            Kind::Header(name) => out.extend_from_slice(facts.request.first(name).unwrap_or_default()),
            Kind::Cookie(name, _) => drop(cookie(facts.request, name, out)),
            Kind::Query(name) => {
                let query = facts.record.path.split_once('?').map(|(_, query)| query);
                let value = query.and_then(|query| query_value(query, name));
                out.extend_from_slice(value.unwrap_or_default().as_bytes());
            }
            Kind::SourceIp => out.extend_from_slice(client.as_bytes()),
            Kind::Template(template) => evaluate(template, facts, Missing::Nothing, out),
        }
    }

    /// A cookie for a client that sends none, where clients are given one.
    pub(crate) fn make(&self, rng: &mut fastrand::Rng) -> Option<MadeCookie> {
        matches!(self.kind, Kind::Cookie(_, Some(_))).then(|| MadeCookie(rng.u64(..)))
    }

    /// The value of the `set-cookie` field. A client that came over TLS (`secure`) keeps it off plaintext.
    pub(crate) fn set_cookie(&self, made: MadeCookie, secure: bool, out: &mut Vec<u8>) {
        let Kind::Cookie(name, Some(Attributes(attributes))) = &self.kind else { return };
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        made.write(out);
        out.extend_from_slice(attributes.as_bytes());
        if secure {
            out.extend_from_slice(b"; Secure");
        }
    }
}

// === impl Attributes ===

impl Attributes {
    fn of(made: &spec::MadeCookie) -> Self {
        let mut text = String::new();
        // Writing to a String cannot fail.
        if let Some(path) = &made.path {
            let _ = write!(text, "; Path={path}");
        }
        if let Some(ttl) = made.ttl {
            let _ = write!(text, "; Max-Age={}", ttl.get().as_secs());
        }
        text.push_str("; HttpOnly");
        for attribute in &made.attributes {
            let _ = write!(text, "; {}", attribute.name);
            if let Some(value) = &attribute.value {
                let _ = write!(text, "={value}");
            }
        }
        Self(text.into())
    }
}

// === impl MadeCookie ===

impl MadeCookie {
    /// The cookie's value, which is the key of the request that gets it, too.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(format_hex(self.0).as_slice());
    }
}

fn format_hex(number: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 16];
    for (place, digit) in text.iter_mut().enumerate() {
        *digit = DIGITS[(number >> (60 - 4 * place)) as usize & 0xf];
    }
    text
}
