//! The kinds of Kubernetes that say where traffic goes. Own types rather than those of k8s-openapi: absent and empty are
//! the same, secrets are not printed, and of a Pod only what is asked for is kept.

mod config_map;
mod endpoint_slice;
mod endpoints;
mod ingress;
mod ingress_class;
mod namespace;
mod pod;
mod secret;
mod service;

pub use config_map::*;
pub use endpoint_slice::*;
pub use endpoints::*;
pub use ingress::*;
pub use ingress_class::*;
pub use namespace::*;
pub use pod::*;
pub use secret::*;
pub use service::*;

use crate::message::message;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A number or a name, of a port mostly.
pub type NumberOrName = IntOrString;

message! {
    /// Another object.
    pub struct ObjectReference {
        /// Its version.
        pub api_version: String,
        /// A part of it.
        pub field_path: String,
        /// Its kind.
        pub kind: String,
        /// Its name.
        pub name: String,
        /// Its namespace.
        pub namespace: String,
        /// Its version in the store.
        pub resource_version: String,
        /// Its identity.
        pub uid: String,
    }
}
