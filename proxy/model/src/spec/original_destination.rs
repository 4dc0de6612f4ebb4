//! Connections that were on their way to somewhere else.

use crate::value::Cidr;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Connections that were on their way to somewhere else when they came to the listener, and say so: each begins with a
/// header of the PROXY protocol, version 1 or 2, within 4 KiB and the handshake time; one that does not is closed.
///
/// The header's destination picks the listener that serves the connection: of all that have this setting the one that
/// stands for its port, wherever the connection came in. For everything that is configured or logged the destination
/// then is the near end of the connection and the header's source the far end. A header without addresses (`UNKNOWN`,
/// `LOCAL`) leaves the connection where it came in, with the addresses of its socket.
///
/// After a configuration swap the next request of a connection is served by what stands for its destination then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginalDestination {
    /// Peers whose header is believed; connections of all others are closed.
    pub trusted: Vec<Cidr>,
    /// The port of destinations that the listener stands for.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// Route tables of single addresses at that port, in place of the listener's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressTable>,
    /// The route table for connections that come in here on their way to a port that no listener stands for. Absent
    /// closes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_ports: Option<String>,
}

/// The route table of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressTable {
    /// The address that connections were on their way to.
    #[schemars(with = "String")]
    pub address: IpAddr,
    /// What serves them.
    pub route_table: String,
}
