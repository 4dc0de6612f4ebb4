//! What the translation of one unit gives.

use crate::{assemble::are_same, hold::Missing, ingress::Orphan, report::Report};
use sluice_crds::ObjectName;
use sluice_model::spec;
use std::{net::IpAddr, sync::Arc};

/// Where virtual hosts are served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableKey {
    /// The port, as objects name it.
    pub(crate) port: u16,
    /// The server with TLS of an Istio Gateway, which has hosts of its own.
    pub(crate) server: Option<Arc<str>>,
}

/// What the translation of one unit gives. Names are unique in the whole configuration; the same name stands for the same
/// thing in every output.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Output {
    /// Ports without TLS that are open even where they have no hosts.
    pub(crate) ports: Vec<u16>,
    /// Ports of gateways of Istio, each with the number that its Gateway has for it.
    pub(crate) of_gateways: Vec<(u16, u16)>,
    /// Ports with TLS, which are closed while there is no certificate; never without TLS.
    pub(crate) secure_ports: Vec<u16>,
    /// Ports that treat paths and request ids, and tell servers of clients, as ingress-nginx does.
    pub(crate) as_nginx: Vec<u16>,
    /// Ports where clients are refused that no certificate is for, as there is no certificate for all others.
    pub(crate) known_names_only: Vec<u16>,
    /// Ports with TLS where handshakes for names that nobody has are refused, whatever certificate there is for them.
    pub(crate) known_hosts_only: Vec<u16>,
    /// Hosts and where they are served.
    pub(crate) hosts: Vec<(TableKey, Arc<spec::VirtualHost>)>,
    /// Who is told when another unit has such a host already.
    pub(crate) owners: Vec<ObjectName>,
    /// What the routes name.
    pub(crate) clusters: Vec<Arc<spec::Cluster>>,
    /// Clusters that the routes name and that are gone; as they were, for as long as the unit goes on with them.
    pub(crate) outlived: Vec<Arc<spec::Cluster>>,
    /// What is named and is not there.
    pub(crate) missing: Vec<Missing>,
    /// Ingresses that name a service which nobody serves.
    pub(crate) orphans: Vec<Orphan>,
    /// Objects that ask for a protection which is not in effect, so that they are refused.
    pub(crate) closed: Vec<ObjectName>,
    /// Addresses whose connections are served by a table of their own, at the port of that.
    pub(crate) addresses: Vec<(IpAddr, TableKey)>,
    /// What serves connections that were on their way to a port which has no listener.
    pub(crate) other_ports: Option<Arc<spec::VirtualHost>>,
    /// Certificates that the unit brings along; with the port where they are for everybody who names them.
    pub(crate) certificates: Vec<(u16, Arc<spec::Secret>)>,
    /// Ports where the hosts have TLS with the certificate for all other names.
    pub(crate) default_certificate: Vec<u16>,
    /// Secrets that clusters name.
    pub(crate) secrets: Vec<Arc<spec::Secret>>,
    /// Servers with TLS, with certificates of their own.
    pub(crate) servers: Vec<Server>,
    /// What is to be said.
    pub(crate) reports: Vec<Report>,
}

/// A server with TLS.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Server {
    pub(crate) key: TableKey,
    pub(crate) scope: spec::TlsScope,
    pub(crate) secrets: Vec<Arc<spec::Secret>>,
}

// === impl Output ===

impl Output {
    /// Takes over from what the unit was what did not change: the same parts, in place of equal ones.
    pub(crate) fn adopt(&mut self, old: &Self) {
        adopt(self.hosts.iter_mut().map(|(_, host)| host), old.hosts.iter().map(|(_, host)| host));
        adopt(self.other_ports.iter_mut(), old.other_ports.iter());
        adopt(self.clusters.iter_mut(), old.clusters.iter());
        adopt(
            self.certificates.iter_mut().map(|(_, secret)| secret),
            old.certificates.iter().map(|(_, secret)| secret),
        );
        adopt(self.secrets.iter_mut(), old.secrets.iter());
        for (new, old) in self.servers.iter_mut().zip(&old.servers) {
            adopt(new.secrets.iter_mut(), old.secrets.iter());
        }
    }

    /// Whether the configuration differs, if at all, in what parts of it are that both name: hosts that answer for the same
    /// names at the same place, clusters, certificates. Parts that did not change have to be the same; see [`Output::adopt`].
    pub(crate) fn has_the_places_of(&self, other: &Self) -> bool {
        let pairs = |this: &Arc<spec::VirtualHost>, other: &Arc<spec::VirtualHost>| {
            Arc::ptr_eq(this, other) || (this.name == other.name && this.hosts == other.hosts)
        };
        self.ports == other.ports
            && self.of_gateways == other.of_gateways
            && self.secure_ports == other.secure_ports
            && self.as_nginx == other.as_nginx
            && self.known_names_only == other.known_names_only
            && self.known_hosts_only == other.known_hosts_only
            && self.owners == other.owners
            && self.hosts.len() == other.hosts.len()
            && self
                .hosts
                .iter()
                .zip(&other.hosts)
                .all(|((at, host), (then, other))| at == then && pairs(host, other))
            && same(&self.clusters, &other.clusters, |cluster| &*cluster.name)
            && are_same(&self.outlived, &other.outlived)
            && same(&self.missing, &other.missing, |missing| &missing.what)
            && self.addresses == other.addresses
            && self.other_ports == other.other_ports
            && self.default_certificate == other.default_certificate
            && same(&self.certificates, &other.certificates, |(port, secret)| (*port, &*secret.name))
            && same(&self.secrets, &other.secrets, |secret| &*secret.name)
            && self.servers.len() == other.servers.len()
            && self.servers.iter().zip(&other.servers).all(|(this, other)| {
                this.key == other.key
                    && this.scope == other.scope
                    && same(&this.secrets, &other.secrets, |secret| &*secret.name)
            })
    }

    /// Every secret, with a name that says which it is.
    pub(crate) fn all_secrets(&self) -> impl Iterator<Item = &Arc<spec::Secret>> {
        let certificates = self.certificates.iter().map(|(_, secret)| secret);
        let servers = self.servers.iter().flat_map(|server| &server.secrets);
        certificates.chain(&self.secrets).chain(servers)
    }
}

/// Whether both lists name the same, one after the other.
fn same<'l, T, N: PartialEq + 'l>(one: &'l [T], other: &'l [T], name: impl Fn(&'l T) -> N) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| name(one) == name(other))
}

/// Puts the old part in the place of each new one that is equal.
fn adopt<'o, T: PartialEq + 'o>(
    new: impl Iterator<Item = &'o mut Arc<T>>,
    old: impl Iterator<Item = &'o Arc<T>>,
) {
    for (new, old) in new.zip(old) {
        if new == old {
            *new = Arc::clone(old);
        }
    }
}

// === impl TableKey ===

impl std::fmt::Display for TableKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.server {
            None => write!(out, "port-{}", self.port),
            Some(server) => write!(out, "port-{} {server}", self.port),
        }
    }
}
