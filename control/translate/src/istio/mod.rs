//! Istio's traffic kinds, at a gateway and ([`mesh`]) at the sidecar of a pod.
//!
//! Gateways say where it listens and for which hosts; VirtualServices are attached to their servers, and those of one host at
//! one place make one virtual host; DestinationRules and ServiceEntries say what its clusters are.

mod attach;
mod balancer;
mod delegate;
mod destination;
mod destination_rule;
mod examined;
mod fault;
mod gateway;
mod headers;
mod matching;
pub(crate) mod mesh;
mod mesh_config;
mod names;
mod notes;
mod policy;
mod port;
mod protocol;
mod redirect;
mod registry;
mod resilience;
mod retry;
mod rewrite;
mod route_field;
mod rule;
mod service_entry;
mod sidecar;
mod site;
mod sound;
mod terms;
mod tls;
mod traffic_policy;
mod unknown_host;
mod virtual_service;

pub(crate) use destination::guarded;
pub(crate) use examined::Examined;
pub(crate) use mesh_config::shape as shape_by_mesh;
pub use names::gateway as gateway_of_reference;
pub(crate) use policy::{Policies, look as policies};

use crate::{
    marks::Mark,
    output::{Output, TableKey},
    plan::{self, Plan, UnitKey},
    reads::View,
    report::Report,
    settings::Settings,
};
use gateway::{Servers, Shut, Site};
use sluice_crds::{ObjectName, istio::Gateway};
use sluice_model::value::HostPattern;

#[cfg(test)]
mod tests;

/// What is made, and made again, on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Piece {
    /// A port without TLS: it is open even where nobody has a route there.
    Port(u16),
    /// A server with TLS, by its port and name.
    Server(TableKey),
    /// A host at a place.
    Host(TableKey, Box<str>),
}

/// What a piece is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Members {
    /// The number that a Gateway has for it.
    Port(u16),
    /// The server of this Gateway.
    Server(ObjectName, usize),
    /// Names of a server that is not served, and its Gateway.
    Shut(ObjectName, Vec<HostPattern>),
    /// Its VirtualServices.
    Host(virtual_service::Host),
}

/// Which pieces there are.
pub(crate) fn plan(view: &View<'_>, settings: &Settings, examined: &mut Examined) -> Plan {
    let mut plan = Plan { reports: mesh_config::report(view, settings), ..Plan::default() };
    let Servers { sites, shut } = gateway::servers(view, settings, &mut plan.reports);
    let services = examined.look(view, settings, &mut plan.reports);
    plan.reports.extend(unknown_host::reports(view, settings));
    for ((table, name), host) in attach::hosts(view, settings, &sites, services, &mut plan.reports) {
        let piece = Piece::Host(table, name.into());
        plan.units.insert(UnitKey::Gateway(piece), plan::Members::Gateway(Members::Host(host)));
    }
    for site in sites {
        plan.marks.entry(site.gateway.name()).or_default().insert(Mark::table(&site.table));
        let (piece, members) = match site.table.server {
            None => (Piece::Port(site.table.port), Members::Port(site.port())),
            Some(_) => (Piece::Server(site.table.clone()), Members::Server(site.gateway.name(), site.index)),
        };
        // Of several numbers of one port, that of the oldest Gateway counts.
        plan.units.entry(UnitKey::Gateway(piece)).or_insert(plan::Members::Gateway(members));
    }
    for Shut { gateway, table, names } in shut {
        plan.marks.entry(gateway.clone()).or_default().insert(Mark::table(&table));
        let members = plan::Members::Gateway(Members::Shut(gateway, names));
        plan.units.insert(UnitKey::Gateway(Piece::Server(table)), members);
    }
    plan
}

/// The Gateways that select other gateways: they may well be somebody's.
pub(crate) fn unselected(view: &View<'_>, settings: &Settings) -> Vec<Report> {
    gateway::unselected(view, settings)
}

/// Makes a piece.
pub(crate) fn translate(view: &View<'_>, settings: &Settings, piece: &Piece, members: &Members) -> Output {
    let mut output = Output::default();
    match (piece, members) {
        (Piece::Port(port), Members::Port(number)) => {
            output.ports.push(*port);
            output.of_gateways.push((*port, *number));
        }
        (Piece::Server(table), Members::Server(gateway, index)) => {
            let found = view.get::<Gateway>(&gateway.namespace, &gateway.name);
            if let Some(site) = found.and_then(|gateway| Site::of(gateway, *index, table.clone())) {
                output.of_gateways.push((table.port, site.port()));
                tls::scope(view, settings, &site, &mut output);
            }
        }
        (Piece::Server(table), Members::Shut(gateway, names)) => {
            tls::refuse(table, gateway, names, &mut output);
        }
        (Piece::Host(table, name), Members::Host(host)) => {
            virtual_service::virtual_host(view, settings, table, name, host, &mut output);
        }
        (Piece::Port(_) | Piece::Server(_) | Piece::Host(..), _) => {}
    }
    output
}
