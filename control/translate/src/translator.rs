//! Keeps a translation up to date with the objects.

use crate::{
    configmap, ingress,
    output::{Output, assemble},
    reads::{Read, View},
    report::Report,
    settings::Settings,
    store::{Change, Store},
};
use sluice_model::spec;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A piece of the configuration that is made, and made again, on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum UnitKey {
    /// A host of Ingresses.
    Ingress(ingress::Host),
}

/// Turns objects into a configuration, and a change of objects into another one; what a change does not touch is not made
/// again.
#[derive(Debug)]
pub struct Translator {
    /// What the process was told.
    told: Settings,
    /// The same with what the ConfigMap says.
    settings: Settings,
    settings_reads: HashSet<Read>,
    store: Store,
    touched: HashSet<Read>,
    plan: Plan,
    plan_reads: HashSet<Read>,
    examined: ingress::Examined,
    units: BTreeMap<UnitKey, Output>,
    reads: HashMap<UnitKey, HashSet<Read>>,
    readers: HashMap<Read, BTreeSet<UnitKey>>,
}

/// Which units there are, and which objects each is made of.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) units: BTreeMap<UnitKey, ingress::Site>,
    /// About objects that are in no unit.
    pub(crate) reports: Vec<Report>,
}

/// What the objects mean at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The configuration, for [`sluice_model::validate`]. Listeners, route tables, clusters and secrets only.
    pub config: spec::Config,
    /// What is to be said about the objects, by object.
    pub reports: Vec<Report>,
    /// How many pieces were made again.
    pub renewed: usize,
}

// === impl Translator ===

impl Translator {
    /// Without any objects.
    pub fn new(settings: Settings) -> Self {
        Self {
            told: settings.clone(),
            settings,
            settings_reads: HashSet::new(),
            store: Store::default(),
            touched: HashSet::new(),
            plan: Plan::default(),
            plan_reads: HashSet::new(),
            examined: ingress::Examined::default(),
            units: BTreeMap::new(),
            reads: HashMap::new(),
            readers: HashMap::new(),
        }
    }

    /// The objects.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Takes a change. Cheap; what it means is found out by the next [`translate`](Self::translate).
    pub fn apply(&mut self, change: Change) {
        let touched = &mut self.touched;
        self.store.apply(change, |read| {
            touched.insert(read);
        });
    }

    /// What the objects mean now.
    pub fn translate(&mut self) -> Translation {
        let touched = std::mem::take(&mut self.touched);
        let mut stale: BTreeSet<UnitKey> =
            touched.iter().filter_map(|read| self.readers.get(read)).flatten().cloned().collect();
        if self.plan_reads.is_empty() || !self.settings_reads.is_disjoint(&touched) {
            self.resettle();
        }
        if self.plan_reads.is_empty() || !self.plan_reads.is_disjoint(&touched) {
            self.replan(&mut stale);
        }
        let renewed = stale.len();
        for key in stale {
            self.renew(key);
        }
        let rejected = self.store.iter().flat_map(Report::of_problems);
        let mut reports: Vec<Report> = rejected
            .chain(self.plan.reports.iter().cloned())
            .chain(self.units.values().flat_map(|unit| unit.reports.clone()))
            .collect();
        reports.sort();
        reports.dedup();
        Translation { config: assemble(&self.settings, self.units.values()), reports, renewed }
    }

    /// Reads the ConfigMap. Where it changes a setting, everything is made again.
    fn resettle(&mut self) {
        let view = View::new(&self.store);
        let settings = configmap::effective(&self.told, &view);
        self.settings_reads = view.into_reads();
        if settings != self.settings {
            self.settings = settings;
            self.examined = ingress::Examined::default();
            self.plan = Plan::default();
            self.plan_reads.clear();
        }
    }

    fn replan(&mut self, stale: &mut BTreeSet<UnitKey>) {
        let view = View::new(&self.store);
        let mut plan = ingress::plan(&view, &self.settings, &mut self.examined);
        plan.reports.extend(configmap::report(&view, &self.settings));
        self.plan_reads = view.into_reads();
        let gone: Vec<UnitKey> =
            self.units.keys().filter(|key| !plan.units.contains_key(*key)).cloned().collect();
        for key in gone {
            stale.remove(&key);
            self.units.remove(&key);
            self.forget_reads(&key);
        }
        stale.retain(|key| plan.units.contains_key(key));
        for (key, site) in &plan.units {
            if self.plan.units.get(key) != Some(site) {
                stale.insert(key.clone());
            }
        }
        self.plan = plan;
    }

    fn renew(&mut self, key: UnitKey) {
        let Some(site) = self.plan.units.get(&key) else { return };
        let view = View::new(&self.store);
        let output = match &key {
            UnitKey::Ingress(host) => ingress::translate(&view, &self.settings, host, site),
        };
        let reads = view.into_reads();
        self.forget_reads(&key);
        for read in &reads {
            self.readers.entry(read.clone()).or_default().insert(key.clone());
        }
        self.reads.insert(key.clone(), reads);
        self.units.insert(key, output);
    }

    fn forget_reads(&mut self, key: &UnitKey) {
        for read in self.reads.remove(key).unwrap_or_default() {
            if let Some(readers) = self.readers.get_mut(&read) {
                readers.remove(key);
                if readers.is_empty() {
                    self.readers.remove(&read);
                }
            }
        }
    }
}
