//! Which units there are, and what each is made of.

use crate::{
    ingress,
    istio::{self, mesh},
    marks::Marks,
    report::Report,
};
use std::collections::BTreeMap;

/// A piece of the configuration that is made, and made again, on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum UnitKey {
    /// A piece of what Ingresses serve.
    Ingress(ingress::Piece),
    /// A piece of what Gateways serve.
    Gateway(istio::Piece),
    /// A piece of the mesh.
    Mesh(mesh::Piece),
}

/// The objects that a unit is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Members {
    /// Of a host of Ingresses.
    Ingress(ingress::Site),
    /// Of a piece of what Gateways serve.
    Gateway(istio::Members),
    /// Of a piece of the mesh.
    Mesh(mesh::Members),
}

/// Which units a family has, and which objects each is made of.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) units: BTreeMap<UnitKey, Members>,
    /// Places of objects that have no part in routes.
    pub(crate) marks: Marks,
    /// About objects that are in no unit.
    pub(crate) reports: Vec<Report>,
}

/// How a plan differs from what it was.
#[derive(Debug, Default)]
pub(crate) struct Replanned {
    /// Units that are not there any more.
    pub(crate) gone: Vec<UnitKey>,
    /// Units that are new, or made of other objects.
    pub(crate) changed: Vec<UnitKey>,
    /// Objects have other places.
    pub(crate) marks: bool,
    /// Something else is said.
    pub(crate) reports: bool,
}

// === impl Plan ===

impl Plan {
    /// Takes over another plan.
    pub(crate) fn replace(&mut self, new: Self) -> Replanned {
        let gone = self.units.keys().filter(|key| !new.units.contains_key(*key));
        let changed = new.units.iter().filter(|(key, members)| self.units.get(*key) != Some(*members));
        let replanned = Replanned {
            gone: gone.cloned().collect(),
            changed: changed.map(|(key, _)| key.clone()).collect(),
            marks: self.marks != new.marks,
            reports: self.reports != new.reports,
        };
        *self = new;
        replanned
    }
}
