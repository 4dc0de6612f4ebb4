//! A Kubernetes API server that does what tests tell it to, on a port of its own, without TLS.
//!
//! It holds objects in memory and serves them as a real one does: discovery, lists (selectors, pages, metadata only), watches
//! (from a version, streaming lists, bookmarks), creating, updating, patching (merge; apply without ownership of fields),
//! `/status` on its own, versions of objects and what conflicts with them. It checks nothing else: objects may be as wrong
//! as a test wants them, and namespaces need not exist.
//!
//! ```ignore
//! let api = ApiServer::start().await;
//! api.put(&service_manifest("shop/web", &[&shop]));
//! api.put(INGRESS);
//! let gateway = gateway!().cluster(&api).start().await;
//! api.next("patch ingresses/status", Fault::Status(409));
//! api.becomes("Ingress shop/web", |ingress| ingress["status"]["loadBalancer"] != Value::Null).await;
//! assert_eq!(api.calls("list secrets"), []);
//! ```
//!
//! | you want | word |
//! | --- | --- |
//! | objects there, changed, gone | [`ApiServer::put`], [`ApiServer::delete`] |
//! | to see what became of them | [`ApiServer::object`], [`ApiServer::objects`], [`ApiServer::becomes`] |
//! | to see what was asked | [`ApiServer::calls`], [`ApiServer::called`] |
//! | kinds that are not installed, or come later, or in other versions | [`ApiServer::serve`] |
//! | a server that is too old for streaming lists | [`ApiServer::without_streaming_lists`] |
//! | the next request, or every one, to go wrong | [`ApiServer::next`], [`ApiServer::always`], [`ApiServer::heal`] |
//! | watches that are open to be disturbed | [`ApiServer::disturb`], [`ApiServer::bookmark`] |
//! | versions to be forgotten (410) | [`ApiServer::forget`] |
//! | the server gone, and back with the same objects | [`ApiServer::stop`], [`ApiServer::resume`] |
//!
//! Verbs and kinds stand together as `list secrets`, `watch ingresses`, `patch ingresses/status`; `*` is any verb or kind.
//! Objects are named as users name them: `Ingress shop/web`, `Node one`.

mod answer;
mod body;
mod call;
mod fault;
mod refusal;
mod resource;
mod select;
mod store;
#[cfg(test)]
mod tests;
mod watch;
mod write;

pub use call::Call;
pub use fault::{Disturbance, Fault};

use crate::{
    cli::folder,
    objects,
    patience::{eventually, eventually_some},
};
use answer::{Groups, admit, answer};
use body::{Answer, Piece, Spoilable};
use bytes::Bytes;
use fault::{Rule, fault_of};
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use refusal::Refusal;
use resource::{RESOURCES, all_groups};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};
use store::{Happening, Key, Store};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::{JoinHandle, JoinSet},
};
use watch::Watch;

/// A scripted Kubernetes API server. Gone when dropped, connections included.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    folder: TempDir,
    task: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared(Mutex<World>);

/// Everything that requests see and change.
#[derive(Debug)]
struct World {
    store: Store,
    groups: Groups,
    streams_lists: bool,
    rules: Vec<Rule>,
    calls: Vec<Call>,
}

// === impl ApiServer ===

impl ApiServer {
    /// Starts one that serves every kind that Sluice reads or writes, and holds no object.
    ///
    /// # Panics
    /// When there is no free port.
    #[allow(clippy::unused_async, reason = "it needs a runtime, as everything that starts does")]
    pub async fn start() -> Self {
        let world = World {
            store: Store::new(),
            groups: all_groups(),
            streams_lists: true,
            rules: Vec::new(),
            calls: Vec::new(),
        };
        let shared = Arc::new(Shared(Mutex::new(world)));
        let folder = folder();
        let (address, task) = listen(SocketAddr::from(([127, 0, 0, 1], 0)), shared.clone());
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{ "name": "test", "cluster": { "server": format!("http://{address}") } }],
            "users": [{ "name": "test", "user": { "token": "of-the-test" } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test", "namespace": "default" } }],
        });
        // JSON is YAML too.
        fs::write(folder.path().join("kubeconfig"), format!("{kubeconfig:#}\n"))
            .expect("a temporary folder can be written");
        Self { address, shared, folder, task: Some(task) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig file for it; context, cluster and user are called `test`, its namespace is `default`.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A folder of its own, for files that go with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    // --- Objects.

    /// Creates or replaces every object of a manifest; the status stays as it is where the manifest has none.
    ///
    /// # Panics
    /// When it is no YAML, or a kind is not known.
    pub fn put(&self, manifest: &str) {
        for object in objects(manifest) {
            self.put_object(object);
        }
    }

    /// Creates or replaces one object.
    ///
    /// # Panics
    /// When its kind is not known.
    pub fn put_object(&self, object: Value) {
        admit(&mut self.shared.world().store, object);
    }

    /// Removes an object.
    ///
    /// # Panics
    /// When it is not there.
    pub fn delete(&self, object: &str) {
        let mut world = self.shared.world();
        let key = find(&world.store, object).unwrap_or_else(|| panic!("there is no {object}"));
        let resource = RESOURCES.iter().find(|resource| (resource.group, resource.plural) == (key.0, key.1));
        world.store.delete(resource.expect("objects are of known kinds"), &key);
    }

    /// An object as it is now; null where there is none.
    pub fn object(&self, object: &str) -> Value {
        let world = self.shared.world();
        find(&world.store, object).and_then(|key| world.store.get(&key)).cloned().unwrap_or_default()
    }

    /// All objects of a kind, `Event`.
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        self.shared.world().store.of_kind(kind)
    }

    /// Waits until an object is as wanted; it is null while there is none.
    ///
    /// # Panics
    /// When it never is.
    pub async fn becomes(&self, object: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = eventually_some(format!("{object} is as wanted"), || {
            Some(self.object(object)).filter(|object| wanted(object))
        });
        found.await
    }

    // --- Requests.

    /// The requests so far that are `list secrets`, `* leases`.
    pub fn calls(&self, pattern: &str) -> Vec<Call> {
        self.shared.world().calls.iter().filter(|call| call.is(pattern)).cloned().collect()
    }

    /// Waits for so many requests like this in all, and returns all of them.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn called(&self, pattern: &str, count: usize) -> Vec<Call> {
        let enough = || self.shared.world().calls.iter().filter(|call| call.is(pattern)).count() >= count;
        eventually(format!("{count} times {pattern}"), enough).await;
        self.calls(pattern)
    }

    // --- What is served.

    /// Serves these versions of a group from now on, the preferred one first; none takes its kinds away, as if their CRDs
    /// were not installed. Watches of the group end where their version does.
    pub fn serve(&self, group: &str, versions: &[&str]) {
        let mut world = self.shared.world();
        let versions = versions.iter().map(|version| (*version).to_owned()).collect();
        world.groups.insert(group.to_owned(), versions);
        for resource in RESOURCES.iter().filter(|resource| resource.group == group) {
            let plural = resource.plural.to_owned();
            world.store.happened(Happening::Disturbed { plural, how: Disturbance::End });
        }
    }

    /// Refuses streaming lists, as servers before 1.32 do.
    pub fn without_streaming_lists(self) -> Self {
        self.shared.world().streams_lists = false;
        self
    }

    // --- What goes wrong.

    /// The next request like this goes wrong.
    pub fn next(&self, pattern: &str, fault: Fault) {
        self.times(1, pattern, fault);
    }

    /// The next requests like this go wrong.
    pub fn times(&self, times: usize, pattern: &str, fault: Fault) {
        self.shared.world().rules.push(Rule { pattern: pattern.to_owned(), fault, times: Some(times) });
    }

    /// Every request like this goes wrong, until [`ApiServer::heal`].
    pub fn always(&self, pattern: &str, fault: Fault) {
        self.shared.world().rules.push(Rule { pattern: pattern.to_owned(), fault, times: None });
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.shared.world().rules.clear();
    }

    /// Something happens to all open watches of a kind (`ingresses`, or `*`).
    pub fn disturb(&self, plural: &str, how: Disturbance) {
        let plural = plural.to_owned();
        self.shared.world().store.happened(Happening::Disturbed { plural, how });
    }

    /// All open watches are told how far they are.
    pub fn bookmark(&self) {
        self.shared.world().store.bookmark();
    }

    /// Forgets what happened so far: watches and lists that want to go on from there are told that it is gone.
    pub fn forget(&self) {
        self.shared.world().store.forget();
    }

    /// Stops listening, and cuts every connection.
    pub async fn stop(&mut self) {
        if let Some(mut task) = self.task.take() {
            task.abort();
            let _ = (&mut task).await;
        }
    }

    /// Listens again, where it did before, with all objects.
    pub async fn resume(&mut self) {
        self.stop().await;
        self.task = Some(listen(self.address, self.shared.clone()).1);
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed")]
struct Closed;

/// Where an object is that a user names.
fn find(store: &Store, object: &str) -> Option<Key> {
    let (kind, name) = object.split_once(' ').expect("a kind and a name: `Ingress shop/web`");
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    RESOURCES
        .iter()
        .filter(|resource| resource.kind == kind)
        .map(|resource| (resource.group, resource.plural, namespace.to_owned(), name.to_owned()))
        .find(|key| store.get(key).is_some())
}

fn listen(address: SocketAddr, shared: Arc<Shared>) -> (SocketAddr, JoinHandle<()>) {
    let bound = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(1024)
    };
    let listener: TcpListener =
        bound().unwrap_or_else(|error| panic!("an API server cannot listen on {address}: {error}"));
    let address = listener.local_addr().expect("a bound socket has an address");
    (address, tokio::spawn(accept(listener, shared)))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        let service = service_fn(move |request| serve(shared.clone(), request));
        connections.spawn(async move {
            let io = TokioIo::new(Spoilable::new(stream));
            let _ = http1::Builder::new().serve_connection(io, service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// An error closes the connection.
async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Answer>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    // What is applied may be YAML.
    let yaml = || serde_saphyr::from_str(std::str::from_utf8(&body).ok()?).ok();
    let body = serde_json::from_slice(&body).ok().or_else(yaml).unwrap_or_default();
    let call = Call::of(&head, body);
    let (number, fault) = {
        let mut world = shared.world();
        world.calls.push(call.clone());
        (world.calls.len() - 1, fault_of(&mut world.rules, &call))
    };
    let answered = |code: u16| shared.world().calls[number].answered = Some(code);
    let last = match fault {
        Some(Fault::Stall) => return std::future::pending().await,
        Some(Fault::Close) => return Err(Closed),
        Some(Fault::Status(code)) => {
            answered(code);
            return Ok(refuse(&Refusal::of_status(code, &call)));
        }
        Some(Fault::RetryAfter(seconds)) => {
            answered(429);
            return Ok(refuse(&Refusal::of_status(429, &call).retry_after(seconds)));
        }
        Some(Fault::Nonsense(text)) => {
            answered(200);
            return Ok(respond(200, Answer::text(text)));
        }
        Some(Fault::Half) => Some(Piece::Cut),
        Some(Fault::BadChunk) => Some(Piece::BadChunk),
        None => None,
    };
    if call.verb == "watch" {
        let watch = match Watch::new(&shared, &call) {
            Ok(watch) => watch,
            Err(refusal) => {
                answered(refusal.code);
                return Ok(refuse(&refusal));
            }
        };
        answered(200);
        let (sender, body) = Answer::stream();
        match last {
            None => drop(tokio::spawn(watch.run(shared.clone(), sender))),
            Some(last) => watch.half(&sender, last),
        }
        return Ok(respond(200, body));
    }
    let (code, document) = match answer(&shared, &call) {
        Ok(answer) => answer,
        Err(refusal) => {
            answered(refusal.code);
            return Ok(refuse(&refusal));
        }
    };
    answered(code);
    let text = document.to_string();
    Ok(match last {
        None => respond(code, Answer::text(text)),
        Some(last) => {
            let (sender, body) = Answer::stream();
            let half = text.len() / 2;
            let _ = sender.send(Piece::Data(Bytes::from(text).slice(..half)));
            let _ = sender.send(last);
            respond(code, body)
        }
    })
}

fn refuse(refusal: &Refusal) -> Response<Answer> {
    let mut response = respond(refusal.code, Answer::text(refusal.status().to_string()));
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

fn respond(code: u16, body: Answer) -> Response<Answer> {
    let response = Response::builder().status(code).header("content-type", "application/json");
    response.body(body).expect("a response of known parts")
}
