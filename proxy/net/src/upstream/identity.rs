//! What makes two upstream connections interchangeable.

use crate::shard::Shard;
use sluice_core::snapshot::{Cluster, Endpoint};
use sluice_model::spec::ClusterProtocol;
use sluice_tls::{ClientTls, ServerName};
use std::{net::SocketAddr, sync::Arc};

/// Everything that a connection's peer can tell it by. Compared whole, never by a hash: a request rides only a
/// connection that was made exactly as it would make one itself.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The cluster's name, for counting.
    pub(crate) cluster: Arc<str>,
    /// The far end.
    pub(crate) address: SocketAddr,
    /// What the cluster wants to be spoken.
    pub(crate) protocol: ClusterProtocol,
    /// How the connection is secured.
    pub(crate) tls: Option<TlsIdentity>,
}

/// How a connection is secured.
#[derive(Debug, Clone)]
pub(crate) struct TlsIdentity {
    /// Trust anchors, ALPN, sessions. Shared by everybody with the same settings, so the pointer is the identity.
    pub(crate) client: Arc<ClientTls>,
    /// What the server has to prove.
    pub(crate) name: ServerName,
}

impl Identity {
    /// What a connection to the endpoint would be now; `None` where its TLS is not there (the endpoint's host is no
    /// name that a certificate can prove).
    pub(crate) fn of(shard: &Shard, cluster: &Cluster, endpoint: &Endpoint) -> Option<Self> {
        let tls = match &cluster.spec.tls {
            None => None,
            Some(_) => {
                let context = shard.tls();
                let (client, name) = context.client(&cluster.name)?;
                let name = match name {
                    Some(name) => name.clone(),
                    None => endpoint.host.parse().ok()?,
                };
                Some(TlsIdentity { client: Arc::clone(client), name })
            }
        };
        Some(Self {
            cluster: Arc::clone(&cluster.name),
            address: endpoint.address,
            protocol: cluster.spec.protocol,
            tls,
        })
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
            && self.protocol == other.protocol
            && self.cluster == other.cluster
            && match (&self.tls, &other.tls) {
                (None, None) => true,
                (Some(one), Some(other)) => Arc::ptr_eq(&one.client, &other.client) && one.name == other.name,
                _ => false,
            }
    }
}
