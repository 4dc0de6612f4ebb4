//! The mesh as one pod sees it: what answers when the pod asks for a service.
//!
//! ```text
//! Services, ServiceEntries ─▶ directory: hosts and ports that the pod sees (exportTo, Sidecar)
//! VirtualServices ─▶ rules: which of them have a say about which host
//!                        └─▶ one virtual host for each host and port, one listener for each port
//! ```
//!
//! What the pod asks a host for that nobody knows is let through or refused, as the mesh says (`outboundTrafficPolicy`). To
//! be let through, a connection has to say where it was on its way to.

mod directory;
mod domains;
mod host;
mod rules;
mod unknown;

use super::{examined::Examined, mesh_config, sidecar::Scope, unknown_host};
use crate::{
    marks::Mark,
    output::{Output, TableKey},
    plan::{self, Plan, UnitKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::{Role, Settings},
};
use directory::directory;
use host::Outbound;
use rules::Rules;
use sluice_crds::{Kind, ObjectName, core::Pod, istio::OutboundTrafficMode};
use std::collections::{BTreeMap, BTreeSet};

/// What is made, and made again, on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Piece {
    /// A port, and what becomes of requests there for hosts that are not known.
    Port(u16),
    /// The same for ports that nobody has.
    OtherPorts,
    /// A host at a port.
    Host(u16, Box<str>),
}

/// What a piece is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Members {
    /// What becomes of requests for hosts that are not known.
    Unknown(OutboundTrafficMode),
    /// Of a host.
    Host(Outbound),
}

/// A VirtualService without a service has its hosts there.
const PORT_OF_RULES: u16 = 80;

/// Which pieces there are.
pub(crate) fn plan(view: &View<'_>, settings: &Settings, examined: &mut Examined) -> Plan {
    let mut plan = Plan { reports: mesh_config::report(view, settings), ..Plan::default() };
    let Role::Sidecar(of) = &settings.role else { return plan };
    let services = examined.look(view, settings, &mut plan.reports);
    plan.reports.extend(unknown_host::reports(view, settings));
    let scope = Scope::of(view, settings, &mut plan.reports);
    plan.reports.extend(pod_is_there(view, settings));
    let rules = Rules::of(services, settings);
    let directory = directory(view, settings, &scope, &mut plan.reports);

    let mut hosts: BTreeMap<(u16, String), Outbound> = BTreeMap::new();
    for listed in &directory {
        for port in &listed.ports {
            let mut claims = rules.claims(&scope, port.number, &listed.host);
            if let (true, Some(target)) = (claims.is_empty(), &listed.stands_for) {
                claims = rules.claims(&scope, port.number, target);
            }
            let behind = Some(listed.found.held().object().name());
            let by_address = port.unsaid && of.original_destination;
            let addresses = if by_address { listed.addresses.clone() } else { Vec::new() };
            let outbound = Outbound { domains: Vec::new(), claims, behind, addresses };
            hosts.insert((port.number, listed.host.clone()), outbound);
        }
    }
    for (host, claims) in rules.without_service(&scope, PORT_OF_RULES, &directory) {
        let outbound = Outbound { claims, ..Outbound::default() };
        hosts.insert((PORT_OF_RULES, host), outbound);
    }
    domains::share_out(settings, &directory, &mut hosts, &mut plan.reports);

    let mut ports: BTreeSet<u16> = settings.port_map.keys().copied().collect();
    for ((port, host), outbound) in hosts {
        ports.insert(port);
        let piece = Piece::Host(port, host.into());
        plan.units.insert(UnitKey::Mesh(piece), plan::Members::Mesh(Members::Host(outbound)));
    }
    let mut unknown = |piece| {
        let members = plan::Members::Mesh(Members::Unknown(scope.unknown));
        plan.units.insert(UnitKey::Mesh(piece), members);
    };
    for port in ports {
        if let Some(sidecar) = &scope.sidecar {
            let table = Mark::table(&TableKey { port, server: None });
            plan.marks.entry(sidecar.clone()).or_default().insert(table);
        }
        unknown(Piece::Port(port));
    }
    if of.original_destination {
        unknown(Piece::OtherPorts);
    }
    plan
}

/// Makes a piece.
pub(crate) fn translate(view: &View<'_>, settings: &Settings, piece: &Piece, members: &Members) -> Output {
    let mut output = Output::default();
    match (piece, members) {
        (Piece::Port(port), Members::Unknown(unknown)) => {
            unknown::at_port(settings, *port, *unknown, &mut output);
        }
        (Piece::OtherPorts, Members::Unknown(unknown)) => {
            unknown::at_other_ports(settings, *unknown, &mut output);
        }
        (Piece::Host(port, name), Members::Host(host)) => {
            host::virtual_host(view, settings, *port, name, host, &mut output);
        }
        (Piece::Port(_) | Piece::OtherPorts | Piece::Host(..), _) => {}
    }
    output
}

/// What is known of the pod besides its name comes from its object.
fn pod_is_there(view: &View<'_>, settings: &Settings) -> Option<Report> {
    let pod = settings.pod.as_ref()?;
    if view.get::<Pod>(&settings.pod_namespace, pod).is_some() {
        return None;
    }
    let message = if settings.labels.is_empty() {
        "there is no such pod, so nothing that asks for labels (Sidecar, `sourceLabels`) holds for it; write its object, or --labels"
    } else {
        "there is no such pod; its labels are those of --labels"
    };
    Some(Report {
        object: ObjectName { kind: Pod::KIND, namespace: settings.pod_namespace.clone(), name: pod.clone() },
        severity: Level::Warning,
        reason: Reason::NotFound,
        field: String::new(),
        message: message.to_owned(),
        place: None,
    })
}
