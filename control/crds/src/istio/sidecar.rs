//! `Sidecar`: what the proxy of a pod takes and knows.

use super::{ConnectionPoolSettings, Destination, ServerTlsSettings, WorkloadSelector};
use crate::message::{choice, message};

message! {
    /// What the proxy of a pod takes and knows.
    pub struct Sidecar {
        /// The pods; absent is the whole namespace.
        pub workload_selector: Option<WorkloadSelector>,
        /// What the pod takes.
        pub ingress: Vec<IstioIngressListener>,
        /// What the pod may ask for.
        pub egress: Vec<IstioEgressListener>,
        /// How much at once the pod takes.
        pub inbound_connection_pool: Option<ConnectionPoolSettings>,
        /// What becomes of requests to what is not known.
        pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    }
}

message! {
    /// A port that a pod takes connections on.
    pub struct IstioIngressListener {
        /// The port.
        pub port: Option<SidecarPort>,
        /// The address.
        pub bind: String,
        /// Whether connections are redirected here.
        pub capture_mode: CaptureMode,
        /// Where they go: `127.0.0.1:port`, `0.0.0.0:port` or `unix:///path`.
        pub default_endpoint: String,
        /// How connections are secured.
        pub tls: Option<ServerTlsSettings>,
        /// How much at once.
        pub connection_pool: Option<ConnectionPoolSettings>,
    }
}

message! {
    /// What a pod may ask for.
    pub struct IstioEgressListener {
        /// On this port; absent is all others.
        pub port: Option<SidecarPort>,
        /// The address.
        pub bind: String,
        /// Whether connections are redirected here.
        pub capture_mode: CaptureMode,
        /// Services: `namespace/name`, with `*`, `.` and `~` for all, the own and none.
        pub hosts: Vec<String>,
    }
}

message! {
    /// A port of a pod.
    pub struct SidecarPort {
        /// Its number.
        pub number: u16,
        /// Its protocol, as in a Gateway.
        pub protocol: String,
        /// Its name.
        pub name: String,
        /// Nobody implements this.
        pub target_port: u16,
    }
}

choice! {
    /// Whether connections are redirected to a listener.
    pub enum CaptureMode {
        /// As the pod says.
        #[default]
        Default,
        /// Yes.
        Iptables,
        /// No.
        None,
    }
}

message! {
    /// What becomes of requests to what is not known.
    pub struct OutboundTrafficPolicy {
        /// What.
        pub mode: OutboundTrafficMode,
        /// They go here.
        pub egress_proxy: Option<Destination>,
    }
}

choice! {
    /// What becomes of requests to what is not known.
    pub enum OutboundTrafficMode {
        /// They fail.
        #[default]
        RegistryOnly,
        /// They go to the address that was asked for.
        AllowAny,
    }
}
