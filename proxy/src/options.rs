//! What a proxy is started with, and how it ends.

use crate::{admin::Extension, config::ConfigSource, logging::Logging, telemetry::Dialects};
use sluice_model::Diagnostics;
use std::{collections::BTreeMap, io, net::SocketAddr, path::PathBuf, sync::Arc};

/// What a proxy is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the configuration comes from.
    pub source: ConfigSource,
    /// What stands above the configuration, also after every reload.
    pub overrides: Overrides,
    /// Where `/ready`, `/healthz` and `/metrics` of admin can be read as well, by whoever comes: kubelets and Prometheus,
    /// to whom a loopback address says nothing. Read once; off without it.
    pub health: Option<SocketAddr>,
    /// One more path where `health` answers what `/healthz` does.
    pub health_path: Option<Arc<str>>,
    /// React to SIGTERM, SIGINT (drain; a second one ends at once) and SIGHUP (read again, reopen log files). Off where
    /// several proxies share a process.
    pub signals: bool,
    /// The process's log, so that `/logging` can show and change its levels.
    pub logging: Option<Logging>,
    /// Pages and metrics that this process adds to admin.
    pub extension: Option<Arc<dyn Extension>>,
    /// Families of metrics that `/metrics` shows besides our own.
    pub dialects: Dialects,
}

/// What the command line says stands above what the configuration says, also after every reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The admin address.
    pub admin: Option<SocketAddr>,
    /// Addresses of listeners by name. Names that no listener has are ignored.
    pub listeners: BTreeMap<String, SocketAddr>,
    /// The number of data threads.
    pub shards: Option<u16>,
    /// The only name server to ask, in place of those of the configuration or the system.
    pub name_server: Option<SocketAddr>,
}

/// Why a proxy did not start. Nothing keeps running and no socket stays open after it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration file cannot be read.
    #[error("cannot read the configuration {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration is refused: everything that is wrong with it.
    #[error("the configuration is refused:\n{0}")]
    Config(Diagnostics),
    /// Certificates, keys or trust anchors cannot be used.
    #[error("{0}")]
    Tls(String),
    /// A listener's address cannot be bound; most often it is taken.
    #[error("listener `{listener}` cannot listen on {address}: {source}{hint}", hint = bind_hint(source))]
    Listener {
        /// The listener's name.
        listener: String,
        /// The address that was asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The admin address cannot be bound; most often it is taken.
    #[error("the admin endpoint cannot listen on {address}: {source}{hint}", hint = bind_hint(source))]
    Admin {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The health address cannot be bound; most often it is taken.
    #[error("the health endpoint cannot listen on {address}: {source}{hint}", hint = bind_hint(source))]
    Health {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A thread, a runtime or a signal handler cannot be made.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried: `start shard 3`.
        action: String,
        /// Why.
        source: io::Error,
    },
}

/// How a proxy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every connection ended by itself during the drain.
    Drained,
    /// The drain deadline came; this many connections were cut.
    Cut(usize),
    /// A second signal (its number) ended it at once.
    Signal(i32),
    /// A data thread broke, which is a defect of Sluice; the others were drained.
    Broken,
}

// === impl Options ===

impl Options {
    /// Reacts to signals and overrides nothing.
    pub fn new(source: ConfigSource) -> Self {
        Self {
            source,
            overrides: Overrides::default(),
            health: None,
            health_path: None,
            signals: true,
            logging: None,
            extension: None,
            dialects: Dialects::default(),
        }
    }
}

// === impl StartError ===

impl StartError {
    /// The exit code of a process that did not start: 1 for a bad configuration, 3 for an address that cannot be
    /// bound, 4 for what the system refused. (2 is left to wrong command lines.)
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Read { .. } | Self::Config(_) | Self::Tls(_) => 1,
            Self::Listener { .. } | Self::Admin { .. } | Self::Health { .. } => 3,
            Self::System { .. } => 4,
        }
    }
}

fn bind_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => " (another process holds it)",
        io::ErrorKind::PermissionDenied => " (ports below 1024 need CAP_NET_BIND_SERVICE)",
        io::ErrorKind::AddrNotAvailable => " (no interface of this machine has it)",
        _ => "",
    }
}

// === impl Exit ===

impl Exit {
    /// The exit code of the process: 0 after a complete drain, 4 after a defect, 5 when connections were cut,
    /// 128 + n for signal n.
    pub fn code(self) -> u8 {
        match self {
            Self::Drained | Self::Cut(0) => 0,
            Self::Cut(_) => 5,
            Self::Broken => 4,
            Self::Signal(number) => u8::try_from(number).map_or(u8::MAX, |number| number.saturating_add(128)),
        }
    }
}
