//! The hosts that the pod sees, with the ports that it may ask for.

use crate::{
    istio::{
        gateway, names,
        protocol::Speech,
        registry::{self, Host},
        sidecar::Scope,
    },
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
};
use sluice_crds::{Need, Verdict, core::Service};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// A host that the pod sees.
#[derive(Debug)]
pub(super) struct Listed<'s> {
    /// Its whole name.
    pub(super) host: String,
    /// What is behind it.
    pub(super) found: Host<'s>,
    /// The service that it is another name for.
    pub(super) stands_for: Option<String>,
    /// Ports that the pod asks for and that HTTP may be spoken at.
    pub(super) ports: Vec<ListedPort>,
    /// The pod asks for any of its ports.
    pub(super) asked: bool,
    /// Its own addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// Each of its pods has a name below it.
    pub(super) headless: bool,
}

/// A port of a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListedPort {
    pub(super) number: u16,
    /// Nobody says what is spoken there.
    pub(super) unsaid: bool,
}

/// The hosts that the pod sees, from the oldest to the youngest. A Service comes before ServiceEntries of its name.
pub(super) fn directory<'s>(
    view: &View<'s>,
    settings: &Settings,
    scope: &Scope,
    reports: &mut Vec<Report>,
) -> Vec<Listed<'s>> {
    let mut known = BTreeSet::new();
    let mut listed = Vec::new();
    for service in view.all::<Service>().filter(|service| registry::is_visible(*service, settings)) {
        let name = service.object().metadata.name.as_deref().unwrap_or_default();
        let host = names::service(name, service.namespace(), &settings.cluster_domain);
        let target = registry::alias(view, settings, service);
        let content = &service.object().content;
        let mut addresses: Vec<IpAddr> = [&content.cluster_ip]
            .into_iter()
            .chain(&content.cluster_ips)
            .filter_map(|address| address.parse().ok())
            .collect();
        addresses.dedup();
        known.insert(host.clone());
        let stands_for = (target.name() != service.name()).then(|| {
            let name = target.object().metadata.name.as_deref().unwrap_or_default();
            names::service(name, target.namespace(), &settings.cluster_domain)
        });
        listed.push(Listed {
            ports: Vec::new(),
            asked: false,
            headless: content.cluster_ip.eq_ignore_ascii_case("none"),
            found: Host::Service(service),
            host,
            stands_for,
            addresses,
        });
    }
    for entry in registry::entries(view, settings) {
        let content = &entry.object().content;
        for host in &content.hosts {
            let host = names::plain(host);
            if !known.insert(host.clone()) {
                continue;
            }
            listed.push(Listed {
                host,
                found: Host::Entry(entry),
                stands_for: None,
                ports: Vec::new(),
                asked: false,
                addresses: content.addresses.iter().filter_map(|address| address.parse().ok()).collect(),
                headless: false,
            });
        }
    }
    for listed in &mut listed {
        (listed.ports, listed.asked) = ports(view, settings, scope, listed, reports);
    }
    listed.sort_by_cached_key(|listed| {
        let held = listed.found.held();
        let name = held.object().name();
        let (created, order, ..) = gateway::age(held.age(), None, "");
        (created, order, name.name, name.namespace)
    });
    listed
}

/// The ports of a host that the pod asks for and that HTTP may be spoken at, and whether it asks for any. Others are
/// reported.
fn ports(
    view: &View<'_>,
    settings: &Settings,
    scope: &Scope,
    listed: &Listed<'_>,
    reports: &mut Vec<Report>,
) -> (Vec<ListedPort>, bool) {
    let (namespace, host) = (listed.found.namespace(), &listed.host);
    let mut found = BTreeMap::new();
    let mut asked = false;
    for (index, port) in listed.found.resolved(view, settings).ports().into_iter().enumerate() {
        let number = port.number();
        if number == 0 || !scope.imports(number, namespace, host) {
            continue;
        }
        asked = true;
        let mut say = |level, message| {
            // The ports of another name's service are reported there.
            if listed.stands_for.is_none() {
                let held = listed.found.held();
                let report = Report::new(held, level, Reason::NotInEffect, message);
                reports.push(report.at(format!("spec.ports[{index}]")));
            }
        };
        match port.speech() {
            Speech::Opaque => {
                let verdict = Verdict::NotYet(Need::Layer4);
                say(Level::Warning, format!("{verdict}; nothing is served at port {number} for this"));
            }
            Speech::Unsaid => {
                let message = format!(
                    "nobody says what is spoken at port {number}: HTTP is served, and anything else is refused; begin the name of the port with `http-` or `tcp-`"
                );
                say(Level::Info, message);
                found.insert(number, ListedPort { number, unsaid: true });
            }
            Speech::Http | Speech::Http2 => {
                found.insert(number, ListedPort { number, unsaid: false });
            }
        }
    }
    (found.into_values().collect(), asked)
}
