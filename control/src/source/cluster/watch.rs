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

use super::{
    backoff::Backoff,
    inbox::Inbox,
    item::{Event, Item, Page},
    kinds::Resource,
    stats::Stats,
    trouble::Trouble,
    wire::{self, Lines},
};
use kube::{
    Client,
    api::{ListParams, WatchParams},
    core::Request,
};
use sluice_crds::{AnyObject, ObjectName};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// Objects that are asked for one by one; for more, a list costs less.
const ASKED: usize = 64;
/// Objects of a page.
const PAGE: u32 = 500;
/// A server that streams a list says that it is complete this soon after the last object; one that does not know of
/// streaming never says it.
const COMPLETION: Duration = Duration::from_secs(3);
/// A watch that lived this long has worked.
const HEALTHY: Duration = Duration::from_secs(5);
/// The longest wait for a server that is gone, and for a kind that nobody may read or that is not there.
const BACK_SOON: Duration = Duration::from_secs(10);
const BACK_LATER: Duration = Duration::from_secs(30);
/// The shortest wait where we may not read.
const FORBIDDEN: Duration = Duration::from_secs(2);
/// How often a kind of which there were objects has to be missing before that is believed: while an API server starts, it
/// may not know its own kinds.
const BELIEVED: u32 = 3;

/// What all watches of a cluster share.
pub(super) struct Cluster {
    pub(super) client: Client,
    pub(super) inbox: Arc<Inbox>,
    pub(super) stats: Arc<Stats>,
    /// Whether the server streams lists, as far as is known.
    pub(super) streams: AtomicBool,
    /// How long a watch may live. A server that is silent for longer is taken for gone.
    pub(super) lifetime: Duration,
}

/// Which objects are watched.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) resource: Resource,
    /// All where absent.
    pub(super) namespace: Option<String>,
    /// `metadata.name=web`.
    pub(super) fields: Option<String>,
    pub(super) labels: Option<String>,
    /// Another one knows this object better.
    pub(super) except: Option<ObjectName>,
    /// Somebody wants to know which objects it knows.
    pub(super) reports: bool,
    /// What is known of its objects counts also when they are gone.
    pub(super) stays: bool,
}

/// Which of the objects that a watch brings count.
#[derive(Debug, Clone)]
pub(super) enum Accept {
    Everything,
    /// Those of these namespaces; of all where there is no choice. Another choice makes a list.
    Namespaces(watch::Receiver<Choice>),
    /// Those that something refers to. A new one is asked for on its own, as it was dropped when it was listed.
    References(watch::Receiver<Arc<BTreeSet<ObjectName>>>),
}

/// Names of namespaces; absent, all of them.
pub(super) type Choice = Option<Arc<BTreeSet<String>>>;

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
type Observer = Box<dyn FnMut(&AnyObject) + Send>;

/// Where a list ends and a watch begins.
struct Listed {
    items: Vec<Item>,
    /// Of the API: `v1beta1`.
    api: &'static str,
    version: String,
    /// The watch, where the list is its beginning.
    lines: Option<Lines>,
}

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
    pub(super) fn observed(self, observer: impl FnMut(&AnyObject) + Send + 'static) -> Self {
        Self { observer: Some(Box::new(observer)), ..self }
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

    // --- Lists.

    async fn list(&mut self) -> Result<Listed, Trouble> {
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
        let request = Request::new(self.target.path(api));
        let (mut items, mut more) = (Vec::new(), None);
        loop {
            let parameters = ListParams { limit: Some(PAGE), continue_token: more, ..self.target.list() };
            let page = request.list(&parameters).map_err(unsendable)?;
            let text = wire::read(&self.cluster.client, page, self.target.resource.metadata_only).await?;
            let page = Page::read(&self.target.resource, &text)?;
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
    fn replace(&mut self, items: Vec<Item>) {
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

    // --- Watching.

    /// Goes on from a list until another one is needed.
    async fn follow(&mut self, api: &'static str, mut version: String, mut lines: Option<Lines>) {
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
                    let again = matches!(trouble, Trouble::Broken(_) | Trouble::Silent(_))
                        || trouble.code().is_some_and(|code| code == 429 || code >= 500);
                    if !again {
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
            let request = Request::new(self.target.path(api)).list(&parameters).map_err(unsendable)?;
            let text = wire::read(&self.cluster.client, request, false).await?;
            for item in Page::read(&self.target.resource, &text)?.items {
                if item.name == name {
                    self.put(item, false);
                }
            }
        }
        self.report();
        Ok(())
    }

    async fn open(&self, api: &str, parameters: &WatchParams, version: &str) -> Result<Lines, Trouble> {
        let request = Request::new(self.target.path(api)).watch(parameters, version).map_err(unsendable)?;
        wire::open(&self.cluster.client, request, self.target.resource.metadata_only).await
    }

    fn takes(&self, name: &ObjectName) -> bool {
        self.target.except.as_ref() != Some(name) && self.accept.takes(name)
    }

    fn put(&mut self, item: Item, same: bool) {
        let Item { name, version, object } = item;
        match object {
            Ok(_) if same => {}
            Ok(object) => {
                if let Some(observer) = &mut self.observer {
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

    // --- Trouble.

    /// Says what is wrong, does what is to be done about it, and waits before the next attempt. `listing` says that nothing of
    /// the list is known.
    async fn fail(&mut self, trouble: &Trouble, listing: bool) {
        let resource = self.target.resource;
        let inbox = self.cluster.inbox.clone();
        self.cluster.stats.error(resource.kind, trouble.word());
        self.tell(trouble);
        let absent = resource.optional && trouble.code() == Some(404);
        let forbidden = trouble.code() == Some(403);
        self.absences = if absent { self.absences + 1 } else { 0 };
        if listing && absent && (self.known.is_empty() || self.absences >= BELIEVED) {
            self.replace(Vec::new());
        } else if self.may_be_forbidden(trouble) {
            inbox.lacks(self.label(), self.words(trouble));
            inbox.arrived(&self.label());
        } else {
            inbox.delayed(&self.label(), self.words(trouble));
        }
        if forbidden {
            self.progress.send_modify(|progress| progress.forbidden = true);
        }
        let believed = self.absences >= BELIEVED || self.known.is_empty();
        let later = forbidden || absent && believed;
        self.backoff.bound(if later { BACK_LATER } else { BACK_SOON });
        // Nobody grants a right within a moment.
        let at_least = if forbidden { Some(FORBIDDEN) } else { trouble.retry_after() };
        sleep(self.backoff.delay(fastrand::f64(), at_least)).await;
    }

    /// Whether everything goes on without the objects, where we are forbidden to read them.
    fn may_be_forbidden(&self, trouble: &Trouble) -> bool {
        trouble.code() == Some(403) && (self.target.resource.optional || self.target.reports)
    }

    fn words(&self, trouble: &Trouble) -> String {
        let target = self.label();
        match trouble.code() {
            Some(403) => {
                let place = match &self.target.namespace {
                    Some(namespace) => format!("a Role in namespace {namespace}"),
                    None => "a ClusterRole".to_owned(),
                };
                format!(
                    "cannot list and watch {target}: {trouble}; allow the verbs `list` and `watch` on `{}` in {place} that is \
                     bound to the service account of this process",
                    self.target.resource.name(),
                )
            }
            Some(404) if self.target.resource.optional => {
                format!(
                    "there are no {target} in this cluster; they are picked up when their CRD is installed"
                )
            }
            _ => format!(
                "cannot read {target}: {trouble}; what is known of them stays in force, and it is tried again"
            ),
        }
    }

    /// Once for each kind of trouble.
    fn tell(&mut self, trouble: &Trouble) {
        let words = self.words(trouble);
        if self.said == Some(trouble.word()) || self.may_be_forbidden(trouble) {
            self.said = Some(trouble.word());
            return tracing::debug!("{words}");
        }
        self.said = Some(trouble.word());
        match trouble.code() {
            Some(403) => tracing::error!("{words}"),
            Some(404) if self.target.resource.optional => tracing::info!("{words}"),
            Some(410) => tracing::info!("{} are listed again: {trouble}", self.label()),
            _ => tracing::warn!("{words}"),
        }
    }

    fn recovered(&mut self) {
        if self.said.take().is_some() {
            self.cluster.inbox.has_again(&self.label());
            tracing::info!("{} are read again", self.label());
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.cluster.stats.objects(self.target.resource.kind, self.counted, 0);
    }
}

/// What comes after a watch that ended.
enum After {
    List,
    Watch,
}

/// How what counts has changed.
enum Changed {
    Choice,
    References(Arc<BTreeSet<ObjectName>>),
}

// === impl Accept ===

impl Accept {
    fn takes(&self, name: &ObjectName) -> bool {
        match self {
            Self::Everything => true,
            Self::Namespaces(chosen) => {
                let chosen = chosen.borrow();
                chosen
                    .as_ref()
                    .is_none_or(|chosen| name.namespace.is_empty() || chosen.contains(&name.namespace))
            }
            Self::References(names) => names.borrow().contains(name),
        }
    }

    /// The latest change has to be seen again.
    fn changed_unseen(&mut self) {
        match self {
            Self::Everything => {}
            Self::Namespaces(chosen) => chosen.mark_changed(),
            Self::References(names) => names.mark_changed(),
        }
    }

    /// Nothing is lost when this future is dropped.
    async fn changed(&mut self) -> Changed {
        let over = match self {
            Self::Everything => true,
            Self::Namespaces(chosen) => chosen.changed().await.is_err(),
            Self::References(names) => names.changed().await.is_err(),
        };
        if over {
            std::future::pending::<()>().await;
        }
        match self {
            Self::References(names) => Changed::References(names.borrow_and_update().clone()),
            Self::Everything | Self::Namespaces(_) => Changed::Choice,
        }
    }
}

// === impl Target ===

impl Target {
    /// All objects of a kind.
    pub(super) fn all(resource: Resource) -> Self {
        Self {
            resource,
            namespace: None,
            fields: None,
            labels: None,
            except: None,
            reports: false,
            stays: false,
        }
    }

    /// Those with these labels, and says which they are.
    pub(super) fn with_labels(self, labels: String) -> Self {
        Self { labels: Some(labels), reports: true, ..self }
    }

    /// As users know it: `secrets in namespace shop`.
    pub(super) fn label(&self) -> String {
        let mut label = self.resource.name();
        if let Some(namespace) = &self.namespace {
            label = format!("{label} in namespace {namespace}");
        }
        let selectors = self.fields.iter().chain(&self.labels);
        selectors.fold(label, |label, selector| format!("{label} with {selector}"))
    }

    /// Those of some objects that the target covers.
    fn among<'n>(&'n self, names: &'n BTreeSet<ObjectName>) -> impl Iterator<Item = &'n ObjectName> + 'n {
        names.iter().filter(|name| {
            name.kind == self.resource.kind
                && self.namespace.as_ref().is_none_or(|namespace| name.namespace == *namespace)
        })
    }

    fn path(&self, api: &str) -> String {
        self.resource.path(api, self.namespace.as_deref())
    }

    fn list(&self) -> ListParams {
        ListParams {
            field_selector: self.fields.clone(),
            label_selector: self.labels.clone(),
            ..ListParams::default()
        }
    }

    /// Ends by itself after a part of the lifetime, so that not all watches end at once.
    fn watch(&self, lifetime: Duration) -> WatchParams {
        let seconds = lifetime.as_secs().max(1);
        WatchParams {
            field_selector: self.fields.clone(),
            label_selector: self.labels.clone(),
            timeout: Some(u32::try_from(fastrand::u64(seconds.div_ceil(2)..=seconds)).unwrap_or(u32::MAX)),
            bookmarks: true,
            send_initial_events: false,
        }
    }
}

/// Names that cannot stand in a URL; the API server has none.
fn unsendable(error: kube::core::request::Error) -> Trouble {
    Trouble::Nonsense(error.to_string())
}
