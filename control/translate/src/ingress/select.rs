//! Which Ingresses are ours, how they behave, and which hosts they have.

use super::annotations::Annotations;
use crate::{
    reads::View,
    report::Report,
    settings::{Classes, Settings},
    store::{Held, Of},
    translator::{Members, Plan, UnitKey},
};
use sluice_crds::{
    ObjectName,
    core::{Ingress, IngressClass},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::Arc,
};

/// The old way to name a class.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// A host of Ingresses, in lower case and without a trailing dot; empty for the rules that name none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host(pub(crate) Box<str>);

/// What there is of a host.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Site {
    /// Its Ingresses, the oldest first.
    pub(crate) members: Vec<Member>,
}

/// An Ingress and how it behaves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) name: ObjectName,
    pub(crate) personality: Personality,
    pub(crate) annotations: Arc<Annotations>,
}

/// What each Ingress says on its own, kept until it changes.
#[derive(Debug, Default)]
pub(crate) struct Examined(HashMap<ObjectName, Reading>);

/// What one Ingress says on its own.
#[derive(Debug, Clone)]
struct Reading {
    held: Held,
    annotations: Arc<Annotations>,
    reports: Vec<Report>,
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
pub(crate) fn plan(view: &View<'_>, settings: &Settings, examined: &mut Examined) -> Plan {
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
    examined.keep(ours.iter().map(|(ingress, _)| ingress.name()).collect());
    let mut sites: BTreeMap<Host, Site> = BTreeMap::new();
    let mut reports = Vec::new();
    for (ingress, personality) in ours {
        let reading = examined.read(ingress, settings);
        reports.extend(reading.reports.iter().cloned());
        if reading.annotations.dropped {
            continue;
        }
        let name = ingress.name();
        let member = Member { name, personality, annotations: Arc::clone(&reading.annotations) };
        for host in hosts(&ingress.content, &settings.classes) {
            sites.entry(host).or_default().members.push(member.clone());
        }
    }
    let units =
        sites.into_iter().map(|(host, site)| (UnitKey::Ingress(host), Members::Ingress(site))).collect();
    Plan { units, reports }
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

// === impl Examined ===

impl Examined {
    /// Forgets all others.
    fn keep(&mut self, names: HashSet<ObjectName>) {
        self.0.retain(|name, _| names.contains(name));
    }

    fn read(&mut self, ingress: Of<'_, Ingress>, settings: &Settings) -> &Reading {
        let read = || {
            let (annotations, reports) = Annotations::read(ingress, settings);
            Reading { held: ingress.held().clone(), annotations: Arc::new(annotations), reports }
        };
        let known = self.0.entry(ingress.name()).or_insert_with(read);
        if !known.held.is_same(ingress.held()) {
            *known = read();
        }
        known
    }
}

// === impl Member ===

impl Member {
    /// Whether it is an alternative to others, not a server of its own.
    pub(super) fn is_canary(&self) -> bool {
        self.annotations.flag("canary") == Some(true)
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
