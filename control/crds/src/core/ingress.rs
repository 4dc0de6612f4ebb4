//! `Ingress`: which hosts and paths go to which services.

use super::LoadBalancerStatus;
use crate::{message::message, object::Kind};
use serde::{Deserialize, Serialize};

message! {
    /// Which hosts and paths go to which services.
    pub struct Ingress {
        /// The name of an IngressClass, which says who serves this.
        pub ingress_class_name: Option<String>,
        /// For everything that no rule takes.
        pub default_backend: Option<IngressBackend>,
        /// Certificates.
        pub tls: Vec<IngressTls>,
        /// Rules, one for each host.
        pub rules: Vec<IngressRule>,
    }
}

impl Kind for Ingress {
    const KIND: &'static str = "Ingress";
    const GROUP: &'static str = "networking.k8s.io";
    const VERSION: &'static str = "v1";
    const API_VERSION: &'static str = "networking.k8s.io/v1";
    const PLURAL: &'static str = "ingresses";
    type Status = IngressStatus;
}

message! {
    /// Where an Ingress is served.
    pub struct IngressStatus {
        /// The addresses.
        pub load_balancer: LoadBalancerStatus,
    }
}

message! {
    /// Where requests go.
    pub struct IngressBackend {
        /// To a service.
        pub service: Option<IngressServiceBackend>,
        /// To something that is no service.
        pub resource: Option<TypedLocalObjectReference>,
    }
}

message! {
    /// A service of the same namespace.
    pub struct IngressServiceBackend {
        /// Its name.
        pub name: String,
        /// Its port.
        pub port: Option<ServiceBackendPort>,
    }
}

message! {
    /// A port of a service: by name or by number, not both.
    pub struct ServiceBackendPort {
        /// Its name.
        pub name: String,
        /// Its number.
        pub number: u16,
    }
}

message! {
    /// Another object of the same namespace.
    pub struct TypedLocalObjectReference {
        /// Its group.
        pub api_group: Option<String>,
        /// Its kind.
        pub kind: String,
        /// Its name.
        pub name: String,
    }
}

message! {
    /// A certificate.
    pub struct IngressTls {
        /// The hosts that it is for.
        pub hosts: Vec<String>,
        /// The Secret that holds it; empty for the default one.
        pub secret_name: String,
    }
}

message! {
    /// What holds for one host.
    pub struct IngressRule {
        /// The host, perhaps `*.name`; empty for all.
        pub host: String,
        /// Its paths; absent leaves all to the default backend.
        pub http: Option<HttpIngressRuleValue>,
    }
}

message! {
    /// The paths of a host.
    pub struct HttpIngressRuleValue {
        /// The paths.
        pub paths: Vec<HttpIngressPath>,
    }
}

message! {
    /// Where requests with a path go.
    pub struct HttpIngressPath {
        /// The path; empty is `/`.
        pub path: String,
        /// How it is compared.
        pub path_type: PathType,
        /// Where they go.
        pub backend: IngressBackend,
    }
}

/// How the path of an Ingress is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PathType {
    /// The whole path.
    Exact,
    /// Its first segments.
    Prefix,
    /// As the class has it; what a missing type means.
    #[default]
    ImplementationSpecific,
}
