//! What was checked before. A part that is the same, not just equal, is in order on its own; only what it names may be gone.

use super::names;
use crate::{
    Config, Secret,
    config::Index,
    kept::Kept,
    spec::{self, NormalizePath, RouteTable},
};
use std::{collections::HashMap, sync::Arc};

/// A configuration that was checked, beside the one that is checked now.
pub(super) struct Before<'a> {
    old: &'a Config,
    pub(super) kept: &'a Kept,
    /// Every name that could be referred to then can be now, and stands for something of the same kind: references of parts
    /// that were in order are in order.
    pub(super) names_hold: bool,
    forms: HashMap<&'a str, NormalizePath>,
}

impl<'a> Before<'a> {
    pub(super) fn new(config: &'a spec::Config, old: &'a Config, kept: &'a Kept) -> Self {
        let (known, now) = (old.indexes(), &kept.indexes);
        let names_hold = hold(&known.route_tables, &now.route_tables)
            && hold(&known.clusters, &now.clusters)
            && kinds_hold(&config.secrets, &old.written().secrets, kept);
        Self { old, kept, names_hold, forms: forms(old.written()) }
    }

    /// Whether clusters have the names that they had, in the same order.
    pub(super) fn same_cluster_names(&self) -> bool {
        Arc::ptr_eq(&self.old.indexes().clusters, &self.kept.indexes.clusters)
    }

    /// Whether secrets have the names that they had, in the same order.
    pub(super) fn same_secret_names(&self) -> bool {
        Arc::ptr_eq(&self.old.indexes().secrets, &self.kept.indexes.secrets)
    }

    /// The secret at this place, if it is the same and no file can have changed it.
    pub(super) fn secret(&self, place: usize) -> Option<&'a Arc<Secret>> {
        let old = &self.old.secrets()[self.kept.secrets[place]?];
        (!old.written().kind.names_files()).then_some(old)
    }

    /// The route table of this name, if listeners brought paths to the same form for it.
    pub(super) fn table(&self, name: &str, form: NormalizePath) -> Option<&'a Arc<RouteTable>> {
        let place = self.old.indexes().route_tables.get(name)?;
        let then = self.forms.get(name).copied().unwrap_or(NormalizePath::None);
        (then == form).then(|| &self.old.written().route_tables[*place])
    }
}

/// The form that every listener in front of a table brings paths to, at least.
pub(super) fn forms(config: &spec::Config) -> HashMap<&str, NormalizePath> {
    let mut forms: HashMap<&str, NormalizePath> = HashMap::new();
    for listener in &config.listeners {
        let scoped = listener.scopes().iter().filter_map(|scope| scope.route_table.as_deref());
        let destined = listener.original_destination.iter().flat_map(|settings| {
            let addresses = settings.addresses.iter().map(|entry| &*entry.route_table);
            addresses.chain(settings.other_ports.as_deref())
        });
        for table in scoped.chain(destined).chain([&*listener.route_table]) {
            let form = forms.entry(table).or_insert(listener.path.normalize);
            *form = listener.path.normalize.min(*form);
        }
    }
    forms
}

/// Whether no name is gone.
fn hold(then: &Arc<Index>, now: &Arc<Index>) -> bool {
    Arc::ptr_eq(then, now) || then.keys().all(|name| now.contains_key(name))
}

/// Whether no secret is gone, or of another kind.
fn kinds_hold(new: &[Arc<spec::Secret>], old: &[Arc<spec::Secret>], kept: &Kept) -> bool {
    let in_place = |(place, kept): (usize, &Option<usize>)| *kept == Some(place);
    if new.len() == old.len() && kept.secrets.iter().enumerate().all(in_place) {
        return true;
    }
    old.iter().all(|secret| {
        let now = kept.indexes.secrets.get(&*secret.name).map(|place| &new[*place]);
        now.is_some_and(|now| {
            Arc::ptr_eq(now, secret) || names::kind_of(&now.kind) == names::kind_of(&secret.kind)
        })
    })
}
