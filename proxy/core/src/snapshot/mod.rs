//! The compiled configuration: immutable, versioned, a small tree of shared parts.
//!
//! A snapshot is compiled off the data threads and handed to each shard whole. A request keeps the parts it uses (its
//! route, its cluster), never the snapshot. Specs live here; state (health, pools, counts) lives elsewhere, keyed by
//! identity, and survives a swap.

mod cluster;

pub use cluster::{Cluster, ClusterId, Endpoint, EndpointSet};

use crate::route::RouteTable;
use sluice_filter::Chain;
use sluice_model::{Config, spec};
use std::{net::IpAddr, sync::Arc};

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
    clusters: Arc<[Option<Arc<Cluster>>]>,
}

/// A listener and the routes that serve it.
#[derive(Debug)]
pub struct Listener {
    /// As it was written.
    pub spec: Arc<sluice_model::Listener>,
    /// Its routes.
    pub table: Arc<RouteTable>,
}

/// Compiles a configuration. Every part that did not change since `old` is the same `Arc` as there. The version is one
/// more than the old one's, 1 without.
pub fn compile(old: Option<&Snapshot>, config: &Config, chains: &dyn ChainCompiler) -> Snapshot {
    let _ = (old, config, chains);
    todo!()
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
        let _ = id;
        todo!()
    }

    /// Every cluster.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.iter().flatten()
    }

    /// The cluster of this name.
    pub fn cluster_named(&self, name: &str) -> Option<&Arc<Cluster>> {
        self.clusters().find(|cluster| *cluster.name == *name)
    }

    /// The same snapshot with other endpoints for one cluster; everything else is shared. What names resolve to arrives
    /// this way.
    #[must_use]
    pub fn with_endpoints(&self, id: ClusterId, endpoints: Arc<EndpointSet>) -> Self {
        let _ = (id, endpoints);
        todo!()
    }
}

impl EndpointSet {
    /// The endpoints of a cluster, each name replaced by what `resolve` knows about it; `None` leaves the name out.
    pub fn resolve<'r>(cluster: &spec::Cluster, resolve: impl Fn(&str) -> Option<&'r [IpAddr]>) -> Self {
        let _ = (cluster, resolve);
        todo!()
    }
}
