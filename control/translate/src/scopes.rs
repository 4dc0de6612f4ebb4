//! Which server with TLS has which names at a port.
//!
//! A name belongs to one of them: what Ingresses refuse comes first, then their hosts that have TLS, with a certificate of
//! their own or with the default one, then the servers of Gateways. So a server for `*` or `*.name` gets what no Ingress
//! has, as the more specific name goes before. An Ingress without TLS for its host has no claim to it: a server of a Gateway
//! has, and where there is none, the host is served with the default certificate. Hosts of Ingresses need a scope of their
//! own only where a server of a Gateway would take them, or a refusal for a wider name would, whether they have TLS or not, or
//! where handshakes for all other names are refused (`ssl-reject-handshake`): then those with the same certificate share one.

use crate::{
    assemble::{Lost, Why},
    output::{Output, Server},
};
use sluice_model::{spec::TlsScope, value::HostPattern};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The servers of all units, as they come.
#[derive(Debug, Default)]
pub(crate) struct Scopes<'o>(BTreeMap<u16, OfPort<'o>>);

#[derive(Debug, Default)]
struct OfPort<'o> {
    /// Without a route table of their own.
    refusals: Vec<(&'o Output, &'o Server)>,
    gateways: Vec<(&'o Output, &'o Server)>,
    /// Units of Ingresses that have a certificate, with its name; `None` is the one for all other names.
    certified: Vec<(&'o Output, Option<&'o str>)>,
    /// Units of Ingresses that have none.
    without: Vec<&'o Output>,
    /// The certificate for all other names.
    default: Option<&'o str>,
    /// Handshakes for names that nobody has are refused.
    known_hosts_only: bool,
}

impl<'o> Scopes<'o> {
    /// `plain` are ports without TLS.
    pub(crate) fn add(&mut self, output: &'o Output, plain: &BTreeSet<u16>) {
        for server in output.servers.iter().filter(|server| !plain.contains(&server.key.port)) {
            let port = self.0.entry(server.key.port).or_default();
            let list = if server.key.server.is_none() { &mut port.refusals } else { &mut port.gateways };
            list.push((output, server));
        }
        for (port, secret) in &output.certificates {
            let of_port = self.0.entry(*port).or_default();
            if output.secure_ports.contains(port) {
                of_port.default = Some(&secret.name);
            } else {
                of_port.certified.push((output, Some(&secret.name)));
            }
        }
        for port in &output.known_hosts_only {
            self.0.entry(*port).or_default().known_hosts_only = true;
        }
        for port in &output.default_certificate {
            self.0.entry(*port).or_default().certified.push((output, None));
        }
        let own = output.hosts.iter().map(|(table, _)| table).filter(|table| table.server.is_none());
        let ports: BTreeSet<u16> = own.map(|table| table.port).collect();
        for port in ports.into_iter().filter(|port| !has_tls(output, *port)) {
            self.0.entry(port).or_default().without.push(output);
        }
    }

    /// The scopes of each port that has some, and what somebody does not get.
    pub(crate) fn share(self, lost: &mut Vec<Lost<'o>>) -> BTreeMap<u16, Vec<TlsScope>> {
        let ports = self.0.into_iter().map(|(number, port)| (number, port.share(number, lost)));
        ports.filter(|(_, scopes)| !scopes.is_empty()).collect()
    }
}

impl<'o> OfPort<'o> {
    fn share(self, number: u16, lost: &mut Vec<Lost<'o>>) -> Vec<TlsScope> {
        let mut taken: HashSet<HostPattern> = HashSet::new();
        let mut scopes = Vec::new();
        let mut own = |names: &mut Vec<HostPattern>| names.retain(|name| taken.insert(name.clone()));
        for (_, server) in &self.refusals {
            let mut scope = server.scope.clone();
            own(&mut scope.server_names);
            scopes.push(scope);
        }
        let names = |servers: &[(&'o Output, &'o Server)]| -> Vec<&'o HostPattern> {
            servers.iter().flat_map(|(_, server)| &server.scope.server_names).collect()
        };
        let (refused, wanted) = (names(&self.refusals), names(&self.gateways));
        let is_refused = |name: &HostPattern| refused.iter().any(|wide| covers(wide, name));
        let scoped = |name: &HostPattern| {
            let taken = || wanted.iter().any(|wide| covers(wide, name));
            is_asked_for(name) && (self.known_hosts_only || is_refused(name) || taken())
        };
        // By certificate, where they all have one.
        let mut shared: BTreeMap<&str, Vec<HostPattern>> = BTreeMap::new();
        for (output, certificate) in self.certified {
            let Some(certificate) = certificate.or(self.default) else { continue };
            let mut names: Vec<HostPattern> =
                names_at(output, number).filter(|name| scoped(name)).cloned().collect();
            own(&mut names);
            if self.known_hosts_only {
                shared.entry(certificate).or_default().append(&mut names);
            } else if let Some(first) = names.first() {
                scopes.push(scope(format!("host {first}"), certificate, names.clone()));
            }
        }
        for (output, certificate) in
            self.without.into_iter().filter_map(|output| Some((output, self.default?)))
        {
            let shut = names_at(output, number).filter(|name| is_asked_for(name) && is_refused(name));
            let mut names: Vec<HostPattern> = shut.cloned().collect();
            own(&mut names);
            if let Some(first) = names.first() {
                scopes.push(scope(format!("host {first}"), certificate, names.clone()));
            }
        }
        let shared = shared.into_iter();
        scopes.extend(
            shared
                .map(|(certificate, names)| scope(format!("certificate {certificate}"), certificate, names)),
        );
        for (output, server) in self.gateways {
            let mut scope = server.scope.clone();
            own(&mut scope.server_names);
            let gone = server.scope.server_names.iter().filter(|name| !scope.server_names.contains(*name));
            let (owners, table, why) = (&*output.owners, &server.key, Why::Host);
            lost.extend(gone.map(|host| Lost { owners, table, host, why }));
            scopes.push(scope);
        }
        scopes.retain(|scope| !scope.server_names.is_empty());
        scopes
    }
}

/// The names that a unit of Ingresses answers for at a port.
fn names_at(output: &Output, port: u16) -> impl Iterator<Item = &HostPattern> {
    let hosts = output.hosts.iter().filter(move |(table, _)| table.port == port && table.server.is_none());
    hosts.flat_map(|(_, host)| &host.hosts)
}

/// Whether a unit has something to do with TLS at a port.
fn has_tls(output: &Output, port: u16) -> bool {
    output.certificates.iter().any(|(of, _)| *of == port)
        || output.default_certificate.contains(&port)
        || output.servers.iter().any(|server| server.key.port == port)
}

/// Hosts of Ingresses.
fn scope(name: String, certificate: &str, server_names: Vec<HostPattern>) -> TlsScope {
    let certificates = vec![certificate.to_owned()];
    TlsScope { name, server_names, certificates, route_table: None, require_known_name: false }
}

/// Whether clients can name it in a handshake.
fn is_asked_for(name: &HostPattern) -> bool {
    match name {
        HostPattern::Exact(name) => name.parse::<std::net::IpAddr>().is_err(),
        HostPattern::OneLabel(_) => true,
        HostPattern::Suffix(suffix) => suffix.starts_with('.'),
        HostPattern::Prefix(_) | HostPattern::Regex(_) | HostPattern::Any => false,
    }
}

/// Whether what a name stands for would all go to a pattern.
fn covers(wide: &HostPattern, name: &HostPattern) -> bool {
    match (wide, name) {
        (HostPattern::Any, _) => true,
        (HostPattern::Suffix(wide), HostPattern::Exact(name)) => name.ends_with(&**wide),
        (HostPattern::OneLabel(suffix), HostPattern::Exact(name)) => {
            name.strip_suffix(&**suffix).is_some_and(|label| !label.is_empty() && !label.contains('.'))
        }
        (HostPattern::Suffix(wide), HostPattern::Suffix(name) | HostPattern::OneLabel(name)) => {
            name.ends_with(&**wide)
        }
        (wide, name) => wide == name,
    }
}

#[cfg(test)]
mod tests;
