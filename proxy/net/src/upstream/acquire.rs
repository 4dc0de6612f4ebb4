//! A connection or stream for a request: one that stands, or one that is made.

use super::{Identity, Upstream, connect, h1, h2::Opened};
use crate::{Event, io::Stream, shard::Shard};
use sluice_core::{
    exchange::ConnectFailure,
    pool::{Lease, Reuse},
    snapshot::{Cluster, ClusterId, Endpoint},
};
use sluice_model::spec::ClusterProtocol;
use std::{pin::Pin, rc::Rc};

/// What was found at once.
pub(crate) enum Acquired {
    /// A connection that has carried a request before.
    Ready(Upstream),
    /// One is being made.
    Connecting(Connecting),
    /// None can be made.
    Failed(ConnectFailure),
}

/// A connection that is being made; also says whether it has carried a request before (streams share one). Dropping it
/// gives it up.
pub(crate) type Connecting = Pin<Box<dyn Future<Output = Result<(Upstream, bool), ConnectFailure>>>>;

/// Takes an idle connection that fits, or begins to make one.
pub(crate) fn acquire(shard: &Rc<Shard>, cluster: &Cluster, endpoint: &Endpoint, reuse: Reuse) -> Acquired {
    let Some((identity, lease)) = shard.pools.take(shard, cluster, endpoint, reuse) else {
        shard.observer.count(Event::ConnectFailed { cluster: &cluster.name, reason: "no TLS identity" });
        return Acquired::Failed(ConnectFailure::Tls);
    };
    if let Some(lease) = lease {
        shard.observer.count(Event::PoolHit { cluster: &identity.cluster });
        return Acquired::Ready(Upstream::Http1(lease));
    }
    let shard = Rc::clone(shard);
    let may_be_http2 = match identity.protocol {
        ClusterProtocol::Http1 => false,
        ClusterProtocol::Http2 => true,
        ClusterProtocol::Auto => identity.tls.is_some(),
    };
    if !may_be_http2 {
        shard.observer.count(Event::PoolMiss { cluster: &identity.cluster });
        return Acquired::Connecting(Box::pin(async move {
            let connected = connect(Rc::clone(&shard), Rc::clone(&identity)).await?;
            Ok((http1(&shard, identity, connected.stream), false))
        }));
    }
    let keep_alive = cluster.spec.keep_alive;
    Acquired::Connecting(Box::pin(async move {
        match shard.sessions.open(&shard, &identity, &keep_alive, reuse).await? {
            Opened::Http2 { stream, reused } => Ok((Upstream::Http2(stream), reused)),
            Opened::Http1(stream) => Ok((http1(&shard, identity, stream), false)),
        }
    }))
}

fn http1(shard: &Rc<Shard>, identity: Rc<Identity>, stream: Stream) -> Upstream {
    Upstream::Http1(Lease::fresh(h1::Connection::new(shard, identity, stream)))
}

/// Gives back what served a whole, undoubted exchange; it is kept for the next one if it can be.
pub(crate) fn release(shard: &Shard, upstream: Upstream, cluster: ClusterId) {
    match upstream {
        Upstream::Http1(lease) if lease.connection.reusable() => shard.pools.put(shard, cluster, lease),
        // A stream ends by itself; its connection is kept where it lives.
        Upstream::Http1(_) | Upstream::Http2(_) => {}
    }
}
