//! Objects from a Kubernetes API server.
//!
//! ```text
//! api_server ─▶ watch (one a kind) ────────────┐
//!               own_pod ───────────────────────┼─▶ inbox ─▶ news
//!               references (one a name, or more) ─┘
//!                    ▲
//!                    └── what the translation looked for
//! ```
//!
//! All of it runs on a thread of its own, so that a long translation delays no watch and no watch delays a translation. It
//! only reads. What the process may not read is said with the right that is missing (see `watch`); what must be there before
//! anything is served is every kind that Kubernetes itself has, and all that those objects refer to.

mod backoff;
mod inbox;
mod item;
mod json;
mod kinds;
mod once;
mod own_pod;
mod references;
mod stats;
mod watch;

pub(crate) use once::read_once;
pub(crate) use stats::Stats;

use super::News;
use crate::api_server::Access;
use inbox::Inbox;
use kinds::{NAMESPACE, Resource, WATCHED};
use references::References;
use sluice_crds::{Kind, ObjectName, core::Pod};
use sluice_translate::NamespacedName;
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};
use tokio::{
    sync::watch::{Receiver, Sender},
    task::JoinSet,
};
use watch::{Accept, Target, Watched};

/// What is read of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) access: Access,
    /// The only namespace whose objects count.
    pub(crate) namespace: Option<String>,
    /// Labels of the namespaces whose objects count.
    pub(crate) selector: Option<String>,
    /// The pod of this process.
    pub(crate) pod: Option<NamespacedName>,
    /// How long a watch lives before it is opened again; a server that is silent for longer is taken for gone.
    pub(crate) lifetime: Duration,
}

/// A cluster that is watched until this is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    url: String,
    inbox: Arc<Inbox>,
    stats: Arc<Stats>,
    references: Sender<Arc<BTreeSet<ObjectName>>>,
}

impl Cluster {
    /// Begins to watch. Fails where it is not even known what to ask; a server that does not answer is waited for.
    pub(crate) fn start(options: Options) -> Result<Self, String> {
        let (inbox, stats) = (Arc::<Inbox>::default(), Arc::<Stats>::default());
        let (references, wanted) = tokio::sync::watch::channel(Arc::default());
        let (ready, begun) = std::sync::mpsc::sync_channel(1);
        let (shared_inbox, shared_stats) = (inbox.clone(), stats.clone());
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(format!("a runtime cannot be made: {error}")));
                    return;
                }
            };
            runtime.block_on(async move {
                let (api, url) = match options.access.api().await {
                    Ok(found) => found,
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        return;
                    }
                };
                let cluster = Arc::new(watch::Cluster {
                    api,
                    inbox: shared_inbox,
                    stats: shared_stats,
                    streams: AtomicBool::new(true),
                    lifetime: options.lifetime,
                });
                let watches = Watches::new(cluster, &options);
                let _ = ready.send(Ok(url));
                watches.run(wanted).await;
            });
        };
        thread::Builder::new()
            .name("sluice-cluster".to_owned())
            .spawn(run)
            .map_err(|error| format!("a thread cannot be started: {error}"))?;
        let url = begun.recv().unwrap_or_else(|_| Err("its thread ended".to_owned()))?;
        Ok(Self { url, inbox, stats, references })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }

    /// What the first state still waits for, and why.
    pub(crate) fn late(&self) -> Vec<(String, String)> {
        self.inbox.late()
    }

    pub(crate) async fn first(&mut self) -> (News, String) {
        self.inbox.first().await
    }

    pub(crate) async fn news(&mut self) -> News {
        self.inbox.news().await
    }

    pub(crate) fn refer(&mut self, names: BTreeSet<ObjectName>) -> bool {
        let before = self.references.borrow().clone();
        let no_longer = before.difference(&names).cloned().collect();
        let more: Vec<ObjectName> = names.difference(&before).cloned().collect();
        let are_more = !more.is_empty();
        self.inbox.refer(more, &no_longer);
        self.references.send_replace(Arc::new(names));
        are_more
    }
}

/// All watches of a cluster.
struct Watches {
    cluster: Arc<watch::Cluster>,
    /// Everything that runs on its own; dropping it ends it.
    tasks: JoinSet<()>,
    /// Those of kinds of which every object counts; they begin when the namespaces are known.
    waiting: Vec<Watched>,
    /// The namespaces that were chosen by their labels, and where that is told.
    namespaces: Option<Namespaces>,
}

/// Who knows which namespaces were chosen, and who is told.
type Namespaces = (Receiver<watch::Progress>, Sender<watch::Choice>);

impl Watches {
    /// Says what the first state waits for, and starts what needs not wait itself.
    fn new(cluster: Arc<watch::Cluster>, options: &Options) -> Self {
        let mut tasks = JoinSet::new();
        if let Some(pod) = &options.pod {
            tasks.spawn(own_pod::follow(cluster.clone(), pod));
        }
        let (chosen, choice) = tokio::sync::watch::channel(None);
        let mut namespaces = None;
        if let Some(selector) = options.selector.clone().filter(|_| options.namespace.is_none()) {
            let target = Target::all(NAMESPACE).with_labels(selector);
            cluster.inbox.expect(target.label());
            let (watched, progress) = Watched::new(cluster.clone(), target, Accept::Everything, []);
            tasks.spawn(watched.run());
            namespaces = Some((progress, chosen));
        }
        let own = options.pod.as_ref().map(|pod| ObjectName {
            kind: Pod::KIND,
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
        });
        let waiting = WATCHED.iter().map(|resource| {
            // Who may read one namespace alone may not read what is in none.
            let optional = resource.optional || !resource.namespaced && options.namespace.is_some();
            let mut target = Target::all(Resource { optional, ..*resource });
            target.namespace = options.namespace.clone().filter(|_| resource.namespaced);
            target.except.clone_from(&own);
            cluster.inbox.expect(target.label());
            let accept = match namespaces {
                Some(_) => Accept::Namespaces(choice.clone()),
                None => Accept::Everything,
            };
            Watched::new(cluster.clone(), target, accept, []).0
        });
        let waiting = waiting.collect();
        Self { cluster, tasks, waiting, namespaces }
    }

    /// Runs until nobody wants to know any more.
    async fn run(mut self, mut wanted: Receiver<Arc<BTreeSet<ObjectName>>>) {
        if self.namespaces.is_none() {
            self.begin();
        }
        let mut references = References::new(self.cluster.clone());
        let progress = references.progress();
        loop {
            tokio::select! {
                changed = wanted.changed() => match changed {
                    Ok(()) => references.set(wanted.borrow_and_update().clone()),
                    Err(_) => return,
                },
                () = progress.notified() => references.settle(),
                chosen = chosen(&mut self.namespaces) => {
                    if let Some((_, choice)) = &self.namespaces {
                        choice.send_if_modified(|before| {
                            let changed = before.as_deref() != Some(&chosen);
                            *before = Some(Arc::new(chosen));
                            changed
                        });
                    }
                    self.begin();
                }
            }
        }
    }

    fn begin(&mut self) {
        for watched in self.waiting.drain(..) {
            self.tasks.spawn(watched.run());
        }
    }
}

/// Waits until other namespaces are chosen.
async fn chosen(namespaces: &mut Option<Namespaces>) -> BTreeSet<String> {
    loop {
        let changed = match namespaces {
            Some((progress, _)) => progress.changed().await.is_ok(),
            None => false,
        };
        if !changed {
            std::future::pending::<()>().await;
        }
        let known = namespaces.as_mut().and_then(|(progress, _)| progress.borrow_and_update().known.clone());
        if let Some(known) = known {
            return known.into_iter().map(|namespace| namespace.name).collect();
        }
    }
}
