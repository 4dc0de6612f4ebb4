//! `PeerAuthentication`: whether a pod takes connections without mutual TLS.

use super::PolicySelector;
use crate::{
    message::{choice, message},
    proto::WorkloadPort,
};
use std::collections::BTreeMap;

message! {
    /// Whether a pod takes connections without mutual TLS.
    pub struct PeerAuthentication {
        /// The pods; absent is the whole namespace.
        pub selector: Option<PolicySelector>,
        /// On all ports.
        pub mtls: Option<MutualTls>,
        /// On single ports of the pods.
        pub port_level_mtls: BTreeMap<WorkloadPort, MutualTls>,
    }
}

message! {
    /// Whether connections without mutual TLS are taken.
    pub struct MutualTls {
        /// Whether.
        pub mode: MutualTlsMode,
    }
}

choice! {
    /// Whether connections without mutual TLS are taken.
    pub enum MutualTlsMode {
        /// As the next wider policy says.
        #[default]
        Unset,
        /// Only those.
        Disable,
        /// Those too.
        Permissive,
        /// No.
        Strict,
    }
}
