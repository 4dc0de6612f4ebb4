//! Ingress.
//!
//! All Ingresses of a host, of whatever namespace, make one virtual host. They are taken from the oldest to the youngest:
//! the first that claims a path has it.
//!
//! ```text
//! directory: which Ingresses are ours (select), what each says on its own (reading), which hosts there are
//!    └▶ host: the locations of one host, in the order in which they are compared (paths)
//!          └▶ location: one location becomes a route, step by step: backend, ... each step in a file of its own
//! ```

mod annotations;
mod answer;
mod backend;
mod balance;
mod canary;
mod directory;
mod error_pages;
mod facts;
mod guard;
mod headers;
mod host;
mod labels;
mod location;
mod mains;
mod mirror;
mod names;
mod paths;
mod probe;
mod reading;
mod redirect;
mod rewrite;
mod select;
mod snippet;
mod sound;
mod survey;
mod tls;
mod upstream;
mod verdict;
mod virtual_host;

pub(crate) use directory::Directory;
pub use facts::{HostCertificate, IngressFacts, Lack, Orphan};
pub use names::{Alias, aliases};
pub(crate) use probe::virtual_host as probe;
pub(crate) use select::{CLASS_ANNOTATION, Piece, Site};
pub(crate) use survey::{Survey, SurveyedPath, survey};

use crate::{output::Output, reads::View, report::Report, settings::Settings};
use select::Host;
use sluice_crds::core::Ingress;

/// The Ingresses that are not ours, and why.
pub(crate) fn unclaimed(view: &View<'_>, settings: &Settings) -> Vec<Report> {
    let all = view.all::<Ingress>();
    all.filter_map(|ingress| select::unclaimed(view, &settings.classes, ingress)).collect()
}

/// What a piece means.
pub(crate) fn translate(view: &View<'_>, settings: &Settings, piece: &Piece, site: &Site) -> Output {
    match piece {
        Piece::DefaultCertificate => tls::default_certificate(view, settings),
        Piece::Host(host) => host::translate(view, settings, host, site),
    }
}
