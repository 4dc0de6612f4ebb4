//! `DestinationRule`: how the endpoints of a service are used once a request goes there.

mod client_tls;
mod connection_pool;
mod load_balancer;
mod outlier_detection;

pub use client_tls::*;
pub use connection_pool::*;
pub use load_balancer::*;
pub use outlier_detection::*;

use super::{PolicySelector, PortSelector};
use crate::{
    message::{choice, message},
    proto::Duration,
};
use std::collections::BTreeMap;

message! {
    /// How the endpoints of a service are used.
    pub struct DestinationRule {
        /// The service; `*.name` for several.
        pub host: String,
        /// For all of it.
        pub traffic_policy: Option<TrafficPolicy>,
        /// Its parts, which routes may name.
        pub subsets: Vec<Subset>,
        /// Namespaces that see this: `.` for its own, `*` for all, which is the default.
        pub export_to: Vec<String>,
        /// Clients that this holds for; absent is all.
        pub workload_selector: Option<PolicySelector>,
    }
}

message! {
    /// A part of a service.
    pub struct Subset {
        /// Its name.
        pub name: String,
        /// Labels that its pods have; none is all of them.
        pub labels: BTreeMap<String, String>,
        /// Replaces the blocks of the rule's policy that it has.
        pub traffic_policy: Option<TrafficPolicy>,
    }
}

message! {
    /// How endpoints are used.
    pub struct TrafficPolicy {
        /// Which endpoint is next.
        pub load_balancer: Option<LoadBalancerSettings>,
        /// How much at once.
        pub connection_pool: Option<ConnectionPoolSettings>,
        /// Which endpoints are left out for a while.
        pub outlier_detection: Option<OutlierDetection>,
        /// How connections are secured; absent leaves it to mutual TLS of the mesh.
        pub tls: Option<ClientTlsSettings>,
        /// Replaces all four for one port of the service.
        pub port_level_settings: Vec<PortTrafficPolicy>,
        /// Asks a proxy for the connection.
        pub tunnel: Option<TunnelSettings>,
        /// Sends a PROXY header.
        pub proxy_protocol: Option<ProxyProtocol>,
        /// How many requests may be retries.
        pub retry_budget: Option<RetryBudget>,
    }
}

message! {
    /// How endpoints are used on one port.
    pub struct PortTrafficPolicy {
        /// The port of the service.
        pub port: Option<PortSelector>,
        /// Which endpoint is next.
        pub load_balancer: Option<LoadBalancerSettings>,
        /// How much at once.
        pub connection_pool: Option<ConnectionPoolSettings>,
        /// Which endpoints are left out for a while.
        pub outlier_detection: Option<OutlierDetection>,
        /// How connections are secured.
        pub tls: Option<ClientTlsSettings>,
    }
}

message! {
    /// A proxy that is asked for the connection.
    pub struct TunnelSettings {
        /// `CONNECT`, which is the default, or `POST`.
        pub protocol: String,
        /// Whom it shall connect to.
        pub target_host: String,
        /// The port there.
        pub target_port: u16,
    }
}

message! {
    /// The PROXY header that is sent.
    pub struct ProxyProtocol {
        /// Its version.
        pub version: ProxyProtocolVersion,
    }
}

choice! {
    /// Versions of the PROXY protocol.
    pub enum ProxyProtocolVersion {
        /// As text.
        #[default]
        V1,
        /// As bytes.
        V2,
    }
}

message! {
    /// How many requests may be retries.
    pub struct RetryBudget {
        /// Of those that are under way; 20 where absent.
        pub percent: Option<f64>,
        /// So many may be in any case; 3 where it is 0.
        pub min_retry_concurrency: u32,
        /// The time that is looked back.
        pub budget_interval: Option<Duration>,
    }
}
