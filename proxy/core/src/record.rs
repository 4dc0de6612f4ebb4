//! What is known about one request when it is over.

use crate::flags::ResponseFlags;
use crate::hygiene::Version;
use crate::route::Route;
use crate::snapshot::Cluster;
use arrayvec::ArrayString;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// One request, as access log, metrics, and later trace and tap see it. Filled by the
/// [`Exchange`](crate::exchange::Exchange) while the request lives; final once it is done. Its text keeps its memory
/// from request to request.
///
/// Header fields are not copied: whoever logs `%REQ(x)%` is given the heads, which live as long as the exchange.
#[derive(Debug, Clone)]
pub struct Record {
    /// When the request's first byte was there. All durations count from here.
    pub started: Instant,
    /// The same moment on the wall.
    pub started_at: SystemTime,
    /// What the client speaks.
    pub version: Version,
    /// The method as sent; empty where the head could not be read.
    pub method: String,
    /// `http` or `https`, as trust settles it.
    pub scheme: &'static str,
    /// Host and port as sent; empty where there was none.
    pub authority: String,
    /// Path and query as received; empty where the head could not be read.
    pub path: String,
    /// The path in the normal form that routes are compared with, without query; empty where there is none.
    pub normal_path: String,
    /// Whether the request speaks gRPC.
    pub grpc: bool,
    /// The status that the client got; 0 where no answer was begun.
    pub status: u16,
    /// The answer's `grpc-status`, from its head or its trailers.
    pub grpc_status: Option<u8>,
    /// Why it ended so.
    pub flags: ResponseFlags,
    /// Why the status is what it is: `via_upstream` when the upstream said it (Envoy's response code details).
    pub details: &'static str,
    /// Why TLS or connecting to the endpoint failed the last time.
    pub failure: Option<&'static str>,
    /// Why the proxy cut the client's connection or stream, where it did.
    pub termination: Option<&'static str>,
    /// Body bytes from the client, without framing.
    pub bytes_received: u64,
    /// Body bytes to the client, without framing.
    pub bytes_sent: u64,
    /// Until the request was complete.
    pub request_complete: Option<Duration>,
    /// Until the last try at an endpoint began.
    pub attempt_started: Option<Duration>,
    /// Until that try had a connection; an idle one is had at once.
    pub attempt_connected: Option<Duration>,
    /// Until the first byte of the upstream's final answer.
    pub response_started: Option<Duration>,
    /// Until everything was over.
    pub duration: Duration,
    /// How many endpoints were tried; refused connects count.
    pub attempts: u32,
    /// The peer of the connection.
    pub peer: SocketAddr,
    /// The client, as trust settles it; the port is the peer's where that is the same address, else 0.
    pub client: SocketAddr,
    /// Where the connection was accepted.
    pub local: SocketAddr,
    /// The connection's number, unique in the process.
    pub connection: u64,
    /// The server name of the TLS handshake.
    pub server_name: Option<Arc<str>>,
    /// The last endpoint that was tried.
    pub endpoint: Option<SocketAddr>,
    /// What the upstream speaks, once connected.
    pub upstream_version: Option<Version>,
    /// How many mirrors got a copy.
    pub mirrors: u32,
    /// Whether the connection was upgraded to a tunnel.
    pub upgraded: bool,
    pub(crate) listener: Option<Arc<sluice_model::Listener>>,
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// The cluster that a route names although there is none.
    pub(crate) missing_cluster: Option<Arc<str>>,
    /// Without memory of its own.
    request_id: ArrayString<{ Record::MAX_REQUEST_ID }>,
}

// === impl Record ===

impl Record {
    /// A longer `x-request-id` from a client is replaced by one of ours.
    pub const MAX_REQUEST_ID: usize = 128;

    /// A record before its first request.
    pub fn new(now: Instant) -> Self {
        let nowhere = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        Self {
            started: now,
            started_at: SystemTime::UNIX_EPOCH,
            version: Version::Http11,
            method: String::new(),
            scheme: "http",
            authority: String::new(),
            path: String::new(),
            normal_path: String::new(),
            grpc: false,
            status: 0,
            grpc_status: None,
            flags: ResponseFlags::NONE,
            details: "",
            failure: None,
            termination: None,
            bytes_received: 0,
            bytes_sent: 0,
            request_complete: None,
            attempt_started: None,
            attempt_connected: None,
            response_started: None,
            duration: Duration::ZERO,
            attempts: 0,
            peer: nowhere,
            client: nowhere,
            local: nowhere,
            connection: 0,
            server_name: None,
            listener: None,
            route: None,
            cluster: None,
            missing_cluster: None,
            endpoint: None,
            upstream_version: None,
            mirrors: 0,
            upgraded: false,
            request_id: ArrayString::new_const(),
        }
    }

    /// Makes it ready for another request; text keeps its memory.
    pub(crate) fn reset(&mut self, now: Instant) {
        // The listener is kept too: the next request nearly always has the same, and then no count is touched.
        let Self { mut method, mut authority, mut path, mut normal_path, listener, .. } =
            std::mem::replace(self, Self::new(now));
        for text in [&mut method, &mut authority, &mut path, &mut normal_path] {
            text.clear();
        }
        (self.method, self.authority, self.path) = (method, authority, path);
        (self.normal_path, self.listener) = (normal_path, listener);
    }

    /// The listener's name.
    pub fn listener(&self) -> &str {
        self.listener.as_ref().map_or("", |listener| &listener.name)
    }

    /// The virtual host's name; empty until a route matched.
    pub fn virtual_host(&self) -> &str {
        self.route.as_ref().map_or("", |route| &route.virtual_host)
    }

    /// The route's name; empty until one matched.
    pub fn route(&self) -> &str {
        self.route.as_ref().map_or("", |route| &route.name)
    }

    /// The cluster's name; empty until a destination was chosen.
    pub fn cluster(&self) -> &str {
        let found = self.cluster.as_ref().map(|cluster| &cluster.name);
        found.or(self.missing_cluster.as_ref()).map_or("", |name| name)
    }

    /// The Kubernetes object that the route comes from, `Ingress shop/web`; empty where there is none.
    pub fn origin(&self) -> &str {
        self.route.as_ref().and_then(|route| route.origin.as_deref()).unwrap_or_default()
    }

    /// The listener itself, which the request keeps alive.
    pub const fn pinned_listener(&self) -> Option<&Arc<sluice_model::Listener>> {
        self.listener.as_ref()
    }

    /// The route itself, which the request keeps alive: a key that costs no text.
    pub const fn pinned_route(&self) -> Option<&Arc<Route>> {
        self.route.as_ref()
    }

    /// The cluster itself, which the request keeps alive.
    pub const fn pinned_cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.as_ref()
    }

    /// The request id; empty where the listener makes none.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Takes one that was made here.
    pub(crate) fn set_own_request_id(&mut self, id: &[u8; 36]) {
        self.request_id.clear();
        // Neither can fail: it is ASCII, and there is room.
        let _ = self.request_id.try_push_str(str::from_utf8(id).unwrap_or_default());
    }

    /// Takes what fits; more than [`Record::MAX_REQUEST_ID`] bytes or anything but visible ASCII is not taken.
    pub(crate) fn set_request_id(&mut self, id: &[u8]) -> bool {
        let Ok(id) = str::from_utf8(id) else { return false };
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return false;
        }
        ArrayString::from(id).map(|id| self.request_id = id).is_ok()
    }
}
