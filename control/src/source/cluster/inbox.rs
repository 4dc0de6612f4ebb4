//! What watches found, until somebody takes it. Of several changes of an object only the last one is kept, so the inbox never
//! holds more than there are objects.

use crate::source::{Finding, News};
use sluice_crds::{AnyObject, ObjectName};
use sluice_proxy::Settling;
use sluice_translate::{Change, Held};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Notify, time::Instant};

/// Shared by all watches and whoever takes the news.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    content: Mutex<Content>,
    signs: Notify,
}

#[derive(Debug, Default)]
struct Content {
    changes: HashMap<ObjectName, Change>,
    /// Objects that cannot be read, and why.
    unreadable: BTreeMap<ObjectName, String>,
    /// What cannot be read as a whole, and why; all else goes on without it.
    lacking: BTreeMap<String, String>,
    settling: Settling,
    /// What was not answered yet, and why not: the first state is complete without any.
    late: BTreeMap<String, String>,
    /// Objects that others refer to and that nobody has looked for yet.
    unanswered: BTreeSet<ObjectName>,
    /// That of this process's node.
    zone: String,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- Written by watches.

    /// Says what the first state has to wait for.
    pub(super) fn expect(&self, what: String) {
        self.lock().late.insert(what, "it was not asked for yet".to_owned());
    }

    /// Says why it is not there yet.
    pub(super) fn delayed(&self, what: &str, why: String) {
        if let Some(reason) = self.lock().late.get_mut(what) {
            *reason = why;
        }
    }

    /// It is there, or nobody needs to wait for it any longer.
    pub(super) fn arrived(&self, what: &str) {
        if self.lock().late.remove(what).is_some() {
            self.sign();
        }
    }

    /// Something cannot be read, and all else goes on without it.
    pub(super) fn lacks(&self, what: String, why: String) {
        self.lock().lacking.insert(what, why);
        self.sign();
    }

    pub(super) fn has_again(&self, what: &str) {
        if self.lock().lacking.remove(what).is_some() {
            self.sign();
        }
    }

    /// The zone of this process's node, as long as the first state is waited for.
    pub(super) fn zone(&self, zone: String) {
        self.lock().zone = zone;
    }

    pub(super) fn put(&self, object: AnyObject) {
        let held = Held::new(object, None, 0);
        let name = held.object().name();
        let mut content = self.lock();
        content.unreadable.remove(&name);
        content.changes.insert(name, Change::Put(held));
        drop(content);
        self.sign();
    }

    pub(super) fn remove(&self, name: ObjectName) {
        let mut content = self.lock();
        content.unreadable.remove(&name);
        content.changes.insert(name.clone(), Change::Delete(name));
        drop(content);
        self.sign();
    }

    /// What was known of the object stays.
    pub(super) fn unreadable(&self, name: ObjectName, why: String) {
        self.lock().unreadable.insert(name, why);
        self.sign();
    }

    /// These objects were looked for, whatever came of it.
    pub(super) fn answered<'n>(&self, names: impl IntoIterator<Item = &'n ObjectName>) {
        let mut content = self.lock();
        let before = content.unanswered.len();
        for name in names {
            content.unanswered.remove(name);
        }
        let changed = content.unanswered.len() != before;
        drop(content);
        if changed {
            self.sign();
        }
    }

    fn sign(&self) {
        self.lock().settling.sign(Instant::now());
        self.signs.notify_one();
    }

    // --- Read by who takes the news.

    /// More objects are referred to than before, and others no longer.
    pub(super) fn refer(&self, more: impl IntoIterator<Item = ObjectName>, no_longer: &BTreeSet<ObjectName>) {
        let mut content = self.lock();
        content.unanswered.extend(more);
        content.unanswered.retain(|name| !no_longer.contains(name));
    }

    /// What the first state waits for, and why.
    pub(super) fn late(&self) -> Vec<(String, String)> {
        self.lock().late.clone().into_iter().collect()
    }

    /// Waits until the first state is complete; with the zone of this process's node.
    pub(super) async fn first(&self) -> (News, String) {
        while !self.lock().late.is_empty() {
            self.signs.notified().await;
        }
        (self.take(), self.lock().zone.clone())
    }

    /// Waits until there are news and they have settled. Nothing is lost when this future is dropped.
    pub(super) async fn news(&self) -> News {
        loop {
            let deadline = self.lock().settling.deadline();
            let settled = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.signs.notified() => {}
                () = settled => return self.take(),
            }
        }
    }

    fn take(&self) -> News {
        let mut content = self.lock();
        content.settling = Settling::default();
        let mut changes: Vec<Change> = std::mem::take(&mut content.changes).into_values().collect();
        // Where two objects are equally old, nothing may depend on the order of a hash map.
        changes.sort_by_cached_key(|change| match change {
            Change::Put(held) => held.object().name(),
            Change::Delete(name) => name.clone(),
        });
        let unreadable = content.unreadable.iter().map(|(name, why)| Finding {
            file: name.to_string().into(),
            at: None,
            message: format!(
                "it cannot be read ({why}), so its last good version stays in force; correct it"
            ),
        });
        let lacking = content.lacking.iter().map(|(what, why)| Finding {
            file: what.as_str().into(),
            at: None,
            message: why.clone(),
        });
        let findings = unreadable.chain(lacking).collect();
        News { changes, findings, complete: content.unanswered.is_empty(), ..News::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn name(name: &str) -> ObjectName {
        ObjectName { kind: "Secret", namespace: "shop".to_owned(), name: name.to_owned() }
    }

    #[tokio::test]
    async fn the_first_state_waits_for_all_that_is_expected() {
        let inbox = Inbox::default();
        inbox.expect("services".to_owned());
        inbox.expect("ingresses".to_owned());
        inbox.arrived("services");
        inbox.delayed("ingresses", "forbidden".to_owned());
        assert_eq!(inbox.late(), [("ingresses".to_owned(), "forbidden".to_owned())]);
        assert!(inbox.first().now_or_never().is_none());
        inbox.arrived("ingresses");
        let (news, zone) = inbox.first().await;
        assert!(news.changes.is_empty() && zone.is_empty());
    }

    #[tokio::test]
    async fn of_many_changes_of_an_object_the_last_is_told_once() {
        let inbox = Inbox::default();
        for _ in 0..100 {
            inbox.remove(name("a"));
        }
        inbox.remove(name("b"));
        let news = inbox.news().await;
        assert_eq!(news.changes.len(), 2);
        assert!(inbox.news().now_or_never().is_none(), "nothing is new");
    }

    #[tokio::test]
    async fn what_is_referred_to_is_looked_up_when_each_was_answered_or_is_not_wanted_any_more() {
        let inbox = Inbox::default();
        inbox.refer([name("a"), name("b"), name("c")], &BTreeSet::new());
        inbox.answered(&[name("a")]);
        let news = inbox.news().await;
        assert!(!news.complete);
        // What is answered after the news were taken counts with the next ones.
        inbox.refer([], &BTreeSet::from([name("c")]));
        inbox.answered(&[name("b")]);
        assert!(!news.complete && inbox.news().await.complete);
    }
}
