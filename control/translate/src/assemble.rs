//! How the outputs of all units become one configuration, again and again.
//!
//! What a change does not touch is taken over from the configuration before: the same `Arc`, so that those who get it neither
//! check nor compile it again. Where hosts, clusters and certificates only became other ones of the same name, they are
//! exchanged in place and nothing else is looked at.

use crate::{
    hold::Absent,
    ingress,
    output::{Output, TableKey},
    scopes::Scopes,
    settings::{Role, Settings},
};
use sluice_crds::ObjectName;
use sluice_model::{
    spec::{
        self, ForwardedFields, NormalizePath, PathPolicy, RequestId, Runtime, UnderscorePolicy, UpstreamPath,
    },
    value::{Cidr, Duration, HostPattern},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::IpAddr,
    sync::Arc,
};

/// How the outputs of units differ from those that the configuration was put together from last.
#[derive(Debug)]
pub(crate) struct Difference {
    /// There are other hosts, names or ports.
    structure: bool,
    /// What hosts were at their place, and are now.
    hosts: Vec<(TableKey, [Arc<spec::VirtualHost>; 2])>,
    /// What clusters are now that are other than they were.
    clusters: Vec<Arc<spec::Cluster>>,
    /// What secrets are now that are other than they were.
    secrets: Vec<Arc<spec::Secret>>,
    /// There is something else to be said.
    pub(crate) reports: bool,
}

/// Everything has to be put together again.
#[derive(Debug)]
pub(crate) struct Restructured;

/// A host that another unit, which comes first, has already.
#[derive(Debug)]
pub(crate) struct Lost<'o> {
    pub(crate) owners: &'o [ObjectName],
    pub(crate) table: &'o TableKey,
    pub(crate) host: &'o HostPattern,
    pub(crate) why: Why,
}

/// Why a host is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Another unit has it.
    Host,
    /// It is for TLS, and others serve the port without.
    PortWithoutTls,
}

// === impl Difference ===

impl Difference {
    /// Everything is to be put together.
    pub(crate) const ALL: Self =
        Self { structure: true, hosts: Vec::new(), clusters: Vec::new(), secrets: Vec::new(), reports: true };
    /// Nothing is.
    pub(crate) const NONE: Self = Self {
        structure: false,
        hosts: Vec::new(),
        clusters: Vec::new(),
        secrets: Vec::new(),
        reports: false,
    };

    /// A unit was something, or was not there, and is something else, or is gone.
    pub(crate) fn add(&mut self, old: Option<&Output>, new: Option<&Output>) {
        let reports = |output: Option<&Output>| output.is_some_and(|output| !output.reports.is_empty());
        let (Some(old), Some(new)) = (old, new) else {
            self.structure = true;
            self.reports |= reports(old) || reports(new);
            return;
        };
        self.reports |= old.reports != new.reports;
        if !new.has_the_places_of(old) {
            self.structure = true;
            return;
        }
        let hosts = old.hosts.iter().zip(&new.hosts);
        let hosts = hosts.filter(|((_, old), (_, new))| !Arc::ptr_eq(old, new));
        self.hosts.extend(
            hosts.map(|((table, old), (_, new))| (table.clone(), [Arc::clone(old), Arc::clone(new)])),
        );
        self.clusters.extend(others(old.clusters.iter().zip(&new.clusters)));
        self.secrets.extend(others(old.all_secrets().zip(new.all_secrets())));
    }

    /// Exchanges in place what is other than it was. Where that cannot be, as a host stands elsewhere because another unit
    /// has a part of it, everything has to be put together again.
    pub(crate) fn exchange(&mut self, config: &mut spec::Config) -> Result<(), Restructured> {
        if self.structure {
            return Err(Restructured);
        }
        for (table, [old, new]) in self.hosts.drain(..) {
            let name = table.to_string();
            let table =
                config.route_tables.iter_mut().find(|known| known.name == name).ok_or(Restructured)?;
            let place = table.virtual_hosts.iter().position(|known| Arc::ptr_eq(known, &old));
            let place = place.ok_or(Restructured)?;
            if let Some(known) = Arc::make_mut(table).virtual_hosts.get_mut(place) {
                *known = new;
            }
        }
        for cluster in self.clusters.drain(..) {
            let place = config.clusters.binary_search_by(|known| known.name.cmp(&cluster.name));
            if let Some(known) = place.ok().and_then(|place| config.clusters.get_mut(place)) {
                *known = cluster;
            }
        }
        for secret in self.secrets.drain(..) {
            let place = config.secrets.binary_search_by(|known| known.name.cmp(&secret.name));
            if let Some(known) = place.ok().and_then(|place| config.secrets.get_mut(place)) {
                *known = secret;
            }
        }
        Ok(())
    }
}

/// The second of each pair that is not the same twice.
fn others<'p, T: 'p>(pairs: impl Iterator<Item = (&'p Arc<T>, &'p Arc<T>)>) -> impl Iterator<Item = Arc<T>> {
    pairs.filter(|(old, new)| !Arc::ptr_eq(old, new)).map(|(_, new)| Arc::clone(new))
}

/// One configuration from all outputs, in their order; of several that have the same host at the same place, the first one
/// serves it. A port without TLS has no servers with TLS. Clusters stand in the order of their names. Parts that `before` has
/// too are the same as there.
pub(crate) fn assemble<'o>(
    settings: &Settings,
    outputs: impl Iterator<Item = &'o Output>,
    before: &spec::Config,
) -> (spec::Config, Vec<Lost<'o>>) {
    let outputs: Vec<&Output> = outputs.collect();
    let plain = plain(&outputs);
    let servers = outputs.iter().flat_map(|output| &output.servers).map(|server| &server.key);
    let shut_out: HashSet<&TableKey> = servers.filter(|key| plain.contains(&key.port)).collect();
    let mut tables: BTreeMap<TableKey, Vec<Arc<spec::VirtualHost>>> = BTreeMap::new();
    let mut taken: HashSet<(&TableKey, &HostPattern)> = HashSet::new();
    let mut names: HashSet<(&TableKey, String)> = HashSet::new();
    let mut lost = Vec::new();
    let mut clusters: BTreeMap<&str, Arc<spec::Cluster>> = BTreeMap::new();
    let mut secrets: BTreeMap<&str, &Arc<spec::Secret>> = BTreeMap::new();
    let mut outlived: Vec<&Arc<spec::Cluster>> = Vec::new();
    let mut absent: Vec<&str> = Vec::new();
    let mut ports: BTreeMap<u16, spec::ListenerTls> = BTreeMap::new();
    let mut destinations = Destinations::default();
    let mut scopes = Scopes::default();
    let mut seen: HashSet<(u16, &str)> = HashSet::new();
    let mut of_gateways: BTreeMap<u16, u16> = BTreeMap::new();
    let [mut secure, mut known_names_only, mut known_hosts_only, mut as_nginx]: [BTreeSet<u16>; 4] =
        Default::default();
    for output in outputs {
        secure.extend(&output.secure_ports);
        known_names_only.extend(&output.known_names_only);
        known_hosts_only.extend(&output.known_hosts_only);
        as_nginx.extend(&output.as_nginx);
        for (port, number) in &output.of_gateways {
            of_gateways.entry(*port).or_insert(*number);
        }
        for port in &output.ports {
            tables.entry(TableKey { port: *port, server: None }).or_default();
        }
        for (table, host) in &output.hosts {
            if shut_out.contains(table) {
                continue;
            }
            let free: Vec<bool> = host.hosts.iter().map(|pattern| taken.insert((table, pattern))).collect();
            let gone = host.hosts.iter().zip(&free).filter(|(_, free)| !**free);
            let why = Why::Host;
            lost.extend(gone.map(|(host, _)| Lost { owners: &output.owners, table, host, why }));
            if !free.contains(&true) {
                continue;
            }
            let mut name = host.name.clone();
            while !names.insert((table, name.clone())) {
                name.push('\'');
            }
            let own = if name == host.name && !free.contains(&false) {
                Arc::clone(host)
            } else {
                let own = host.hosts.iter().zip(&free).filter(|(_, free)| **free);
                let hosts = own.map(|(pattern, _)| pattern.clone()).collect();
                Arc::new(spec::VirtualHost { name, hosts, ..(**host).clone() })
            };
            match tables.get_mut(table) {
                Some(hosts) => hosts.push(own),
                None => drop(tables.insert(table.clone(), vec![own])),
            }
        }
        clusters.extend(output.clusters.iter().map(|cluster| (&*cluster.name, Arc::clone(cluster))));
        destinations.take(output);
        outlived.extend(&output.outlived);
        absent.extend(output.missing.iter().filter_map(|missing| match &missing.what {
            Absent::Cluster(name) => Some(name.as_str()),
            Absent::Anchors(_) | Absent::Object(_) => None,
        }));
        for (port, secret) in &output.certificates {
            if seen.insert((*port, &secret.name)) {
                tls(&mut ports, *port).certificates.push(secret.name.clone());
            }
            secrets.insert(&secret.name, secret);
        }
        secrets.extend(output.secrets.iter().map(|secret| (&*secret.name, secret)));
        scopes.add(output, &plain);
        for server in &output.servers {
            if shut_out.contains(&server.key) {
                let (owners, table, why) = (&*output.owners, &server.key, Why::PortWithoutTls);
                let names = server.scope.server_names.iter();
                lost.extend(names.map(|host| Lost { owners, table, host, why }));
                continue;
            }
            tls(&mut ports, server.key.port);
            tables.entry(server.key.clone()).or_default();
            secrets.extend(server.secrets.iter().map(|secret| (&*secret.name, secret)));
        }
    }
    for (port, scopes) in scopes.share(&mut lost) {
        tls(&mut ports, port).scopes = scopes;
    }
    for port in &known_hosts_only {
        if let Some(tls) = ports.get_mut(port) {
            tls.certificates.clear();
        }
        ports.retain(|number, tls| number != port || !tls.scopes.is_empty());
    }
    for cluster in outlived {
        clusters.entry(&cluster.name).or_insert_with(|| Arc::clone(cluster));
    }
    for name in absent {
        clusters.entry(name).or_insert_with(|| Arc::new(spec::Cluster::unavailable(name.to_owned())));
    }
    for port in &known_names_only {
        if let Some(tls) = ports.get_mut(port) {
            tls.require_known_name = true;
        }
    }
    for port in &as_nginx {
        let key = TableKey { port: *port, server: None };
        if !taken.contains(&(&key, &HostPattern::Any)) {
            let name = key.to_string();
            let known = before.route_tables.iter().find(|table| table.name == name);
            let known = known.map_or(&[][..], |table| &table.virtual_hosts);
            tables.entry(key).or_default().push(ingress::probe(settings, known));
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
        if let Some(number) = of_gateways.get(&port) {
            as_gateway(&mut listener, settings, *number);
            if !as_nginx.contains(&port) {
                believe_nobody(&mut listener);
            }
        }
        if as_nginx.contains(&port) {
            listener.path =
                PathPolicy { normalize: NormalizePath::DecodeAll, upstream: UpstreamPath::Received };
            // Where Gateways share the port: trust belongs to the listener.
            listener.forwarded.trusted_hops = 0;
            listener.headers.envoy = false;
            listener.forwarded.fields = if settings.ingress.compute_full_forwarded_for {
                ForwardedFields::NginxFull
            } else {
                ForwardedFields::Nginx
            };
            if settings.listener.request_id {
                listener.request_id = RequestId::Keep;
            }
            shape(&mut listener, settings, &OF_NGINX);
        }
        if settings.role.knows_destinations() {
            listener.original_destination = Some(destinations.of(port));
        }
        let known = before.listeners.iter().find(|known| ***known == listener);
        known.map_or_else(|| Arc::new(listener), Arc::clone)
    };
    let listeners = numbers.into_iter().map(listener).collect();
    let known: BTreeMap<&str, &Arc<spec::RouteTable>> =
        before.route_tables.iter().map(|table| (&*table.name, table)).collect();
    let table = |table: spec::RouteTable| {
        let known = known.get(&*table.name);
        let known = known.filter(|known| are_same(&known.virtual_hosts, &table.virtual_hosts));
        known.map_or_else(|| Arc::new(table), |known| Arc::clone(known))
    };
    let tables = tables
        .into_iter()
        .map(|(key, virtual_hosts)| spec::RouteTable { name: key.to_string(), virtual_hosts })
        .chain(destinations.table());
    let usual = Runtime::default();
    let runtime = Runtime { drain_timeout: settings.drain_timeout.unwrap_or(usual.drain_timeout), ..usual };
    let config = spec::Config {
        runtime,
        listeners,
        route_tables: tables.map(table).collect(),
        clusters: clusters.into_values().collect(),
        secrets: secrets.into_values().cloned().collect(),
        ..spec::Config::default()
    };
    (config, lost)
}

/// Ports that somebody serves without TLS.
fn plain(outputs: &[&Output]) -> BTreeSet<u16> {
    let secure: BTreeSet<u16> = outputs.iter().flat_map(|output| &output.secure_ports).copied().collect();
    let ports = outputs.iter().flat_map(|output| {
        let of_hosts = output.hosts.iter().filter(|(table, _)| table.server.is_none());
        output.ports.iter().copied().chain(of_hosts.map(|(table, _)| table.port))
    });
    ports.filter(|port| !secure.contains(port)).collect()
}

/// Whether both hold the same parts, not just equal ones.
pub(crate) fn are_same<T>(one: &[Arc<T>], other: &[Arc<T>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
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
    let own = (listener.timeouts.header, listener.limits.concurrent_streams, listener.headers.underscores);
    shape(&mut listener, settings, &own);
    listener.public_port = (listener.address.port() != port).then_some(port);
    listener.forwarded.trusted.clone_from(&settings.ingress.trusted);
    listener.forwarded.believed = settings.ingress.believed;
    listener.forwarded.client_field.clone_from(&settings.ingress.forwarded_for_header);
    if !settings.listener.request_id {
        listener.request_id = RequestId::Off;
    }
    if let Role::Sidecar(_) = settings.role {
        // The client is the pod: what it says of others goes on as it is, as with Istio.
        listener.forwarded = spec::Forwarded {
            trusted: everybody(),
            append: false,
            fields: ForwardedFields::Proto,
            ..spec::Forwarded::default()
        };
        listener.headers.envoy = true;
        listener.request_id = RequestId::Keep;
        listener.require_http11 = true;
    }
    if !settings.listener.http2 {
        listener.protocols.retain(|protocol| *protocol != spec::Protocol::Http2);
    }
    listener
}

/// At a port of a Gateway, clients and servers are told what a gateway of Istio tells them.
fn as_gateway(listener: &mut spec::Listener, settings: &Settings, number: u16) {
    listener.public_port = (listener.address.port() != number).then_some(number);
    listener.forwarded.fields = ForwardedFields::Envoy;
    listener.forwarded.trusted_hops = settings.mesh.trusted_proxies;
    listener.headers.envoy = true;
}

/// What the controller's ConfigMap says of `x-forwarded-*` is about Ingresses; the mesh has its own word for it.
fn believe_nobody(listener: &mut spec::Listener) {
    let spec::Forwarded { trusted, believed, client_field, .. } = spec::Forwarded::default();
    let forwarded = &mut listener.forwarded;
    (forwarded.trusted, forwarded.believed, forwarded.client_field) = (trusted, believed, client_field);
}

/// The time for a head, the streams of a connection, and names with underscores: where the ConfigMap says nothing.
type Usual = (Duration, u32, UnderscorePolicy);

/// What they are in ingress-nginx.
const OF_NGINX: Usual = (Duration::from_secs(60), 128, UnderscorePolicy::Drop);

fn shape(listener: &mut spec::Listener, settings: &Settings, usual: &Usual) {
    let told = &settings.listener;
    listener.timeouts.header = told.header_timeout.unwrap_or(usual.0);
    listener.limits.concurrent_streams = told.concurrent_streams.unwrap_or(usual.1);
    listener.headers.underscores = told.underscores.unwrap_or(usual.2);
}

/// Every address.
fn everybody() -> Vec<Cidr> {
    ["0.0.0.0/0", "::/0"].iter().filter_map(|block| block.parse().ok()).collect()
}

/// Where connections were on their way to, and what serves them for that.
#[derive(Default)]
struct Destinations<'o> {
    addresses: BTreeMap<(u16, IpAddr), &'o TableKey>,
    other_ports: Option<&'o Arc<spec::VirtualHost>>,
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
        let virtual_host = Arc::clone(self.other_ports?);
        Some(spec::RouteTable { name: Self::OTHER_PORTS.to_owned(), virtual_hosts: vec![virtual_host] })
    }
}
