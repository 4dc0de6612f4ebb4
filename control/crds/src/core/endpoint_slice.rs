//! `EndpointSlice`: some endpoints of a service.

use super::ObjectReference;
use crate::{
    message::message,
    object::{Kind, Layout, NoStatus},
};
use std::collections::BTreeMap;

/// The label that names the service of a slice.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

message! {
    /// Some endpoints of a service.
    pub struct EndpointSlice {
        /// `IPv4`, `IPv6` or `FQDN`.
        pub address_type: String,
        /// The endpoints.
        pub endpoints: Vec<Endpoint>,
        /// Their ports.
        pub ports: Vec<EndpointPort>,
    }
}

impl Kind for EndpointSlice {
    const KIND: &'static str = "EndpointSlice";
    const GROUP: &'static str = "discovery.k8s.io";
    const VERSION: &'static str = "v1";
    const API_VERSION: &'static str = "discovery.k8s.io/v1";
    const PLURAL: &'static str = "endpointslices";
    const LAYOUT: Layout = Layout::Flat;
    type Status = NoStatus;
}

message! {
    /// An endpoint.
    pub struct Endpoint {
        /// Its addresses, of which all but the first mean nothing.
        pub addresses: Vec<String>,
        /// Whether it is to be used.
        pub conditions: EndpointConditions,
        /// Its name below the service's.
        pub hostname: String,
        /// Its node.
        pub node_name: String,
        /// Its zone.
        pub zone: String,
        /// Who should use it.
        pub hints: Option<EndpointHints>,
        /// Its pod.
        pub target_ref: Option<ObjectReference>,
        /// Where it is, in old versions.
        pub deprecated_topology: BTreeMap<String, String>,
    }
}

message! {
    /// Whether an endpoint is to be used. What is absent is unknown.
    pub struct EndpointConditions {
        /// It takes traffic. Unknown is yes.
        pub ready: Option<bool>,
        /// It takes traffic, though it may be going. Unknown is as `ready`.
        pub serving: Option<bool>,
        /// It is going. Unknown is no.
        pub terminating: Option<bool>,
    }
}

message! {
    /// Who should use an endpoint.
    pub struct EndpointHints {
        /// Clients in these zones.
        pub for_zones: Vec<NamedHint>,
        /// Clients on these nodes.
        pub for_nodes: Vec<NamedHint>,
    }
}

message! {
    /// A zone or node.
    pub struct NamedHint {
        /// Its name.
        pub name: String,
    }
}

message! {
    /// A port of all endpoints of a slice.
    pub struct EndpointPort {
        /// The name of the service's port.
        pub name: String,
        /// Its number; absent is all.
        pub port: Option<u16>,
        /// `TCP`, which is the default, `UDP` or `SCTP`.
        pub protocol: String,
        /// What is spoken.
        pub app_protocol: String,
    }
}
