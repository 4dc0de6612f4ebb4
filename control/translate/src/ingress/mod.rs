//! Ingress.
//!
//! All Ingresses of a host, of whatever namespace, make one virtual host. They are taken from the oldest to the youngest:
//! the first that claims a path has it.

mod backend;
mod host;
mod paths;
mod select;

pub(crate) use host::translate;
pub(crate) use select::{Host, Members, plan};
