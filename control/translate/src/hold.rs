//! Make before break: a route and what it leads to are changed by several objects, one after the other, in any order. Between
//! the first and the last of them something is named that is not there.
//!
//! So a unit whose new version misses something that its last one did not miss goes on as it was, for at most
//! [`PATIENCE`] after the objects were written that this depends on. Then the new version is served as it is, and what is
//! missing answers 503. That is one rule for both orders: a route that names a subset before its DestinationRule has it,
//! and a subset that is gone before the routes to it are.
//!
//! A unit that was never served has nothing to go on with, and nothing is held back where a unit begins to refuse what it
//! protects. While a unit goes on as it was, its clusters are as they are now, endpoints and protection included, as far as
//! the new version has them too; the others have the endpoints that they had, but the protection that is asked for now
//! ([`Guard`]). Where nothing but the trust anchors of a cluster are missing, it goes on with those that it had; without any,
//! it is refused at once.

use crate::{output::Output, plan::UnitKey, store::Held};
use sluice_model::spec::{Cluster, Secret, ServerVerification};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long something may be missing before it counts as missing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something that a unit names and that is not there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Missing {
    pub(crate) what: Absent,
    /// The object that names it and those that might have had it. Written anew, each gives it another while.
    pub(crate) because: Vec<Held>,
}

/// What is not there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Absent {
    /// A cluster of this name, which routes have; it answers 503.
    Cluster(String),
    /// What the servers of the cluster of this name are verified against; it answers 503.
    Anchors(String),
    /// Anything else; routes do without it.
    Object(String),
}

/// A cluster that only the old version of a unit names, under the protection that is asked for now.
pub(crate) struct Guarded {
    pub(crate) cluster: Arc<Cluster>,
    /// What it is verified against.
    pub(crate) secret: Option<Arc<Secret>>,
}

/// Says what becomes of a cluster that only the old version of a unit names.
pub(crate) type Guard<'g> = dyn Fn(&Arc<Cluster>) -> Guarded + 'g;

/// The units that go on as they were.
#[derive(Debug, Default)]
pub(crate) struct Holds(BTreeMap<UnitKey, Hold>);

#[derive(Debug)]
struct Hold {
    /// What the unit will be.
    next: Output,
    /// What that misses, and since when.
    waits: Vec<(Missing, Instant)>,
}

// === impl Missing ===

impl Missing {
    fn is_same(&self, other: &Self) -> bool {
        self.what == other.what
            && self.because.len() == other.because.len()
            && self.because.iter().zip(&other.because).all(|(one, other)| one.is_same(other))
    }
}

// === impl Holds ===

impl Holds {
    /// What a unit is from now on that was `shown` until now and is made again as `next`.
    pub(crate) fn settle(
        &mut self,
        key: &UnitKey,
        shown: Option<&Output>,
        next: Output,
        now: Instant,
        guard: &Guard<'_>,
    ) -> Output {
        let before = self.0.remove(key).map(|hold| hold.waits).unwrap_or_default();
        let Some(shown) =
            shown.filter(|shown| next.closed.iter().all(|object| shown.closed.contains(object)))
        else {
            return next;
        };
        let new =
            next.missing.iter().filter(|missing| shown.missing.iter().all(|old| old.what != missing.what));
        let since = |missing: &Missing| {
            before.iter().find(|(old, _)| old.is_same(missing)).map_or(now, |(_, since)| *since)
        };
        let hold = Hold { waits: new.map(|missing| (missing.clone(), since(missing))).collect(), next };
        if hold.until().is_none_or(|until| until <= now) {
            return hold.next;
        }
        let kept = keep(shown, &hold.next, guard);
        self.0.insert(key.clone(), hold);
        kept
    }

    /// The unit is not there any more.
    pub(crate) fn forget(&mut self, key: &UnitKey) {
        self.0.remove(key);
    }

    /// The units whose time is over, as they are from now on.
    pub(crate) fn over(&mut self, now: Instant) -> Vec<(UnitKey, Output)> {
        self.take(|hold| hold.until().is_none_or(|until| until <= now))
    }

    /// All of them, as they are without any patience.
    pub(crate) fn all(&mut self) -> Vec<(UnitKey, Output)> {
        self.take(|_| true)
    }

    fn take(&mut self, taken: impl Fn(&Hold) -> bool) -> Vec<(UnitKey, Output)> {
        let found = self.0.extract_if(.., |_, hold| taken(hold));
        found.map(|(key, hold)| (key, hold.next)).collect()
    }

    /// When the next one is over.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.0.values().filter_map(Hold::until).min()
    }
}

// === impl Hold ===

impl Hold {
    fn until(&self) -> Option<Instant> {
        self.waits.iter().map(|(_, since)| *since + PATIENCE).max()
    }
}

/// Whether the servers of a cluster are verified against trust anchors that were named.
pub(crate) fn has_anchors(cluster: &Cluster) -> bool {
    cluster.tls.as_ref().is_some_and(|tls| matches!(tls.verify, ServerVerification::Ca(_)))
}

/// A unit as it was, its clusters as they are.
fn keep(shown: &Output, next: &Output, guard: &Guard<'_>) -> Output {
    let known: HashSet<&str> = next.clusters.iter().map(|cluster| &*cluster.name).collect();
    let absent = shown.missing.iter().filter_map(|missing| match &missing.what {
        Absent::Cluster(name) => Some(name.as_str()),
        Absent::Anchors(_) | Absent::Object(_) => None,
    });
    let own = || shown.clusters.iter().chain(&shown.outlived);
    let named: HashSet<&str> = own().map(|cluster| &*cluster.name).chain(absent).collect();
    let without_anchors: HashSet<&str> = next
        .missing
        .iter()
        .filter_map(|missing| match &missing.what {
            Absent::Anchors(cluster) => Some(cluster.as_str()),
            Absent::Cluster(_) | Absent::Object(_) => None,
        })
        .collect();
    let as_it_is = |cluster: &Arc<Cluster>| {
        let old =
            without_anchors.contains(&*cluster.name).then(|| own().find(|old| old.name == cluster.name));
        Arc::clone(old.flatten().filter(|old| has_anchors(old)).unwrap_or(cluster))
    };
    let guarded: Vec<Guarded> = own().filter(|cluster| !known.contains(&*cluster.name)).map(guard).collect();
    let secrets = guarded.iter().filter_map(|guarded| guarded.secret.as_ref());
    Output {
        clusters: next
            .clusters
            .iter()
            .filter(|cluster| named.contains(&*cluster.name))
            .map(as_it_is)
            .collect(),
        secrets: shown.secrets.iter().chain(&next.secrets).chain(secrets).cloned().collect(),
        outlived: guarded.into_iter().map(|guarded| guarded.cluster).collect(),
        ..shown.clone()
    }
}

#[cfg(test)]
mod tests;
