//! What the process counts, and how it is shown. Shards own plain numbers; names and text are made when somebody asks.

mod dialect;
mod family;
mod histogram;
mod number;
mod observer;
mod process;
mod recent;
mod registry;
mod resilience;
mod scrape;
mod stats;

pub(crate) use dialect::families as dialect_families;
pub use dialect::{Dialects, IstioMetrics, NginxMetrics};
pub use family::{Family, Labels};
pub(crate) use family::{prometheus, stats_text};
pub use number::Durations;
pub(crate) use number::{Counter, SharedCounter};
pub(crate) use observer::{ShardObserver, count_accept_failure};
pub(crate) use registry::Local;
pub(crate) use scrape::families;
pub(crate) use stats::{ReasonKey, ShardStats};
