//! Writes to the cluster what objects are told: a bounded number of requests at a time, and only while this process leads.
//!
//! ```text
//! news ─▶ sweep: what every object should say ─▶ queue (one entry an object) ─▶ at most 16 requests ─▶ API server
//!            ▲                                                                         │
//!            └── what failed, when its time comes ◀────────────────────────────────────┘
//! ```

use super::{
    address::{Address, node_of_ready, of_node},
    answer::Status,
    book::{Book, Job, Pause, StatusJob, earlier},
    clock,
    event::{Saying, series},
    forbidden::Forbidden,
    patch,
    tally::Tally,
};
use crate::{
    api_server::{self, Api, Trouble, Verb},
    plane::Shared,
};
use serde_json::Value;
use sluice_crds::ObjectName;
use sluice_translate::NamespacedName;
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
    time,
};

/// Requests at a time: ingress-nginx has ten, and an API server takes 200 that write, of everybody together.
const IN_FLIGHT: usize = 16;
/// Between two sweeps: they look at every object.
const SWEEP: Duration = Duration::from_millis(500);
/// After a denial, which only a change of the role ends.
const DENIED: Duration = Duration::from_secs(60);
/// For the last words at the end.
const FAREWELL: Duration = Duration::from_secs(8);
/// Labels that differ between the pods of one Deployment.
const OWN_LABELS: [&str; 3] = ["pod-template-hash", "controller-revision-hash", "pod-template-generation"];

/// How the writer behaves.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// Write status, not only Events (`--update-status`).
    pub(super) statuses: bool,
    /// Take the addresses away at the end (`--update-status-on-shutdown`).
    pub(super) clear_at_end: bool,
    /// Between two looks for addresses (`--status-update-interval`).
    pub(super) interval: Duration,
    /// This pod.
    pub(super) pod: Option<NamespacedName>,
    /// Whether addresses are those of nodes, and then, whether the internal ones.
    pub(super) nodes: Option<bool>,
    /// Who says Events.
    pub(super) identity: String,
}

/// The writer.
#[derive(Debug)]
pub(super) struct Writer {
    api: Api,
    shared: Arc<Shared>,
    manner: Manner,
    tally: Arc<Tally>,
    forbidden: Arc<Forbidden>,
    book: Book,
    queue: VecDeque<Job>,
    requests: JoinSet<Outcome>,
    /// Nothing is sent before: the API server wants to be left alone, or does not answer.
    pause: Option<Pause>,
    /// API versions that are served, by kind.
    served: HashMap<&'static str, &'static str>,
    next_sweep: Option<Instant>,
    next_addresses: Instant,
    /// It was said that there are no addresses.
    said: bool,
}

/// How a request went.
#[derive(Debug)]
struct Outcome {
    job: Job,
    result: Result<Done, Failed>,
}

/// What was done.
#[derive(Debug, Default)]
struct Done {
    /// Whether something was written; it may have stood there.
    wrote: bool,
    /// The version of the object that was written over, where another one than was seen.
    over: Option<String>,
    /// The API version that was served.
    served: Option<&'static str>,
}

/// What failed, and which rule allows it.
#[derive(Debug)]
struct Failed {
    trouble: Trouble,
    group: &'static str,
    resource: String,
    verb: &'static str,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(
        api: Api,
        shared: Arc<Shared>,
        manner: Manner,
        tally: Arc<Tally>,
        forbidden: Arc<Forbidden>,
    ) -> Self {
        let now = Instant::now();
        Self {
            book: Book::new(manner.statuses, manner.identity.clone(), now),
            api,
            shared,
            manner,
            tally,
            forbidden,
            queue: VecDeque::new(),
            requests: JoinSet::new(),
            pause: None,
            served: HashMap::new(),
            next_sweep: Some(now),
            next_addresses: now,
            said: false,
        }
    }

    /// Writes until it is told to end, then says the last words.
    pub(super) async fn run(
        mut self,
        mut leads: watch::Receiver<Option<Instant>>,
        mut end: oneshot::Receiver<()>,
    ) {
        let mut news = self.shared.news();
        loop {
            let led = *leads.borrow_and_update();
            let leading = led.is_some_and(|until| Instant::now() < until);
            self.tally.leads(leading);
            let wake = if leading {
                self.work().await;
                earlier(earlier(self.next_sweep, Some(self.next_addresses)), led)
            } else {
                self.rest();
                None
            };
            let wake = match self.pause.filter(|pause| pause.until > Instant::now()) {
                Some(pause) => earlier(wake, Some(pause.until)),
                None => wake,
            };
            self.tally.waits(self.queue.len());
            tokio::select! {
                _ = &mut end => break,
                _ = leads.changed() => {}
                _ = news.changed() => self.sweep_by(Instant::now() + SWEEP),
                Some(outcome) = self.requests.join_next() => {
                    if let Ok(outcome) = outcome {
                        self.learn(outcome);
                    }
                }
                () = until(wake) => {}
            }
        }
        self.requests.abort_all();
        let leading = leads.borrow().is_some_and(|until| Instant::now() < until);
        if leading
            && self.manner.statuses
            && self.manner.clear_at_end
            && time::timeout(FAREWELL, self.clear()).await.is_err()
        {
            tracing::warn!("there was no time to take the addresses away from every Ingress");
        }
        self.tally.leads(false);
    }

    /// What a leader does when it wakes.
    async fn work(&mut self) {
        if Instant::now() >= self.next_addresses {
            self.look_for_addresses().await;
            self.next_addresses = Instant::now() + self.manner.interval;
            self.sweep_by(Instant::now());
        }
        let now = Instant::now();
        if self.next_sweep.is_some_and(|at| at <= now) {
            let (book, clock) = (&mut self.book, clock::micros());
            (self.queue, self.next_sweep) = self.shared.with_facts(|facts| book.sweep(facts, now, &clock));
        }
        if self.pause.is_some_and(|pause| pause.until > now) {
            return;
        }
        while self.requests.len() < IN_FLIGHT {
            let Some(job) = self.queue.pop_front() else { break };
            self.book.begin(&job);
            let api = self.api.clone();
            let known = match &job {
                Job::Status(job) => self.served.get(job.name.kind).copied(),
                Job::Event(_) => None,
            };
            self.requests.spawn(async move {
                let result = match &job {
                    Job::Status(job) => write_status(&api, job, known).await,
                    Job::Event(saying) => say(&api, saying).await,
                };
                Outcome { job, result }
            });
        }
    }

    /// What one does who does not lead: nothing. Whoever leads begins with what is seen then.
    fn rest(&mut self) {
        self.requests.abort_all();
        self.requests = JoinSet::new();
        self.queue.clear();
        self.book.forget();
        let now = Instant::now();
        (self.next_sweep, self.next_addresses, self.pause) = (Some(now), now, None);
    }

    fn sweep_by(&mut self, at: Instant) {
        self.next_sweep = earlier(self.next_sweep, Some(at));
    }

    fn learn(&mut self, Outcome { job, result }: Outcome) {
        let now = Instant::now();
        let kind = match &job {
            Job::Status(job) => job.name.kind,
            Job::Event(_) => "Event",
        };
        let Failed { trouble, group, resource, verb } = match result {
            Ok(done) => {
                if done.wrote {
                    self.tally.wrote(kind);
                }
                if let Some(served) = done.served {
                    self.served.insert(kind, served);
                }
                self.pause = None;
                self.book.done(job, done.over);
                // It may be other already than what was written.
                self.sweep_by(now + SWEEP);
                return;
            }
            Err(failed) => failed,
        };
        self.tally.failed(trouble.word());
        let denied = self.forbidden.say(&trouble, group, &resource, verb);
        let at_least = if denied { DENIED } else { Duration::ZERO };
        let asked = trouble.retry_after().unwrap_or(at_least);
        if trouble.is_of_server() {
            if self.pause.is_none_or(|pause| pause.until <= now) {
                tracing::warn!("{resource} cannot be written, and is tried again: {trouble}");
                self.pause = Some(Pause::after(self.pause, asked, now));
            }
        } else if !denied && !matches!(trouble.code(), Some(404 | 409)) {
            tracing::warn!("{resource} cannot be written, and is tried again: {trouble}");
        }
        let again = self.book.failed(job, asked, now);
        self.sweep_by(again);
    }

    // --- Addresses.

    async fn look_for_addresses(&mut self) {
        let Some(internal) = self.manner.nodes else { return };
        let Some(pod) = self.manner.pod.clone() else {
            if !std::mem::replace(&mut self.said, true) {
                tracing::warn!(
                    "there are no addresses for the status of Ingresses; name them with --publish-service or \
                     --publish-status-address, or name this pod in POD_NAME and POD_NAMESPACE for those of its nodes"
                );
            }
            return;
        };
        match self.nodes(&pod, internal).await {
            Ok(addresses) => self.shared.set_nodes(addresses),
            Err(Failed { trouble, group, resource, verb }) => {
                self.tally.failed(trouble.word());
                if !self.forbidden.say(&trouble, group, &resource, verb) {
                    tracing::warn!("addresses for the status of Ingresses cannot be looked up: {trouble}");
                }
            }
        }
    }

    /// The addresses of the nodes of ready pods that are like this one.
    async fn nodes(&self, pod: &NamespacedName, internal: bool) -> Result<Vec<Address>, Failed> {
        let pods = self.siblings(pod).await?;
        let nodes: BTreeSet<&str> = pods.iter().filter_map(node_of_ready).collect();
        let mut addresses = BTreeSet::new();
        for node in nodes {
            let found = self.read(Verb::Get, &format!("/api/v1/nodes/{node}"), "nodes").await?;
            addresses.extend(of_node(&found, internal));
        }
        Ok(addresses.into_iter().collect())
    }

    /// Pods that are like this one, itself included.
    async fn siblings(&self, pod: &NamespacedName) -> Result<Vec<Value>, Failed> {
        let folder = format!("/api/v1/namespaces/{}/pods", pod.namespace);
        let own = self.read(Verb::Get, &format!("{folder}/{}", pod.name), "pods").await?;
        let labels = own["metadata"]["labels"].as_object().into_iter().flatten();
        let labels: Vec<String> = labels
            .filter(|(key, _)| !OWN_LABELS.contains(&key.as_str()))
            .filter_map(|(key, value)| Some(format!("{key}%3D{}", value.as_str()?)))
            .collect();
        if labels.is_empty() {
            return Ok(vec![own]);
        }
        let path = format!("{folder}?labelSelector={}", labels.join("%2C").replace('/', "%2F"));
        let mut list = self.read(Verb::List, &path, "pods").await?;
        Ok(match list["items"].take() {
            Value::Array(pods) => pods,
            _ => Vec::new(),
        })
    }

    async fn read(&self, verb: Verb, path: &str, resource: &str) -> Result<Value, Failed> {
        let failed =
            |trouble| Failed { trouble, group: "", resource: resource.to_owned(), verb: verb.as_str() };
        self.api.ask(verb, path, &Value::Null).await.map_err(failed)
    }

    // --- The end.

    /// Takes the addresses away from all Ingresses, unless another pod goes on serving them.
    async fn clear(&mut self) {
        if let Some(pod) = self.manner.pod.clone() {
            match self.siblings(&pod).await {
                Ok(pods) if pods.len() > 1 => return,
                Ok(_) => {}
                Err(Failed { trouble, .. }) => {
                    return tracing::warn!(
                        "the addresses of Ingresses are left as they are, as nobody knows whether other pods go on: {trouble}"
                    );
                }
            }
        }
        let mut ours: VecDeque<ObjectName> = self.book.ours().cloned().collect();
        let mut requests = JoinSet::new();
        loop {
            while requests.len() < IN_FLIGHT
                && let Some(name) = ours.pop_front()
            {
                let api = self.api.clone();
                requests.spawn(async move {
                    let folder = folder("networking.k8s.io", "v1", &name.namespace, "ingresses");
                    let path = format!("{folder}/{}/status", name.name);
                    let cleared = api.ask(Verb::Patch, &path, &patch::no_addresses()).await;
                    (name, cleared)
                });
            }
            match requests.join_next().await {
                None => return,
                Some(Ok((_, Ok(_)))) => self.tally.wrote("Ingress"),
                Some(Ok((name, Err(trouble)))) => {
                    self.tally.failed(trouble.word());
                    tracing::warn!("the addresses of {name} could not be taken away: {trouble}");
                }
                Some(Err(_)) => {}
            }
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

fn folder(group: &str, version: &str, namespace: &str, plural: &str) -> String {
    api_server::path(group, version, Some(namespace), plural)
}

/// Writes a status in the first API version that is served, `known` before the others.
async fn write_status(api: &Api, job: &StatusJob, known: Option<&'static str>) -> Result<Done, Failed> {
    let others = job.versions.iter().copied().filter(|version| Some(*version) != known);
    let mut last = None;
    for version in known.into_iter().chain(others) {
        match write_as(api, job, version).await {
            Ok(done) => return Ok(Done { served: Some(version), ..done }),
            // The version, or the object: then the watch will show it.
            Err(failed) if failed.trouble.code() == Some(404) => last = Some(failed),
            Err(failed) => return Err(failed),
        }
    }
    last.map_or_else(|| Ok(Done::default()), Err)
}

async fn write_as(api: &Api, job: &StatusJob, version: &str) -> Result<Done, Failed> {
    let folder = folder(job.group, version, &job.name.namespace, job.plural);
    let path = format!("{folder}/{}/status", job.name.name);
    let ask = async |verb: Verb, body: Value| {
        let resource = format!("{}/status", job.plural);
        let failed = |trouble| Failed { trouble, group: job.group, resource, verb: verb.as_str() };
        api.ask(verb, &path, &body).await.map_err(failed)
    };
    let (patch, over) = match &job.wanted {
        Status::Addresses(addresses) => (patch::addresses(&job.seen, addresses), None),
        Status::Condition(wanted) => {
            // As it is now, with all that others wrote.
            let object = ask(Verb::Get, Value::Null).await?;
            let over = object["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned);
            match patch::condition(&object, wanted, &clock::seconds()) {
                Some(patch) => (patch, over),
                None => return Ok(Done { over, ..Done::default() }),
            }
        }
        Status::Silent => return Ok(Done::default()),
    };
    ask(Verb::Patch, patch).await?;
    Ok(Done { wrote: true, over, served: None })
}

/// Creates an Event, or says it once more.
async fn say(api: &Api, saying: &Saying) -> Result<Done, Failed> {
    const GROUP: &str = "events.k8s.io";
    let folder = folder(GROUP, "v1", &saying.key.0, "events");
    let failed = |trouble, verb: Verb| Failed {
        trouble,
        group: GROUP,
        resource: "events".to_owned(),
        verb: verb.as_str(),
    };
    if saying.count > 1 {
        let path = format!("{folder}/{}", saying.key.1);
        let body = series(saying.count, &clock::micros());
        match api.ask(Verb::Patch, &path, &body).await {
            Ok(_) => return Ok(Done { wrote: true, ..Done::default() }),
            // Servers forget Events.
            Err(trouble) if trouble.code() == Some(404) => {}
            Err(trouble) => return Err(failed(trouble, Verb::Patch)),
        }
    }
    match api.ask(Verb::Create, &folder, &saying.event).await {
        Ok(_) => Ok(Done { wrote: true, ..Done::default() }),
        // Who led before has said it.
        Err(trouble) if trouble.code() == Some(409) => Ok(Done::default()),
        Err(trouble) => Err(failed(trouble, Verb::Create)),
    }
}
