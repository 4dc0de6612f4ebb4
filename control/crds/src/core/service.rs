//! `Service`: a name for pods.

use super::NumberOrName;
use crate::{message::message, object::Kind};
use serde_json::Value;
use std::collections::BTreeMap;

message! {
    /// A name for pods.
    pub struct Service {
        /// `ClusterIP`, which is the default, `NodePort`, `LoadBalancer` or `ExternalName`.
        pub r#type: String,
        /// Labels of its pods; none where Endpoints are made by hand.
        pub selector: BTreeMap<String, String>,
        /// Its ports.
        pub ports: Vec<ServicePort>,
        /// Its address; `None` for headless services.
        #[serde(rename = "clusterIP")]
        pub cluster_ip: String,
        /// Its addresses, one of each family.
        #[serde(rename = "clusterIPs")]
        pub cluster_ips: Vec<String>,
        /// `IPv4` and `IPv6`, the first one first.
        pub ip_families: Vec<String>,
        /// Whether it has addresses of both families.
        pub ip_family_policy: String,
        /// Addresses that lead here from outside.
        #[serde(rename = "externalIPs")]
        pub external_ips: Vec<String>,
        /// The name that it stands for, where its type is `ExternalName`.
        pub external_name: String,
        /// `Local` keeps traffic of pods on their node.
        pub internal_traffic_policy: String,
        /// `Local` keeps traffic from outside on the node where it came.
        pub external_traffic_policy: String,
        /// Whether endpoints that are not ready are published too.
        pub publish_not_ready_addresses: bool,
        /// `PreferClose` and the like.
        pub traffic_distribution: String,
        /// `ClientIP` keeps clients at a pod.
        pub session_affinity: String,
        /// How long.
        pub session_affinity_config: Option<Value>,
        /// Whether node ports are made.
        pub allocate_load_balancer_node_ports: Option<bool>,
        /// Who makes the load balancer.
        pub load_balancer_class: String,
        /// The address that the load balancer shall have.
        #[serde(rename = "loadBalancerIP")]
        pub load_balancer_ip: String,
        /// Who may come through the load balancer.
        pub load_balancer_source_ranges: Vec<String>,
        /// Where the load balancer asks for health.
        pub health_check_node_port: u16,
    }
}

impl Kind for Service {
    const KIND: &'static str = "Service";
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const API_VERSION: &'static str = "v1";
    const PLURAL: &'static str = "services";
    type Status = ServiceStatus;
}

message! {
    /// A port of a service.
    pub struct ServicePort {
        /// Its name; may be left out where it is the only one.
        pub name: String,
        /// Its number.
        pub port: u16,
        /// The port of the pods, by number or by name; the same where absent.
        pub target_port: Option<NumberOrName>,
        /// `TCP`, which is the default, `UDP` or `SCTP`.
        pub protocol: String,
        /// What is spoken: `http`, `kubernetes.io/h2c`, ...
        pub app_protocol: String,
        /// The port on the nodes.
        pub node_port: u16,
    }
}

message! {
    /// Where a service is reached.
    pub struct ServiceStatus {
        /// The addresses.
        pub load_balancer: LoadBalancerStatus,
        /// Not ours.
        pub conditions: Vec<Value>,
    }
}

message! {
    /// The addresses of a load balancer.
    pub struct LoadBalancerStatus {
        /// The addresses.
        pub ingress: Vec<LoadBalancerIngress>,
    }
}

message! {
    /// An address of a load balancer.
    pub struct LoadBalancerIngress {
        /// As an address.
        pub ip: String,
        /// As a name.
        pub hostname: String,
        /// Whether nodes send traffic through it.
        pub ip_mode: String,
        /// Its ports.
        pub ports: Vec<PortStatus>,
    }
}

message! {
    /// A port of a load balancer.
    pub struct PortStatus {
        /// Its number.
        pub port: u16,
        /// `TCP`, `UDP` or `SCTP`.
        pub protocol: String,
        /// Why it does not work.
        pub error: String,
    }
}
