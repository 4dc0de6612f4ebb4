//! From a service and a port to the endpoints behind it.

mod endpoints;
mod host;
mod labels;
mod port;

pub(crate) use endpoints::endpoints;
pub(crate) use host::is_host;
pub(crate) use labels::{labels, workload};
pub(crate) use port::{PortRef, find_port};
