//! Which Ingresses are ours, how they behave, and which hosts they have.

use crate::{
    reads::View,
    settings::{Classes, Settings},
    store::Of,
    translator::{Plan, UnitKey},
};
use sluice_crds::{
    ObjectName,
    core::{Ingress, IngressClass},
};
use std::{cmp::Reverse, fmt};

/// The old way to name a class.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// A host of Ingresses, in lower case and without a trailing dot; empty for the rules that name none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host(pub(crate) Box<str>);

/// The Ingresses of a host, the oldest first.
pub(crate) type Members = Vec<Member>;

/// An Ingress and how it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: ObjectName,
    pub(crate) personality: Personality,
}

/// How an Ingress behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Personality {
    /// As ingress-nginx did.
    Compat,
    /// As the text of Kubernetes says.
    Spec,
}

/// Which hosts there are, and the Ingresses of each.
pub(crate) fn plan(view: &View<'_>, settings: &Settings) -> Plan {
    let mut ours: Vec<_> = view
        .all::<Ingress>()
        .filter_map(|ingress| Some((ingress, personality(view, &settings.classes, ingress)?)))
        .collect();
    // ingress-nginx: among those of the same second the name that comes last in the alphabet is the oldest.
    ours.sort_by_cached_key(|(ingress, _)| {
        let age = ingress.age();
        let order = if age.created == i128::MAX { age.order } else { 0 };
        (age.created, order, Reverse(ingress.name()))
    });
    let mut plan = Plan::default();
    for (ingress, personality) in ours {
        let member = Member { name: ingress.name(), personality };
        for host in hosts(&ingress.content, &settings.classes) {
            let members = plan.units.entry(UnitKey::Ingress(host)).or_default();
            if members.last() != Some(&member) {
                members.push(member.clone());
            }
        }
    }
    plan
}

/// The hosts that an Ingress has something to say about.
fn hosts(ingress: &Ingress, classes: &Classes) -> Vec<Host> {
    if ingress.default_backend.is_some() && classes.disable_catch_all {
        return Vec::new();
    }
    let mut hosts: Vec<Host> = ingress.rules.iter().map(|rule| Host::of(&rule.host)).collect();
    if ingress.rules.is_empty() && ingress.default_backend.is_some() {
        hosts.push(Host::of(""));
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// `None` where the Ingress is somebody else's.
fn personality(view: &View<'_>, classes: &Classes, ingress: Of<'_, Ingress>) -> Option<Personality> {
    if let Some(name) = ingress.content.ingress_class_name.as_deref().filter(|name| !name.is_empty()) {
        let class = view.get::<IngressClass>("", name);
        let controller = class.as_ref().map(|class| class.content.controller.as_str());
        return match controller {
            Some(controller) if classes.compat_controllers.iter().any(|ours| ours == controller) => {
                Some(Personality::Compat)
            }
            Some(controller) if classes.spec_controllers.iter().any(|ours| ours == controller) => {
                Some(Personality::Spec)
            }
            _ => (classes.by_name && name == classes.annotation).then_some(Personality::Compat),
        };
    }
    match ingress.annotation(CLASS_ANNOTATION) {
        Some(name) if !name.is_empty() => (name == classes.annotation).then_some(Personality::Compat),
        _ => classes.without_class.then_some(Personality::Compat),
    }
}

// === impl Host ===

impl Host {
    /// A host as an Ingress has it.
    pub(crate) fn of(written: &str) -> Self {
        Self(written.strip_suffix('.').unwrap_or(written).to_ascii_lowercase().into())
    }

    /// Whether it is the one of the rules that name none.
    pub(crate) fn is_catch_all(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_catch_all() { out.write_str("*") } else { out.write_str(&self.0) }
    }
}
