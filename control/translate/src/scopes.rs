//! Which server with TLS has which names at a port.
//!
//! A name belongs to one of them: what Ingresses refuse comes first, then their hosts that have certificates, then the
//! servers of Gateways. Hosts of Ingresses need a scope of their own only where a server of a Gateway would take them,
//! as one for `*` does.

use crate::{
    assemble::Lost,
    output::{Output, Server},
};
use sluice_model::{spec::TlsScope, value::HostPattern};
use std::collections::{BTreeMap, HashSet};

/// The servers of all units, as they come.
#[derive(Debug, Default)]
pub(crate) struct Scopes<'o>(BTreeMap<u16, OfPort<'o>>);

#[derive(Debug, Default)]
struct OfPort<'o> {
    /// Without a route table of their own.
    refusals: Vec<(&'o Output, &'o Server)>,
    gateways: Vec<(&'o Output, &'o Server)>,
    /// Units of Ingresses that have a certificate, with its name.
    certified: Vec<(&'o Output, &'o str)>,
}

impl<'o> Scopes<'o> {
    pub(crate) fn add(&mut self, output: &'o Output) {
        for server in &output.servers {
            let port = self.0.entry(server.key.port).or_default();
            let list = if server.key.server.is_none() { &mut port.refusals } else { &mut port.gateways };
            list.push((output, server));
        }
        for (port, secret) in &output.certificates {
            self.0.entry(*port).or_default().certified.push((output, &secret.name));
        }
    }

    /// The scopes of each port, and what somebody does not get.
    pub(crate) fn share(self, lost: &mut Vec<Lost<'o>>) -> BTreeMap<u16, Vec<TlsScope>> {
        self.0.into_iter().map(|(number, port)| (number, port.share(number, lost))).collect()
    }
}

impl<'o> OfPort<'o> {
    fn share(self, number: u16, lost: &mut Vec<Lost<'o>>) -> Vec<TlsScope> {
        let mut taken: HashSet<HostPattern> = HashSet::new();
        let mut scopes = Vec::new();
        let mut own = |names: &mut Vec<HostPattern>| names.retain(|name| taken.insert(name.clone()));
        for (_, server) in self.refusals {
            let mut scope = server.scope.clone();
            own(&mut scope.server_names);
            scopes.push(scope);
        }
        if !self.gateways.is_empty() {
            let wanted: Vec<&HostPattern> =
                self.gateways.iter().flat_map(|(_, server)| &server.scope.server_names).collect();
            for (output, certificate) in self.certified {
                let hosts =
                    output.hosts.iter().filter(|(table, _)| table.port == number && table.server.is_none());
                let mut names: Vec<HostPattern> = hosts
                    .flat_map(|(_, host)| &host.hosts)
                    .filter(|name| is_asked_for(name) && wanted.iter().any(|wide| covers(wide, name)))
                    .cloned()
                    .collect();
                own(&mut names);
                scopes.extend(names.first().map(|first| TlsScope {
                    name: format!("host {first}"),
                    server_names: names.clone(),
                    certificates: vec![certificate.to_owned()],
                    route_table: None,
                    require_known_name: false,
                }));
            }
        }
        for (output, server) in self.gateways {
            let mut scope = server.scope.clone();
            own(&mut scope.server_names);
            let gone = server.scope.server_names.iter().filter(|name| !scope.server_names.contains(*name));
            lost.extend(gone.map(|host| Lost { owners: &output.owners, table: &server.key, host }));
            scopes.push(scope);
        }
        scopes.retain(|scope| !scope.server_names.is_empty());
        scopes
    }
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
        (HostPattern::Suffix(wide), HostPattern::Suffix(name) | HostPattern::OneLabel(name)) => {
            name.ends_with(&**wide)
        }
        (wide, name) => wide == name,
    }
}
