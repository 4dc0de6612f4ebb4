//! Where requests go, as several kinds say it.

use crate::message::message;

message! {
    /// A service, or a part of one.
    pub struct Destination {
        /// Its name. Without a dot it is one in the namespace of the object.
        pub host: String,
        /// The name of a subset of its DestinationRule; empty for the whole service.
        pub subset: String,
        /// Its port; may be left out where the service has but one.
        pub port: Option<PortSelector>,
    }
}

message! {
    /// A port of a service.
    pub struct PortSelector {
        /// Its number.
        pub number: u16,
    }
}

message! {
    /// A share of requests.
    pub struct Percent {
        /// From 0 to 100.
        pub value: f64,
    }
}
