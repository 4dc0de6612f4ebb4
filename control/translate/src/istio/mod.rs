//! Istio's traffic kinds, at a gateway.
//!
//! Gateways say where it listens and for which hosts; VirtualServices are attached to their servers, and those of one host at
//! one place make one virtual host; DestinationRules and ServiceEntries say what its clusters are.

mod gateway;
mod names;
mod port;
mod sound;
mod tls;

use crate::{
    output::Output,
    reads::View,
    settings::Settings,
    translator::{self, Plan, UnitKey},
};
use gateway::{Site, sites};
use sluice_crds::{ObjectName, istio::Gateway};

#[cfg(test)]
mod tests;

/// What is made, and made again, on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Piece {
    /// A port without TLS: it is open even where nobody has a route there.
    Port(u16),
    /// A server with TLS, by its port and name.
    Server(crate::output::TableKey),
}

/// What a piece is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Members {
    /// Nothing more.
    Port,
    /// The server of this Gateway.
    Server(ObjectName, usize),
}

/// Which pieces there are.
pub(crate) fn plan(view: &View<'_>, settings: &Settings) -> Plan {
    let mut plan = Plan::default();
    for site in sites(view, settings, &mut plan.reports) {
        let (piece, members) = match site.table.server {
            None => (Piece::Port(site.table.port), Members::Port),
            Some(_) => (Piece::Server(site.table.clone()), Members::Server(site.gateway.name(), site.index)),
        };
        plan.units.insert(UnitKey::Gateway(piece), translator::Members::Gateway(members));
    }
    plan
}

/// Makes a piece.
pub(crate) fn translate(view: &View<'_>, settings: &Settings, piece: &Piece, members: &Members) -> Output {
    let mut output = Output::default();
    match (piece, members) {
        (Piece::Port(port), Members::Port) => output.ports.push(*port),
        (Piece::Server(table), Members::Server(gateway, index)) => {
            let found = view.get::<Gateway>(&gateway.namespace, &gateway.name);
            if let Some(site) = found.and_then(|gateway| Site::of(gateway, *index, table.clone())) {
                tls::scope(view, settings, &site, &mut output);
            }
        }
        (Piece::Port(_), Members::Server(..)) | (Piece::Server(_), Members::Port) => {}
    }
    output
}
