//! Generated objects: applications that are all alike, and origins behind a few of them.

use sluice_dsl::{Answer, ApiServer, Certificate, Origin, Speaks, secret_manifest};
use std::{
    fmt::Write,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

/// Applications that share a folder, and a namespace.
const IN_A_FOLDER: usize = 100;

/// What one team has in a cluster: an Ingress with a host and, where it has one, a certificate, and a service with two
/// endpoints.
#[derive(Debug, Clone)]
pub struct App {
    number: usize,
    /// Stands in the route: the origin sees it as the host `step-N.test`.
    pub step: usize,
    pub endpoints: Vec<SocketAddr>,
    pub certificate: Option<Arc<Certificate>>,
}

/// The applications of a test: many that nobody asks for anything, and some with origins, spread evenly among them.
#[derive(Debug)]
pub struct Apps {
    pub asked: Vec<App>,
    /// Alive as long as the applications are asked.
    _origins: Vec<Origin>,
}

// === impl App ===

impl App {
    /// Nobody listens at its endpoints. No address is that of another application.
    pub fn new(number: usize) -> Self {
        let endpoint = |which: usize| SocketAddr::new(loopback(2 * number + which), 8080);
        Self { number, step: 0, endpoints: vec![endpoint(0), endpoint(1)], certificate: None }
    }

    #[must_use]
    pub fn with_certificate(mut self) -> Self {
        self.certificate = Some(Arc::new(Certificate::of(&[&self.host()])));
        self
    }

    pub fn host(&self) -> String {
        format!("{}.scale.test", self.name())
    }

    /// The file that holds all its objects.
    pub fn file(&self) -> String {
        format!("{}/{}.yaml", self.namespace(), self.name())
    }

    /// Its Ingress, as users name it.
    pub fn ingress(&self) -> String {
        format!("Ingress {}/{}", self.namespace(), self.name())
    }

    fn name(&self) -> String {
        format!("app-{:05}", self.number)
    }

    fn namespace(&self) -> String {
        format!("team-{:03}", self.number / IN_A_FOLDER)
    }

    pub fn manifest(&self) -> String {
        let (name, namespace, host) = (self.name(), self.namespace(), self.host());
        let tls = match &self.certificate {
            Some(_) => format!("  tls: [{{ hosts: [{host}], secretName: {name} }}]\n"),
            None => String::new(),
        };
        let mut text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
             metadata:\n  name: {name}\n  namespace: {namespace}\n  labels: {{ app: {name} }}\n  annotations:\n    \
             kubernetes.io/ingress.class: nginx\n    \
             nginx.ingress.kubernetes.io/proxy-read-timeout: \"30\"\n    \
             nginx.ingress.kubernetes.io/upstream-vhost: step-{}.test\n\
             spec:\n{tls}  rules:\n  - host: {host}\n    http:\n      paths:\n      \
             - {{ path: /, pathType: Prefix, backend: {{ service: {{ name: {name}, port: {{ number: 80 }} }} }} }}\n---\n\
             apiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: {namespace} }}\n\
             spec: {{ ports: [{{ name: http, port: 80 }}], selector: {{ app: {name} }} }}\n",
            self.step,
        );
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let _ = write!(
                text,
                "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
                 metadata: {{ name: {name}-{index}, namespace: {namespace}, labels: {{ kubernetes.io/service-name: {name} }} }}\n\
                 addressType: IPv4\nports: [{{ name: http, port: {} }}]\nendpoints: [{{ addresses: [{}] }}]\n",
                endpoint.port(),
                endpoint.ip(),
            );
        }
        if let Some(certificate) = &self.certificate {
            text.push_str("---\n");
            text.push_str(&secret_manifest(&format!("{namespace}/{name}"), certificate));
        }
        text
    }

    /// Writes its file in one step.
    pub fn write(&self, folder: &Path) {
        let file = folder.join(self.file());
        let parent = file.parent().expect("it is in a folder");
        fs::create_dir_all(parent).expect("a temporary folder can be written");
        let hidden = parent.join(".written");
        fs::write(&hidden, self.manifest()).expect("a temporary folder can be written");
        fs::rename(&hidden, &file).expect("a temporary folder can be written");
    }
}

// === impl Apps ===

impl Apps {
    /// Writes the files of `count` applications with certificates; `asked` of them have origins.
    pub async fn write(folder: &Path, count: usize, asked: usize) -> Self {
        Self::make(count, asked, |app| app.write(folder)).await
    }

    /// The same in an API server.
    pub async fn put(api: &ApiServer, count: usize, asked: usize) -> Self {
        Self::make(count, asked, |app| api.put(&app.manifest())).await
    }

    async fn make(count: usize, asked: usize, mut write: impl FnMut(&App)) -> Self {
        let (mut written, mut origins) = (Vec::new(), Vec::new());
        let every = (count / asked).max(1);
        for number in 0..count {
            let mut app = App::new(number).with_certificate();
            if number % every == 0 && written.len() < asked {
                for endpoint in &mut app.endpoints {
                    let origin = origin(endpoint.ip()).await;
                    *endpoint = origin.address();
                    origins.push(origin);
                }
                written.push(app.clone());
            }
            write(&app);
        }
        Self { asked: written, _origins: origins }
    }
}

/// Says its own address and the host that it was asked for.
async fn origin(address: IpAddr) -> Origin {
    let anywhere = Origin::speaking(Speaks::Http1).at(SocketAddr::new(address, 0));
    anywhere.start(move |seen| Answer::ok(format!("{address} {}", seen.host))).await
}

/// An address of the machine itself for each number.
fn loopback(number: usize) -> IpAddr {
    let part = |number: usize| u8::try_from(1 + number % 250).expect("less than 251");
    Ipv4Addr::new(127, part(number / 62_500), part(number / 250), part(number)).into()
}
