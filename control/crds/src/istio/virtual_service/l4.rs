//! Rules for connections.

use super::{L4MatchAttributes, TlsMatchAttributes};
use crate::{istio::Destination, message::message};

message! {
    /// One rule for TLS that is passed through.
    pub struct TlsRoute {
        /// One of these has to match.
        pub r#match: Vec<TlsMatchAttributes>,
        /// Where connections go, by weight.
        pub route: Vec<RouteDestination>,
    }
}

message! {
    /// One rule for connections.
    pub struct TcpRoute {
        /// One of these has to match; none is all connections.
        pub r#match: Vec<L4MatchAttributes>,
        /// Where connections go, by weight.
        pub route: Vec<RouteDestination>,
    }
}

message! {
    /// A destination and its share.
    pub struct RouteDestination {
        /// The destination.
        pub destination: Option<Destination>,
        /// Its share is this by the sum of all; the only one gets everything.
        pub weight: u32,
    }
}
