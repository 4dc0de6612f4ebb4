//! The validated form: what is true. Made only by [`crate::load`] and [`crate::validate`]; whoever holds a
//! [`Config`] may rely on every rule that the written form's documentation states.

use crate::{
    kept::{Indexes, Kept, Places, places},
    spec,
    value::EndpointAddress,
};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    ops::Deref,
    sync::Arc,
};

/// A whole configuration in which every name resolves and every rule between fields holds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Config {
    written: Arc<spec::Config>,
    indexes: Indexes,
    listeners: List<Listener>,
    route_tables: List<RouteTable>,
    clusters: List<Cluster>,
    secrets: List<Secret>,
    endpoint_names: Arc<BTreeSet<Arc<str>>>,
}

/// In the written order.
type List<T> = Arc<[Arc<T>]>;

/// Where the thing of a name stands in its list.
pub(crate) type Index = HashMap<Box<str>, usize>;

/// A listener whose route table and certificates exist. Equal when written equally; the content of its certificates
/// is not compared, see [`Secret`].
#[derive(Debug, Clone)]
pub struct Listener(Arc<spec::Listener>);

/// A route table whose hosts are distinct.
#[derive(Debug, Clone)]
pub struct RouteTable {
    name: Arc<str>,
    written: Arc<spec::RouteTable>,
    virtual_hosts: Vec<Arc<VirtualHost>>,
}

/// A virtual host whose routes name existing clusters and secrets.
#[derive(Debug, Clone)]
pub struct VirtualHost(Arc<spec::VirtualHost>);

/// A cluster whose trust anchors exist.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<spec::Cluster>);

/// A secret and its content, read from its file where it names one. Equal when name and content are: a renewed
/// certificate file makes another secret although the written form is the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    written: Arc<spec::Secret>,
    content: SecretContent,
}

/// The bytes of a secret. They have the right shape (PEM blocks of the right kinds, enough bytes); whether a
/// certificate can be used is for `sluice-tls` to say.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretContent {
    /// A certificate chain and its private key.
    Tls {
        /// The leaf first, then the intermediates, PEM.
        certificate_pem: Arc<[u8]>,
        /// The private key, PEM.
        key_pem: Arc<[u8]>,
    },
    /// Trust anchors, PEM.
    Ca(Arc<[u8]>),
    /// Bytes for signing, at least [`SecretContent::MIN_KEY_BYTES`].
    Key(Arc<[u8]>),
}

// === impl Config ===

impl Config {
    /// Parts that `old` has too are the same as there.
    pub(crate) fn new(
        written: Arc<spec::Config>,
        secrets: Vec<Arc<Secret>>,
        kept: Kept,
        old: Option<&Self>,
    ) -> Self {
        let Kept { listeners, route_tables, clusters, secrets: _, indexes } = kept;
        let table = |table: &Arc<spec::RouteTable>| {
            let place = old.and_then(|old| old.indexes.route_tables.get(&*table.name));
            let before = old.zip(place).map(|(old, place)| &*old.route_tables[*place]);
            RouteTable::new(Arc::clone(table), before)
        };
        Self {
            endpoint_names: endpoint_names(&written, &clusters, old),
            listeners: list(&written.listeners, &listeners, old.map(|old| &old.listeners), |listener| {
                Listener(Arc::clone(listener))
            }),
            route_tables: list(&written.route_tables, &route_tables, old.map(|old| &old.route_tables), table),
            clusters: list(&written.clusters, &clusters, old.map(|old| &old.clusters), |cluster| {
                Cluster(Arc::clone(cluster))
            }),
            secrets: match old {
                Some(old) if same(&old.secrets, &secrets) => Arc::clone(&old.secrets),
                _ => secrets.into(),
            },
            indexes,
            written,
        }
    }

    /// The written form.
    pub(crate) fn written(&self) -> &spec::Config {
        &self.written
    }

    pub(crate) const fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    /// The admin endpoint.
    pub fn admin(&self) -> &spec::Admin {
        &self.written.admin
    }

    /// Threads, draining and memory caps.
    pub fn runtime(&self) -> &spec::Runtime {
        &self.written.runtime
    }

    /// Where finished requests are logged; `None` is off.
    pub fn access_log(&self) -> Option<&spec::AccessLog> {
        self.written.access_log.as_ref()
    }

    /// How DNS names are resolved.
    pub fn dns(&self) -> &spec::Dns {
        &self.written.dns
    }

    /// In the written order.
    pub fn listeners(&self) -> &[Arc<Listener>] {
        &self.listeners
    }

    /// In the written order.
    pub fn route_tables(&self) -> &[Arc<RouteTable>] {
        &self.route_tables
    }

    /// In the written order.
    pub fn clusters(&self) -> &[Arc<Cluster>] {
        &self.clusters
    }

    /// In the written order.
    pub fn secrets(&self) -> &[Arc<Secret>] {
        &self.secrets
    }

    /// The listener of this name.
    pub fn listener(&self, name: &str) -> Option<&Arc<Listener>> {
        find(&self.listeners, &self.indexes.listeners, name)
    }

    /// The route table of this name.
    pub fn route_table(&self, name: &str) -> Option<&Arc<RouteTable>> {
        find(&self.route_tables, &self.indexes.route_tables, name)
    }

    /// The cluster of this name.
    pub fn cluster(&self, name: &str) -> Option<&Arc<Cluster>> {
        find(&self.clusters, &self.indexes.clusters, name)
    }

    /// Where the cluster of this name stands in [`Config::clusters`].
    pub fn cluster_place(&self, name: &str) -> Option<usize> {
        self.indexes.clusters.get(name).copied()
    }

    /// The DNS names of all endpoints. Shared with the configuration before as long as they are the same.
    pub const fn endpoint_names(&self) -> &Arc<BTreeSet<Arc<str>>> {
        &self.endpoint_names
    }

    /// The secret of this name.
    pub fn secret(&self, name: &str) -> Option<&Arc<Secret>> {
        find(&self.secrets, &self.indexes.secrets, name)
    }

    /// The written form again, for dumps. Inline content of secrets is replaced by a placeholder, so the result can be
    /// shown, but loads only if it has no inline secret.
    pub fn to_spec(&self) -> spec::Config {
        spec::Config {
            secrets: self.secrets.iter().map(|secret| Arc::new(secret.redacted())).collect(),
            ..(*self.written).clone()
        }
    }
}

/// The parts of a list; those that stood in the list before are the same as there, and so is a list of nothing else.
fn list<S, T>(
    new: &[Arc<S>],
    places: &Places,
    old: Option<&List<T>>,
    make: impl Fn(&Arc<S>) -> T,
) -> List<T> {
    let Some(old) = old else { return new.iter().map(|part| Arc::new(make(part))).collect() };
    if new.len() == old.len() && places.iter().zip(0..).all(|(then, now)| *then == Some(now)) {
        return Arc::clone(old);
    }
    let part = |(part, place): (&Arc<S>, &Option<usize>)| {
        place.map_or_else(|| Arc::new(make(part)), |place| Arc::clone(&old[place]))
    };
    new.iter().zip(places).map(part).collect()
}

/// Most clusters have no names, so a change of some seldom changes anything here.
fn endpoint_names(new: &spec::Config, places: &Places, old: Option<&Config>) -> Arc<BTreeSet<Arc<str>>> {
    fn names(cluster: &spec::Cluster) -> impl Iterator<Item = &str> {
        cluster.endpoints.iter().filter_map(|endpoint| match &endpoint.address {
            EndpointAddress::Name(name, _) => Some(&**name),
            EndpointAddress::Socket(_) => None,
        })
    }
    if let Some(old) = old {
        let is_new = |(_, place): &(&Arc<spec::Cluster>, &Option<usize>)| place.is_none();
        let new_names =
            new.clusters.iter().zip(places).filter(is_new).any(|(new, _)| names(new).next().is_some());
        if !new_names && old.endpoint_names.is_empty() {
            return Arc::clone(&old.endpoint_names);
        }
    }
    let all: BTreeSet<Arc<str>> =
        new.clusters.iter().flat_map(|cluster| names(cluster)).map(Arc::from).collect();
    match old {
        Some(old) if *old.endpoint_names == all => Arc::clone(&old.endpoint_names),
        _ => Arc::new(all),
    }
}

fn same<T>(one: &[Arc<T>], other: &[Arc<T>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}

fn find<'l, T>(list: &'l [Arc<T>], index: &Index, name: &str) -> Option<&'l Arc<T>> {
    list.get(*index.get(name)?)
}

// === impl Listener ===

/// The same one is equal without a look at what it holds.
impl PartialEq for Listener {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Deref for Listener {
    type Target = spec::Listener;

    fn deref(&self) -> &spec::Listener {
        &self.0
    }
}

// === impl RouteTable ===

impl RouteTable {
    fn new(written: Arc<spec::RouteTable>, old: Option<&Self>) -> Self {
        let make = |host: &Arc<spec::VirtualHost>| Arc::new(VirtualHost(Arc::clone(host)));
        let virtual_hosts = match old {
            None => written.virtual_hosts.iter().map(make).collect(),
            Some(old) => {
                let places = places(&written.virtual_hosts, &old.written.virtual_hosts);
                let host = |(host, place): (_, Option<usize>)| {
                    place.map_or_else(|| make(host), |place| Arc::clone(&old.virtual_hosts[place]))
                };
                written.virtual_hosts.iter().zip(places).map(host).collect()
            }
        };
        let name = old.filter(|old| *old.name == *written.name).map(|old| Arc::clone(&old.name));
        Self { name: name.unwrap_or_else(|| written.name.as_str().into()), written, virtual_hosts }
    }

    /// Its name; listeners refer to it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// In the written order.
    pub fn virtual_hosts(&self) -> &[Arc<VirtualHost>] {
        &self.virtual_hosts
    }
}

// === impl VirtualHost ===

/// The same one is equal without a look at what it holds.
impl PartialEq for VirtualHost {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Deref for VirtualHost {
    type Target = spec::VirtualHost;

    fn deref(&self) -> &spec::VirtualHost {
        &self.0
    }
}

// === impl Cluster ===

/// The same one is equal without a look at what it holds.
impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Deref for Cluster {
    type Target = spec::Cluster;

    fn deref(&self) -> &spec::Cluster {
        &self.0
    }
}

// === impl Secret ===

impl Secret {
    pub(crate) const fn new(written: Arc<spec::Secret>, content: SecretContent) -> Self {
        Self { written, content }
    }

    /// Its name; listeners, clusters and sticky cookies refer to it.
    pub fn name(&self) -> &str {
        &self.written.name
    }

    pub(crate) fn written(&self) -> &spec::Secret {
        &self.written
    }

    /// Its bytes.
    pub fn content(&self) -> &SecretContent {
        &self.content
    }

    fn redacted(&self) -> spec::Secret {
        use spec::{DataSource, SecretKind, TlsCertificate};
        let redact = |source: &DataSource| match source {
            DataSource::File(path) => DataSource::File(path.clone()),
            DataSource::Inline(_) => DataSource::Inline("<redacted>".into()),
        };
        let kind = match &self.written.kind {
            SecretKind::Tls(tls) => SecretKind::Tls(TlsCertificate {
                certificate: redact(&tls.certificate),
                key: redact(&tls.key),
            }),
            SecretKind::Ca(source) => SecretKind::Ca(redact(source)),
            SecretKind::Key(source) => SecretKind::Key(redact(source)),
        };
        spec::Secret { name: self.written.name.clone(), kind }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Secret").field("written", &self.written).field("content", &self.content).finish()
    }
}

impl SecretContent {
    /// A signing key of fewer bytes is refused.
    pub const MIN_KEY_BYTES: usize = 32;
}

impl fmt::Debug for SecretContent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Tls { .. } => "Tls(<redacted>)",
            Self::Ca(_) => "Ca(<redacted>)",
            Self::Key(_) => "Key(<redacted>)",
        })
    }
}
