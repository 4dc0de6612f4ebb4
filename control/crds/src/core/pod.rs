//! `Pod`: what of it is asked for. From an API server only its metadata arrive; a folder of manifests may say more.

use crate::{message::message, object::Kind};

message! {
    /// A pod.
    pub struct Pod {
        /// Its containers.
        pub containers: Vec<Container>,
        /// Containers that run before, or, where they restart always, beside the others.
        pub init_containers: Vec<Container>,
        /// Its node.
        pub node_name: String,
        /// Its name below the subdomain.
        pub hostname: String,
        /// The service below which it has a name.
        pub subdomain: String,
        /// Its identity.
        pub service_account_name: String,
        /// Whether it has the addresses of its node.
        pub host_network: bool,
    }
}

impl Kind for Pod {
    const KIND: &'static str = "Pod";
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const API_VERSION: &'static str = "v1";
    const PLURAL: &'static str = "pods";
    const COMPLETE: bool = false;
    type Status = PodStatus;
}

message! {
    /// A container.
    pub struct Container {
        /// Its name.
        pub name: String,
        /// Its ports, which services may name.
        pub ports: Vec<ContainerPort>,
    }
}

message! {
    /// A port of a container.
    pub struct ContainerPort {
        /// Its name.
        pub name: String,
        /// Its number.
        pub container_port: u16,
        /// `TCP`, which is the default, `UDP` or `SCTP`.
        pub protocol: String,
    }
}

message! {
    /// How a pod is.
    pub struct PodStatus {
        /// `Running`, ...
        pub phase: String,
        /// Its address.
        #[serde(rename = "podIP")]
        pub pod_ip: String,
        /// Its addresses, one of each family.
        #[serde(rename = "podIPs")]
        pub pod_ips: Vec<PodIp>,
        /// Whether it is `Ready`, among others.
        pub conditions: Vec<PodCondition>,
    }
}

message! {
    /// An address of a pod.
    pub struct PodIp {
        /// The address.
        pub ip: String,
    }
}

message! {
    /// One thing that is true of a pod, or is not.
    pub struct PodCondition {
        /// What.
        pub r#type: String,
        /// `True`, `False` or `Unknown`.
        pub status: String,
    }
}
