//! What the process is at this moment, as admin shows it. The control task writes, handlers read.

use crate::{
    access_log::WriterStats,
    admin::{Extension, Unbound},
    control::Command,
    dns::Resolution,
    logging::Logging,
    readiness::Readiness,
    telemetry::{Dialects, ShardStats, SharedCounter},
};
use arc_swap::ArcSwap;
use sluice_model::Config;
use sluice_net::{Generation, ListenerState};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Instant, SystemTime},
};
use tokio::sync::mpsc;

/// Shared by the control task and admin.
pub(crate) struct State {
    pub(crate) started: Instant,
    pub(crate) readiness: Readiness,
    published: ArcSwap<Published>,
    pub(crate) reloads: Reloads,
    /// Listeners of the configuration in force that do without their address.
    pub(crate) unbound: ArcSwap<Vec<Unbound>>,
    pub(crate) dns: ArcSwap<Vec<Resolution>>,
    pub(crate) dns_failures: SharedCounter,
    pub(crate) shards: Vec<Arc<ShardStats>>,
    /// Written by the acceptors of the control thread.
    pub(crate) acceptors: Arc<ShardStats>,
    pub(crate) writer: Arc<WriterStats>,
    pub(crate) logging: Option<Logging>,
    pub(crate) extension: Option<Arc<dyn Extension>>,
    pub(crate) dialects: Dialects,
    pub(crate) commands: mpsc::Sender<Command>,
}

/// The configuration in force.
pub(crate) struct Published {
    pub(crate) config: Config,
    pub(crate) generation: Generation,
    pub(crate) since: SystemTime,
    /// In the order of the configuration.
    pub(crate) listeners: Vec<BoundListener>,
    /// Changes that wait for a restart: what, in words.
    pub(crate) needs_restart: Vec<String>,
    /// Made when somebody asks for it.
    pub(crate) hash: OnceLock<u64>,
}

/// A listener and where it really listens.
#[derive(Debug, Clone)]
pub(crate) struct BoundListener {
    pub(crate) name: Arc<str>,
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<ListenerState>,
}

/// How reading the configuration again went.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) succeeded: SharedCounter,
    pub(crate) failed: SharedCounter,
    last_error: Mutex<Option<ReloadError>>,
}

/// Why the latest configuration is not in force.
#[derive(Debug, Clone)]
pub(crate) struct ReloadError {
    pub(crate) at: SystemTime,
    pub(crate) message: String,
}

// === impl Published ===

impl Published {
    /// The same for the same configuration, in every process that has it.
    pub(crate) fn hash(&self) -> u64 {
        *self.hash.get_or_init(|| {
            let text = serde_json::to_vec(&self.config.to_spec()).unwrap_or_default();
            xxhash_rust::xxh3::xxh3_64(&text)
        })
    }
}

// === impl State ===

impl State {
    pub(crate) fn new(
        published: Published,
        shards: Vec<Arc<ShardStats>>,
        writer: Arc<WriterStats>,
        logging: Option<Logging>,
        extension: Option<Arc<dyn Extension>>,
        dialects: Dialects,
        commands: mpsc::Sender<Command>,
    ) -> Self {
        Self {
            started: Instant::now(),
            readiness: Readiness::default(),
            published: ArcSwap::from_pointee(published),
            reloads: Reloads::default(),
            unbound: ArcSwap::default(),
            dns: ArcSwap::default(),
            dns_failures: SharedCounter::default(),
            shards,
            acceptors: Arc::default(),
            writer,
            logging,
            extension,
            dialects,
            commands,
        }
    }

    /// The configuration in force.
    pub(crate) fn published(&self) -> Arc<Published> {
        self.published.load_full()
    }

    pub(crate) fn publish(&self, published: Published) {
        self.published.store(Arc::new(published));
    }
}

// === impl Reloads ===

impl Reloads {
    /// The latest attempt went well.
    pub(crate) fn ok(&self) {
        self.succeeded.add(1);
        self.forget_error();
    }

    /// The files hold again what is in force.
    pub(crate) fn forget_error(&self) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The latest attempt failed; what was in force stays.
    pub(crate) fn error(&self, message: String) {
        self.failed.add(1);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(ReloadError { at: SystemTime::now(), message });
    }

    pub(crate) fn last_error(&self) -> Option<ReloadError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
