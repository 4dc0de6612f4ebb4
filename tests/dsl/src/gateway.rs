//! A running `sluice gateway` and the folder of manifests that it serves.

use crate::{
    ApiServer, Http1, Http2, Process, Recipe, Reply, Request, Signal, Sluice, TlsClient, cli::folder,
    manifest::service_manifest, patience::eventually_some,
};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// What a gateway or a sidecar is started with. Made by [`crate::gateway!`] and [`crate::sidecar!`].
///
/// Ports 80 and 443 of objects are free local ports; the other ports of [`GatewayRecipe::ports`] too.
#[derive(Debug, Clone)]
pub struct GatewayRecipe {
    binary: &'static str,
    /// The subcommand and what it needs.
    command: Vec<String>,
    folder: Option<PathBuf>,
    /// The kubeconfig of a cluster, in place of the folder.
    cluster: Option<PathBuf>,
    manifests: Vec<(String, String)>,
    values: Vec<(String, String)>,
    ports: Vec<u16>,
    arguments: Vec<String>,
}

/// A running `sluice gateway` or `sluice sidecar`, ready for traffic. Killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    proxy: Sluice,
    manifests: PathBuf,
    values: Vec<(String, String)>,
}

// === impl GatewayRecipe ===

impl GatewayRecipe {
    /// For this binary.
    pub fn new(binary: &'static str) -> Self {
        Self {
            binary,
            command: vec!["gateway".to_owned()],
            folder: None,
            cluster: None,
            manifests: Vec::new(),
            values: Vec::new(),
            ports: vec![80, 443],
            arguments: Vec::new(),
        }
    }

    /// The sidecar of a pod, `namespace/name`, in its place. Only port 80 of objects gets a free local port, and further
    /// [`GatewayRecipe::port`]s.
    pub fn beside(mut self, pod: &str) -> Self {
        self.command = vec!["sidecar".to_owned(), format!("--pod={pod}")];
        self.ports = vec![80];
        self
    }

    /// Serves this folder, which somebody else fills and removes, in place of one of its own.
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Serves the objects of an API server rather than those of a folder.
    pub fn cluster(self, api: &ApiServer) -> Self {
        self.kubeconfig(api.kubeconfig())
    }

    /// Serves the objects of the cluster that a kubeconfig names.
    pub fn kubeconfig(mut self, file: PathBuf) -> Self {
        self.cluster = Some(file);
        self
    }

    /// A file in the folder of manifests, `shop.yaml` or `shop/web.yaml`.
    pub fn manifest(mut self, name: &str, text: &str) -> Self {
        self.manifests.push((name.to_owned(), text.to_owned()));
        self
    }

    /// All files of a folder of this repository, `configs/canary`. In them, and in all later texts of manifests, what
    /// stands for servers is replaced; see [`GatewayRecipe::in_place_of`].
    pub fn example(mut self, name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
        collect(&root, Path::new(""), &mut self.manifests);
        self
    }

    /// The origin serves in place of the server that manifests have at this port of 127.0.0.1, as in `port: 9001` or
    /// `containerPort: 9001`, with a space behind it.
    pub fn in_place_of(mut self, port: u16, origin: &impl ToString) -> Self {
        let address: SocketAddr = origin.to_string().parse().expect("an address");
        self.values.push((format!("ort: {port} "), format!("ort: {} ", address.port())));
        self
    }

    /// `${name}` in manifests is this.
    pub fn value(mut self, name: &str, value: &impl ToString) -> Self {
        self.values.push((format!("${{{name}}}"), value.to_string()));
        self
    }

    /// A Service `namespace/name` with the port 80 called `http`, and an EndpointSlice for it.
    pub fn service(self, service: &str, origins: &[&dyn ToString]) -> Self {
        let file = format!("services/{}.yaml", service.replace('/', "-"));
        self.manifest(&file, &service_manifest(service, origins))
    }

    /// One more port of objects that gets a free local one.
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// One more argument of `sluice gateway`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; the message has what the process said.
    pub async fn start(self) -> Gateway {
        let mut gateway = self.begin().await;
        gateway.proxy.ready().await;
        gateway.proxy.learn().await;
        gateway
    }

    /// Starts it and waits until admin answers.
    ///
    /// # Panics
    /// When it does not; the message has what the process said.
    pub async fn begin(self) -> Gateway {
        let folder = folder();
        let manifests = self.folder.unwrap_or_else(|| folder.path().join("manifests"));
        fs::create_dir_all(&manifests).expect("a temporary folder can be written");
        for (name, text) in &self.manifests {
            write(&manifests, name, &fill(&self.values, text));
        }
        let ports: Vec<String> = self.ports.iter().map(|port| format!("{port}=0")).collect();
        let ports = format!("--port-map={}", ports.join(","));
        let source = match &self.cluster {
            Some(kubeconfig) => format!("--kubeconfig={}", kubeconfig.display()),
            None => format!("--manifests={}", manifests.display()),
        };
        let common = [&*source, "--bind=127.0.0.1", "--admin=127.0.0.1:0", &ports];
        let command = self.command.iter().map(String::as_str);
        let arguments = command.chain(common).chain(self.arguments.iter().map(String::as_str));
        let process = Process::start(self.binary, arguments, folder.path());
        let proxy = Sluice::begun(process, Recipe::new(self.binary), folder).await;
        Gateway { proxy, manifests, values: self.values }
    }
}

fn collect(root: &Path, below: &Path, into: &mut Vec<(String, String)>) {
    let folder = root.join(below);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a folder of this repository can be listed");
        let path = below.join(entry.file_name());
        if entry.path().is_dir() {
            collect(root, &path, into);
        } else {
            let text = fs::read_to_string(entry.path()).expect("a file of this repository can be read");
            into.push((path.display().to_string(), text));
        }
    }
}

fn fill(values: &[(String, String)], text: &str) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// In one step, as an editor or a deployment does.
fn write(manifests: &Path, name: &str, text: &str) {
    let file = manifests.join(name);
    let folder = file.parent().expect("it is in a folder");
    fs::create_dir_all(folder).expect("a temporary folder can be written");
    let hidden = folder.join(".written");
    fs::write(&hidden, text).expect("a temporary folder can be written");
    fs::rename(&hidden, &file).expect("a temporary folder can be written");
}

// === impl Gateway ===

impl Gateway {
    /// The process, its admin pages and its log.
    pub fn proxy(&self) -> &Sluice {
        &self.proxy
    }

    /// The folder of manifests.
    pub fn manifests(&self) -> &Path {
        &self.manifests
    }

    // --- Changes.

    /// Writes a manifest, new or other than before, and returns at once.
    pub fn write(&self, name: &str, text: &str) {
        write(&self.manifests, name, &fill(&self.values, text));
    }

    /// Replaces a text in a manifest and returns at once.
    ///
    /// # Panics
    /// When it is not there.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.manifests.join(name)).expect("a manifest that was written");
        assert!(text.contains(from), "{name} has no {from:?}:\n{text}");
        write(&self.manifests, name, &text.replace(from, to));
    }

    /// Writes a manifest as [`Gateway::write`] does, and waits until what came of it is in force.
    pub async fn write_in_force(&self, name: &str, text: &str) {
        let before = self.reloads().await;
        self.write(name, text);
        self.reloaded(before).await;
    }

    /// Replaces a text in a manifest as [`Gateway::edit`] does, and waits until what came of it is in force.
    pub async fn edit_in_force(&self, name: &str, from: &str, to: &str) {
        let before = self.reloads().await;
        self.edit(name, from, to);
        self.reloaded(before).await;
    }

    async fn reloads(&self) -> f64 {
        self.proxy.stat("sluice_config_reloads_total", &[]).await
    }

    async fn reloaded(&self, before: f64) {
        self.proxy.stat_becomes("sluice_config_reloads_total", &[], |count| count > before).await;
    }

    /// Removes a manifest and returns at once.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.manifests.join(name)).expect("a manifest that was written");
    }

    // --- Requests.

    /// Where a port of objects is served; waits until it is.
    pub async fn port(&mut self, port: u16) -> SocketAddr {
        let name = format!("port-{port}");
        while !self.proxy.has_listener(&name) {
            self.proxy
                .until(&format!("listener {name}"), async || self.listens(&name).await.then_some(()))
                .await;
            self.proxy.learn().await;
        }
        self.proxy.listener(&name)
    }

    async fn listens(&self, name: &str) -> bool {
        let listeners = self.proxy.admin("/listeners").await.json();
        let listens = |listener: &Value| listener["name"] == name && listener["address"].is_string();
        listeners.as_array().into_iter().flatten().any(listens)
    }

    /// Sends a GET for a host to port 80.
    pub async fn get(&mut self, host: &str, path: &str) -> Reply {
        self.send(&Request::get(path).host(host)).await
    }

    /// Sends a request to port 80 over HTTP/1.1.
    pub async fn send(&mut self, request: &Request) -> Reply {
        Http1::connect(self.port(80).await).await.send(request).await
    }

    /// Sends a request to port 443, over HTTP/1.1 or, where the client offers it, HTTP/2.
    ///
    /// # Panics
    /// When the HTTP/2 stream is reset.
    pub async fn send_tls(&mut self, client: &TlsClient, http2: bool, request: &Request) -> Reply {
        let address = self.port(443).await;
        if http2 {
            let connection = Http2::connect_tls(address, client).await;
            connection.send(request).await.expect("an answer should come over HTTP/2")
        } else {
            Http1::connect_tls(address, client).await.send(request).await
        }
    }

    /// Sends a request to port 80 again and again until the answer is as wanted.
    pub async fn until(&mut self, what: &str, request: &Request, wanted: impl Fn(&Reply) -> bool) -> Reply {
        self.until_at(80, what, request, wanted).await
    }

    /// The same at another port of objects.
    pub async fn until_at(
        &mut self,
        port: u16,
        what: &str,
        request: &Request,
        wanted: impl Fn(&Reply) -> bool,
    ) -> Reply {
        let address = self.port(port).await;
        self.proxy
            .until(what, async || {
                let reply = Http1::connect_if_open(address).await?.send(request).await;
                wanted(&reply).then_some(reply)
            })
            .await
    }

    /// Waits until a GET for a host at port 80 is answered with this text.
    pub async fn says(&mut self, host: &str, path: &str, text: &str) {
        let what = format!("{host}{path} says {text:?}");
        self.until(&what, &Request::get(path).host(host), |reply| reply.text() == text).await;
    }

    // --- What it says about objects.

    /// The entry of `/status` for an object, `Ingress shop/web`; null where there is none.
    pub async fn status(&self, object: &str) -> Value {
        let status = self.proxy.admin("/status").await.json();
        let name = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            match text("namespace").as_str() {
                "" => format!("{} {}", text("kind"), text("name")),
                namespace => format!("{} {namespace}/{}", text("kind"), text("name")),
            }
        };
        status
            .as_array()
            .into_iter()
            .flatten()
            .find(|entry| name(entry) == object)
            .cloned()
            .unwrap_or_default()
    }

    /// Waits until the entry of `/status` for an object is as wanted.
    pub async fn status_becomes(&self, object: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let what = format!("the status of {object} is as wanted");
        self.proxy.until(&what, async || Some(self.status(object).await).filter(|entry| wanted(entry))).await
    }

    /// The access log so far.
    pub fn log(&mut self) -> Vec<Value> {
        self.said().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for an access log entry, and returns it.
    pub async fn logged(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually_some(format!("an access log entry: {what}"), || {
            self.log().into_iter().find(|entry| wanted(entry))
        })
        .await
    }

    // --- The process.

    /// Waits for a line that the process says.
    pub async fn process_says(&mut self, text: &str) -> String {
        self.proxy.process().says(text).await
    }

    /// The lines on standard output so far, where the access log goes.
    pub fn said(&mut self) -> Vec<String> {
        self.proxy.process().stdout()
    }

    /// The process id.
    pub fn process_id(&mut self) -> u32 {
        self.proxy.process().id()
    }

    /// The lines on standard error so far, where the process says what is wrong.
    pub fn said_on_error(&mut self) -> Vec<String> {
        self.proxy.process().stderr()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.proxy.signal(signal);
    }

    /// Waits for the end, and returns the exit code.
    pub async fn ended(&mut self) -> i32 {
        self.proxy.ended().await
    }
}
