//! Where the configuration comes from.

mod source;

pub use source::ConfigSource;
