//! Where the configuration comes from, how a change of it is noticed, and what is made from it.

mod feed;
mod prepare;
mod settling;
mod source;
mod watch;

pub use feed::{Feed, Feeder, feed};
pub(crate) use prepare::{Outcome, Prepared, Refusal, prepare, with_addresses};
pub use settling::Settling;
pub use source::ConfigSource;
pub(crate) use source::{Contents, ReadError};
pub use watch::Watch;
