//! A real Kubernetes API server, of `tests/kubernetes`: etcd and kube-apiserver in one process.

mod build;
mod object;

use crate::{
    Certificate, Http1, Process, Reply, Request, Signal, TlsClient, cli::folder, eventually, objects,
    patience::STEP, within,
};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::OnceLock,
};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Servers at a time: each begins with some seconds of work for a whole core, and holds 300 MB.
static PLACES: Semaphore = Semaphore::const_new(2);

/// A running API server without objects but its own. Killed when dropped, and everything in it is gone.
#[derive(Debug)]
pub struct Kubernetes {
    process: Process,
    program: PathBuf,
    folder: TempDir,
    address: SocketAddr,
    flags: Vec<String>,
    authority: String,
    token: String,
    tls: TlsClient,
    _place: SemaphorePermit<'static>,
}

impl Kubernetes {
    /// Starts one. `None` where it cannot be had, which is said loudly; the test then returns:
    ///
    /// ```ignore
    /// let Some(cluster) = kubernetes!().await else { return };
    /// ```
    ///
    /// The first test of all builds the program, which takes minutes. `flags` are those of kube-apiserver.
    ///
    /// # Panics
    /// When it does not become ready, and when it cannot be built although `SLUICE_REQUIRE_TOOLS=1`.
    pub async fn start(binary: &'static str, flags: &[&str]) -> Option<Self> {
        static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
        let target = Path::new(binary).parent().and_then(Path::parent).expect("cargo has a target folder");
        let program = tokio::task::spawn_blocking(|| PROGRAM.get_or_init(|| build::program(target)).clone());
        let program = program.await.expect("tests/kubernetes is built or not")?;
        let place = PLACES.acquire().await.expect("the semaphore is never closed");
        let folder = folder();
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let mut process = run(&program, folder.path(), 0, &flags);
        let ready = ready(&mut process).await;
        let text = |key: &str| ready[key].as_str().expect("the line has it").to_owned();
        let authority = text("authority");
        let address = text("server").trim_start_matches("https://").parse().expect("an address");
        let certificate =
            Certificate { chain_pem: String::new(), key_pem: String::new(), ca_pem: authority.clone() };
        let tls = TlsClient::trusting(&certificate, "127.0.0.1", &["http/1.1"]);
        let token = text("token");
        Some(Self { process, program, folder, address, flags, authority, token, tls, _place: place })
    }

    // --- The process.

    /// Stops it where it is, and returns when it stands still: connections stay open, and nothing is answered.
    pub async fn pause(&self) {
        self.process.signal(Signal::STOP);
        let state = format!("/proc/{}/stat", self.process.id());
        eventually("the API server stands still", || {
            // The state follows the name, which is in brackets.
            fs::read_to_string(&state).is_ok_and(|text| text.contains(") T "))
        })
        .await;
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Kills it: connections are cut, and new ones refused.
    pub async fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.ended().await;
    }

    /// Starts it again after it was killed, with the same address, objects, certificates and tokens.
    pub async fn start_again(&mut self) {
        self.process = run(&self.program, self.folder.path(), self.address.port(), &self.flags);
        ready(&mut self.process).await;
    }

    // --- Who may ask.

    /// A kubeconfig for whoever holds a token.
    pub fn kubeconfig(&self, token: &str) -> PathBuf {
        let authority = self.folder.path().join("authority.crt");
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "test",
                "cluster": { "server": format!("https://{}", self.address), "certificate-authority": authority },
            }],
            "users": [{ "name": "test", "user": { "token": token } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
            "current-context": "test",
        });
        fs::write(&authority, &self.authority).expect("a temporary folder can be written");
        let path = self.folder.path().join(format!("kubeconfig-{:x}", crate::digest(token.as_bytes())));
        fs::write(&path, config.to_string()).expect("a temporary folder can be written");
        path
    }

    /// The token of somebody who may do everything.
    pub fn admin(&self) -> &str {
        &self.token
    }

    /// A token of a ServiceAccount `namespace/name`, which may do what RBAC says.
    pub async fn account(&self, account: &str) -> String {
        let (namespace, name) = account.split_once('/').expect("namespace/name");
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let asked = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
        let reply = self.send(&Request::post(&path, asked.to_string())).await;
        assert_eq!(reply.status, 201, "a token of {account}: {}", reply.text());
        reply.json()["status"]["token"].as_str().expect("a token").to_owned()
    }

    /// Whether the holder of a token may do something: `("list", "networking.k8s.io", "ingresses/status", "shop", "web")`,
    /// with an empty namespace for all of them and an empty name for every object.
    pub async fn allows(&self, token: &str, [verb, group, resource, namespace, name]: [&str; 5]) -> bool {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let asked = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "verb": verb, "group": group, "resource": resource, "subresource": subresource,
                "namespace": namespace, "name": name,
            } },
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let reply = self.send_as(token, &Request::post(path, asked.to_string())).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["status"]["allowed"] == true
    }

    // --- Objects.

    /// Makes the objects of a text, or changes them, by server-side apply. A kind whose definition the text made before
    /// is waited for.
    ///
    /// # Panics
    /// When one is refused, or has a field that its kind does not have.
    pub async fn apply(&self, text: &str) {
        for object in objects(text) {
            let path = self.path(&object).await;
            let request =
                Request::new("PATCH", &format!("{path}?fieldManager=test&force=true&fieldValidation=Strict"))
                    .field("content-type", "application/apply-patch+yaml")
                    .body(object.to_string());
            let reply = self.send(&request).await;
            let good = matches!(reply.status, 200 | 201);
            assert!(good, "{} is refused: {} {}", object::name(&object), reply.status, reply.text());
        }
    }

    /// Writes the status of the objects of a text, as kubelets and controllers do.
    ///
    /// # Panics
    /// When one is refused, or has none.
    pub async fn report(&self, text: &str) {
        for object in objects(text) {
            let path = self.path(&object).await;
            let request = Request::new("PATCH", &format!("{path}/status"))
                .field("content-type", "application/merge-patch+json")
                .body(json!({ "status": object["status"] }).to_string());
            let reply = self.send(&request).await;
            assert_eq!(reply.status, 200, "{}: {}", object::name(&object), reply.text());
        }
    }

    /// Applies what the kustomization in a folder of this repository lists, `configs/kubernetes/base`.
    ///
    /// # Panics
    /// When one object is refused.
    pub async fn install(&self, folder: &str) {
        for kustomization in objects(&read(&format!("{folder}/kustomization.yaml"))) {
            for resource in kustomization["resources"].as_array().into_iter().flatten() {
                let name = resource.as_str().expect("the name of a file");
                self.apply_file(&format!("{folder}/{name}")).await;
            }
        }
    }

    /// Applies a file of this repository.
    ///
    /// # Panics
    /// When an object is refused.
    pub async fn apply_file(&self, file: &str) {
        self.apply(&read(file)).await;
    }

    /// Deletes the objects of a file of this repository.
    ///
    /// # Panics
    /// When one is not there.
    pub async fn delete_file(&self, file: &str) {
        self.delete(&read(file)).await;
    }

    /// Deletes the objects of a text.
    ///
    /// # Panics
    /// When one is not there.
    pub async fn delete(&self, text: &str) {
        for object in objects(text) {
            let path = self.path(&object).await;
            let reply = self.send(&Request::new("DELETE", &path)).await;
            let name = object::name(&object);
            assert!(matches!(reply.status, 200 | 202), "{name}: {} {}", reply.status, reply.text());
        }
    }

    /// What is at a path: `/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web`; null where there is nothing.
    pub async fn get(&self, path: &str) -> Value {
        let reply = self.send(&Request::get(path)).await;
        match reply.status {
            200 => reply.json(),
            404 => Value::Null,
            status => panic!("GET {path}: {status} {}", reply.text()),
        }
    }

    /// Waits until what is at a path is as wanted, and returns it.
    pub async fn becomes(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        within(format!("{path} becomes as wanted"), async {
            loop {
                let value = self.get(path).await;
                if wanted(&value) {
                    return value;
                }
                tokio::time::sleep(STEP).await;
            }
        })
        .await
    }

    /// Sends any request as somebody who may do everything.
    pub async fn send(&self, request: &Request) -> Reply {
        self.send_as(&self.token, request).await
    }

    /// Sends any request as the holder of a token.
    pub async fn send_as(&self, token: &str, request: &Request) -> Reply {
        let mut request =
            request.clone().host("localhost").field("authorization", &format!("Bearer {token}"));
        if request.method == "POST" {
            request = request.field("content-type", "application/json");
        }
        Http1::connect_tls(self.address, &self.tls).await.send(&request).await
    }

    /// The path of an object, as the server says where its kind is.
    async fn path(&self, object: &Value) -> String {
        let (base, kind) = (object::base(object), object["kind"].as_str().unwrap_or_default());
        let resource = within(format!("the server knows the kind {kind}"), async {
            loop {
                let known = self.get(&base).await;
                let mut resources = known["resources"].as_array().into_iter().flatten();
                let is_it = |resource: &&Value| {
                    resource["kind"] == kind
                        && !resource["name"].as_str().is_some_and(|name| name.contains('/'))
                };
                if let Some(resource) = resources.find(is_it) {
                    return resource.clone();
                }
                tokio::time::sleep(STEP).await;
            }
        })
        .await;
        let plural = resource["name"].as_str().expect("a resource has a name");
        let name = object["metadata"]["name"].as_str().expect("an object has a name");
        if resource["namespaced"] == true {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
            format!("{base}/namespaces/{namespace}/{plural}/{name}")
        } else {
            format!("{base}/{plural}/{name}")
        }
    }
}

fn run(program: &Path, folder: &Path, port: u16, flags: &[String]) -> Process {
    let (data, port) = (folder.join("data"), port.to_string());
    fs::create_dir_all(&data).expect("a temporary folder can be written");
    let data = data.to_str().expect("temporary folders have names of text");
    let own = ["-data", data, "-port", &port, "--"].map(str::to_owned);
    Process::start_while_we_live(
        program.to_str().expect("cargo's folder has a name of text"),
        own.iter().chain(flags),
        folder,
    )
}

fn read(file: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The line by which it says that it serves.
async fn ready(process: &mut Process) -> Value {
    let line = process.says("\"server\":").await;
    serde_json::from_str(&line).expect("the line is JSON")
}
