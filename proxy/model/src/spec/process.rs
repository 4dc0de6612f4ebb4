//! What belongs to the process as a whole.

use crate::value::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// The admin endpoint: `/ready`, `/metrics`, `/config_dump` and others, on a thread of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where it listens. Changing it needs a restart.
    #[schemars(with = "String")]
    #[serde(with = "crate::value::socket_address")]
    pub address: SocketAddr,
    /// Host names, besides IP addresses and `localhost`, under which requests are accepted (protection against DNS
    /// rebinding).
    pub allowed_hosts: Vec<String>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 15000)), allowed_hosts: Vec::new() }
    }
}

/// Threads, draining and memory caps. Read at start; a reload reports a change here as needing a restart, except for
/// the drain times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// Data threads; absent means one for each CPU that the cgroup grants.
    #[schemars(range(min = 1, max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u16>,
    /// How connections reach the shards.
    pub accept: AcceptMode,
    /// How long a drain may take before what is left is cut. Also applied to connections of a removed listener.
    pub drain_timeout: Duration,
    /// How long `/ready` already says no while new connections are still accepted, so that load balancers notice.
    pub drain_grace: Duration,
    /// Bytes that all mirrors of one shard may hold together.
    pub mirror_buffer_per_shard: Size,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            shards: None,
            accept: AcceptMode::default(),
            drain_timeout: Duration::from_secs(30),
            drain_grace: Duration::ZERO,
            mirror_buffer_per_shard: Size::kib(64 * 1024),
        }
    }
}

/// How connections reach the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AcceptMode {
    /// Every shard has a listening socket of its own and the kernel spreads connections by hash. Best for many short
    /// connections.
    #[default]
    Reuseport,
    /// One socket; each connection goes to the shard that has the fewest. Best for few long-lived connections.
    Handoff,
}

/// One line for each finished request, also for those that the codec refused. Writing never blocks a request: lines
/// that do not fit the queue are dropped and counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    /// Where lines go.
    pub target: AccessLogTarget,
    /// How a line looks.
    pub format: AccessLogFormat,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { target: AccessLogTarget::Stdout, format: AccessLogFormat::Json }
    }
}

/// Where access log lines go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessLogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, opened for appending; opened again on SIGHUP, for log rotation.
    File(String),
}

/// How an access log line looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessLogFormat {
    /// One JSON object with all the fields that Sluice knows.
    Json,
    /// An Envoy-style format string such as `%REQ(:METHOD)% %RESPONSE_CODE% %RESPONSE_FLAGS%`; a newline is added.
    Text(String),
}

/// How DNS names of endpoints are resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Name servers to ask in place of those of `/etc/resolv.conf`.
    #[schemars(with = "Vec<String>")]
    #[serde(with = "crate::value::socket_addresses")]
    pub servers: Vec<SocketAddr>,
    /// Answers are asked for again no sooner than this, whatever their TTL.
    pub min_ttl: Duration,
    /// Answers are asked for again no later than this, whatever their TTL.
    pub max_ttl: Duration,
    /// How long one look-up may take. The last good answer stays in use when it fails.
    pub timeout: Duration,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(300),
            timeout: Duration::from_secs(5),
        }
    }
}
