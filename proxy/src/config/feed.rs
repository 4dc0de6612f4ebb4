//! Configurations that another part of the process makes: a translation of Kubernetes objects, say.

use super::source::{Attempt, Contents, ReadError};
use sluice_model::{Config, NoFiles, spec};
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

/// A configuration and whether somebody published it.
#[derive(Debug, Clone)]
struct Latest {
    config: Arc<spec::Config>,
    published: bool,
}

/// A feed. `frame` is in force until something is published, so that admin answers early, and what needs a restart
/// (`runtime`, `admin`) is that of the frame; as long as no published configuration is in force, the proxy is not ready.
/// `name` stands in diagnostics where files have their names. Secrets are inline: a fed configuration that names a file is
/// refused.
pub fn feed(name: impl Into<Arc<str>>, frame: impl Into<Arc<spec::Config>>) -> (Feeder, Feed) {
    let (sender, latest) = watch::channel(Latest { config: frame.into(), published: false });
    (Feeder(sender), Feed { name: name.into(), latest })
}

// === impl Feeder ===

impl Feeder {
    /// Another configuration. Returns at once; it comes into force when it is compiled and its names were asked for, or
    /// is reported and ignored where it is refused.
    pub fn publish(&self, config: impl Into<Arc<spec::Config>>) {
        self.0.send_replace(Latest { config: config.into(), published: true });
    }
}

// === impl Feed ===

impl Feed {
    /// Checks what of the latest configuration `old` does not have. Blocks.
    pub(super) fn load(&self, old: Option<&Config>) -> Attempt {
        let Latest { config, published } = self.latest.borrow().clone();
        let result = sluice_model::validate_after(old, &self.name, config, &NoFiles);
        Attempt {
            result: result.map_err(ReadError::Refused),
            contents: Contents::default(),
            frame: !published,
        }
    }

    /// What was published until now is no change.
    pub(super) fn begin(&mut self) {
        self.latest.mark_unchanged();
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
