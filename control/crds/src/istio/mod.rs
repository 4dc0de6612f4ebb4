//! The kinds of Istio, with every field of their API (istio/api of July 2026). The versions v1, v1beta1 and v1alpha3 of a
//! kind are one.
//!
//! What a field does is documented here in as many words as it takes to read a manifest; the rules between fields are the
//! translation's.

mod authorization_policy;
mod destination;
mod destination_rule;
mod gateway;
mod peer_authentication;
mod request_authentication;
mod service_entry;
mod sidecar;
mod status;
mod string_match;
mod target;
mod virtual_service;

pub mod mesh_config;
pub mod rows;

pub use authorization_policy::*;
pub use destination::*;
pub use destination_rule::*;
pub use gateway::*;
pub use mesh_config::{
    IngressControllerMode, MeshConfig, MeshOutboundTrafficPolicy, NormalizationType, PathNormalization,
};
pub use peer_authentication::*;
pub use request_authentication::*;
pub use service_entry::*;
pub use sidecar::*;
pub use status::*;
pub use string_match::*;
pub use target::*;
pub use virtual_service::*;

use crate::object::Kind;

macro_rules! networking {
    ($($kind:ident: $plural:literal),* $(,)?) => {
        $(impl Kind for $kind {
            const KIND: &'static str = stringify!($kind);
            const GROUP: &'static str = "networking.istio.io";
            const VERSION: &'static str = "v1";
            const API_VERSION: &'static str = "networking.istio.io/v1";
            const OTHER_VERSIONS: &'static [&'static str] = &["v1beta1", "v1alpha3"];
            const PLURAL: &'static str = $plural;
            type Status = Status;
        })*
    };
}

macro_rules! security {
    ($($kind:ident: $plural:literal),* $(,)?) => {
        $(impl Kind for $kind {
            const KIND: &'static str = stringify!($kind);
            const GROUP: &'static str = "security.istio.io";
            const VERSION: &'static str = "v1";
            const API_VERSION: &'static str = "security.istio.io/v1";
            const OTHER_VERSIONS: &'static [&'static str] = &["v1beta1"];
            const PLURAL: &'static str = $plural;
            type Status = Status;
        })*
    };
}

networking!(
    VirtualService: "virtualservices",
    DestinationRule: "destinationrules",
    Gateway: "gateways",
    ServiceEntry: "serviceentries",
    Sidecar: "sidecars",
);

security!(
    PeerAuthentication: "peerauthentications",
    AuthorizationPolicy: "authorizationpolicies",
    RequestAuthentication: "requestauthentications",
);
