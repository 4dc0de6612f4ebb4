//! Which Ingresses are ours, how they behave, and which hosts they have.

use super::{annotations::Annotations, names, paths, verdict};
use crate::{
    reads::View,
    report::{Level, Reason, Report},
    settings::{Classes, Settings},
    store::{Held, Of},
    translator::{Members, Plan, UnitKey},
};
use sluice_crds::{
    ObjectName,
    core::{Ingress, IngressClass},
};
use sluice_model::{convert::brief, value::HostPattern};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::Arc,
};

/// The old way to name a class.
pub(crate) const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// What is made on its own; what comes first here comes first in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Piece {
    /// The certificate for names that no Ingress has one for.
    DefaultCertificate,
    /// A host.
    Host(Host),
}

/// A host of Ingresses, in lower case and without a trailing dot; empty for the rules that name none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host(pub(crate) Box<str>);

/// What there is of a host.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Site {
    /// Its Ingresses, the oldest first.
    pub(crate) members: Vec<Member>,
    /// Those of the wildcard above it: their certificate may be for it too.
    pub(crate) parents: Vec<Member>,
    /// Names that it has beside its own.
    pub(crate) aliases: Vec<HostPattern>,
    /// Its name with or without `www.`, which sends clients to it.
    pub(crate) counterpart: Option<Host>,
}

/// An Ingress and how it behaves.
#[derive(Debug, Clone)]
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
    personality: Personality,
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
        let reading = examined.read(ingress, personality, settings);
        reports.extend(reading.reports.iter().cloned());
        if reading.annotations.dropped {
            continue;
        }
        if ingress.content.default_backend.is_some() && settings.classes.disable_catch_all {
            let message = "it has a default backend and `--disable-catch-all` is on, so it is not served; \
                           remove `spec.defaultBackend`";
            let report = Report::new(ingress.held(), Level::Error, Reason::NoEffect, message);
            reports.push(report.at("spec.defaultBackend"));
            continue;
        }
        let name = ingress.name();
        let member = Member { name, personality, annotations: Arc::clone(&reading.annotations) };
        for host in hosts(&ingress.content, member.is_canary()) {
            sites.entry(host).or_default().members.push(member.clone());
        }
    }
    sites.retain(|host, site| {
        let served = !site.members.iter().all(Member::is_canary);
        if !served {
            reports.extend(site.members.iter().filter_map(|member| lonely_canary(view, host, member)));
        }
        served
    });
    if settings.default_backend.is_some() && !sites.is_empty() {
        sites.entry(Host::of("")).or_default();
    }
    names::grant(view, settings, &mut sites, &mut reports);
    let parents: Vec<(Host, Vec<Member>)> = sites
        .keys()
        .filter_map(|host| Some((host.clone(), sites.get(&host.parent()?)?.members.clone())))
        .collect();
    for (host, members) in parents {
        if let Some(site) = sites.get_mut(&host) {
            site.parents = members;
        }
    }
    let mut pieces: BTreeMap<Piece, Site> =
        sites.into_iter().map(|(host, site)| (Piece::Host(host), site)).collect();
    if !pieces.is_empty() {
        pieces.insert(Piece::DefaultCertificate, Site::default());
    }
    let units = pieces.into_iter();
    let units = units.map(|(piece, site)| (UnitKey::Ingress(piece), Members::Ingress(site))).collect();
    Plan { units, reports }
}

/// A canary makes no host.
fn lonely_canary(view: &View<'_>, host: &Host, member: &Member) -> Option<Report> {
    let ingress = view.get::<Ingress>(&member.name.namespace, &member.name.name)?;
    let message = format!(
        "it is a canary, and no other Ingress has host `{host}`, so nothing reaches it; \
         canaries stand beside an Ingress with the same host and path"
    );
    Some(Report::new(ingress.held(), Level::Warning, Reason::Unreachable, message))
}

/// The hosts that an Ingress has something to say about.
pub(super) fn hosts(ingress: &Ingress, canary: bool) -> Vec<Host> {
    let hosts = ingress.rules.iter().map(|rule| Host::of(&rule.host));
    let mut hosts: Vec<Host> = hosts.filter(|host| host.pattern().is_some()).collect();
    // The default backend of a canary stands beside the one for all hosts, whatever rules it has.
    if (canary || ingress.rules.is_empty()) && ingress.default_backend.is_some() {
        hosts.push(Host::of(""));
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// Hosts that are none, which nothing is served for, and certificates for hosts that the Ingress does not have.
fn strange_hosts(ingress: Of<'_, Ingress>) -> Vec<Report> {
    let content = &ingress.object().content;
    let rules = content.rules.iter().enumerate().filter(|(_, rule)| Host::of(&rule.host).pattern().is_none());
    let rules = rules.map(|(index, rule)| {
        let message = format!(
            "`{}` is not a host, so this rule is not served; write a name, or `*.` and a name",
            brief(&rule.host)
        );
        Report::new(ingress.held(), Level::Error, Reason::Invalid, message)
            .at(format!("spec.rules[{index}].host"))
    });
    let own: HashSet<Host> = hosts(content, false).into_iter().collect();
    let tls = content.tls.iter().enumerate().flat_map(|(index, item)| {
        item.hosts.iter().enumerate().map(move |(position, host)| (index, position, host))
    });
    let tls = tls.filter(|(_, _, host)| !own.contains(&Host::of(host))).map(|(index, position, host)| {
        let message =
            format!("no rule of this Ingress has host `{}`, so its certificate is not shown", brief(host));
        Report::new(ingress.held(), Level::Warning, Reason::NoEffect, message)
            .at(format!("spec.tls[{index}].hosts[{position}]"))
    });
    rules.chain(tls).collect()
}

/// `None` where the Ingress is somebody else's.
pub(super) fn personality(
    view: &View<'_>,
    classes: &Classes,
    ingress: Of<'_, Ingress>,
) -> Option<Personality> {
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

    fn read(&mut self, ingress: Of<'_, Ingress>, personality: Personality, settings: &Settings) -> &Reading {
        let read = || Reading::new(ingress, personality, settings);
        let known = self.0.entry(ingress.name()).or_insert_with(read);
        if known.personality != personality || !known.held.is_same(ingress.held()) {
            *known = read();
        }
        known
    }
}

// === impl Reading ===

impl Reading {
    fn new(ingress: Of<'_, Ingress>, personality: Personality, settings: &Settings) -> Self {
        let (mut annotations, mut reports) = Annotations::read(ingress, settings);
        let mistakes = paths::mistakes(ingress, personality, &annotations, &settings.ingress);
        annotations.dropped |= !mistakes.is_empty();
        reports.extend(strange_hosts(ingress));
        if annotations.flag("canary") == Some(true) && !ingress.content.tls.is_empty() {
            let message = "the certificates of a canary are not shown; write them in the Ingress beside which it stands";
            reports
                .push(Report::new(ingress.held(), Level::Warning, Reason::NoEffect, message).at("spec.tls"));
        }
        reports.extend(mistakes);
        reports.extend(verdict::judge(ingress, &mut annotations, settings));
        Self { held: ingress.held().clone(), personality, annotations: Arc::new(annotations), reports }
    }
}

// === impl Member ===

/// The same annotations are equal without a look at them.
impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.personality == other.personality
            && (Arc::ptr_eq(&self.annotations, &other.annotations) || self.annotations == other.annotations)
    }
}

impl Member {
    /// Whether it is an alternative to others, not a server of its own.
    pub(super) fn is_canary(&self) -> bool {
        self.annotations.flag("canary") == Some(true)
    }
}

// === impl Host ===

impl Host {
    /// As the model has it: wildcards of Ingresses stand for one label. `None` where it is not a host.
    pub(super) fn pattern(&self) -> Option<HostPattern> {
        if self.is_catch_all() {
            return Some(HostPattern::Any);
        }
        let pattern = match self.0.strip_prefix("*.") {
            Some(rest) => format!("?.{rest}").parse(),
            None => self.0.parse(),
        };
        pattern.ok().filter(|pattern| matches!(pattern, HostPattern::Exact(_) | HostPattern::OneLabel(_)))
    }

    /// The wildcard above it.
    pub(super) fn parent(&self) -> Option<Self> {
        let (label, rest) = self.0.split_once('.')?;
        (label != "*" && !rest.is_empty()).then(|| Self(format!("*.{rest}").into()))
    }

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
