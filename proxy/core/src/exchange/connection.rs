//! What exchanges are told with every event, and what they share.

use crate::balance::Balancers;
use crate::head::Received;
use crate::route::MatchScratch;
use crate::snapshot::{Cluster, EndpointSet, Listener, Snapshot};
use arrayvec::ArrayString;
use std::cell::RefCell;
use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

/// A client's connection, as its requests see it. Text that every request needs is made once here.
#[derive(Debug)]
pub struct Connection {
    /// Unique in the process.
    pub id: u64,
    /// The far end.
    pub peer: SocketAddr,
    /// The near end.
    pub local: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The server name of the TLS handshake.
    pub server_name: Option<Arc<str>>,
    /// The TLS scope that the server name picked; `None` is the default one.
    pub scope: Option<Arc<str>>,
    /// Where it was on its way to, if it said so, as the endpoint of clusters that are served there.
    destination: Option<Arc<EndpointSet>>,
    /// The cluster of that kind that was asked for last, with that endpoint.
    at_destination: RefCell<Option<Arc<Cluster>>>,
    peer_text: ArrayString<46>,
    port_text: ArrayString<6>,
}

/// What the exchange may look at while it takes an event.
pub struct Context<'a> {
    /// The current configuration. Read while a route is looked for; a request that has its route keeps it, and its
    /// cluster, through a swap.
    pub snapshot: &'a Snapshot,
    /// The listener, from the current configuration.
    pub listener: &'a Listener,
    /// The client's connection.
    pub connection: &'a Connection,
    /// The request's fields as received; [`NoFields`](crate::head::NoFields) where the head could not be read.
    pub request: &'a dyn Received,
    /// The answer's fields as received, from `ResponseHead` on; [`NoFields`](crate::head::NoFields) before.
    pub response: &'a dyn Received,
    /// What all exchanges of the shard share.
    pub shard: &'a mut ShardState,
}

/// What all exchanges of a shard share. Nobody else touches it.
#[derive(Debug)]
pub struct ShardState {
    /// Randomness: splits, percentages, request ids.
    pub(super) rng: fastrand::Rng,
    /// Whose turn it is in each cluster.
    pub(super) balancers: Balancers,
    /// What route matching writes on.
    pub(super) scratch: MatchScratch,
    /// What path normalisation writes on.
    pub(super) path: String,
    /// The machine's name, for `%HOSTNAME%`.
    pub(super) hostname: Arc<str>,
}

// === impl Connection ===

impl Connection {
    /// Describes an accepted connection. `local` is where it was accepted (the original destination of redirected
    /// traffic).
    pub fn new(
        id: u64,
        peer: SocketAddr,
        local: SocketAddr,
        tls: bool,
        server_name: Option<Arc<str>>,
        scope: Option<Arc<str>>,
    ) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let local = SocketAddr::new(local.ip().to_canonical(), local.port());
        Self {
            id,
            peer,
            local,
            tls,
            server_name,
            scope,
            destination: None,
            at_destination: RefCell::new(None),
            peer_text: short(format_args!("{}", peer.ip())),
            port_text: short(format_args!("{}", local.port())),
        }
    }

    /// The same for one that was on its way to its near end and said so.
    #[must_use]
    pub fn destined(mut self) -> Self {
        self.destination = Some(Arc::new(EndpointSet::of(self.local)));
        self
    }

    /// A cluster as the requests of this connection see it: one that is served at the original destination has that as its
    /// only endpoint. Allocates only where another one of that kind was asked for before.
    pub(super) fn resolve(&self, cluster: &Arc<Cluster>) -> Arc<Cluster> {
        let Some(destination) = self.destination.as_ref().filter(|_| cluster.spec.original_destination)
        else {
            return Arc::clone(cluster);
        };
        let mut last = self.at_destination.borrow_mut();
        match &*last {
            Some(last) if last.id == cluster.id && Arc::ptr_eq(&last.spec, &cluster.spec) => Arc::clone(last),
            _ => Arc::clone(last.insert(Arc::new(cluster.with_endpoints(Arc::clone(destination))))),
        }
    }

    pub(super) fn peer_text(&self) -> &str {
        &self.peer_text
    }

    pub(super) fn port_text(&self) -> &str {
        &self.port_text
    }
}

// === impl ShardState ===

impl ShardState {
    /// A shard before its first request.
    pub fn new(seed: u64, hostname: Arc<str>) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            balancers: Balancers::default(),
            scratch: MatchScratch::default(),
            path: String::new(),
            hostname,
        }
    }

    /// Forgets whose turn it is in clusters that a new configuration no longer has. Everybody else's turn stays.
    pub fn adopt(&mut self, snapshot: &Snapshot) {
        self.balancers.retain(|id| snapshot.cluster(id).is_some());
    }
}

/// Text in its place.
fn short<const N: usize>(text: fmt::Arguments<'_>) -> ArrayString<N> {
    let mut short = ArrayString::new();
    // Text that does not fit is cut; addresses and ports always fit.
    let _ = short.write_fmt(text);
    short
}
