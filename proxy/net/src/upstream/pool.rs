//! The idle HTTP/1 connections of a shard, and connections that are shared by streams.

use super::{Identity, h1};
use crate::shard::Shard;
use sluice_core::{
    pool::{Lease, Limits, Pool, Reuse},
    shared::ClusterState,
    snapshot::{Cluster, ClusterId, Endpoint},
};
use sluice_model::spec::KeepAlive;
use sluice_tls::TlsContext;
use std::{
    cell::RefCell,
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Weak},
    time::Instant,
};

/// The pools of one shard, one for each endpoint of each cluster. Endpoints come from the configuration and from DNS;
/// the pool of one that is gone empties by its idle timeout and is then dropped.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    slots: RefCell<HashMap<(ClusterId, SocketAddr), Slot, foldhash::fast::RandomState>>,
}

/// A connection that is lent to a request.
pub(crate) type Idle = Lease<Box<h1::Connection>>;

#[derive(Debug)]
struct Slot {
    identity: Rc<Identity>,
    /// From which the identity was made: as long as they are the same, so is it.
    spec: Arc<sluice_model::Cluster>,
    tls: Weak<TlsContext>,
    /// Who may be waiting for one of them.
    state: Arc<ClusterState>,
    idle: Pool<Box<h1::Connection>>,
}

impl Pools {
    /// The identity that connections to the endpoint have now, and an idle one of them if one fits.
    pub(crate) fn take(
        &self,
        shard: &Shard,
        cluster: &Cluster,
        endpoint: &Endpoint,
        reuse: Reuse,
    ) -> Option<(Rc<Identity>, Option<Idle>)> {
        let mut slots = self.slots.borrow_mut();
        let key = (cluster.id, endpoint.address);
        let slot = match slots.get_mut(&key) {
            Some(slot) => {
                slot.refresh(shard, cluster, endpoint)?;
                slot
            }
            None => slots.entry(key).or_insert(Slot::new(shard, cluster, endpoint)?),
        };
        let lease = slot.idle.take(shard.now(), reuse, |connection| connection.is_open(), drop);
        Some((Rc::clone(&slot.identity), lease))
    }

    /// Takes a connection back after a whole, undoubted exchange, unless connections to its endpoint are made in
    /// another way by now.
    pub(crate) fn put(&self, shard: &Shard, id: ClusterId, mut lease: Lease<Box<h1::Connection>>) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(&(id, lease.connection.identity.address)) else { return };
        if Rc::ptr_eq(&slot.identity, &lease.connection.identity) {
            lease.connection.rest();
            drop(slot.idle.put(shard.now(), lease));
            if slot.state.is_awaited() && !slot.state.offer(shard.number()) {
                // Another shard needs the room that an idle connection takes.
                slot.idle.drain().for_each(drop);
            }
        }
    }

    /// Closes what has timed out or was closed by its peer.
    pub(crate) fn sweep(&self, now: Instant) {
        self.slots.borrow_mut().retain(|_, slot| {
            if slot.state.is_awaited() {
                slot.idle.drain().for_each(drop);
            }
            slot.idle.sweep(now, |connection| connection.is_open(), drop);
            // A slot without connections costs nothing to make again.
            !slot.idle.is_empty() || Rc::strong_count(&slot.identity) > 1
        });
    }

    /// Closes an idle connection of the cluster, to whichever endpoint; `false` where there is none.
    pub(crate) fn give_up_one(&self, id: ClusterId) -> bool {
        let mut slots = self.slots.borrow_mut();
        let mut idle = slots.iter_mut().filter(|((cluster, _), _)| *cluster == id);
        let given = idle.find_map(|(_, slot)| slot.idle.take_oldest());
        drop(slots);
        given.is_some()
    }

    /// Closes the idle connections of clusters that are gone.
    pub(crate) fn retain(&self, lives: impl Fn(ClusterId) -> bool) {
        self.slots.borrow_mut().retain(|(cluster, _), _| lives(*cluster));
    }

    /// Closes every idle connection.
    pub(crate) fn clear(&self) {
        self.slots.borrow_mut().clear();
    }
}

impl Slot {
    fn new(shard: &Shard, cluster: &Cluster, endpoint: &Endpoint) -> Option<Self> {
        Some(Self {
            identity: Rc::new(Identity::of(shard, cluster, endpoint)?),
            spec: Arc::clone(&cluster.spec),
            tls: Arc::downgrade(&shard.tls()),
            state: Arc::clone(cluster.shared.cluster()),
            idle: Pool::new(limits(&cluster.spec.keep_alive)),
        })
    }

    /// After a change of configuration: connections that are still made in the same way stay, others are closed.
    fn refresh(&mut self, shard: &Shard, cluster: &Cluster, endpoint: &Endpoint) -> Option<()> {
        if Arc::ptr_eq(&self.spec, &cluster.spec)
            && (cluster.spec.tls.is_none() || std::ptr::eq(self.tls.as_ptr(), Arc::as_ptr(&shard.tls())))
        {
            return Some(());
        }
        let identity = Identity::of(shard, cluster, endpoint)?;
        if identity == *self.identity {
            drop(self.idle.set_limits(limits(&cluster.spec.keep_alive)));
        } else {
            self.idle = Pool::new(limits(&cluster.spec.keep_alive));
            self.identity = Rc::new(identity);
        }
        self.spec = Arc::clone(&cluster.spec);
        self.tls = Arc::downgrade(&shard.tls());
        Some(())
    }
}

fn limits(keep_alive: &KeepAlive) -> Limits {
    Limits {
        max_idle: keep_alive.max_idle as usize,
        idle_timeout: keep_alive.idle_timeout.limit(),
        max_requests: Some(keep_alive.max_requests).filter(|most| *most > 0),
    }
}
