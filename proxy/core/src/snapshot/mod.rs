//! The compiled configuration: immutable, versioned, a small tree of shared parts.
//!
//! A snapshot is compiled off the data threads and handed to each shard whole. A request keeps the parts it uses (its
//! route, its cluster), never the snapshot. Specs live here; state (health, pools, counts) lives elsewhere, keyed by
//! identity, and survives a swap.

mod cluster;
mod compile;
mod destination;
mod labels;
#[cfg(test)]
mod tests;

pub use cluster::{Cluster, ClusterId, Endpoint, EndpointSet};
pub use compile::compile;
pub use destination::Destinations;
pub use labels::ClusterLabels;

use crate::{route::RouteTable, scope::ScopedTables};
use cluster::Slot;
use sluice_filter::Chain;
use sluice_model::spec;
use std::sync::Arc;

/// In place of a slot: there is none.
const NOWHERE: u32 = u32::MAX;

/// Compiles the filters of a route. Implemented beside the filters, which this crate does not know.
pub trait ChainCompiler: Send + Sync {
    /// The chain, or `None` where nothing would run.
    fn compile(&self, filters: &[spec::Filter]) -> Option<Arc<dyn Chain>>;
}

/// No filters at all: for tests and for `explain`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoChains;

/// The compiled configuration.
#[derive(Debug, Default)]
pub struct Snapshot {
    version: u64,
    listeners: Box<[Arc<Listener>]>,
    tables: Box<[Arc<RouteTable>]>,
    clusters: Arc<[Slot]>,
    /// The slot of each cluster of the configuration; [`NOWHERE`] for those that are unavailable.
    slots: Arc<[u32]>,
    /// What it was compiled from; absent in an empty one.
    config: Option<sluice_model::Config>,
    /// Keys that sticky cookies are signed with: a route that uses one is compiled again when it changes.
    keys: Box<[Arc<sluice_model::Secret>]>,
}

/// A listener and the routes that serve it.
#[derive(Debug)]
pub struct Listener {
    /// As it was written.
    pub spec: Arc<sluice_model::Listener>,
    /// Its routes; with TLS scopes, those of the default scope.
    pub table: Arc<RouteTable>,
    /// The routes of its TLS scopes; `None` where there is only the default one.
    pub scopes: Option<ScopedTables>,
    /// Its other routes by where connections were on their way to; `None` where it has none.
    pub destinations: Option<Destinations>,
    /// [`spec::Listener::public_port`] as text.
    pub public_port: Option<Box<str>>,
}

impl Listener {
    /// The routes for a host on a connection whose handshake picked the TLS scope of this name (the default one has
    /// none); `None` where the host belongs to another scope, or the connection's is gone. Allocates nothing.
    pub fn serving(&self, scope: Option<&str>, host: &str) -> Option<&Arc<RouteTable>> {
        match &self.scopes {
            None => scope.is_none().then_some(&self.table),
            Some(scopes) => scopes.serving(scope, host),
        }
    }

    /// Whether the other one is written in the same way and has the same parts.
    fn same(&self, other: &Self) -> bool {
        self.spec == other.spec
            && Arc::ptr_eq(&self.table, &other.table)
            && match (&self.scopes, &other.scopes) {
                (Some(one), Some(other)) => one.shares_tables(other),
                (one, other) => one.is_none() && other.is_none(),
            }
            && match (&self.destinations, &other.destinations) {
                (Some(one), Some(other)) => one.shares_tables(other),
                (one, other) => one.is_none() && other.is_none(),
            }
    }
}

impl ChainCompiler for NoChains {
    fn compile(&self, _: &[spec::Filter]) -> Option<Arc<dyn Chain>> {
        None
    }
}

impl Snapshot {
    /// Counts compilations and endpoint changes.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// In the written order.
    pub fn listeners(&self) -> &[Arc<Listener>] {
        &self.listeners
    }

    /// The listener of this name.
    pub fn listener(&self, name: &str) -> Option<&Arc<Listener>> {
        self.listeners.iter().find(|listener| listener.spec.name == name)
    }

    /// In the written order.
    pub fn tables(&self) -> &[Arc<RouteTable>] {
        &self.tables
    }

    /// The cluster, or `None` where a route names one that does not exist (any more): 503 `NC`.
    pub fn cluster(&self, id: ClusterId) -> Option<&Arc<Cluster>> {
        let slot = self.clusters.get(id.slot as usize)?;
        slot.cluster.as_ref().filter(|_| slot.generation == id.generation)
    }

    /// Every cluster.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.iter().filter_map(|slot| slot.cluster.as_ref())
    }

    /// The cluster of this name.
    pub fn cluster_named(&self, name: &str) -> Option<&Arc<Cluster>> {
        let slot = *self.slots.get(self.config.as_ref()?.cluster_place(name)?)?;
        self.clusters.get(slot as usize)?.cluster.as_ref()
    }

    /// The objects that the cluster of this name was made from, also where it is unavailable.
    pub(crate) fn origins(&self, cluster: &str) -> &[String] {
        let written = self.config.as_ref().and_then(|config| config.cluster(cluster));
        written.map_or(&[], |cluster| &cluster.origins)
    }

    /// Its endpoints are names as well as addresses, so answers of DNS concern it.
    pub fn has_names(&self) -> bool {
        self.config.as_ref().is_some_and(|config| !config.endpoint_names().is_empty())
    }

    /// The same snapshot with other endpoints for one cluster; everything else is shared. What names resolve to arrives
    /// this way. An id that names no cluster any more changes nothing.
    #[must_use]
    pub fn with_endpoints(&self, id: ClusterId, endpoints: Arc<EndpointSet>) -> Self {
        let mut clusters = Arc::clone(&self.clusters);
        if let Some(old) = self.cluster(id) {
            Arc::make_mut(&mut clusters)[id.slot as usize].cluster =
                Some(Arc::new(old.with_endpoints(endpoints)));
        }
        Self {
            version: self.version + 1,
            listeners: self.listeners.clone(),
            tables: self.tables.clone(),
            clusters,
            slots: Arc::clone(&self.slots),
            config: self.config.clone(),
            keys: self.keys.clone(),
        }
    }
}
