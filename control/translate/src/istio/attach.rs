//! Which VirtualServices have which hosts at which servers.

use super::{
    gateway::{self, Site},
    names::{self, Seen},
    site::Through,
    virtual_service::Host,
};
use crate::{
    output::TableKey,
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::{
    ObjectName,
    istio::{Gateway, VirtualService},
};
use std::collections::{BTreeMap, HashMap};

/// A VirtualService that has a say about a host at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(super) name: ObjectName,
    /// The servers through which it came there.
    pub(super) through: Vec<Through>,
}

/// The hosts that there are.
pub(super) type Hosts = BTreeMap<(TableKey, String), Host>;

/// The hosts of the servers. Those of one host come in the order in which they count: whoever sees them, then by age.
pub(super) fn hosts(
    view: &View<'_>,
    settings: &Settings,
    sites: &[Site<'_>],
    services: Vec<Of<'_, VirtualService>>,
    reports: &mut Vec<Report>,
) -> Hosts {
    let mut by_gateway: HashMap<(String, String), Vec<&Site<'_>>> = HashMap::new();
    for site in sites {
        let name = site.gateway.name();
        by_gateway.entry((name.namespace, name.name)).or_default().push(site);
    }
    let mut hosts = Hosts::new();
    for (_, object) in in_order(services, settings) {
        let own = object.namespace();
        let content = &object.object().content;
        let mut seen = Vec::new();
        for (index, (namespace, name)) in gateways(content, own) {
            let gateway = (namespace.to_owned(), name.to_owned());
            if seen.contains(&gateway) {
                continue;
            }
            let mut say = |reason, message: String| {
                let report = Report::new(object.held(), Level::Warning, reason, message);
                reports.push(report.at(format!("spec.gateways[{index}]")));
            };
            match by_gateway.get(&gateway) {
                None if view.get::<Gateway>(namespace, name).is_none() => {
                    say(Reason::NotFound, format!("there is no Gateway {namespace}/{name}"));
                }
                None => {}
                Some(sites) => {
                    let joined = sites.iter().filter(|site| join(&mut hosts, site, object, settings)).count();
                    if joined == 0 && !content.http.is_empty() {
                        let message = format!("no server of Gateway {namespace}/{name} takes a host of this");
                        say(Reason::Unreachable, message);
                    }
                }
            }
            seen.push(gateway);
        }
    }
    for site in sites.iter().filter(|site| site.redirects()) {
        for (_, host) in site.hosts() {
            let entry = hosts.entry((site.table.clone(), names::plain(host))).or_default();
            entry.redirects.get_or_insert_with(|| site.gateway.name());
        }
    }
    hosts
}

/// The VirtualServices that the pod's namespace sees: its own, then those that name its namespace, then those for everybody.
pub(super) fn in_order<'s>(
    services: Vec<Of<'s, VirtualService>>,
    settings: &Settings,
) -> Vec<(Seen, Of<'s, VirtualService>)> {
    let mut visible: Vec<_> = services
        .into_iter()
        .filter_map(|object| {
            let export_to = &object.object().content.export_to;
            let default = &settings.mesh.virtual_services_export_to;
            let seen = names::seen_by(export_to, default, object.namespace(), &settings.pod_namespace)?;
            Some((seen, object))
        })
        .collect();
    visible.sort_by_key(|(seen, object)| {
        let name = object.object().metadata.name.as_deref();
        (*seen, gateway::age(object.age(), name, object.namespace()))
    });
    visible
}

/// The Gateways that a VirtualService names, each with its place.
fn gateways<'s>(
    content: &'s VirtualService,
    own: &'s str,
) -> impl Iterator<Item = (usize, (&'s str, &'s str))> {
    let written = content.gateways.iter().enumerate();
    written.filter_map(move |(index, name)| Some((index, names::gateway(name, own)?)))
}

/// Gives a VirtualService what it has in common with a server; whether that is anything.
fn join(hosts: &mut Hosts, site: &Site<'_>, object: Of<'_, VirtualService>, settings: &Settings) -> bool {
    let mut joined = false;
    let gateway = site.gateway.name();
    for written in &object.object().content.hosts {
        let wanted = names::whole(written, object.namespace(), &settings.cluster_domain);
        for host in site.hosts_for(object.namespace()) {
            let host = names::plain(host);
            let Some(both) = names::narrower(&host, &wanted) else { continue };
            joined = true;
            let entry = hosts.entry((site.table.clone(), both.to_owned())).or_default();
            if site.redirects() {
                entry.redirects.get_or_insert_with(|| gateway.clone());
            }
            let through =
                Through { gateway: (gateway.namespace.clone(), gateway.name.clone()), port: site.port() };
            match entry.claims.iter_mut().find(|claim| claim.name == object.name()) {
                Some(claim) if claim.through.contains(&through) => {}
                Some(claim) => claim.through.push(through),
                None => entry.claims.push(Claim { name: object.name(), through: vec![through] }),
            }
        }
    }
    joined
}
