//! What the translation of one unit gives, and how all of it becomes one configuration.

use crate::{
    hold::{Absent, Missing},
    report::Report,
    scopes::Scopes,
    settings::{Role, Settings},
};
use sluice_crds::ObjectName;
use sluice_model::{
    spec::{self, ForwardedFields, NormalizePath, PathPolicy, RequestId, UpstreamPath},
    value::{Cidr, HostPattern},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::IpAddr,
    sync::Arc,
};

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
    /// Ports with TLS, which are closed while there is no certificate; never without TLS.
    pub(crate) secure_ports: Vec<u16>,
    /// Ports that treat paths and request ids, and tell servers of clients, as ingress-nginx does.
    pub(crate) as_nginx: Vec<u16>,
    /// Ports where clients are refused that no certificate is for, as there is no certificate for all others.
    pub(crate) known_names_only: Vec<u16>,
    /// Hosts and where they are served.
    pub(crate) hosts: Vec<(TableKey, spec::VirtualHost)>,
    /// Who is told when another unit has such a host already.
    pub(crate) owners: Vec<ObjectName>,
    /// What the routes name.
    pub(crate) clusters: Vec<spec::Cluster>,
    /// Clusters that the routes name and that are gone; as they were, for as long as the unit goes on with them.
    pub(crate) outlived: Vec<spec::Cluster>,
    /// What is named and is not there.
    pub(crate) missing: Vec<Missing>,
    /// Objects that ask for a protection which is not in effect, so that they are refused.
    pub(crate) closed: Vec<ObjectName>,
    /// Addresses whose connections are served by a table of their own, at the port of that.
    pub(crate) addresses: Vec<(IpAddr, TableKey)>,
    /// What serves connections that were on their way to a port which has no listener.
    pub(crate) other_ports: Option<spec::VirtualHost>,
    /// Certificates that the unit brings along; with the port where they are for everybody who names them.
    pub(crate) certificates: Vec<(u16, spec::Secret)>,
    /// Secrets that clusters name.
    pub(crate) secrets: Vec<spec::Secret>,
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
    pub(crate) secrets: Vec<spec::Secret>,
}

/// A host that another unit, which comes first, has already.
#[derive(Debug)]
pub(crate) struct Lost<'o> {
    pub(crate) owners: &'o [ObjectName],
    pub(crate) table: &'o TableKey,
    pub(crate) host: &'o HostPattern,
}

/// One configuration from all outputs, in their order; of several that have the same host at the same place, the first one
/// serves it.
pub(crate) fn assemble<'o>(
    settings: &Settings,
    outputs: impl Iterator<Item = &'o Output>,
) -> (spec::Config, Vec<Lost<'o>>) {
    let mut tables: BTreeMap<TableKey, Vec<spec::VirtualHost>> = BTreeMap::new();
    let mut taken: HashSet<(&TableKey, HostPattern)> = HashSet::new();
    let mut names: HashSet<(&TableKey, String)> = HashSet::new();
    let mut lost = Vec::new();
    let mut clusters: BTreeMap<String, spec::Cluster> = BTreeMap::new();
    let mut secrets: BTreeMap<String, spec::Secret> = BTreeMap::new();
    let mut outlived: Vec<&spec::Cluster> = Vec::new();
    let mut absent: Vec<&String> = Vec::new();
    let mut ports: BTreeMap<u16, spec::ListenerTls> = BTreeMap::new();
    let mut destinations = Destinations::default();
    let mut scopes = Scopes::default();
    let mut seen: BTreeSet<(u16, String)> = BTreeSet::new();
    let [mut secure, mut known_names_only, mut as_nginx]: [BTreeSet<u16>; 3] = Default::default();
    for output in outputs {
        secure.extend(&output.secure_ports);
        known_names_only.extend(&output.known_names_only);
        as_nginx.extend(&output.as_nginx);
        for port in &output.ports {
            tables.entry(TableKey { port: *port, server: None }).or_default();
        }
        for (table, host) in &output.hosts {
            let mut own = host.clone();
            own.hosts.retain(|pattern| taken.insert((table, pattern.clone())));
            let gone = host.hosts.iter().filter(|pattern| !own.hosts.contains(*pattern));
            lost.extend(gone.map(|host| Lost { owners: &output.owners, table, host }));
            while !own.hosts.is_empty() && !names.insert((table, own.name.clone())) {
                own.name.push('\'');
            }
            if !own.hosts.is_empty() {
                tables.entry(table.clone()).or_default().push(own);
            }
        }
        destinations.take(output);
        clusters.extend(output.clusters.iter().map(|cluster| (cluster.name.clone(), cluster.clone())));
        outlived.extend(&output.outlived);
        absent.extend(output.missing.iter().filter_map(|missing| match &missing.what {
            Absent::Cluster(name) => Some(name),
            Absent::Object(_) => None,
        }));
        for (port, secret) in &output.certificates {
            if seen.insert((*port, secret.name.clone())) {
                tls(&mut ports, *port).certificates.push(secret.name.clone());
            }
            secrets.insert(secret.name.clone(), secret.clone());
        }
        secrets.extend(output.secrets.iter().map(|secret| (secret.name.clone(), secret.clone())));
        scopes.add(output);
        for server in &output.servers {
            tls(&mut ports, server.key.port);
            tables.entry(server.key.clone()).or_default();
            secrets.extend(server.secrets.iter().map(|secret| (secret.name.clone(), secret.clone())));
        }
    }
    for (port, scopes) in scopes.share(&mut lost) {
        tls(&mut ports, port).scopes = scopes;
    }
    for cluster in outlived {
        clusters.entry(cluster.name.clone()).or_insert_with(|| cluster.clone());
    }
    for name in absent {
        clusters.entry(name.clone()).or_insert_with(|| spec::Cluster::unavailable(name.clone()));
    }
    for port in &known_names_only {
        if let Some(tls) = ports.get_mut(port) {
            tls.require_known_name = true;
        }
    }
    tables.retain(|key, _| {
        key.server.is_some() || !secure.contains(&key.port) || ports.contains_key(&key.port)
    });
    let mut numbers: BTreeSet<u16> = tables.keys().map(|key| key.port).collect();
    numbers.extend(ports.keys());
    for port in &numbers {
        tables.entry(TableKey { port: *port, server: None }).or_default();
    }
    let listener = |port: u16| {
        let mut listener = listener(settings, port, ports.remove(&port));
        if settings.role.knows_destinations() {
            listener.original_destination = Some(destinations.of(port));
        }
        if as_nginx.contains(&port) {
            listener.path = PathPolicy {
                normalize: NormalizePath::DecodeAndMergeSlashes,
                upstream: UpstreamPath::Received,
            };
            listener.forwarded.fields = if settings.ingress.compute_full_forwarded_for {
                ForwardedFields::NginxFull
            } else {
                ForwardedFields::Nginx
            };
            if settings.listener.request_id {
                listener.request_id = RequestId::Keep;
            }
        }
        listener
    };
    let other_ports = destinations.table();
    let config = spec::Config {
        listeners: numbers.into_iter().map(listener).collect(),
        route_tables: tables
            .into_iter()
            .map(|(key, virtual_hosts)| spec::RouteTable { name: key.to_string(), virtual_hosts })
            .chain(other_ports)
            .collect(),
        clusters: clusters.into_values().collect(),
        secrets: secrets.into_values().collect(),
        ..spec::Config::default()
    };
    (config, lost)
}

fn tls(ports: &mut BTreeMap<u16, spec::ListenerTls>, port: u16) -> &mut spec::ListenerTls {
    ports.entry(port).or_insert_with(|| spec::ListenerTls {
        certificates: Vec::new(),
        scopes: Vec::new(),
        require_known_name: false,
    })
}

fn listener(settings: &Settings, port: u16, tls: Option<spec::ListenerTls>) -> spec::Listener {
    let table = TableKey { port, server: None }.to_string();
    let mut listener = spec::Listener::new(table.clone(), settings.address(port), table);
    listener.tls = tls;
    listener.limits = settings.listener.limits;
    listener.timeouts = settings.listener.timeouts;
    if let Some(normalize) = settings.mesh.normalize_path {
        listener.path.normalize = normalize;
    }
    listener.headers.underscores = settings.listener.underscores;
    listener.public_port = (listener.address.port() != port).then_some(port);
    listener.forwarded.trusted.clone_from(&settings.ingress.trusted);
    listener.forwarded.believed = settings.ingress.believed;
    listener.forwarded.client_field.clone_from(&settings.ingress.forwarded_for_header);
    if !settings.listener.request_id {
        listener.request_id = RequestId::Off;
    }
    if let Role::Sidecar(_) = settings.role {
        // The client is the pod: what it says of others goes on as it is, as with Istio.
        listener.forwarded =
            spec::Forwarded { trusted: everybody(), append: false, ..spec::Forwarded::default() };
        listener.request_id = RequestId::Keep;
        listener.require_http11 = true;
    }
    if !settings.listener.http2 {
        listener.protocols.retain(|protocol| *protocol != spec::Protocol::Http2);
    }
    listener
}

/// Every address.
fn everybody() -> Vec<Cidr> {
    ["0.0.0.0/0", "::/0"].iter().filter_map(|block| block.parse().ok()).collect()
}

/// Where connections were on their way to, and what serves them for that.
#[derive(Default)]
struct Destinations<'o> {
    addresses: BTreeMap<(u16, IpAddr), &'o TableKey>,
    other_ports: Option<&'o spec::VirtualHost>,
}

impl<'o> Destinations<'o> {
    /// The name of the table for ports that have no listener.
    const OTHER_PORTS: &'static str = "other-ports";

    fn take(&mut self, output: &'o Output) {
        for (address, table) in &output.addresses {
            self.addresses.entry((table.port, *address)).or_insert(table);
        }
        self.other_ports = self.other_ports.or(output.other_ports.as_ref());
    }

    /// Those of the listener of a port. Whoever can connect may say where: what it says leads where it could go itself.
    fn of(&self, port: u16) -> spec::OriginalDestination {
        let own = self.addresses.iter().filter(|((of, _), _)| *of == port);
        spec::OriginalDestination {
            trusted: everybody(),
            port,
            addresses: own
                .map(|((_, address), table)| spec::AddressTable {
                    address: *address,
                    route_table: table.to_string(),
                })
                .collect(),
            other_ports: self.other_ports.map(|_| Self::OTHER_PORTS.to_owned()),
        }
    }

    fn table(&self) -> Option<spec::RouteTable> {
        let virtual_host = self.other_ports?.clone();
        Some(spec::RouteTable { name: Self::OTHER_PORTS.to_owned(), virtual_hosts: vec![virtual_host] })
    }
}

impl std::fmt::Display for TableKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.server {
            None => write!(out, "port-{}", self.port),
            Some(server) => write!(out, "port-{} {server}", self.port),
        }
    }
}
