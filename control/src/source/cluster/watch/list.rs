//! Lists: page by page, or as the beginning of a watch. A complete one replaces what was known.

use super::{
    super::item::{Event, Item, Page},
    Watched,
};
use crate::api_server::{Lines, Trouble};
use kube::api::{ListParams, WatchParams};
use sluice_crds::ObjectName;
use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

/// Objects of a page.
const PAGE: u32 = 500;
/// A server that streams a list says that it is complete this soon after the last object; one that does not know of
/// streaming never says it.
const COMPLETION: Duration = Duration::from_secs(3);

/// Where a list ends and a watch begins.
pub(super) struct Listed {
    pub(super) items: Vec<Item>,
    /// Of the API: `v1beta1`.
    pub(super) api: &'static str,
    pub(super) version: String,
    /// The watch, where the list is its beginning.
    pub(super) lines: Option<Lines>,
}

impl Watched {
    pub(super) async fn list(&mut self) -> Result<Listed, Trouble> {
        let mut result = Err(Trouble::Nonsense("no version of the kind is known".to_owned()));
        let resource = self.target.resource;
        for api in resource.versions() {
            result = self.list_version(api).await;
            if !matches!(&result, Err(trouble) if trouble.code() == Some(404)) {
                break;
            }
        }
        result
    }

    async fn list_version(&mut self, api: &'static str) -> Result<Listed, Trouble> {
        if self.cluster.streams.load(Ordering::Relaxed) {
            match self.stream(api).await {
                Err(Trouble::Refused { code: 400 | 405 | 415 | 422, .. } | Trouble::Silent(COMPLETION)) => {
                    self.cluster.streams.store(false, Ordering::Relaxed);
                }
                result => return result,
            }
        }
        let (path, resource) = (self.target.path(api), &self.target.resource);
        let (mut items, mut more) = (Vec::new(), None);
        loop {
            let wanted = ListParams { limit: Some(PAGE), continue_token: more, ..self.target.list() };
            let text = self.cluster.api.list(&path, &wanted, resource.metadata_only).await?;
            let page = Page::read(resource, &text)?;
            items.extend(page.items);
            more = page.more;
            if more.is_none() {
                return Ok(Listed { items, api, version: page.version, lines: None });
            }
        }
    }

    /// A list that is the beginning of a watch.
    async fn stream(&mut self, api: &'static str) -> Result<Listed, Trouble> {
        let parameters =
            WatchParams { send_initial_events: true, ..self.target.watch(self.cluster.lifetime) };
        let mut lines = self.open(api, &parameters, "").await?;
        let mut items: HashMap<ObjectName, Item> = HashMap::new();
        loop {
            let Some(line) = lines.next(COMPLETION).await? else {
                return Err(Trouble::Broken("the list broke off".to_owned()));
            };
            match Event::read(&self.target.resource, &line)? {
                Event::Put(item) => drop(items.insert(item.name.clone(), item)),
                Event::Gone(item) => drop(items.remove(&item.name)),
                Event::Bookmark { complete: false, .. } => {}
                Event::Bookmark { version, complete: true } => {
                    return Ok(Listed {
                        items: items.into_values().collect(),
                        api,
                        version,
                        lines: Some(lines),
                    });
                }
            }
        }
    }

    /// A complete list: what is not in it is gone.
    pub(super) fn replace(&mut self, items: Vec<Item>) {
        let before = std::mem::take(&mut self.known);
        for item in items {
            if !self.takes(&item.name) {
                continue;
            }
            let same = before.get(&item.name) == Some(&item.version);
            self.put(item, same);
        }
        for name in before.into_keys().filter(|name| !self.known.contains_key(name)) {
            self.remove(name);
        }
        self.cluster.stats.event(self.target.resource.kind);
        self.cluster.inbox.arrived(&self.label());
        self.report();
    }
}
