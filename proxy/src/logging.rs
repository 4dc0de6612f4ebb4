//! The process's own log: what goes to standard error, and how its levels change while running.

use std::io;
use tracing_subscriber::{
    EnvFilter, Registry, filter::ParseError, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

/// The process-wide log on standard error. Installed once, by the binary; libraries and tests may leave it out.
#[derive(Clone)]
pub struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Why levels cannot be changed or the log cannot be installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoggingError {
    /// Not a filter such as `info` or `warn,sluice_proxy::dns=debug`.
    #[error("not a log filter: {0}")]
    Filter(#[from] ParseError),
    /// The process has a log already.
    #[error("a log is installed already")]
    Installed,
}

// === impl Logging ===

impl Logging {
    /// Sends events to standard error, one line each; the filter has the form of `RUST_LOG`
    /// (`info,sluice_proxy::dns=debug`).
    pub fn install(filter: &str) -> Result<Self, LoggingError> {
        let (filter, handle) = reload::Layer::new(EnvFilter::try_new(filter)?);
        let lines =
            fmt::layer().with_writer(io::stderr).with_ansi(io::IsTerminal::is_terminal(&io::stderr()));
        tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .try_init()
            .map_err(|_| LoggingError::Installed)?;
        Ok(Self { filter: handle })
    }

    /// The filter in force, in the form of `RUST_LOG`.
    pub fn levels(&self) -> String {
        self.filter.with_current(ToString::to_string).unwrap_or_default()
    }

    /// Puts another filter in force.
    pub fn set_levels(&self, filter: &str) -> Result<(), LoggingError> {
        let filter = EnvFilter::try_new(filter)?;
        self.filter.reload(filter).map_err(|_| LoggingError::Installed)
    }
}

impl std::fmt::Debug for Logging {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Logging").field("levels", &self.levels()).finish()
    }
}
