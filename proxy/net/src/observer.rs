//! How a shard's work becomes visible.

use sluice_core::record::Record;
use sluice_filter::Fields;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Told about everything that is counted or logged. One per shard, called on its thread between two steps of a request:
/// it must neither block nor wait. Implemented by the process (metrics, access log).
pub trait Observer {
    /// A connection was accepted and counted.
    fn connection_opened(&self, connection: &ConnectionInfo);
    /// It is closed, after everything that was reported of it.
    fn connection_closed(&self, connection: &ConnectionInfo, open_for: Duration);
    /// A request is over: answered, refused by the codec, or cut. Exactly once for each.
    fn request_finished(&self, request: &RequestSummary<'_>);
    /// Something else that is counted.
    fn count(&self, event: Event<'_>);
}

/// A client's connection.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// Unique in the process.
    pub id: u64,
    /// The listener's name.
    pub listener: Arc<str>,
    /// The far end of the socket.
    pub peer: SocketAddr,
    /// The near end of the socket.
    pub local: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The server name of the TLS handshake.
    pub server_name: Option<Arc<str>>,
}

/// A finished request. The heads live only as long as the call.
pub struct RequestSummary<'a> {
    /// What is known about it.
    pub record: &'a Record,
    /// The request's fields as received; none where the head could not be read.
    pub request: &'a dyn Fields,
    /// The upstream's answer's fields as received; none where the proxy answered by itself or not at all.
    pub response: &'a dyn Fields,
    /// The upstream's answer's trailers.
    pub trailers: &'a dyn Fields,
}

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A connection was closed at once because its listener had as many as it may have.
    ConnectionRefused {
        /// The listener's name.
        listener: &'a Arc<str>,
    },
    /// A connection ended before its first request could be read.
    HandshakeFailed {
        /// The listener's name.
        listener: &'a Arc<str>,
        /// What went wrong, in a few fixed words: fit for a label.
        reason: &'static str,
    },
    /// A request took an idle upstream connection.
    PoolHit {
        /// The cluster's name.
        cluster: &'a Arc<str>,
    },
    /// A request needed a new upstream connection.
    PoolMiss {
        /// The cluster's name.
        cluster: &'a Arc<str>,
    },
    /// An upstream connection stands, TLS included.
    UpstreamOpened {
        /// The cluster's name.
        cluster: &'a Arc<str>,
    },
    /// An upstream connection was closed, by whichever side.
    UpstreamClosed {
        /// The cluster's name.
        cluster: &'a Arc<str>,
    },
    /// Connecting to an endpoint failed.
    ConnectFailed {
        /// The cluster's name.
        cluster: &'a Arc<str>,
        /// What went wrong, in a few fixed words: fit for a label.
        reason: &'static str,
    },
    /// A request was sent again on another connection.
    Retried {
        /// The cluster's name.
        cluster: &'a Arc<str>,
    },
    /// A mirror got the whole request.
    MirrorSent {
        /// The mirror's cluster.
        cluster: &'a Arc<str>,
    },
    /// A mirror was given up: too slow, or its upstream failed.
    MirrorReset {
        /// The mirror's cluster.
        cluster: &'a Arc<str>,
        /// What went wrong, in a few fixed words: fit for a label.
        reason: &'static str,
    },
}

/// Sees nothing; for tests and for embedding without metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blind;

impl Observer for Blind {
    fn connection_opened(&self, _: &ConnectionInfo) {}
    fn connection_closed(&self, _: &ConnectionInfo, _: Duration) {}
    fn request_finished(&self, _: &RequestSummary<'_>) {}
    fn count(&self, _: Event<'_>) {}
}
