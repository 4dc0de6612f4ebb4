//! `IngressClass`: who serves which Ingresses.

use crate::{
    message::message,
    object::{Kind, NoStatus},
};

message! {
    /// Who serves the Ingresses of a class.
    pub struct IngressClass {
        /// The controller: `k8s.io/ingress-nginx`, `sluice.dev/ingress`, ...
        pub controller: String,
        /// The object with the controller's parameters.
        pub parameters: Option<IngressClassParameters>,
    }
}

impl Kind for IngressClass {
    const KIND: &'static str = "IngressClass";
    const GROUP: &'static str = "networking.k8s.io";
    const VERSION: &'static str = "v1";
    const API_VERSION: &'static str = "networking.k8s.io/v1";
    const PLURAL: &'static str = "ingressclasses";
    const NAMESPACED: bool = false;
    type Status = NoStatus;
}

message! {
    /// The object with the controller's parameters.
    pub struct IngressClassParameters {
        /// Its group.
        pub api_group: Option<String>,
        /// Its kind.
        pub kind: String,
        /// Its name.
        pub name: String,
        /// Its namespace.
        pub namespace: Option<String>,
        /// `Cluster` or `Namespace`.
        pub scope: Option<String>,
    }
}
