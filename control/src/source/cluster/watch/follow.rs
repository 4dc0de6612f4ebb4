//! Watching: event by event, from a list until another one is needed.

use super::{
    super::item::{Event, Page},
    Watched,
    accept::Changed,
};
use crate::api_server::{Lines, Trouble};
use kube::api::{ListParams, WatchParams};
use sluice_crds::ObjectName;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Objects that are asked for one by one; for more, a list costs less.
const ASKED: usize = 64;
/// A watch that lived this long has worked.
const HEALTHY: Duration = Duration::from_secs(5);

/// What comes after a watch that ended.
enum After {
    List,
    Watch,
}

impl Watched {
    /// Goes on from a list until another one is needed.
    pub(super) async fn follow(&mut self, api: &'static str, mut version: String, mut lines: Option<Lines>) {
        let parameters = self.target.watch(self.cluster.lifetime);
        loop {
            let opened = Instant::now();
            let result = match lines.take() {
                Some(lines) => Ok(lines),
                None => self.open(api, &parameters, &version).await,
            };
            let result = match result {
                Ok(lines) => self.events(lines, api, &mut version).await,
                Err(trouble) => Err(trouble),
            };
            if opened.elapsed() >= HEALTHY {
                self.backoff.reset();
            }
            let kind = self.target.resource.kind;
            match result {
                Ok(After::List) => return,
                Ok(After::Watch) if opened.elapsed() >= HEALTHY => self.cluster.stats.restart(kind),
                Ok(After::Watch) => {
                    self.cluster.stats.restart(kind);
                    let soon = self.backoff.delay(fastrand::f64(), None);
                    sleep(soon).await;
                }
                Err(trouble) => {
                    self.cluster.stats.restart(kind);
                    self.fail(&trouble, false).await;
                    // What could not be understood may have been a change.
                    if !trouble.is_of_server() || matches!(trouble, Trouble::Nonsense(_)) {
                        return;
                    }
                }
            }
        }
    }

    /// Takes events until the watch ends; `version` is that of the last one.
    async fn events(
        &mut self,
        mut lines: Lines,
        api: &'static str,
        version: &mut String,
    ) -> Result<After, Trouble> {
        let cluster = self.cluster.clone();
        let kind = self.target.resource.kind;
        let _open = cluster.stats.open(kind);
        let silence = cluster.lifetime + (cluster.lifetime / 10).max(Duration::from_secs(1));
        loop {
            tokio::select! {
                biased;
                line = lines.next(silence) => {
                    let Some(line) = line? else { return Ok(After::Watch) };
                    self.recovered();
                    cluster.stats.event(kind);
                    let before = self.known.len();
                    match Event::read(&self.target.resource, &line)? {
                        Event::Bookmark { version: latest, .. } => *version = latest,
                        Event::Put(item) => {
                            version.clone_from(&item.version);
                            if self.takes(&item.name) {
                                self.put(item, false);
                            }
                        }
                        Event::Gone(item) => {
                            *version = item.version;
                            if self.known.remove(&item.name).is_some() {
                                self.remove(item.name);
                            }
                        }
                    }
                    if self.known.len() != before {
                        self.report();
                    }
                }
                asked = self.accept.changed() => match asked {
                    Changed::Choice => return Ok(After::List),
                    Changed::References(names) => {
                        self.known.retain(|name, _| names.contains(name));
                        let missing = self.target.among(&names).filter(|name| !self.known.contains_key(*name));
                        if missing.count() > ASKED {
                            return Ok(After::List);
                        }
                        if let Err(trouble) = self.ask(api, names).await {
                            self.accept.changed_unseen();
                            return Err(trouble);
                        }
                    }
                },
            }
        }
    }

    /// Asks for single objects that the watch may have brought already, when nobody wanted them.
    async fn ask(&mut self, api: &'static str, names: Arc<BTreeSet<ObjectName>>) -> Result<(), Trouble> {
        let missing: Vec<ObjectName> =
            self.target.among(&names).filter(|name| !self.known.contains_key(*name)).cloned().collect();
        for name in missing {
            let only = format!("metadata.name={}", name.name);
            let fields = self.target.fields.iter().fold(only, |all, more| format!("{all},{more}"));
            let parameters = ListParams { field_selector: Some(fields), ..self.target.list() };
            let text = self.cluster.api.list(&self.target.path(api), &parameters, false).await?;
            for item in Page::read(&self.target.resource, &text)?.items {
                if item.name == name {
                    self.put(item, false);
                }
            }
        }
        self.report();
        Ok(())
    }

    pub(super) async fn open(
        &self,
        api: &str,
        parameters: &WatchParams,
        version: &str,
    ) -> Result<Lines, Trouble> {
        let metadata_only = self.target.resource.metadata_only;
        self.cluster.api.watch(&self.target.path(api), parameters, version, metadata_only).await
    }
}
