//! Which listener serves a connection that was on its way to somewhere else.

use super::{Listener, Snapshot};
use crate::route::RouteTable;
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// A listener with other routes, for connections that were on their way to somewhere else.
#[derive(Debug)]
pub struct Destinations {
    /// As it serves single addresses at the port that it stands for.
    addresses: HashMap<IpAddr, Arc<Listener>>,
    /// As it serves ports that no listener stands for.
    other_ports: Option<Arc<Listener>>,
}

impl Destinations {
    /// Those of a listener; `None` where it has but one table, or one that is not there.
    pub(super) fn compile<'t>(
        spec: &Arc<sluice_model::Listener>,
        find: impl Fn(&str) -> Option<&'t Arc<RouteTable>>,
    ) -> Option<Self> {
        let settings = spec.original_destination.as_ref()?;
        let with = |table: &str| {
            let table = Arc::clone(find(table)?);
            let public_port = spec.public_port.map(|port| port.to_string().into());
            let spec = Arc::clone(spec);
            Some(Arc::new(Listener { spec, table, scopes: None, destinations: None, public_port }))
        };
        let mut addresses = HashMap::new();
        for entry in &settings.addresses {
            addresses.insert(entry.address.to_canonical(), with(&entry.route_table)?);
        }
        let other_ports = settings.other_ports.as_deref().map(with);
        if addresses.is_empty() && other_ports.is_none() {
            return None;
        }
        Some(Self { addresses, other_ports: other_ports.flatten() })
    }

    /// Whether every destination has the same table as there.
    pub(super) fn shares_tables(&self, other: &Self) -> bool {
        let same = |one: &Arc<Listener>, other: &Arc<Listener>| Arc::ptr_eq(&one.table, &other.table);
        let others = match (&self.other_ports, &other.other_ports) {
            (Some(one), Some(other)) => same(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        others
            && self.addresses.len() == other.addresses.len()
            && self
                .addresses
                .iter()
                .all(|(address, one)| other.addresses.get(address).is_some_and(|other| same(one, other)))
    }
}

impl Snapshot {
    /// The listener that serves a connection which came in at the listener of this name, on its way to `destination` where
    /// that is known. `None` where none of that name is there, or none stands for the destination.
    pub fn serving(&self, name: &str, destination: Option<SocketAddr>) -> Option<&Arc<Listener>> {
        let own = self.listener(name)?;
        let Some(destination) = destination else { return Some(own) };
        let stands = |listener: &&Arc<Listener>| {
            let settings = listener.spec.original_destination.as_ref();
            settings.is_some_and(|settings| settings.port == destination.port())
        };
        let Some(listener) = self.listeners().iter().find(stands) else {
            return own.destinations.as_ref()?.other_ports.as_ref();
        };
        let of_address = listener
            .destinations
            .as_ref()
            .and_then(|destinations| destinations.addresses.get(&destination.ip().to_canonical()));
        Some(of_address.unwrap_or(listener))
    }
}
