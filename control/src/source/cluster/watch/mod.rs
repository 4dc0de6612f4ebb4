//! One watch: the objects of a kind, in a namespace or in all.
//!
//! ```text
//!        ┌──────────── expired, nonsense, forbidden, missing ────────────┐
//!        ▼                                                               │
//!      list ── all of it: replaces what was known ─▶ watch from its version ─┐
//!        ▲ │                                          ▲                      │
//!        └─┘ any error: wait, again                   └─ end, error: wait, ◀─┘
//!                                                        again from the last version
//! ```
//!
//! Nothing is told before a list is complete, so half a list neither brings nor removes anything, and an API server that
//! cannot be understood leaves what was known in force. kube's own `watcher` is not used: it goes on behind a line that it
//! cannot read, so that a change may be lost for ever, reads lines and answers of any length, does not see `Retry-After`,
//! and begins streaming lists at any version, which may lie before one that was seen already.

mod accept;
mod failure;
mod follow;
mod list;
mod target;

pub(super) use accept::{Accept, Choice};
pub(super) use target::Target;

use super::{backoff::Backoff, inbox::Inbox, item::Item, stats::Stats};
use crate::api_server::Api;
use failure::BACK_SOON;
use list::Listed;
use sluice_crds::{AnyObject, ObjectName};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::watch;

/// What all watches of a cluster share.
pub(super) struct Cluster {
    pub(super) api: Api,
    pub(super) inbox: Arc<Inbox>,
    pub(super) stats: Arc<Stats>,
    /// Whether the server streams lists, as far as is known.
    pub(super) streams: AtomicBool,
    /// How long a watch may live. A server that is silent for longer is taken for gone.
    pub(super) lifetime: Duration,
}

/// How a watch is going, for who started it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Progress {
    /// Of the objects that something refers to, those that the watch brought; `None` before the first list.
    pub(super) known: Option<BTreeSet<ObjectName>>,
    pub(super) forbidden: bool,
}

/// A watch.
pub(super) struct Watched {
    cluster: Arc<Cluster>,
    target: Target,
    accept: Accept,
    progress: watch::Sender<Progress>,
    /// Objects that it told of, each with its version.
    known: HashMap<ObjectName, String>,
    /// How many of them the numbers have.
    counted: usize,
    backoff: Backoff,
    absences: u32,
    /// What was said about the latest trouble.
    said: Option<&'static str>,
    observer: Option<Observer>,
}

/// Sees the objects of a watch before anybody else does.
type Observer = Box<dyn Fn(&AnyObject) + Send + Sync>;

// === impl Watched ===

impl Watched {
    /// `known` are objects that other watches may have told of: where they are not listed, they are gone.
    pub(super) fn new(
        cluster: Arc<Cluster>,
        target: Target,
        accept: Accept,
        known: impl IntoIterator<Item = ObjectName>,
    ) -> (Self, watch::Receiver<Progress>) {
        let (progress, receiver) = watch::channel(Progress::default());
        let watched = Self {
            cluster,
            target,
            accept,
            progress,
            known: known.into_iter().map(|name| (name, String::new())).collect(),
            counted: 0,
            backoff: Backoff::up_to(BACK_SOON),
            absences: 0,
            said: None,
            observer: None,
        };
        (watched, receiver)
    }

    /// Shows each object to somebody first.
    pub(super) fn observed(mut self, observer: impl Fn(&AnyObject) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Watches until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            match self.list().await {
                Ok(listed) => {
                    self.absences = 0;
                    self.recovered();
                    let Listed { items, api, version, lines } = listed;
                    self.replace(items);
                    self.follow(api, version, lines).await;
                }
                Err(trouble) => self.fail(&trouble, true).await,
            }
        }
    }

    /// What the first state calls this watch.
    pub(super) fn label(&self) -> String {
        self.target.label()
    }

    fn takes(&self, name: &ObjectName) -> bool {
        self.target.except.as_ref() != Some(name) && self.accept.takes(name)
    }

    fn put(&mut self, item: Item, same: bool) {
        let Item { name, version, object } = item;
        match object {
            Ok(_) if same => {}
            Ok(object) => {
                if let Some(observer) = &self.observer {
                    observer(&object);
                }
                self.cluster.inbox.put(object);
            }
            Err(why) => self.cluster.inbox.unreadable(name.clone(), why),
        }
        self.known.insert(name, version);
    }

    fn remove(&self, name: ObjectName) {
        if !self.target.stays {
            self.cluster.inbox.remove(name);
        }
    }

    /// Says what is known now.
    fn report(&mut self) {
        let count = std::mem::replace(&mut self.counted, self.known.len());
        self.cluster.stats.objects(self.target.resource.kind, count, self.counted);
        if self.target.reports {
            let known: BTreeSet<ObjectName> = self.known.keys().cloned().collect();
            self.progress.send_replace(Progress { known: Some(known), forbidden: false });
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.cluster.stats.objects(self.target.resource.kind, self.counted, 0);
    }
}
