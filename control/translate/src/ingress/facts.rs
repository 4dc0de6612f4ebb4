//! What is to be counted and watched about Ingresses, for metrics in the words of ingress-nginx. Nobody pays for it who does
//! not show them ([`MetricLabels::rules`](crate::MetricLabels::rules)).

use super::{Piece, location::Location};
use crate::{output::Output, plan::UnitKey};
use sluice_crds::ObjectName;
use sluice_model::spec;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Facts about all Ingresses that are served.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IngressFacts {
    /// The hosts that have TLS, by name.
    pub certificates: Arc<[HostCertificate]>,
    /// What cannot be served because of its services.
    pub orphans: BTreeSet<Orphan>,
}

/// A host and the certificate that it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct HostCertificate {
    /// In lower case; `_` stands for the hosts that nobody has.
    pub host: String,
    /// The certificate, of kind TLS; that of a Secret has its namespace and name, with a slash between them.
    pub secret: Arc<spec::Secret>,
}

/// An Ingress, or a canary, that names a service which nobody serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// The Ingress.
    pub ingress: ObjectName,
    /// Why.
    pub lacks: Lack,
}

/// What is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// The service.
    Service,
    /// A port of the service that has a ready endpoint.
    Endpoint,
}

/// Puts down that a location's service does not serve.
pub(super) fn orphan(output: &mut Output, location: &Location<'_>, lacks: Lack) {
    output.orphans.push(Orphan { ingress: location.ingress.name(), lacks });
}

impl IngressFacts {
    /// The facts now.
    pub(crate) fn of(units: &BTreeMap<UnitKey, Output>, before: &Self) -> Self {
        Self {
            certificates: certificates(units, &before.certificates),
            orphans: units.values().flat_map(|unit| unit.orphans.iter().cloned()).collect(),
        }
    }

    /// Whether both say the same; certificates are not read for it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.certificates, &other.certificates) && self.orphans == other.orphans
    }
}

/// The certificates of all hosts; the list of `before` where they are the very same.
fn certificates(
    units: &BTreeMap<UnitKey, Output>,
    before: &Arc<[HostCertificate]>,
) -> Arc<[HostCertificate]> {
    let default = units.get(&UnitKey::Ingress(Piece::DefaultCertificate));
    let default = default.and_then(|unit| unit.certificates.first()).map(|(_, secret)| secret);
    let hosts = units.iter().filter_map(|(key, unit)| {
        let UnitKey::Ingress(Piece::Host(host)) = key else { return None };
        let own = unit.certificates.first().map(|(_, secret)| secret);
        let secret = own.or_else(|| default.filter(|_| !unit.default_certificate.is_empty()))?;
        (!host.is_catch_all()).then_some((&*host.0, secret))
    });
    let all = default.map(|secret| ("_", secret)).into_iter().chain(hosts);
    let known = |((host, secret), before): ((&str, &Arc<spec::Secret>), &HostCertificate)| {
        host == before.host && Arc::ptr_eq(secret, &before.secret)
    };
    if all.clone().count() == before.len() && all.clone().zip(&**before).all(known) {
        return Arc::clone(before);
    }
    all.map(|(host, secret)| HostCertificate { host: host.to_owned(), secret: Arc::clone(secret) }).collect()
}
