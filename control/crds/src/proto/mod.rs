//! Values as proto-JSON writes them.

mod bytes;
mod duration;
mod workload_port;

pub(crate) use bytes::NOT_BASE64;
pub use bytes::{Bytes, Hidden};
pub use duration::Duration;
pub use workload_port::WorkloadPort;
