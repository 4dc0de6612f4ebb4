//! Keeps a translation up to date with the objects.

use crate::{
    assemble::{Difference, Lost, Why, assemble},
    configmap,
    hold::Holds,
    ingress::{self, IngressFacts},
    istio::{self, mesh},
    marks::Marks,
    named,
    output::Output,
    plan::{Members, Plan, UnitKey},
    readers::{Readers, references},
    reads::{Read, View},
    report::{Level, Reason, Report},
    services,
    settings::{NamespacedName, Role, Settings},
    sound,
    store::{Change, Store},
};
use sluice_crds::{
    Kind, ObjectName,
    core::{Ingress, Pod},
};
use sluice_model::spec::{self, WorkloadLabels};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Instant,
};

/// Kinds of units that are planned together, each kind on its own.
#[derive(Debug, Clone, Copy)]
enum Family {
    Ingress,
    Gateway,
    Mesh,
}

/// The plan of a family, and what it rests on.
#[derive(Debug)]
struct Planned {
    family: Family,
    plan: Plan,
    /// `None` before it was made for the first time.
    reads: Option<HashSet<Read>>,
}

/// Turns objects into a configuration, and a change of objects into another one; what a change does not touch is not made
/// again.
#[derive(Debug)]
pub struct Translator {
    /// What the process was told.
    told: Settings,
    /// The same with what the ConfigMap says.
    settings: Settings,
    /// What that rests on; `None` before it was looked at.
    settings_reads: Option<HashSet<Read>>,
    /// What is refused whatever else is said.
    policies: istio::Policies,
    store: Store,
    touched: HashSet<Read>,
    plans: Vec<Planned>,
    directory: ingress::Directory,
    facts: Arc<IngressFacts>,
    istio_examined: istio::Examined,
    units: BTreeMap<UnitKey, Output>,
    holds: Holds,
    readers: Readers,
    /// About objects that were read with mistakes.
    problems: BTreeMap<ObjectName, Vec<Report>>,
    /// About hosts that others have.
    lost: Vec<Report>,
    /// What units are, next to what `config` and `reports` were made from.
    difference: Difference,
    config: spec::Config,
    reports: Arc<[Report]>,
    marks: Arc<Marks>,
    /// Whether plans have other ones than `marks` was made from.
    other_marks: bool,
    /// Whether something may refer to other objects than when somebody asked last.
    other_references: bool,
}

/// What the objects mean at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The configuration, for [`sluice_model::validate`]. Listeners, route tables, clusters and secrets, and how long a
    /// drain may take, only. Its parts are the same as the time before where they did not change.
    pub config: spec::Config,
    /// What is to be said about the objects, by object. The same as the time before, not just equal, where nothing of it
    /// changed.
    pub reports: Arc<[Report]>,
    /// The Ingresses that are served: ours, not refused, and with a part in a host, if only as a canary.
    pub ingresses: Arc<BTreeSet<ObjectName>>,
    /// What metrics in the words of ingress-nginx say about Ingresses; nothing where nobody shows them.
    pub facts: Arc<IngressFacts>,
    /// Where the parts of objects are that no part is named after.
    pub marks: Arc<Marks>,
    /// How many pieces were made again.
    pub renewed: usize,
    /// When something comes to its end that goes on as it was: then it is to be translated again, also without a change.
    pub wake_at: Option<Instant>,
}

// === impl Translator ===

impl Translator {
    /// Without any objects.
    pub fn new(settings: Settings) -> Self {
        let families: &[Family] = match settings.role {
            Role::Gateway => &[Family::Ingress, Family::Gateway],
            Role::Sidecar(_) => &[Family::Mesh],
        };
        Self {
            plans: families.iter().map(|family| Planned::new(*family)).collect(),
            told: settings.clone(),
            settings,
            settings_reads: None,
            policies: istio::Policies::default(),
            store: Store::default(),
            touched: HashSet::new(),
            directory: ingress::Directory::default(),
            facts: Arc::default(),
            istio_examined: istio::Examined::default(),
            units: BTreeMap::new(),
            holds: Holds::default(),
            readers: Readers::default(),
            problems: BTreeMap::new(),
            lost: Vec::new(),
            difference: Difference::ALL,
            config: spec::Config::default(),
            reports: Arc::default(),
            marks: Arc::default(),
            other_marks: false,
            other_references: true,
        }
    }

    /// The objects.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Takes a change. Cheap; what it means is found out by the next [`translate`](Self::translate).
    pub fn apply(&mut self, change: Change) {
        let (name, problems) = match &change {
            Change::Put(held) => (held.object().name(), Report::of_problems(held)),
            Change::Delete(name) => (name.clone(), Vec::new()),
        };
        let before = if problems.is_empty() {
            self.problems.remove(&name)
        } else {
            self.problems.insert(name.clone(), problems)
        };
        self.difference.reports |= before.as_ref() != self.problems.get(&name);
        let touched = &mut self.touched;
        self.store.apply(change, |read| {
            touched.insert(read);
        });
    }

    /// The Ingresses that no class makes ours, each with the class and the way out, as the last translation saw classes;
    /// nothing beside a pod. Nothing else is said about them: they may well be somebody else's. Looks at all Ingresses.
    pub fn unclaimed(&self) -> Vec<Report> {
        match self.settings.role {
            Role::Gateway => ingress::unclaimed(&View::new(&self.store), &self.settings),
            Role::Sidecar(_) => Vec::new(),
        }
    }

    /// The Gateways of Istio that select other gateways than this one, each with the way out. Nothing else is said about them:
    /// they may well be another one's.
    pub fn unselected(&self) -> Vec<Report> {
        match self.settings.role {
            Role::Gateway => istio::unselected(&View::new(&self.store), &self.settings),
            Role::Sidecar(_) => Vec::new(),
        }
    }

    /// The workload of a pod, where its object is there.
    pub fn workload(&self, pod: &NamespacedName) -> Option<WorkloadLabels> {
        self.store.get::<Pod>(&pod.namespace, &pod.name).map(services::workload)
    }

    /// The Secrets, ConfigMaps and Endpoints that the last translation looked for, there or not: of these kinds, a source
    /// need not read any others. `None` where they are the same as when this was asked last.
    pub fn new_references(&mut self) -> Option<BTreeSet<ObjectName>> {
        if !std::mem::take(&mut self.other_references) {
            return None;
        }
        let by_settings = self.settings_reads.iter().flatten();
        let by_plans = self.plans.iter().flat_map(|planned| planned.reads.iter().flatten());
        let reads = by_settings.chain(by_plans).chain(self.readers.all_reads());
        Some(reads.filter_map(Read::reference).cloned().collect())
    }

    /// What the objects mean, also where one of them names something that is not there.
    pub fn translate(&mut self) -> Translation {
        for (key, output) in self.holds.all() {
            self.show(key, output);
        }
        self.renew_stale(None)
    }

    /// The same for those who go on serving: where a change makes something miss what it names, it goes on as it was for up
    /// to a second, so that objects that belong together may be written one after the other. What is there for the first
    /// time does not wait. `now` never goes backwards.
    pub fn translate_at(&mut self, now: Instant) -> Translation {
        for (key, output) in self.holds.over(now) {
            self.show(key, output);
        }
        self.renew_stale(Some(now))
    }

    fn renew_stale(&mut self, now: Option<Instant>) -> Translation {
        let touched = std::mem::take(&mut self.touched);
        let mut stale: BTreeSet<UnitKey> =
            touched.iter().flat_map(|read| self.readers.of(read)).cloned().collect();
        if self.settings_reads.as_ref().is_none_or(|reads| !reads.is_disjoint(&touched)) {
            self.resettle(&mut stale);
        }
        for index in 0..self.plans.len() {
            if self.plans[index].reads.as_ref().is_none_or(|reads| !reads.is_disjoint(&touched)) {
                self.replan(index, &touched, &mut stale);
            }
        }
        let renewed = stale.len();
        for key in stale {
            self.renew(key, now);
        }
        self.put_together();
        Translation {
            config: self.config.clone(),
            reports: Arc::clone(&self.reports),
            ingresses: Arc::clone(self.directory.ingresses()),
            facts: Arc::clone(&self.facts),
            marks: Arc::clone(&self.marks),
            renewed,
            wake_at: self.holds.wake_at(),
        }
    }

    /// One configuration, and all reports, from what the units are; as far as anything differs.
    fn put_together(&mut self) {
        let mut difference = std::mem::replace(&mut self.difference, Difference::NONE);
        if self.settings.metric_labels.rules {
            let facts = IngressFacts::of(&self.units, &self.facts);
            if !facts.is_same(&self.facts) {
                self.facts = Arc::new(facts);
            }
        }
        let exchanged = difference.exchange(&mut self.config).is_ok();
        if std::mem::take(&mut self.other_marks) || !exchanged {
            let mut marks = self.policies.marks(&self.settings, self.units.values());
            for planned in &self.plans {
                marks
                    .extend(planned.plan.marks.iter().map(|(object, marks)| (object.clone(), marks.clone())));
            }
            if marks != *self.marks {
                self.marks = marks.into();
            }
        }
        if !exchanged {
            let (config, lost) = assemble(&self.settings, self.units.values(), &self.config);
            let lost: Vec<Report> = lost.iter().flat_map(|lost| self.lost(lost)).collect();
            difference.reports |= lost != self.lost;
            (self.config, self.lost) = (config, lost);
        }
        if difference.reports {
            let planned = self.plans.iter().flat_map(|planned| &planned.plan.reports);
            let planned = planned.chain(self.directory.reports());
            let units = self.units.values().flat_map(|unit| &unit.reports);
            let said = self
                .problems
                .values()
                .flatten()
                .chain(&self.policies.reports)
                .chain(planned)
                .chain(units)
                .chain(&self.lost);
            let mut reports: Vec<Report> = said.cloned().collect();
            reports.sort();
            reports.dedup();
            if *reports != *self.reports {
                self.reports = reports.into();
            }
        }
    }

    /// Reads the ConfigMaps and the policies. Where they change a setting or what is refused, everything is made again.
    fn resettle(&mut self, stale: &mut BTreeSet<UnitKey>) {
        let view = View::new(&self.store);
        let mut settings = configmap::effective(&self.told, &view);
        istio::shape_by_mesh(&view, &mut settings);
        let policies = istio::policies(&view, &settings);
        if !policies.refuse_as(&self.policies) {
            stale.extend(self.units.keys().cloned());
            self.other_marks = true;
        }
        self.difference.reports |= policies.reports != self.policies.reports;
        self.policies = policies;
        let reads = view.into_reads();
        self.other_references |=
            self.settings_reads.as_ref().map(references).unwrap_or_default() != references(&reads);
        self.settings_reads = Some(reads);
        if settings != self.settings {
            self.settings = settings;
            self.difference = Difference::ALL;
            self.directory = ingress::Directory::default();
            self.istio_examined = istio::Examined::default();
            for planned in &mut self.plans {
                planned.reads = None;
            }
            self.other_references = true;
            stale.extend(self.units.keys().cloned());
        }
    }

    fn replan(&mut self, index: usize, touched: &HashSet<Read>, stale: &mut BTreeSet<UnitKey>) {
        let view = View::new(&self.store);
        let Planned { family, plan, reads: known } = &mut self.plans[index];
        // What goes on from where it was does not look again at what it saw then.
        let mut kept = None;
        let replanned = match family {
            Family::Ingress => {
                let changed = known.as_ref().and_then(|known| only_ingresses(touched, known));
                kept = known.take_if(|_| changed.is_some());
                let reports = kept.is_none().then(|| {
                    let mut reports = configmap::report(&view, &self.settings);
                    reports.extend(named::report(&view, &self.settings));
                    reports
                });
                let mut replanned = self.directory.follow(&view, &self.settings, changed, plan);
                if let Some(reports) = reports {
                    replanned.reports |= plan.reports != reports;
                    plan.reports = reports;
                }
                replanned
            }
            Family::Gateway => plan.replace(istio::plan(&view, &self.settings, &mut self.istio_examined)),
            Family::Mesh => plan.replace(mesh::plan(&view, &self.settings, &mut self.istio_examined)),
        };
        let mut reads = view.into_reads();
        match kept {
            Some(kept) => {
                self.other_references |= !references(reads.difference(&kept)).is_empty();
                reads.extend(kept);
            }
            None => {
                let before = known.as_ref().map(references).unwrap_or_default();
                self.other_references |= before != references(&reads);
            }
        }
        *known = Some(reads);
        for key in &replanned.gone {
            stale.remove(key);
            self.difference.add(self.units.remove(key).as_ref(), None);
            self.holds.forget(key);
            self.other_references |= !self.readers.references(key).is_empty();
            self.readers.forget(key);
        }
        stale.extend(replanned.changed);
        self.difference.reports |= replanned.reports;
        self.other_marks |= replanned.marks;
    }

    fn renew(&mut self, key: UnitKey, now: Option<Instant>) {
        let Some(members) = self.plans.iter().find_map(|planned| planned.plan.units.get(&key)) else {
            return;
        };
        let view = View::new(&self.store);
        let mut output = match (&key, members) {
            (UnitKey::Ingress(piece), Members::Ingress(site)) => {
                ingress::translate(&view, &self.settings, piece, site)
            }
            (UnitKey::Gateway(piece), Members::Gateway(members)) => {
                istio::translate(&view, &self.settings, piece, members)
            }
            (UnitKey::Mesh(piece), Members::Mesh(members)) => {
                mesh::translate(&view, &self.settings, piece, members)
            }
            (UnitKey::Ingress(_) | UnitKey::Gateway(_) | UnitKey::Mesh(_), _) => return,
        };
        let told: Vec<ObjectName> = match members {
            Members::Ingress(site) => site.members.iter().map(|member| member.name.clone()).collect(),
            Members::Gateway(_) | Members::Mesh(_) => output.owners.clone(),
        };
        sound::judge(&self.settings, &self.store, &told, &mut output);
        self.policies.close(&self.settings, &mut output);
        let shown = match now {
            Some(now) => {
                let guard = |cluster: &_| istio::guarded(&view, &self.settings, cluster);
                self.holds.settle(&key, self.units.get(&key), output, now, &guard)
            }
            None => output,
        };
        let reads = view.into_reads();
        self.other_references |= self.readers.references(&key) != references(&reads);
        self.readers.remember(&key, reads);
        self.show(key, shown);
    }

    /// What a unit is from now on.
    fn show(&mut self, key: UnitKey, mut output: Output) {
        let old = self.units.get(&key);
        if let Some(old) = old {
            output.adopt(old);
        }
        self.difference.add(old, Some(&output));
        self.units.insert(key, output);
    }

    /// A host that others have, or that is for TLS where others speak without: Ingresses come first.
    fn lost(&self, lost: &Lost<'_>) -> Vec<Report> {
        let held = lost.owners.iter().filter_map(|owner| self.store.held(owner));
        let (host, port) = (lost.host, lost.table.port);
        let message = match lost.why {
            Why::Host => format!(
                "Ingresses have host `{host}` at port {port} already and serve it; give one of them another host or port"
            ),
            Why::PortWithoutTls => format!(
                "port {port} is served without TLS already, so host `{host}` is not served there with TLS; give its server \
                 another port"
            ),
        };
        held.map(|held| Report::new(held, Level::Warning, Reason::Conflict, message.clone())).collect()
    }
}

/// The Ingresses that changed, where nothing else did of what a plan `read`.
fn only_ingresses(touched: &HashSet<Read>, read: &HashSet<Read>) -> Option<BTreeSet<ObjectName>> {
    let mut ingresses = BTreeSet::new();
    for touched in touched {
        match touched {
            Read::Object(name) if name.kind == Ingress::KIND => drop(ingresses.insert(name.clone())),
            Read::All(kind) if *kind == Ingress::KIND => {}
            other if read.contains(other) => return None,
            _ => {}
        }
    }
    Some(ingresses)
}

// === impl Planned ===

impl Planned {
    fn new(family: Family) -> Self {
        Self { family, plan: Plan::default(), reads: None }
    }
}
