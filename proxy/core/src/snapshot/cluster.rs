//! Clusters and their endpoints, ready to use.

use super::ClusterLabels;
use crate::{
    balance::Balance,
    shared::{EndpointState, Shared},
};
use sluice_model::{spec, value::EndpointAddress};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Names a cluster in constant time. Stable across snapshots as long as the cluster exists or a route names it; a slot
/// that is used again for another cluster has another generation, so an old id never finds the wrong cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// A place for a cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) cluster: Option<Arc<Cluster>>,
}

/// A cluster and where it is served.
#[derive(Debug)]
pub struct Cluster {
    /// Its slot in every snapshot.
    pub id: ClusterId,
    /// Its identity across reloads.
    pub name: Arc<str>,
    /// As it was written.
    pub spec: Arc<sluice_model::Cluster>,
    /// Where it is served.
    pub endpoints: Arc<EndpointSet>,
    /// How one of them is chosen.
    pub balance: Balance,
    /// What all shards know of it and of its endpoints.
    pub shared: Shared,
    /// Who serves it, for metrics.
    pub labels: Option<Arc<ClusterLabels>>,
}

/// The endpoints of a cluster as far as their names are resolved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointSet {
    endpoints: Box<[Endpoint]>,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share next to the others; 0 takes nothing.
    pub weight: u32,
    /// What a host rewrite to the endpoint sends: the host as the cluster writes it (a DNS name stays a name, IPv6 in
    /// brackets), with the port unless it is the scheme's own.
    pub authority: Arc<str>,
    /// The host alone, IPv6 without brackets: what TLS verifies unless the cluster names another.
    pub host: Arc<str>,
}

impl ClusterId {
    /// No cluster of any snapshot.
    pub(crate) const UNKNOWN: Self = Self { slot: u32::MAX, generation: u32::MAX };
}

impl Cluster {
    /// What all shards know of the endpoint at this address.
    pub fn endpoint_state(&self, address: SocketAddr) -> Option<&Arc<EndpointState>> {
        let at = self.endpoints.endpoints().iter().position(|endpoint| endpoint.address == address);
        self.shared.endpoint(at?)
    }

    /// The same with other endpoints.
    pub(crate) fn with_endpoints(&self, endpoints: Arc<EndpointSet>) -> Self {
        let before = Some((&self.balance, &*self.endpoints));
        Self {
            id: self.id,
            name: Arc::clone(&self.name),
            spec: Arc::clone(&self.spec),
            balance: Balance::compile(&self.spec.balancer, &endpoints, before),
            shared: Shared::compile(&self.spec, &endpoints, Some((&self.shared, &*self.endpoints))),
            endpoints,
            labels: self.labels.clone(),
        }
    }
}

impl EndpointSet {
    /// One address.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let host: Arc<str> = address.ip().to_string().into();
        let endpoint = Endpoint { address, weight: 1, authority: address.to_string().into(), host };
        Self { endpoints: [endpoint].into() }
    }

    /// The endpoints of a cluster, each name replaced by what `resolve` knows about it; `None` leaves the name out. Where the
    /// connection says where it was on its way to, there are none before it does.
    pub fn resolve<'r>(cluster: &spec::Cluster, resolve: impl Fn(&str) -> Option<&'r [IpAddr]>) -> Self {
        let own_port = if cluster.tls.is_some() { 443 } else { 80 };
        let mut endpoints = Vec::new();
        for endpoint in cluster.endpoints.iter().filter(|_| !cluster.original_destination) {
            let (host, addresses, port) = match &endpoint.address {
                EndpointAddress::Socket(address) => {
                    (address.ip().to_string(), vec![address.ip()], address.port())
                }
                EndpointAddress::Name(name, port) => {
                    (name.to_string(), resolve(name).unwrap_or_default().to_vec(), *port)
                }
            };
            let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            let authority: Arc<str> =
                if port == own_port { bracketed.into() } else { format!("{bracketed}:{port}").into() };
            let host: Arc<str> = host.into();
            endpoints.extend(addresses.into_iter().map(|address| Endpoint {
                address: SocketAddr::new(address, port),
                weight: endpoint.weight,
                authority: Arc::clone(&authority),
                host: Arc::clone(&host),
            }));
        }
        Self { endpoints: endpoints.into() }
    }

    /// In the written order; addresses of one name lie next to each other.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }
}

impl FromIterator<Endpoint> for EndpointSet {
    fn from_iter<I: IntoIterator<Item = Endpoint>>(endpoints: I) -> Self {
        Self { endpoints: endpoints.into_iter().collect() }
    }
}
