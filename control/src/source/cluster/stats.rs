//! Numbers about watches, for metrics.

use sluice_proxy::{Family, Labels};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Written by all watches, read when somebody asks for metrics.
#[derive(Debug, Default)]
pub(crate) struct Stats(Mutex<BTreeMap<&'static str, Numbers>>);

#[derive(Debug, Default)]
struct Numbers {
    connected: u64,
    objects: u64,
    restarts: u64,
    last_event: Option<Instant>,
    errors: BTreeMap<&'static str, u64>,
}

/// A watch that is open; dropping it closes it.
#[derive(Debug)]
pub(super) struct Open<'s> {
    stats: &'s Stats,
    kind: &'static str,
}

impl Stats {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Numbers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of<R>(&self, kind: &'static str, change: impl FnOnce(&mut Numbers) -> R) -> R {
        change(self.lock().entry(kind).or_default())
    }

    /// A watch is open from now on.
    pub(super) fn open(&self, kind: &'static str) -> Open<'_> {
        self.of(kind, |numbers| numbers.connected += 1);
        Open { stats: self, kind }
    }

    /// An event, a bookmark or a list came.
    pub(super) fn event(&self, kind: &'static str) {
        self.of(kind, |numbers| numbers.last_event = Some(Instant::now()));
    }

    pub(super) fn restart(&self, kind: &'static str) {
        self.of(kind, |numbers| numbers.restarts += 1);
    }

    pub(super) fn error(&self, kind: &'static str, word: &'static str) {
        self.of(kind, |numbers| *numbers.errors.entry(word).or_default() += 1);
    }

    /// A watch that knew so many objects knows so many now.
    pub(super) fn objects(&self, kind: &'static str, before: usize, now: usize) {
        self.of(kind, |numbers| numbers.objects = numbers.objects.saturating_sub(before as u64) + now as u64);
    }

    pub(crate) fn metrics(&self) -> Vec<Family> {
        let all = self.lock();
        let by_kind = |value: fn(&Numbers) -> f64| -> Vec<(Labels, f64)> {
            all.iter().map(|(kind, numbers)| (vec![("kind", (*kind).to_owned())], value(numbers))).collect()
        };
        let ages = all.iter().filter_map(|(kind, numbers)| {
            let age = numbers.last_event?.elapsed().as_secs_f64();
            Some((vec![("kind", (*kind).to_owned())], age))
        });
        let errors = all.iter().flat_map(|(kind, numbers)| {
            numbers.errors.iter().map(|(word, count)| {
                (vec![("kind", (*kind).to_owned()), ("reason", (*word).to_owned())], *count)
            })
        });
        let restarts =
            all.iter().map(|(kind, numbers)| (vec![("kind", (*kind).to_owned())], numbers.restarts));
        vec![
            Family::gauge(
                "watches",
                "Open watches of the API server by kind.",
                by_kind(|numbers| numbers.connected as f64),
            ),
            Family::gauge(
                "watch_objects",
                "Objects that watches know by kind.",
                by_kind(|numbers| numbers.objects as f64),
            ),
            Family::gauge(
                "watch_last_event_age_seconds",
                "How long ago a watch brought anything, a bookmark included.",
                ages.collect(),
            ),
            Family::counter("watch_restarts_total", "Watches that were opened again.", restarts.collect()),
            Family::counter(
                "watch_errors_total",
                "Requests to the API server that failed.",
                errors.collect(),
            ),
        ]
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.stats.of(self.kind, |numbers| numbers.connected = numbers.connected.saturating_sub(1));
    }
}
