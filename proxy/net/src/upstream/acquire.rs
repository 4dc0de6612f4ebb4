//! A connection or stream for a request: one that stands, or one that is made.

use super::{Identity, Room, Seeker, Upstream, connect, h1, h2::Opened, room::Found};
use crate::{Event, io::Stream, shard::Shard};
use sluice_core::{
    exchange::ConnectFailure,
    pool::{Lease, Reuse},
    snapshot::{Cluster, ClusterId, Endpoint},
};
use sluice_model::spec::ClusterProtocol;
use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

/// What was found at once.
pub(crate) enum Acquired {
    /// A connection that has carried a request before.
    Ready(Upstream),
    /// One is being made, or waited for.
    Connecting(Connecting),
    /// None can be made.
    Failed(ConnectFailure),
}

/// A connection that is being made, or waited for. Dropping it gives it up.
pub(crate) struct Connecting {
    making: Pin<Box<dyn Future<Output = Made>>>,
    waits: Rc<Cell<bool>>,
}

/// The connection, and whether it has carried a request before (streams share one).
type Made = Result<(Upstream, bool), ConnectFailure>;

/// Takes an idle connection that fits, or begins to make one.
pub(crate) fn acquire(
    shard: &Rc<Shard>,
    cluster: &Arc<Cluster>,
    endpoint: &Endpoint,
    reuse: Reuse,
) -> Acquired {
    let Some((identity, lease)) = shard.pools.take(shard, cluster, endpoint, reuse) else {
        shard.observer.count(Event::ConnectFailed { cluster: &cluster.name, reason: "no TLS identity" });
        return Acquired::Failed(ConnectFailure::Tls);
    };
    if let Some(lease) = lease {
        shard.observer.count(Event::PoolHit { cluster: &identity.cluster });
        return Acquired::Ready(Upstream::Http1(lease));
    }
    let shard = Rc::clone(shard);
    let seeker = Seeker::new(cluster, endpoint);
    let waits = Rc::clone(&seeker.waits);
    let may_be_http2 = match identity.protocol {
        ClusterProtocol::Http1 => false,
        ClusterProtocol::Http2 => true,
        ClusterProtocol::Auto => identity.tls.is_some(),
    };
    if may_be_http2 {
        let keep_alive = cluster.spec.keep_alive;
        let making = async move {
            match shard.sessions.open(&shard, &identity, &keep_alive, reuse, &seeker).await? {
                Opened::Http2 { stream, reused } => Ok((Upstream::Http2(stream), reused)),
                Opened::Http1(stream, room) => Ok((http1(&shard, identity, stream, room), false)),
            }
        };
        return Acquired::Connecting(Connecting { making: Box::pin(making), waits });
    }
    let pending = match seeker.pending() {
        Ok(pending) => pending,
        Err(failure) => return Acquired::Failed(failure),
    };
    let making = async move {
        let _pending = pending;
        match seeker.find(&shard, reuse, || false).await? {
            Found::Idle(lease) => {
                shard.observer.count(Event::PoolHit { cluster: &identity.cluster });
                Ok((Upstream::Http1(lease), true))
            }
            Found::Else => Err(ConnectFailure::Overflow),
            Found::Room(room) => {
                shard.observer.count(Event::PoolMiss { cluster: &identity.cluster });
                let connected = connect(Rc::clone(&shard), Rc::clone(&identity)).await?;
                Ok((http1(&shard, identity, connected.stream, room), false))
            }
        }
    };
    Acquired::Connecting(Connecting { making: Box::pin(making), waits })
}

fn http1(shard: &Rc<Shard>, identity: Rc<Identity>, stream: Stream, room: Room) -> Upstream {
    Upstream::Http1(Lease::fresh(h1::Connection::new(shard, identity, stream, room)))
}

impl Connecting {
    /// Whether it waits for room among the connections of its cluster, and not for its endpoint.
    pub(crate) fn waits(&self) -> bool {
        self.waits.get()
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Made> {
        self.making.as_mut().poll(cx)
    }
}

/// Gives back what served a whole, undoubted exchange; it is kept for the next one if it can be.
pub(crate) fn release(shard: &Shard, upstream: Upstream, cluster: ClusterId) {
    match upstream {
        Upstream::Http1(lease) if lease.connection.reusable() => shard.pools.put(shard, cluster, lease),
        // A stream ends by itself; its connection is kept where it lives.
        Upstream::Http1(_) | Upstream::Http2(_) => {}
    }
}
