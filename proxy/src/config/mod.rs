//! Where the configuration comes from, and how a change of it is noticed.

mod source;
mod watch;

pub use source::ConfigSource;
