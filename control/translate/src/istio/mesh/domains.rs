//! Under which names the pod may ask for a host.

use super::{directory::Listed, host::Outbound};
use crate::{
    istio::names,
    report::{Level, Reason, Report},
    settings::Settings,
};
use sluice_model::value::HostPattern;
use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    net::IpAddr,
};

/// Gives each host its names. Of several hosts at a port that could have one, the host whose whole name it is has it, else the
/// oldest one; the others are told.
pub(super) fn share_out(
    settings: &Settings,
    directory: &[Listed<'_>],
    hosts: &mut BTreeMap<(u16, String), Outbound>,
    reports: &mut Vec<Report>,
) {
    let mut taken: HashMap<(u16, HostPattern), String> = HashMap::new();
    for ((port, host), outbound) in &mut *hosts {
        if let Ok(pattern) = host.parse::<HostPattern>() {
            taken.insert((*port, pattern.clone()), host.clone());
            outbound.domains.push(pattern);
        }
    }
    let mut said = HashSet::new();
    let by_age =
        directory.iter().flat_map(|listed| listed.ports.iter().map(move |port| (port.number, listed)));
    for (port, listed) in by_age {
        let Some(outbound) = hosts.get_mut(&(port, listed.host.clone())) else { continue };
        let taken_before = give(outbound, port, &listed.host, others(listed, settings), &mut taken);
        let Outbound { domains, addresses, .. } = outbound;
        addresses.retain(|address| as_name(address).parse().is_ok_and(|name| domains.contains(&name)));
        // The addresses of a ServiceEntry are those of all its hosts: the first one has them.
        let own = |owner: &str| {
            let owner = directory.iter().find(|other| other.host == owner);
            owner.is_some_and(|owner| {
                owner.found.held().object().name() == listed.found.held().object().name()
            })
        };
        for (name, owner) in taken_before.into_iter().filter(|(_, owner)| !own(owner)) {
            if said.insert((listed.host.as_str(), name.clone())) {
                let message = format!("`{name}` is a name of `{owner}` already; ask for `{}`", listed.host);
                reports.push(Report::new(listed.found.held(), Level::Warning, Reason::Conflict, message));
            }
        }
    }
    for ((port, host), outbound) in hosts.iter_mut().filter(|(_, outbound)| outbound.behind.is_none()) {
        give(outbound, *port, host, short_names(host, settings), &mut taken);
    }
}

/// Gives a host the names that nobody has; returns the others and who has them.
fn give(
    outbound: &mut Outbound,
    port: u16,
    host: &str,
    names: Vec<String>,
    taken: &mut HashMap<(u16, HostPattern), String>,
) -> Vec<(String, String)> {
    let mut refused = Vec::new();
    for name in names {
        let Ok(pattern) = name.parse::<HostPattern>() else { continue };
        match taken.entry((port, pattern.clone())) {
            Entry::Occupied(taken) if taken.get() == host => {}
            Entry::Occupied(taken) => refused.push((name, taken.get().clone())),
            Entry::Vacant(free) => {
                free.insert(host.to_owned());
                outbound.domains.push(pattern);
            }
        }
    }
    refused
}

/// The names of a host besides its whole name.
fn others(listed: &Listed<'_>, settings: &Settings) -> Vec<String> {
    let mut found = short_names(&listed.host, settings);
    if listed.headless {
        let below: Vec<String> = found.iter().chain([&listed.host]).map(|name| format!("*.{name}")).collect();
        found.extend(below);
    }
    found.extend(listed.addresses.iter().map(as_name));
    found
}

/// An address as the host of a request.
fn as_name(address: &IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// What a resolver in the pod makes the whole name of: `web.shop.svc`, `web.shop` and, in its own namespace, `web`.
fn short_names(host: &str, settings: &Settings) -> Vec<String> {
    let Some((namespace, name)) = names::split_service(host, &settings.cluster_domain) else {
        return Vec::new();
    };
    if name.starts_with('*') {
        return Vec::new();
    }
    let mut found = vec![format!("{name}.{namespace}.svc"), format!("{name}.{namespace}")];
    if namespace == settings.pod_namespace {
        found.push(name.to_owned());
    }
    found
}
