//! The validated form: what is true. Made only by [`crate::load`] and [`crate::validate`]; whoever holds a
//! [`Config`] may rely on every rule that the written form's documentation states.

use crate::spec;
use std::{collections::HashMap, fmt, ops::Deref, sync::Arc};

/// A whole configuration in which every name resolves and every rule between fields holds.
#[derive(Debug, Clone)]
pub struct Config {
    admin: spec::Admin,
    runtime: spec::Runtime,
    access_log: Option<spec::AccessLog>,
    dns: spec::Dns,
    listeners: Named<Listener>,
    route_tables: Named<RouteTable>,
    clusters: Named<Cluster>,
    secrets: Named<Secret>,
}

/// A listener whose route table and certificates exist. Equal when written equally; the content of its certificates
/// is not compared, see [`Secret`].
#[derive(Debug, Clone, PartialEq)]
pub struct Listener(spec::Listener);

/// A route table whose hosts are distinct.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteTable {
    name: Arc<str>,
    virtual_hosts: Vec<Arc<VirtualHost>>,
}

/// A virtual host whose routes name existing clusters and secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualHost(spec::VirtualHost);

/// A cluster whose trust anchors exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster(spec::Cluster);

/// A secret and its content, read from its file where it names one. Equal when name and content are: a renewed
/// certificate file makes another secret although the written form is the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    spec: spec::Secret,
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
    pub(crate) fn new(spec: spec::Config, secrets: Vec<Secret>) -> Self {
        let spec::Config { admin, runtime, access_log, dns, listeners, route_tables, clusters, secrets: _ } =
            spec;
        Self {
            admin,
            runtime,
            access_log,
            dns,
            listeners: Named::new(listeners.into_iter().map(Listener), |listener| &listener.name),
            route_tables: Named::new(route_tables.into_iter().map(RouteTable::new), |table| &table.name),
            clusters: Named::new(clusters.into_iter().map(Cluster), |cluster| &cluster.name),
            secrets: Named::new(secrets.into_iter(), |secret| &secret.spec.name),
        }
    }

    /// The admin endpoint.
    pub fn admin(&self) -> &spec::Admin {
        &self.admin
    }

    /// Threads, draining and memory caps.
    pub fn runtime(&self) -> &spec::Runtime {
        &self.runtime
    }

    /// Where finished requests are logged; `None` is off.
    pub fn access_log(&self) -> Option<&spec::AccessLog> {
        self.access_log.as_ref()
    }

    /// How DNS names are resolved.
    pub fn dns(&self) -> &spec::Dns {
        &self.dns
    }

    /// In the written order.
    pub fn listeners(&self) -> &[Arc<Listener>] {
        &self.listeners.list
    }

    /// In the written order.
    pub fn route_tables(&self) -> &[Arc<RouteTable>] {
        &self.route_tables.list
    }

    /// In the written order.
    pub fn clusters(&self) -> &[Arc<Cluster>] {
        &self.clusters.list
    }

    /// In the written order.
    pub fn secrets(&self) -> &[Arc<Secret>] {
        &self.secrets.list
    }

    /// The listener of this name.
    pub fn listener(&self, name: &str) -> Option<&Arc<Listener>> {
        self.listeners.find(name)
    }

    /// The route table of this name.
    pub fn route_table(&self, name: &str) -> Option<&Arc<RouteTable>> {
        self.route_tables.find(name)
    }

    /// The cluster of this name.
    pub fn cluster(&self, name: &str) -> Option<&Arc<Cluster>> {
        self.clusters.find(name)
    }

    /// The secret of this name.
    pub fn secret(&self, name: &str) -> Option<&Arc<Secret>> {
        self.secrets.find(name)
    }

    /// The written form again, for dumps. Inline content of secrets is replaced by a placeholder, so the result can be
    /// shown, but loads only if it has no inline secret.
    pub fn to_spec(&self) -> spec::Config {
        spec::Config {
            admin: self.admin.clone(),
            runtime: self.runtime.clone(),
            access_log: self.access_log.clone(),
            dns: self.dns.clone(),
            listeners: self.listeners().iter().map(|listener| listener.0.clone()).collect(),
            route_tables: self.route_tables().iter().map(|table| table.to_spec()).collect(),
            clusters: self.clusters().iter().map(|cluster| cluster.0.clone()).collect(),
            secrets: self.secrets().iter().map(|secret| secret.redacted()).collect(),
        }
    }
}

/// Things with names: a list in written order and a map into it.
#[derive(Debug, Clone)]
struct Named<T> {
    list: Vec<Arc<T>>,
    index: HashMap<Box<str>, usize>,
}

impl<T> Named<T> {
    fn new(items: impl Iterator<Item = T>, name: impl Fn(&T) -> &str) -> Self {
        let list: Vec<Arc<T>> = items.map(Arc::new).collect();
        let index = list.iter().enumerate().map(|(at, item)| (name(item).into(), at)).collect();
        Self { list, index }
    }

    fn find(&self, name: &str) -> Option<&Arc<T>> {
        self.index.get(name).map(|at| &self.list[*at])
    }
}

// === impl Listener ===

impl Deref for Listener {
    type Target = spec::Listener;

    fn deref(&self) -> &spec::Listener {
        &self.0
    }
}

// === impl RouteTable ===

impl RouteTable {
    fn new(spec: spec::RouteTable) -> Self {
        Self {
            name: spec.name.into(),
            virtual_hosts: spec.virtual_hosts.into_iter().map(|host| Arc::new(VirtualHost(host))).collect(),
        }
    }

    /// Its name; listeners refer to it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// In the written order.
    pub fn virtual_hosts(&self) -> &[Arc<VirtualHost>] {
        &self.virtual_hosts
    }

    fn to_spec(&self) -> spec::RouteTable {
        spec::RouteTable {
            name: self.name.to_string(),
            virtual_hosts: self.virtual_hosts.iter().map(|host| host.0.clone()).collect(),
        }
    }
}

// === impl VirtualHost ===

impl Deref for VirtualHost {
    type Target = spec::VirtualHost;

    fn deref(&self) -> &spec::VirtualHost {
        &self.0
    }
}

// === impl Cluster ===

impl Deref for Cluster {
    type Target = spec::Cluster;

    fn deref(&self) -> &spec::Cluster {
        &self.0
    }
}

// === impl Secret ===

impl Secret {
    pub(crate) fn new(spec: spec::Secret, content: SecretContent) -> Self {
        Self { spec, content }
    }

    /// Its name; listeners, clusters and sticky cookies refer to it.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its bytes.
    pub fn content(&self) -> &SecretContent {
        &self.content
    }

    fn redacted(&self) -> spec::Secret {
        use spec::{DataSource, SecretKind, TlsCertificate};
        let redact = |source: &DataSource| match source {
            DataSource::File(path) => DataSource::File(path.clone()),
            DataSource::Inline(_) => DataSource::Inline("<redacted>".to_owned()),
        };
        let kind = match &self.spec.kind {
            SecretKind::Tls(tls) => SecretKind::Tls(TlsCertificate {
                certificate: redact(&tls.certificate),
                key: redact(&tls.key),
            }),
            SecretKind::Ca(source) => SecretKind::Ca(redact(source)),
            SecretKind::Key(source) => SecretKind::Key(redact(source)),
        };
        spec::Secret { name: self.spec.name.clone(), kind }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Secret").field("spec", &self.spec).field("content", &self.content).finish()
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
