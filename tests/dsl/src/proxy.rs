//! A running proxy.

use crate::{
    Http1, Http2, Process, Recipe, Reply, Request, Signal,
    patience::{PATIENCE, eventually_some},
};
use serde_json::Value;
use std::{collections::HashMap, fs, net::SocketAddr, path::Path};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::Instant};

/// A running `sluice run`, ready for traffic. Killed when dropped.
#[derive(Debug)]
pub struct Sluice {
    process: Process,
    recipe: Recipe,
    admin: SocketAddr,
    listeners: HashMap<String, SocketAddr>,
    // After the process: its folder goes last.
    folder: TempDir,
}

const CONFIG: &str = "proxy.yaml";

impl Sluice {
    pub(crate) async fn start(recipe: Recipe, folder: TempDir) -> Self {
        fs::write(folder.path().join(CONFIG), recipe.render(folder.path()))
            .expect("a configuration can be written");
        let arguments = ["run", CONFIG].into_iter().chain(recipe.arguments().iter().map(String::as_str));
        let process = Process::start(recipe.binary(), arguments, folder.path());
        let mut proxy = Self::begun(process, recipe, folder).await;
        proxy.ready().await;
        proxy.learn().await;
        proxy
    }

    /// A process that says where its admin endpoint is.
    pub(crate) async fn begun(mut process: Process, recipe: Recipe, folder: TempDir) -> Self {
        let line = process.says("sluice: admin on ").await;
        let admin =
            line.rsplit(' ').next().and_then(|address| address.parse().ok()).expect("an admin address");
        Self { process, recipe, admin, listeners: HashMap::new(), folder }
    }

    /// Waits until `/ready` says yes.
    pub async fn ready(&self) {
        self.until("the proxy is ready", async || (self.admin("/ready").await.status == 200).then_some(()))
            .await;
    }

    pub(crate) async fn learn(&mut self) {
        let listeners = self.admin("/listeners").await.json();
        let address = |listener: &Value| {
            Some((listener["name"].as_str()?.to_owned(), listener["address"].as_str()?.parse().ok()?))
        };
        self.listeners = listeners.as_array().into_iter().flatten().filter_map(address).collect();
    }

    // --- Where things are.

    /// The address of the only listener, or of the one called `web`.
    pub fn address(&self) -> SocketAddr {
        match self.listeners.len() {
            1 => *self.listeners.values().next().expect("one listener"),
            _ => self.listener("web"),
        }
    }

    /// The address of a listener.
    pub fn listener(&self, name: &str) -> SocketAddr {
        *self.listeners.get(name).unwrap_or_else(|| {
            panic!("no listener {name}; there are {:?}", self.listeners.keys().collect::<Vec<_>>())
        })
    }

    /// `http://` and the address, then a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The address of the admin endpoint.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The folder with the configuration and the other files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    // --- Requests, each on a connection of its own.

    /// Sends a GET over HTTP/1.1.
    pub async fn get(&self, target: &str) -> Reply {
        self.send(&Request::get(target)).await
    }

    /// Sends a request over HTTP/1.1.
    pub async fn send(&self, request: &Request) -> Reply {
        Http1::connect(self.address()).await.send(request).await
    }

    /// Sends a request over HTTP/1.1 and, by prior knowledge, over HTTP/2, and takes the answers in this order.
    ///
    /// # Panics
    /// When the HTTP/2 stream is reset.
    pub async fn both(&self, request: &Request) -> [Reply; 2] {
        let http2 = Http2::connect(self.address()).await;
        let second = async { http2.send(request).await.expect("an answer should come over HTTP/2") };
        let (first, second) = tokio::join!(self.send(request), second);
        [first, second]
    }

    // --- Admin.

    /// Reads an admin page.
    pub async fn admin(&self, path: &str) -> Reply {
        self.ask_admin(Request::get(path)).await
    }

    /// Posts to an admin page.
    pub async fn admin_post(&self, path: &str) -> Reply {
        self.ask_admin(Request::post(path, "")).await
    }

    async fn ask_admin(&self, request: Request) -> Reply {
        let request = request.host(&self.admin.to_string()).field("connection", "close");
        Http1::connect(self.admin).await.send(&request).await
    }

    /// A number from `/metrics`: the sum of all samples of this name whose labels contain each of the given
    /// `label="value"` texts; 0 when there are none.
    pub async fn stat(&self, name: &str, labels: &[&str]) -> f64 {
        let page = self.admin("/metrics").await;
        let of_name = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        page.text().lines().filter(of_name).filter_map(value).sum()
    }

    /// Waits until a number from `/metrics` is as wanted; see [`Sluice::stat`].
    pub async fn stat_becomes(&self, name: &str, labels: &[&str], wanted: impl Fn(f64) -> bool) -> f64 {
        let what = format!("{name}{labels:?} is as wanted");
        self.until(&what, async || Some(self.stat(name, labels).await).filter(|value| wanted(*value))).await
    }

    // --- The access log.

    /// The access log so far, one JSON object for each finished request.
    pub fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder().join("access.log")).unwrap_or_default();
        // A line that is being written has no end yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
            })
            .collect()
    }

    /// Waits for an access log entry, and returns it.
    pub async fn logged(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually_some(format!("an access log entry: {what}"), || {
            self.log().into_iter().find(|entry| wanted(entry))
        })
        .await
    }

    /// Waits for the access log entry of a path, with or without query as it was requested, and returns it.
    pub async fn logged_path(&self, path: &str) -> Value {
        self.logged(path, |entry| entry["path"] == path).await
    }

    // --- Changes.

    /// Writes a configuration (`${...}` filled in as at the start) and returns at once.
    pub fn write_config(&mut self, text: &str) {
        self.recipe = self.recipe.clone().config(text);
        self.write();
    }

    /// Changes the recipe, writes the configuration and returns at once.
    pub fn write_recipe(&mut self, change: impl FnOnce(Recipe) -> Recipe) {
        self.recipe = change(self.recipe.clone());
        self.write();
    }

    /// The text that [`Sluice::write_config`] would write, for tests that change the file in a way of their own.
    pub fn render(&self, text: &str) -> String {
        self.recipe.clone().config(text).render(self.folder())
    }

    fn write(&self) {
        // In one step, as an editor or a deployment does.
        let temporary = self.folder().join(".proxy.yaml.new");
        fs::write(&temporary, self.recipe.render(self.folder())).expect("a configuration can be written");
        fs::rename(&temporary, self.folder().join(CONFIG)).expect("a configuration can be replaced");
    }

    /// Writes a configuration and waits until it is in force.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn reload(&mut self, text: &str) {
        self.change(|recipe| recipe.config(text)).await;
    }

    /// Writes other routes and waits until they are in force.
    pub async fn reload_routes(&mut self, routes: &str) {
        self.change(|recipe| recipe.routes(routes)).await;
    }

    /// Changes the recipe and waits until the result is in force.
    pub async fn change(&mut self, change: impl FnOnce(Recipe) -> Recipe) {
        let (version, errors) = self.version().await;
        self.write_recipe(change);
        let outcome = self
            .until("another configuration is in force", async || match self.version().await {
                (_, now) if now != errors && !now.is_null() => Some(Err(now)),
                (now, _) => (now > version).then_some(Ok(())),
            })
            .await;
        if let Err(error) = outcome {
            panic!("the configuration was refused: {error:#}");
        }
        self.learn().await;
    }

    /// Waits until the newest configuration is refused, and returns why.
    pub async fn refused(&self) -> String {
        self.until("a configuration is refused", async || {
            self.version().await.1["message"].as_str().map(ToOwned::to_owned)
        })
        .await
    }

    async fn version(&self) -> (u64, Value) {
        let dump = self.admin("/config_dump").await.json();
        (dump["version"].as_u64().unwrap_or_default(), dump["last_error"].clone())
    }

    // --- The process.

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for the end, and returns the exit code.
    pub async fn ended(&mut self) -> i32 {
        self.process.ended().await
    }

    /// The process, for what it says.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Whether somebody listens on the address of the listener.
    pub async fn accepts(&self) -> bool {
        TcpStream::connect(self.address()).await.is_ok()
    }

    /// Whether there is a listener of this name.
    pub(crate) fn has_listener(&self, name: &str) -> bool {
        self.listeners.contains_key(name)
    }

    /// Asks again and again until there is an answer.
    pub(crate) async fn until<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(Instant::now() < deadline, "it never came true: {what}\n{}", self.process.said());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
