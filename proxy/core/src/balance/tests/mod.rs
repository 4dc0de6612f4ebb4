//! Every balancer is fair, leaves out what was tried, and moves no more than it must.

mod keyed;
mod lots;
mod rotation;

use super::*;
use crate::snapshot::Endpoint;
use std::net::SocketAddr;

/// Endpoints by port and weight.
fn set(endpoints: &[(u16, u32)]) -> Arc<EndpointSet> {
    let endpoint = |(port, weight): &(u16, u32)| Endpoint {
        address: SocketAddr::from(([127, 0, 0, 1], *port)),
        weight: *weight,
        authority: "a.example".into(),
        host: "a.example".into(),
    };
    Arc::new(endpoints.iter().map(endpoint).collect())
}

fn port(set: &EndpointSet, place: usize) -> u16 {
    set.endpoints()[place].address.port()
}
