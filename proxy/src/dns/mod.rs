//! DNS names of endpoints: asked for off the shards, at the pace that their TTL sets.
//!
//! ```text
//!            answer                          TTL within min_ttl..max_ttl
//! Asking ─────────────▶ Known ───────────────────────────────────────────▶ Asking
//!    │ failure: the last good answer stays in use                            ▲
//!    └──────────────▶ Waiting (min_ttl, doubling up to 30 s) ────────────────┘
//! ```

mod resolver;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;

use resolver::{LookupError, Resolver};
use sluice_model::spec;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, task::AbortHandle, time};

/// The longest wait after failures.
const MAX_BACK_OFF: Duration = Duration::from_secs(30);

/// What came of a question: the name's first outcome, a changed answer, or a change between answered and failing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolution {
    pub(crate) name: Arc<str>,
    /// The last good answer; empty before the first one.
    pub(crate) addresses: Arc<[IpAddr]>,
    /// Why the latest question had no answer.
    pub(crate) error: Option<Arc<str>>,
}

/// The names that are being resolved, and what is known of each.
pub(crate) struct Names {
    outcomes: mpsc::Sender<Resolution>,
    resolver: Option<(spec::Dns, Arc<Resolver>)>,
    names: BTreeMap<Arc<str>, Name>,
}

struct Name {
    task: AbortHandle,
    /// Absent before the first outcome.
    latest: Option<Resolution>,
}

// === impl Names ===

impl Names {
    /// Outcomes go into the channel; each has to be handed back to [`Names::learn`].
    pub(crate) fn new(outcomes: mpsc::Sender<Resolution>) -> Self {
        Self { outcomes, resolver: None, names: BTreeMap::new() }
    }

    /// Resolves these names from now on and forgets all others. What is known of a name that stays is kept, also when
    /// the name servers change.
    pub(crate) fn resolve(
        &mut self,
        dns: &spec::Dns,
        wanted: &BTreeSet<Arc<str>>,
    ) -> Result<(), LookupError> {
        self.names.retain(|name, state| {
            let keep = wanted.contains(name);
            if !keep {
                state.task.abort();
            }
            keep
        });
        if wanted.is_empty() {
            return Ok(());
        }
        let changed = self.resolver.as_ref().is_none_or(|(known, _)| known != dns);
        if changed {
            self.resolver = Some((dns.clone(), Arc::new(Resolver::new(dns)?)));
        }
        let Some((dns, resolver)) = &self.resolver else { return Ok(()) };
        for name in wanted {
            let known = self.names.get(name);
            if known.is_some() && !changed {
                continue;
            }
            let latest = known.and_then(|known| known.latest.clone());
            let asking = Asking {
                name: name.clone(),
                resolver: resolver.clone(),
                dns: dns.clone(),
                outcomes: self.outcomes.clone(),
                latest: latest.clone(),
            };
            let task = tokio::spawn(asking.run()).abort_handle();
            if let Some(old) = self.names.insert(name.clone(), Name { task, latest }) {
                old.task.abort();
            }
        }
        Ok(())
    }

    /// The next [`Names::resolve`] reads `/etc/resolv.conf` and `/etc/hosts` again.
    pub(crate) fn forget_system_settings(&mut self) {
        self.resolver = None;
    }

    /// Remembers an outcome; `false` for a name that is no longer wanted.
    pub(crate) fn learn(&mut self, outcome: Resolution) -> bool {
        match self.names.get_mut(&outcome.name) {
            Some(name) => {
                name.latest = Some(outcome);
                true
            }
            None => false,
        }
    }

    /// The last good answer.
    pub(crate) fn addresses(&self, name: &str) -> &[IpAddr] {
        self.names.get(name).and_then(|name| name.latest.as_ref()).map_or(&[], |latest| &latest.addresses)
    }

    /// Whether every name has had an outcome, good or bad.
    pub(crate) fn all_asked(&self) -> bool {
        self.names.values().all(|name| name.latest.is_some())
    }

    /// Every name and what is known of it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Option<&Resolution>)> {
        self.names.iter().map(|(name, state)| (name, state.latest.as_ref()))
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        for name in self.names.values() {
            name.task.abort();
        }
    }
}

/// Asks for one name for as long as it is wanted.
struct Asking {
    name: Arc<str>,
    resolver: Arc<Resolver>,
    dns: spec::Dns,
    outcomes: mpsc::Sender<Resolution>,
    latest: Option<Resolution>,
}

impl Asking {
    async fn run(mut self) {
        let (min, max) = (self.dns.min_ttl.get().max(Duration::from_millis(1)), self.dns.max_ttl.get());
        let mut back_off = min;
        loop {
            let (outcome, wait) = match self.resolver.lookup(&self.name).await {
                Ok(answer) => {
                    back_off = min;
                    (self.outcome(answer.addresses.into(), None), answer.ttl.min(max).max(min))
                }
                Err(error) => {
                    let wait = back_off;
                    back_off = (back_off * 2).min(MAX_BACK_OFF.max(min));
                    let last =
                        self.latest.as_ref().map(|latest| latest.addresses.clone()).unwrap_or_default();
                    (self.outcome(last, Some(error.to_string().into())), wait)
                }
            };
            if self.latest.as_ref() != Some(&outcome) {
                self.latest = Some(outcome.clone());
                if self.outcomes.send(outcome).await.is_err() {
                    return;
                }
            }
            time::sleep(wait).await;
        }
    }

    fn outcome(&self, addresses: Arc<[IpAddr]>, error: Option<Arc<str>>) -> Resolution {
        Resolution { name: self.name.clone(), addresses, error }
    }
}
