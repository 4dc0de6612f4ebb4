//! What is known about the objects at this moment: written by the thread that translates, read by admin.

use super::{
    nginx_numbers::NginxNumbers,
    objects,
    translation::{self, Made},
    trouble,
};
use crate::{
    contenders,
    source::{Finding, News, cluster::Stats},
    status::{Address, Facts, Origin, Tally},
};
use serde_json::Value;
use sluice_crds::ObjectName;
use sluice_model::spec::Config;
use sluice_proxy::{Durations, Family, Labels, NginxMetrics, Unbound};
use sluice_translate::{Change, Held, Level, Marks, Report, Translation};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// Kinds that change often, and have no part in the status of others but through what is said about these.
const QUIET: [&str; 3] = ["EndpointSlice", "Endpoints", "Pod"];

/// What admin shows.
#[derive(Debug)]
pub(crate) struct Shared {
    situation: Mutex<Situation>,
    /// For the status of Ingresses.
    addresses: Origin,
    /// What stands before annotations of Ingresses.
    prefix: String,
    /// Of the watches of a cluster.
    watches: Option<Arc<Stats>>,
    translations: AtomicU64,
    renewed: AtomicU64,
    seconds: Durations,
    /// Whether nobody follows the objects any more.
    abandoned: AtomicBool,
    /// Counts what may change the status of an object.
    news: watch::Sender<u64>,
    /// What was written to a cluster, where there is one.
    writes: OnceLock<Arc<Tally>>,
    /// For metrics in the words of ingress-nginx, where somebody shows them.
    nginx: Option<NginxNumbers>,
}

/// Held by whoever follows the objects.
#[derive(Debug)]
pub(super) struct Following(Arc<Shared>);

#[derive(Debug, Default)]
struct Situation {
    objects: BTreeMap<ObjectName, Held>,
    /// What changed and was not published yet; absent objects are gone.
    coming: BTreeMap<ObjectName, Option<Held>>,
    /// The Ingresses that are served.
    ingresses: Arc<BTreeSet<ObjectName>>,
    /// The addresses of nodes that were found last.
    nodes: Vec<Address>,
    /// What the translation said.
    reports: Arc<[Report]>,
    /// Where parts are that are not named after their objects.
    marks: Arc<Marks>,
    /// What stands in several places.
    duplicates: Vec<Report>,
    findings: Vec<Finding>,
    files: usize,
    /// Listeners that do not listen, and what is to be said to those that name their ports.
    unbound: Vec<Unbound>,
    unheard: Vec<Report>,
    config: Arc<Config>,
}

impl Shared {
    /// `prefix` stands before annotations of Ingresses; `nginx_metrics` says whether metrics in the words of ingress-nginx
    /// are shown.
    pub(super) fn new(
        addresses: Origin,
        prefix: String,
        watches: Option<Arc<Stats>>,
        nginx_metrics: bool,
    ) -> Self {
        Self {
            situation: Mutex::default(),
            addresses,
            prefix,
            watches,
            translations: AtomicU64::new(0),
            renewed: AtomicU64::new(0),
            seconds: Durations::default(),
            abandoned: AtomicBool::new(false),
            news: watch::Sender::new(0),
            writes: OnceLock::new(),
            nginx: nginx_metrics.then(NginxNumbers::default),
        }
    }

    /// As long as this is held, objects are followed.
    pub(super) fn following(self: &Arc<Self>) -> Following {
        Following(self.clone())
    }

    /// Why this process serves nothing new any more.
    pub(super) fn failure(&self) -> Option<String> {
        self.abandoned.load(Ordering::Relaxed).then(|| {
            "the thread that follows objects has ended, a defect of Sluice: changes are not served any more".to_owned()
        })
    }

    /// Never held for long: whoever writes has its news ready.
    fn lock(&self) -> MutexGuard<'_, Situation> {
        self.situation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is new.
    pub(super) fn take(&self, news: &News) {
        let mut situation = self.lock();
        situation.coming.extend(news.changes.iter().map(|change| match change {
            Change::Put(held) => (held.object().name(), Some(held.clone())),
            Change::Delete(name) => (name.clone(), None),
        }));
        situation.files = news.files;
        situation.findings.clone_from(&news.findings);
        situation.duplicates.clone_from(&news.duplicates);
    }

    pub(super) fn translated(&self, took: Duration, renewed: usize) {
        self.translations.fetch_add(1, Ordering::Relaxed);
        self.renewed.fetch_add(renewed as u64, Ordering::Relaxed);
        self.seconds.add(took);
    }

    /// What became of all objects that were taken so far.
    pub(super) fn publish(&self, config: Arc<Config>, translation: Translation) {
        let Translation { reports, ingresses, facts, marks, .. } = translation;
        let mut situation = self.lock();
        let mut matters = situation.reports != reports || situation.ingresses != ingresses;
        let coming = std::mem::take(&mut situation.coming);
        if let Some(nginx) = &self.nginx {
            nginx.take(&coming, &ingresses, &reports, facts);
        }
        for (name, held) in coming {
            matters |= !QUIET.contains(&name.kind);
            match held {
                Some(held) => drop(situation.objects.insert(name, held)),
                None => drop(situation.objects.remove(&name)),
            }
        }
        situation.reports = reports;
        situation.config = config;
        situation.marks = marks;
        situation.ingresses = ingresses;
        situation.tell_unheard();
        if matters {
            self.news.send_modify(|news| *news += 1);
        }
    }

    /// Changes when the status of an object may have changed.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// The addresses of the nodes on which the gateway runs.
    pub(crate) fn set_nodes(&self, addresses: Vec<Address>) {
        self.lock().nodes = addresses;
    }

    /// Status is written to a cluster, and counted here.
    pub(crate) fn writes(&self, tally: Arc<Tally>) {
        // There is one writer in a process.
        let _ = self.writes.set(tally);
    }

    /// All that is to be said about objects: by the translation, and about those that stand in several places.
    pub(super) fn reports(&self) -> (Arc<[Report]>, Vec<Report>) {
        let situation = self.lock();
        (Arc::clone(&situation.reports), situation.duplicates.clone())
    }

    /// Objects that want a host and do not serve it as written, and why.
    pub(super) fn contenders(&self, authority: &str) -> String {
        let situation = self.lock();
        let reports: Vec<Report> = situation.reports.iter().chain(&situation.duplicates).cloned().collect();
        contenders::text(situation.objects.values(), &reports, authority, &self.prefix)
    }

    /// `GET /status`: what became of each object, by kind, namespace and name, and what is wrong besides.
    pub(super) fn status(&self) -> Value {
        let mut entries: Vec<Value> =
            self.with_facts(|facts| facts.answers().map(|answer| answer.shown()).collect());
        let situation = self.lock();
        entries.extend(trouble::of_files(&situation.findings));
        let made = Made { config: &situation.config, marks: &situation.marks };
        entries.extend(trouble::of_listeners(&situation.unbound, &made));
        Value::Array(entries)
    }

    /// Listeners that do not listen.
    pub(super) fn set_unbound(&self, listeners: &[Unbound]) {
        let mut situation = self.lock();
        listeners.clone_into(&mut situation.unbound);
        situation.tell_unheard();
        self.news.send_modify(|news| *news += 1);
    }

    /// The objects that need a listener, in words.
    pub(super) fn wanted_by(&self, listener: &str) -> String {
        let situation = self.lock();
        trouble::wanted_by(&Made { config: &situation.config, marks: &situation.marks }, listener)
    }

    /// Looks at what is known, as it was when it was published last. Nothing new is published meanwhile.
    pub(crate) fn with_facts<T>(&self, look: impl FnOnce(Facts<'_>) -> T) -> T {
        let situation = self.lock();
        let addresses = self.addresses.addresses(&situation.objects, &situation.nodes);
        look(Facts {
            objects: &situation.objects,
            reports: [&situation.reports, &situation.duplicates, &situation.unheard],
            ingresses: &situation.ingresses,
            addresses: &addresses,
        })
    }

    /// `GET /debug/objects`: what is held, or one object as it is held.
    pub(super) fn objects(&self, query: &str) -> Result<Value, String> {
        objects::show(&self.lock().objects, query)
    }

    /// `GET /debug/translation`: what became of one object.
    pub(super) fn translation(&self, query: &str) -> Result<Value, String> {
        let situation = self.lock();
        let reports = situation.reports.iter().chain(&situation.duplicates).chain(&situation.unheard);
        let Situation { objects, config, marks, .. } = &*situation;
        translation::show(objects, &Made { config, marks }, reports, query)
    }

    /// Metrics in the words of ingress-nginx.
    pub(super) fn nginx_metrics(&self, told: &NginxMetrics) -> Vec<Family> {
        let Some(nginx) = &self.nginx else { return Vec::new() };
        nginx.families(told, self.writes.get().and_then(|tally| tally.election()))
    }

    pub(super) fn metrics(&self) -> Vec<Family> {
        let situation = self.lock();
        let mut objects: BTreeMap<&str, u64> = BTreeMap::new();
        for name in situation.objects.keys() {
            *objects.entry(name.kind).or_default() += 1;
        }
        let mut rejected: BTreeMap<&str, HashSet<&ObjectName>> = BTreeMap::new();
        for report in situation.reports.iter().chain(&situation.duplicates).chain(&situation.unheard) {
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
        families.extend(self.writes.get().into_iter().flat_map(|tally| tally.metrics()));
        families
    }
}

impl Situation {
    /// Nearly always there is nothing to tell.
    fn tell_unheard(&mut self) {
        let made = Made { config: &self.config, marks: &self.marks };
        self.unheard = trouble::unheard(&self.unbound, &made, &self.objects);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_that_ends_is_a_failure() {
        let shared = Arc::new(Shared::new(Origin::Nodes { internal: false }, String::new(), None, false));
        let following = shared.following();
        assert_eq!(shared.failure(), None);
        drop(following);
        assert!(shared.failure().is_some());
    }
}
