//! What is known about the objects at this moment: written by the thread that translates, read by admin.

use crate::{
    contenders,
    source::{Finding, News, cluster::Stats},
};
use serde_json::{Value, json};
use sluice_crds::ObjectName;
use sluice_model::spec::Config;
use sluice_proxy::{Durations, Family, Labels};
use sluice_translate::{Change, Held, Level, Report};
use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Kinds whose objects ask for something, and are told what became of it. Others are shown when something is wrong.
const ANSWERED: [&str; 9] = [
    "AuthorizationPolicy",
    "DestinationRule",
    "Gateway",
    "Ingress",
    "PeerAuthentication",
    "RequestAuthentication",
    "ServiceEntry",
    "Sidecar",
    "VirtualService",
];

/// What admin shows.
#[derive(Debug)]
pub(super) struct Shared {
    situation: Mutex<Situation>,
    /// For the status of Ingresses.
    addresses: Vec<String>,
    /// Of the watches of a cluster.
    watches: Option<Arc<Stats>>,
    translations: AtomicU64,
    renewed: AtomicU64,
    seconds: Durations,
}

#[derive(Debug, Default)]
struct Situation {
    objects: BTreeMap<ObjectName, Held>,
    /// What the translation said.
    reports: Vec<Report>,
    /// What stands in several places.
    duplicates: Vec<Report>,
    findings: Vec<Finding>,
    files: usize,
    config: Arc<Config>,
}

impl Shared {
    pub(super) fn new(addresses: Vec<String>, watches: Option<Arc<Stats>>) -> Self {
        Self {
            situation: Mutex::default(),
            addresses,
            watches,
            translations: AtomicU64::new(0),
            renewed: AtomicU64::new(0),
            seconds: Durations::default(),
        }
    }

    /// Never held for long: whoever writes has its news ready.
    fn lock(&self) -> MutexGuard<'_, Situation> {
        self.situation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is new.
    pub(super) fn take(&self, news: &News) {
        let mut situation = self.lock();
        for change in &news.changes {
            match change {
                Change::Put(held) => drop(situation.objects.insert(held.object().name(), held.clone())),
                Change::Delete(name) => drop(situation.objects.remove(name)),
            }
        }
        situation.files = news.files;
        situation.findings.clone_from(&news.findings);
        situation.duplicates.clone_from(&news.duplicates);
    }

    pub(super) fn translated(&self, took: Duration, renewed: usize) {
        self.translations.fetch_add(1, Ordering::Relaxed);
        self.renewed.fetch_add(renewed as u64, Ordering::Relaxed);
        self.seconds.add(took);
    }

    pub(super) fn publish(&self, config: Arc<Config>, reports: Vec<Report>) {
        let mut situation = self.lock();
        situation.reports = reports;
        situation.config = config;
    }

    /// All that is to be said about objects.
    pub(super) fn reports(&self) -> Vec<Report> {
        let situation = self.lock();
        situation.reports.iter().chain(&situation.duplicates).cloned().collect()
    }

    /// Objects that want a host and do not serve it as written, and why.
    pub(super) fn contenders(&self, authority: &str) -> String {
        let situation = self.lock();
        let reports: Vec<Report> = situation.reports.iter().chain(&situation.duplicates).cloned().collect();
        contenders::text(situation.objects.values(), &reports, authority)
    }

    /// `GET /status`: what became of each object, by kind, namespace and name.
    pub(super) fn status(&self) -> Value {
        let situation = self.lock();
        let mut said: BTreeMap<&ObjectName, Vec<&Report>> = BTreeMap::new();
        for report in situation.reports.iter().chain(&situation.duplicates) {
            said.entry(&report.object).or_default().push(report);
        }
        let origins: HashSet<&str> = situation.origins().collect();
        let names = situation.objects.keys();
        let shown = names.filter(|name| ANSWERED.contains(&name.kind) || said.contains_key(name));
        shown
            .map(|name| {
                let reports = said.get(name).map(Vec::as_slice).unwrap_or_default();
                let served = origins.contains(name.to_string().as_str());
                json!({
                    "kind": name.kind,
                    "namespace": name.namespace,
                    "name": name.name,
                    "status": self.status_of(name, reports, served),
                    "events": reports.iter().map(|report| event(report)).collect::<Vec<_>>(),
                })
            })
            .collect()
    }

    /// The status that the object's kind has.
    fn status_of(&self, name: &ObjectName, reports: &[&Report], served: bool) -> Value {
        if name.kind == "Ingress" {
            let addresses = self.addresses.iter().filter(|_| served).map(|address| {
                let key = if address.parse::<IpAddr>().is_ok() { "ip" } else { "hostname" };
                json!({ key: address })
            });
            return json!({ "loadBalancer": { "ingress": addresses.collect::<Vec<_>>() } });
        }
        let rejected = reports.iter().find(|report| report.severity == Level::Error);
        let condition = match rejected {
            Some(report) => json!({
                "type": "Accepted",
                "status": "False",
                "reason": report.reason.as_str(),
                "message": message(report),
            }),
            None => json!({ "type": "Accepted", "status": "True", "reason": "Accepted", "message": "" }),
        };
        json!({ "conditions": [condition] })
    }

    pub(super) fn metrics(&self) -> Vec<Family> {
        let situation = self.lock();
        let mut objects: BTreeMap<&str, u64> = BTreeMap::new();
        for name in situation.objects.keys() {
            *objects.entry(name.kind).or_default() += 1;
        }
        let mut rejected: BTreeMap<&str, HashSet<&ObjectName>> = BTreeMap::new();
        for report in situation.reports.iter().chain(&situation.duplicates) {
            let of_kind = rejected.entry(report.object.kind).or_default();
            if report.severity == Level::Error {
                of_kind.insert(&report.object);
            }
        }
        let labels = |kind: &str| -> Labels { vec![("kind", kind.to_owned())] };
        let alone = |number: f64| vec![(Labels::new(), number)];
        let mut families = vec![
            Family::gauge(
                "objects",
                "Kubernetes objects by kind.",
                objects.iter().map(|(kind, number)| (labels(kind), *number as f64)).collect(),
            ),
            Family::gauge(
                "objects_rejected",
                "Kubernetes objects of which something is not served.",
                rejected.iter().map(|(kind, names)| (labels(kind), names.len() as f64)).collect(),
            ),
            Family::gauge("manifest_files", "Files of manifests.", alone(situation.files as f64)),
            Family::gauge(
                "manifest_problems",
                "What is wrong with files of manifests.",
                alone(situation.findings.len() as f64),
            ),
            Family::counter(
                "translations_total",
                "Translations of changed objects.",
                vec![(Labels::new(), self.translations.load(Ordering::Relaxed))],
            ),
            Family::counter(
                "translation_units_total",
                "Hosts and services that were translated again.",
                vec![(Labels::new(), self.renewed.load(Ordering::Relaxed))],
            ),
            Family::durations("translation_seconds", "How long a translation took.", &self.seconds),
        ];
        families.extend(self.watches.iter().flat_map(|watches| watches.metrics()));
        families
    }
}

impl Situation {
    /// Objects that have a route, as routes name them.
    fn origins(&self) -> impl Iterator<Item = &str> {
        let hosts = self.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
        hosts.flat_map(|host| &host.routes).filter_map(|route| route.origin.as_deref())
    }
}

fn event(report: &Report) -> Value {
    let kind = if report.severity == Level::Info { "Normal" } else { "Warning" };
    json!({ "type": kind, "reason": report.reason.as_str(), "message": message(report) })
}

fn message(report: &Report) -> String {
    let field = if report.field.is_empty() { String::new() } else { format!("{}: ", report.field) };
    let place = report.place.as_ref().map(|place| format!(" ({}:{})", place.file, place.line));
    format!("{field}{}{}", report.message, place.unwrap_or_default())
}
