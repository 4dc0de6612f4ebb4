//! One question to the name servers.

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    system_conf::read_system_conf,
};
use sluice_model::spec;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::time;

/// The addresses behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Sorted, without duplicates, never empty: name servers rotate answers, which is no change.
    pub(crate) addresses: Box<[IpAddr]>,
    /// For how long they hold, as the name server says.
    pub(crate) ttl: Duration,
}

/// Asks name servers. It keeps no answers: how long they hold is the caller's business.
pub(crate) struct Resolver {
    hickory: TokioResolver,
    timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("the name has no address")]
    Empty,
    #[error("{0}")]
    Failed(String),
}

// === impl Resolver ===

impl Resolver {
    /// Search domains and options come from `/etc/resolv.conf`, also where other name servers are configured. Without
    /// that file the server of this machine is asked, as libc does.
    pub(crate) fn new(dns: &spec::Dns) -> Result<Self, LookupError> {
        let (mut config, mut options) = read_system_conf()
            .unwrap_or_else(|_| (ResolverConfig::from_name_servers(Vec::new()), ResolverOpts::default()));
        let local = [SocketAddr::from((Ipv4Addr::LOCALHOST, 53))];
        let servers: &[SocketAddr] = if !dns.servers.is_empty() {
            &dns.servers
        } else if config.name_servers().is_empty() {
            &local
        } else {
            &[]
        };
        if !servers.is_empty() {
            let (domain, search, _) = config.into_parts();
            config = ResolverConfig::from_parts(
                domain,
                search,
                servers.iter().copied().map(name_server).collect(),
            );
        }
        let timeout = dns.timeout.limit().unwrap_or(MAX_TIMEOUT).min(MAX_TIMEOUT);
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.cache_size = 0;
        options.attempts = 2;
        options.timeout = timeout / 2;
        let hickory = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|error| LookupError::Failed(error.to_string()))?;
        Ok(Self { hickory, timeout })
    }

    /// Asks for A and AAAA. `localhost` and names below it are loopback without a question (RFC 6761 section 6.3).
    pub(crate) async fn lookup(&self, name: &str) -> Result<Answer, LookupError> {
        let plain = name.trim_end_matches('.');
        if plain == "localhost" || plain.ends_with(".localhost") {
            let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            return Ok(Answer { addresses: addresses.into(), ttl: Duration::MAX });
        }
        let found = time::timeout(self.timeout, self.hickory.lookup_ip(name))
            .await
            .map_err(|_| LookupError::Timeout(self.timeout))?
            .map_err(|error| LookupError::Failed(error.to_string()))?;
        let mut addresses: Vec<IpAddr> = found.iter().collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return Err(LookupError::Empty);
        }
        let ttl = found.valid_until().saturating_duration_since(Instant::now());
        Ok(Answer { addresses: addresses.into(), ttl })
    }
}

const MAX_TIMEOUT: Duration = Duration::from_mins(1);

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}
