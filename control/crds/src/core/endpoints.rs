//! `Endpoints`: the endpoints of a service, as they were written before EndpointSlice.

use super::{EndpointPort, ObjectReference};
use crate::{
    message::message,
    object::{Kind, Layout, NoStatus},
};

message! {
    /// The endpoints of the service of the same name.
    pub struct Endpoints {
        /// Addresses and their ports.
        pub subsets: Vec<EndpointSubset>,
    }
}

impl Kind for Endpoints {
    const KIND: &'static str = "Endpoints";
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const API_VERSION: &'static str = "v1";
    const PLURAL: &'static str = "endpoints";
    const LAYOUT: Layout = Layout::Flat;
    type Status = NoStatus;
}

message! {
    /// Each of the addresses with each of the ports.
    pub struct EndpointSubset {
        /// Those that take traffic.
        pub addresses: Vec<EndpointAddress>,
        /// Those that do not.
        pub not_ready_addresses: Vec<EndpointAddress>,
        /// Their ports.
        pub ports: Vec<EndpointPort>,
    }
}

message! {
    /// An address.
    pub struct EndpointAddress {
        /// The address.
        pub ip: String,
        /// Its name below the service's.
        pub hostname: String,
        /// Its node.
        pub node_name: String,
        /// Its pod.
        pub target_ref: Option<ObjectReference>,
    }
}
