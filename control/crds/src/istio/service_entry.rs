//! `ServiceEntry`: services that Kubernetes does not know.

use super::WorkloadSelector;
use crate::message::{choice, message};
use std::collections::BTreeMap;

message! {
    /// A service that Kubernetes does not know, or more about one that it knows.
    pub struct ServiceEntry {
        /// Its names.
        pub hosts: Vec<String>,
        /// Its addresses; networks too.
        pub addresses: Vec<String>,
        /// Its ports.
        pub ports: Vec<ServicePort>,
        /// Whether it is part of the mesh.
        pub location: Location,
        /// How its endpoints are found.
        pub resolution: Resolution,
        /// Its endpoints; excludes `workload_selector`.
        pub endpoints: Vec<WorkloadEntry>,
        /// Pods and WorkloadEntries that are its endpoints.
        pub workload_selector: Option<WorkloadSelector>,
        /// Namespaces that see this: `.` for its own, `*` for all, which is the default.
        pub export_to: Vec<String>,
        /// Names, one of which its certificate has to bear.
        pub subject_alt_names: Vec<String>,
    }
}

message! {
    /// A port of such a service.
    pub struct ServicePort {
        /// Its number.
        pub number: u16,
        /// Its protocol, as in a Gateway.
        pub protocol: String,
        /// Its name.
        pub name: String,
        /// The port of the endpoints; the same where it is 0.
        pub target_port: u16,
    }
}

choice! {
    /// Whether a service is part of the mesh.
    pub enum Location {
        /// No.
        #[default]
        MeshExternal,
        /// Yes.
        MeshInternal,
    }
}

choice! {
    /// How endpoints are found.
    pub enum Resolution {
        /// The address that the client asked for.
        #[default]
        None,
        /// They are written down.
        Static,
        /// All addresses of a name.
        Dns,
        /// One address of a name.
        DnsRoundRobin,
        /// Names below a wildcard, as they are asked for.
        DynamicDns,
    }
}

message! {
    /// An endpoint.
    pub struct WorkloadEntry {
        /// Its address or name, or `unix:///path`.
        pub address: String,
        /// Its ports by the names of the service's.
        pub ports: BTreeMap<String, u16>,
        /// Its labels.
        pub labels: BTreeMap<String, String>,
        /// The network it is in.
        pub network: String,
        /// Where it is: `region/zone/sub-zone`.
        pub locality: String,
        /// Its share.
        pub weight: u32,
        /// Its service account.
        pub service_account: String,
    }
}
