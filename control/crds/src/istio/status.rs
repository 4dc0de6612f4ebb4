//! What a control plane reports on an object.

use crate::message::message;
use serde_json::Value;

message! {
    /// The status of every Istio kind.
    pub struct Status {
        /// What is true of the object.
        pub conditions: Vec<Condition>,
        /// What Istio's analysis found; not ours.
        pub validation_messages: Vec<Value>,
        /// The generation of the object that this is about.
        pub observed_generation: i64,
        /// Addresses that were assigned to the hosts of a ServiceEntry.
        pub addresses: Vec<ServiceEntryAddress>,
    }
}

message! {
    /// One thing that is true of an object, or is not.
    pub struct Condition {
        /// What.
        pub r#type: String,
        /// `True`, `False` or `Unknown`.
        pub status: String,
        /// When it was looked at last (RFC 3339).
        pub last_probe_time: Option<String>,
        /// When it changed last (RFC 3339).
        pub last_transition_time: Option<String>,
        /// Why, in one word.
        pub reason: String,
        /// Why.
        pub message: String,
        /// The generation of the object that this is about.
        pub observed_generation: i64,
    }
}

message! {
    /// An address that was assigned to a host.
    pub struct ServiceEntryAddress {
        /// The address.
        pub value: String,
        /// The host.
        pub host: String,
    }
}
