//! The whole Sluice process as a library: shards, listeners, reload, drain, admin, telemetry, configuration sources.
//!
//! ```no_run
//! # fn main() -> Result<(), sluice_proxy::StartError> {
//! use sluice_proxy::{ConfigSource, Options, Proxy};
//! let proxy = Proxy::start(Options::new(ConfigSource::File("proxy.yaml".into())))?;
//! println!("admin on http://{}", proxy.admin_address());
//! let exit = proxy.wait();
//! # std::process::exit(exit.code().into());
//! # }
//! ```
//!
//! Bytes of proxied traffic are none of this crate's business: it accepts sockets and hands them to
//! [`sluice_net`]'s shards, tells the shards what to do (snapshots, drain), and shows what they did.

mod access_log;
mod admin;
mod config;
mod control;
mod dns;
mod health;
mod listen;
mod logging;
mod options;
mod process;
mod readiness;
mod shard;
mod state;
mod telemetry;

pub use admin::{Extension, PageContent, Unbound};
pub use config::{ConfigSource, Feed, Feeder, Settling, Watch, feed};
pub use logging::{Logging, LoggingError};
pub use options::{Exit, Options, Overrides, StartError};
pub use process::{Proxy, RunningProxy};
pub use telemetry::{Dialects, Durations, Family, IstioMetrics, Labels, NginxMetrics};
