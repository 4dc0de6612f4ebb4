//! Configurations that another part of the process makes: a translation of Kubernetes objects, say.

use super::source::{Attempt, Contents, ReadError};
use sluice_model::{NoFiles, spec};
use std::{fmt, sync::Arc};
use tokio::sync::watch;

/// The making end: whoever holds it says what the configuration is. Dropping it leaves the last one in force.
#[derive(Debug)]
pub struct Feeder(watch::Sender<Latest>);

/// The using end, a [`ConfigSource`](super::ConfigSource). Each configuration is taken whole; of several that come while
/// one is being compiled only the last is used.
#[derive(Clone)]
pub struct Feed {
    name: Arc<str>,
    latest: watch::Receiver<Latest>,
}

type Latest = Arc<spec::Config>;

/// A feed that begins with a configuration. `name` stands in diagnostics where files have their names. Secrets are
/// inline: a fed configuration that names a file is refused.
pub fn feed(name: impl Into<Arc<str>>, first: impl Into<Arc<spec::Config>>) -> (Feeder, Feed) {
    let (sender, latest) = watch::channel(first.into());
    (Feeder(sender), Feed { name: name.into(), latest })
}

// === impl Feeder ===

impl Feeder {
    /// Another configuration. Returns at once; it comes into force when it is compiled and its names were asked for, or
    /// is reported and ignored where it is refused.
    pub fn publish(&self, config: impl Into<Arc<spec::Config>>) {
        self.0.send_replace(config.into());
    }
}

// === impl Feed ===

impl Feed {
    /// Checks the latest configuration. Blocks.
    pub(super) fn load(&self) -> Attempt {
        let config = Arc::clone(&self.latest.borrow());
        let result = sluice_model::validate(&self.name, Arc::unwrap_or_clone(config), &NoFiles);
        Attempt { result: result.map_err(ReadError::Refused), contents: Contents::default() }
    }

    /// Waits for the next configuration; for ever where nobody makes one any more.
    pub(crate) async fn changed(&mut self) {
        if self.latest.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Feed({})", self.name)
    }
}
