//! Objects that are read only where something refers to them: few of a namespace by a watch for each name, which needs no right
//! to read others; more by one watch of the namespace, of which the rest is dropped before it is stored.
//!
//! | names of a kind in a namespace | watches |
//! | --- | --- |
//! | up to 32 | one for each |
//! | more, Secrets | one of type `kubernetes.io/tls`, and one for each name that is not among those, up to 32 |
//! | more, others; more Secrets of other types | one of everything |
//! | more, and the namespace is forbidden | one for each, up to 256 |

use super::{
    kinds::{REFERRED, Resource},
    watch::{Accept, Cluster, Progress, Target, Watched},
};
use sluice_crds::{Kind, ObjectName, core::Secret};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

/// Names of a namespace that are watched each on its own.
const NAMED: usize = 32;
/// The same where the namespace cannot be watched as a whole.
const NAMED_AT_MOST: usize = 256;

/// All that something refers to, and the watches for it.
pub(super) struct References {
    cluster: Arc<Cluster>,
    names: watch::Sender<Arc<BTreeSet<ObjectName>>>,
    groups: HashMap<(&'static str, String), Group>,
    /// Told when a watch has something to report.
    progress: Arc<Notify>,
}

/// A kind in a namespace.
#[derive(Debug, Default)]
struct Group {
    named: BTreeMap<ObjectName, Running>,
    whole: Option<(Whole, Running)>,
    /// Some names were said to be too many.
    said: bool,
}

/// What a watch of a namespace brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    /// Secrets with certificates.
    Certificates,
    Everything,
}

/// A watch; dropping it ends it.
#[derive(Debug)]
struct Running {
    task: AbortHandle,
    relay: AbortHandle,
    progress: watch::Receiver<Progress>,
}

// === impl References ===

impl References {
    pub(super) fn new(cluster: Arc<Cluster>) -> Self {
        let (names, _) = watch::channel(Arc::default());
        Self { cluster, names, groups: HashMap::new(), progress: Arc::default() }
    }

    /// Tells of changes that [`settle`](Self::settle) has to look at.
    pub(super) fn progress(&self) -> Arc<Notify> {
        self.progress.clone()
    }

    /// Other names than before.
    pub(super) fn set(&mut self, names: Arc<BTreeSet<ObjectName>>) {
        let before = self.names.send_replace(names.clone());
        for name in before.difference(&names) {
            self.cluster.inbox.remove(name.clone());
        }
        for name in before.iter().chain(names.iter()) {
            self.groups.entry((name.kind, name.namespace.clone())).or_default();
        }
        self.settle();
    }

    /// Starts the watches that are missing, ends those that are not needed any more, and says what was looked for.
    pub(super) fn settle(&mut self) {
        let names = self.names.borrow().clone();
        let mut of_group: HashMap<(&'static str, String), BTreeSet<ObjectName>> = HashMap::new();
        for name in names.iter() {
            of_group.entry((name.kind, name.namespace.clone())).or_default().insert(name.clone());
        }
        let Self { cluster, names, groups, progress } = self;
        groups.retain(|key, group| {
            let Some(wanted) = of_group.get(key) else { return false };
            let Some(resource) = REFERRED.iter().find(|resource| resource.kind == key.0) else {
                return false;
            };
            let start = Start { cluster, names, progress, resource, namespace: &key.1 };
            group.settle(wanted, &start);
            true
        });
    }
}

/// What it takes to start a watch.
struct Start<'s> {
    cluster: &'s Arc<Cluster>,
    names: &'s watch::Sender<Arc<BTreeSet<ObjectName>>>,
    progress: &'s Arc<Notify>,
    resource: &'s Resource,
    namespace: &'s str,
}

// === impl Group ===

impl Group {
    fn settle(&mut self, wanted: &BTreeSet<ObjectName>, start: &Start<'_>) {
        let whole = self.wanted_whole(wanted.len(), start.resource);
        if self.whole.as_ref().map(|(whole, _)| *whole) != whole {
            self.whole = whole.map(|whole| (whole, start.whole(whole, wanted)));
        }
        let mut unseen = wanted.clone();
        let (mut limit, mut forbidden) = (NAMED, false);
        if let Some((whole, running)) = &self.whole {
            let progress = running.progress.borrow().clone();
            forbidden = progress.forbidden;
            match (progress.known, *whole) {
                _ if forbidden => limit = NAMED_AT_MOST,
                // Until it has listed, what is watched by name stays watched.
                (None, _) => {
                    limit = 0;
                    unseen.retain(|name| self.named.contains_key(name));
                }
                (Some(known), Whole::Certificates) => {
                    start.cluster.inbox.answered(known.intersection(wanted));
                    unseen.retain(|name| !known.contains(name));
                }
                (Some(_), Whole::Everything) => {
                    start.cluster.inbox.answered(wanted);
                    unseen.clear();
                }
            }
        }
        self.named.retain(|name, _| unseen.contains(name));
        let places = limit.saturating_sub(self.named.len());
        let missing: Vec<ObjectName> =
            unseen.into_iter().filter(|name| !self.named.contains_key(name)).collect();
        if forbidden && missing.len() > places {
            self.too_many(&missing[places..], start);
        }
        for name in missing.into_iter().take(places) {
            let running = start.named(&name);
            self.named.insert(name, running);
        }
        let answered = self.named.iter().filter(|(_, running)| {
            let progress = running.progress.borrow();
            progress.known.is_some() || progress.forbidden
        });
        start.cluster.inbox.answered(answered.map(|(name, _)| name));
    }

    /// Whether the namespace is watched as a whole, for so many names. Once it is, it stays so until a name alone is left:
    /// coming and going around the bound shall not cost a list each time.
    fn wanted_whole(&self, names: usize, resource: &Resource) -> Option<Whole> {
        let certificates =
            if resource.kind == Secret::KIND { Whole::Certificates } else { Whole::Everything };
        match &self.whole {
            None => (names > NAMED).then_some(certificates),
            Some(_) if names <= 1 => None,
            Some((Whole::Certificates, running)) => {
                let progress = running.progress.borrow();
                let known = progress.known.as_ref().map_or(names, BTreeSet::len);
                let unseen = names.saturating_sub(known);
                let everything = unseen > NAMED && !progress.forbidden;
                Some(if everything { Whole::Everything } else { Whole::Certificates })
            }
            Some((Whole::Everything, _)) => Some(Whole::Everything),
        }
    }

    fn too_many(&mut self, names: &[ObjectName], start: &Start<'_>) {
        start.cluster.inbox.answered(names);
        if !std::mem::replace(&mut self.said, true) {
            let (resource, namespace) = (start.resource.name(), start.namespace);
            tracing::error!(
                "{} of the {resource} that objects in namespace {namespace} refer to are not read: more than {NAMED_AT_MOST} \
                 would need a watch of their own; allow the verbs `list` and `watch` on `{resource}` in that namespace",
                names.len(),
            );
        }
    }
}

// === impl Start ===

impl Start<'_> {
    fn named(&self, name: &ObjectName) -> Running {
        let target = self.target(Some(format!("metadata.name={}", name.name)));
        self.run(target, Accept::Everything, [name.clone()])
    }

    fn whole(&self, whole: Whole, wanted: &BTreeSet<ObjectName>) -> Running {
        let fields = (whole == Whole::Certificates).then(|| "type=kubernetes.io/tls".to_owned());
        // Who lists everything knows what is gone.
        let known = if whole == Whole::Everything { wanted.clone() } else { BTreeSet::new() };
        self.run(self.target(fields), Accept::References(self.names.subscribe()), known)
    }

    fn target(&self, fields: Option<String>) -> Target {
        Target {
            namespace: Some(self.namespace.to_owned()),
            fields,
            reports: true,
            ..Target::all(*self.resource)
        }
    }

    fn run(&self, target: Target, accept: Accept, known: impl IntoIterator<Item = ObjectName>) -> Running {
        let (watched, progress) = Watched::new(self.cluster.clone(), target, accept, known);
        let (mut changes, told) = (progress.clone(), self.progress.clone());
        let relay = tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                told.notify_one();
            }
        });
        Running { task: tokio::spawn(watched.run()).abort_handle(), relay: relay.abort_handle(), progress }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
        self.relay.abort();
    }
}
