//! How much at once, from one client to one service. 0 is the default everywhere, which is no limit unless the field says
//! otherwise.

use crate::{
    message::{choice, message},
    proto::Duration,
};

message! {
    /// How much at once.
    pub struct ConnectionPoolSettings {
        /// Connections.
        pub tcp: Option<TcpSettings>,
        /// Requests.
        pub http: Option<HttpSettings>,
    }
}

message! {
    /// Connections.
    pub struct TcpSettings {
        /// At the same time.
        pub max_connections: u32,
        /// To connect; 10s where absent.
        pub connect_timeout: Option<Duration>,
        /// Probes of idle connections.
        pub tcp_keepalive: Option<TcpKeepalive>,
        /// How long one may live.
        pub max_connection_duration: Option<Duration>,
        /// How long one may be idle; 1h where absent, `0s` for ever.
        pub idle_timeout: Option<Duration>,
    }
}

message! {
    /// Probes of idle connections.
    pub struct TcpKeepalive {
        /// How many may stay without an answer.
        pub probes: u32,
        /// Idle time before the first.
        pub time: Option<Duration>,
        /// Time in between.
        pub interval: Option<Duration>,
    }
}

message! {
    /// Requests. The limits of either version hold for both.
    pub struct HttpSettings {
        /// How many may wait for a connection.
        pub http1_max_pending_requests: u32,
        /// How many may be under way.
        pub http2_max_requests: u32,
        /// How many one connection serves; 1 is no keep-alive.
        pub max_requests_per_connection: u32,
        /// How many retries may be under way.
        pub max_retries: u32,
        /// How long a connection may be without requests; 1h where absent.
        pub idle_timeout: Option<Duration>,
        /// Whether HTTP/2 is spoken to servers that did not ask for it.
        pub h2_upgrade_policy: H2UpgradePolicy,
        /// Whether the client's version is spoken to the server.
        pub use_client_protocol: bool,
        /// How many streams a connection has at the same time.
        pub max_concurrent_streams: u32,
        /// Probes of HTTP/2 connections.
        pub http2_keep_alive: Option<ConnectionKeepalive>,
    }
}

message! {
    /// Probes of HTTP/2 connections.
    pub struct ConnectionKeepalive {
        /// Time in between.
        pub interval: Option<Duration>,
        /// How long the answer may take.
        pub timeout: Option<Duration>,
    }
}

choice! {
    /// Whether HTTP/2 is spoken to servers that did not ask for it.
    pub enum H2UpgradePolicy {
        /// As the mesh says.
        #[default]
        Default,
        /// No.
        DoNotUpgrade,
        /// Yes.
        Upgrade,
    }
}
