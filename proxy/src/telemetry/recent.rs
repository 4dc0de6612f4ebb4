//! Where the numbers of requests lie that are like recent ones: by what they hold, without looking at a name.

use super::stats::{ClusterStats, EndpointStats, ListenerStats, RouteStats};
use sluice_core::{record::Record, route::Route, snapshot::Cluster};
use std::{net::SocketAddr, sync::Arc};

/// Ways that are remembered. Two that fall on the same place take it from each other in turn, which costs a search by name.
const PLACES: usize = 256;

/// What the requests of one way through the configuration count.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) route: Arc<RouteStats>,
    pub(super) listener: Arc<ListenerStats>,
    pub(super) cluster: Arc<ClusterStats>,
    pub(super) endpoint: Arc<EndpointStats>,
}

/// A way that requests took. It keeps what it is known by, so that nothing else can come to lie there.
#[derive(Debug)]
struct Way {
    listener: Arc<sluice_model::Listener>,
    route: Arc<Route>,
    cluster: Arc<Cluster>,
    endpoint: SocketAddr,
    numbers: Numbers,
}

/// The ways of recent requests of one shard. Forgotten with each configuration, so that none is kept alive.
#[derive(Debug, Default)]
pub(super) struct Recent {
    ways: Vec<Option<Box<Way>>>,
}

impl Recent {
    /// The numbers of a request that reached an endpoint; `find` gets them by name, and stands for all that did not.
    pub(super) fn of(&mut self, record: &Record, find: impl FnOnce() -> Numbers) -> Option<&Numbers> {
        let (listener, route) = (record.pinned_listener()?, record.pinned_route()?);
        let (cluster, endpoint) = (record.pinned_cluster()?, record.endpoint?);
        let places = [Arc::as_ptr(listener).addr(), Arc::as_ptr(route).addr(), Arc::as_ptr(cluster).addr()];
        let mixed = places.iter().fold(usize::from(endpoint.port()), |mixed, place| {
            (mixed ^ (place >> 4)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        if self.ways.is_empty() {
            self.ways.resize_with(PLACES, || None);
        }
        let way = &mut self.ways[(mixed >> 32) % PLACES];
        let same = |way: &Way| {
            Arc::ptr_eq(&way.route, route)
                && Arc::ptr_eq(&way.cluster, cluster)
                && Arc::ptr_eq(&way.listener, listener)
                && way.endpoint == endpoint
        };
        if !way.as_ref().is_some_and(|way| same(way)) {
            *way = Some(Box::new(Way {
                listener: Arc::clone(listener),
                route: Arc::clone(route),
                cluster: Arc::clone(cluster),
                endpoint,
                numbers: find(),
            }));
        }
        way.as_ref().map(|way| &way.numbers)
    }

    pub(super) fn clear(&mut self) {
        self.ways.iter_mut().for_each(|way| *way = None);
    }
}
