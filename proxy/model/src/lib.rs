//! The configuration model of Sluice: listener, route table, virtual host, route, action, cluster,
//! endpoint and secret.
//!
//! It has two forms. [`spec`] is what somebody wrote: serde types with every default visible, built from
//! leaf values ([`value`]) that cannot hold nonsense (a [`value::Percent`] is always within 0 and 100).
//! [`Config`] is what is true: the same resources after every name has been resolved and every rule between
//! fields has been checked. Only this crate can make a [`Config`], so whoever holds one holds a good one.
//!
//! [`load`] leads from a text to a [`Config`] in three steps, each of which goes on after a mistake: [`tree`] reads YAML
//! and remembers where everything stood, [`convert`] makes the written form of it, and the checks between fields find
//! what no single value can know. All mistakes come out together as [`Diagnostics`]. What arrives as objects rather than
//! as a file takes the same steps, or enters at the last one by [`validate`]. [`template`] is the language of header
//! values and access-log formats.
//!
//! This crate is *not* for matching, running or reading the network: it has no clock, no socket and no
//! file system.

mod check;
mod config;
pub mod convert;
mod diagnostic;
mod document;
mod kept;
mod load;
mod redact;
mod schema;
pub mod spec;
pub mod template;
pub mod tree;
pub mod value;

pub use config::{Cluster, Config, Listener, RouteTable, Secret, SecretContent, VirtualHost};
pub use diagnostic::{Diagnostic, Diagnostics, Severity, Source};
pub use kept::{Places, places};
pub use load::{Loaded, MAX_DIAGNOSTICS, MAX_FILE_BYTES, NoFiles, ReadFile, load, validate, validate_after};
pub use schema::json_schema;
