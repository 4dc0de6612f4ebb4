//! Room for one more connection, where a cluster or its endpoints may have only so many.

use super::pool::Idle;
use crate::shard::Shard;
use sluice_core::{
    exchange::ConnectFailure,
    pool::Reuse,
    shared::{Held, Limit},
    snapshot::{Cluster, Endpoint},
};
use std::{cell::Cell, future::poll_fn, rc::Rc, sync::Arc, task::Poll};

/// One more connection of a cluster and of an endpoint; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    _cluster: Held,
    _endpoint: Option<Held>,
}

/// Who needs a connection, and to where.
#[derive(Debug)]
pub(crate) struct Seeker {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) endpoint: Endpoint,
    /// Whether it waits for room, and not for the endpoint.
    pub(crate) waits: Rc<Cell<bool>>,
}

/// What was found in the end.
pub(crate) enum Found {
    /// An HTTP/1 connection that has become idle.
    Idle(Idle),
    /// Room for a new one.
    Room(Room),
    /// None is needed any more.
    Else,
}

impl Seeker {
    pub(crate) fn new(cluster: &Arc<Cluster>, endpoint: &Endpoint) -> Self {
        Self { cluster: Arc::clone(cluster), endpoint: endpoint.clone(), waits: Rc::default() }
    }

    /// Counts a request that waits for a connection; none where as many wait as may.
    pub(crate) fn pending(&self) -> Result<Held, ConnectFailure> {
        let most = self.cluster.spec.limits.pending_requests;
        let state = self.cluster.shared.cluster();
        state.hold(Limit::PendingRequests, most).ok_or(ConnectFailure::Overflow)
    }

    /// Room for a connection, or an idle one that will do; waits until there is either, or until `served` says that there is
    /// something else. The exchange's deadline bounds the time.
    pub(crate) async fn find(
        &self,
        shard: &Rc<Shard>,
        reuse: Reuse,
        served: impl Fn() -> bool,
    ) -> Result<Found, ConnectFailure> {
        let state = self.cluster.shared.cluster();
        let mut turn = state.turn(shard.number());
        let mut waited = false;
        let found = poll_fn(|cx| {
            let mut asked = false;
            loop {
                if waited && let Some(idle) = self.idle(shard, reuse) {
                    return Poll::Ready(Ok(Found::Idle(idle)));
                }
                if waited && served() {
                    return Poll::Ready(Ok(Found::Else));
                }
                match self.room() {
                    Err(failure) => return Poll::Ready(Err(failure)),
                    Ok(Some(room)) => return Poll::Ready(Ok(Found::Room(room))),
                    Ok(None) => {}
                }
                if shard.pools.give_up_one(self.cluster.id) {
                    continue;
                }
                if asked {
                    return Poll::Pending;
                }
                if !waited {
                    state.connections_overflowed();
                }
                turn.wait(cx.waker());
                (asked, waited) = (true, true);
                self.waits.set(true);
            }
        });
        let found = found.await;
        self.waits.set(false);
        found
    }

    fn idle(&self, shard: &Shard, reuse: Reuse) -> Option<Idle> {
        shard.pools.take(shard, &self.cluster, &self.endpoint, reuse)?.1
    }

    /// Room, if there is some now. An endpoint that has as many as it may have is not waited for: others may have room.
    fn room(&self) -> Result<Option<Room>, ConnectFailure> {
        let (limits, of_endpoint) = (self.cluster.spec.limits, self.cluster.spec.endpoint_limits);
        let state = self.cluster.shared.cluster();
        let Some(cluster) = state.hold(Limit::Connections, limits.connections) else { return Ok(None) };
        let endpoint = self.cluster.endpoint_state(self.endpoint.address);
        let endpoint = match endpoint {
            Some(endpoint) => {
                let held = endpoint.hold(Limit::Connections, of_endpoint.connections);
                Some(held.ok_or(ConnectFailure::Full)?)
            }
            None => None,
        };
        Ok(Some(Room { _cluster: cluster, _endpoint: endpoint }))
    }
}
