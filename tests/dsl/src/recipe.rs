//! What a proxy is started with.

use crate::{Certificate, Sluice, cli::folder};
use std::{fmt::Write, fs, path::Path};

/// What a proxy is started with. Made by [`crate::sluice!`].
///
/// A recipe either has a whole configuration ([`Recipe::config`]) or describes one listener `web` with one route table
/// `main`, filled by [`Recipe::routes`] or [`Recipe::hosts`], and the clusters that [`Recipe::cluster`] named. Unless
/// the text says otherwise, admin and listeners take free ports, there are two shards, a drain takes at most five
/// seconds, and the access log is JSON that [`Sluice::log`] reads.
#[derive(Debug, Clone)]
pub struct Recipe {
    binary: &'static str,
    body: Body,
    clusters: Vec<Cluster>,
    values: Vec<(String, String)>,
    files: Vec<(String, String)>,
    secrets: Vec<String>,
    listener: String,
    top: Vec<(String, String)>,
    arguments: Vec<String>,
}

#[derive(Debug, Clone)]
enum Body {
    Config(String),
    Hosts(String),
}

#[derive(Debug, Clone)]
struct Cluster {
    name: String,
    address: String,
    more: String,
}

impl Recipe {
    /// For this binary.
    pub fn new(binary: &'static str) -> Self {
        Self {
            binary,
            body: Body::Hosts("[]".to_owned()),
            clusters: Vec::new(),
            values: Vec::new(),
            files: Vec::new(),
            secrets: Vec::new(),
            listener: String::new(),
            top: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// Everything goes to this origin; starts at once.
    pub async fn in_front_of(self, origin: &impl ToString) -> Sluice {
        self.cluster("origin", origin).forwarding_to("origin").start().await
    }

    /// Everything goes to this cluster.
    pub fn forwarding_to(self, cluster: &str) -> Self {
        self.routes(&format!(
            "- {{ name: all, action: {{ forward: {{ destinations: [{{ cluster: {cluster} }}] }} }} }}"
        ))
    }

    /// A cluster with one endpoint. Its address is `${name}` in texts.
    pub fn cluster(self, name: &str, address: &impl ToString) -> Self {
        self.cluster_with(name, address, "")
    }

    /// A cluster with more settings, in YAML: `"protocol: http2"`.
    pub fn cluster_with(mut self, name: &str, address: &impl ToString, more: &str) -> Self {
        self.clusters.push(Cluster {
            name: name.to_owned(),
            address: address.to_string(),
            more: more.to_owned(),
        });
        self.value(name, address)
    }

    /// `${name}` in texts is this.
    pub fn value(mut self, name: &str, value: &impl ToString) -> Self {
        self.values.push((name.to_owned(), value.to_string()));
        self
    }

    /// Routes for every host, a YAML list.
    pub fn routes(self, routes: &str) -> Self {
        let hosts = format!("- name: all\n  hosts: [\"*\"]\n  routes:\n{}", indent(routes, 4));
        self.hosts(&hosts)
    }

    /// Virtual hosts, a YAML list.
    pub fn hosts(mut self, hosts: &str) -> Self {
        self.body = Body::Hosts(hosts.to_owned());
        self
    }

    /// More settings of the listener `web`, in YAML: `"require_http11: true"`. Adds up.
    pub fn listener(mut self, more: &str) -> Self {
        let _ = writeln!(self.listener, "{}", more.trim_end());
        self
    }

    /// Another value of the top-level `admin`, `runtime` or `access_log`, in YAML on one line:
    /// `.top("runtime", "{ shards: 1, drain_timeout: 1s }")`.
    pub fn top(mut self, key: &str, value: &str) -> Self {
        self.top.retain(|(other, _)| other != key);
        self.top.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A whole configuration. Top-level `admin`, `runtime` and `access_log` are added where it has none.
    pub fn config(mut self, text: &str) -> Self {
        self.body = Body::Config(text.to_owned());
        self
    }

    /// A file beside the configuration; `${dir}/name` in texts, or just `name`, since relative paths start there.
    pub fn file(mut self, name: &str, content: &str) -> Self {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// A certificate: the files `name.pem`, `name.key` and `name.ca`, and, unless there is a whole configuration, the
    /// secrets `name` (kind `tls`) and `name-ca` (kind `ca`).
    pub fn certificate(mut self, name: &str, certificate: &Certificate) -> Self {
        self.secrets.push(name.to_owned());
        self.file(&format!("{name}.pem"), &certificate.chain_pem)
            .file(&format!("{name}.key"), &certificate.key_pem)
            .file(&format!("{name}.ca"), &certificate.ca_pem)
    }

    /// One more argument of `sluice run`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; the message has what the process said. For starts that should fail, see
    /// [`crate::Cli`].
    pub async fn start(self) -> Sluice {
        let folder = folder();
        for (name, content) in &self.files {
            fs::write(folder.path().join(name), content).expect("a temporary folder can be written");
        }
        Sluice::start(self, folder).await
    }

    pub(crate) fn binary(&self) -> &'static str {
        self.binary
    }

    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The text of the configuration.
    pub(crate) fn render(&self, folder: &Path) -> String {
        let mut text = match &self.body {
            Body::Config(text) => text.clone(),
            Body::Hosts(hosts) => self.around(hosts),
        };
        for (key, value) in &self.top {
            let _ = write!(text, "\n{key}: {value}\n");
        }
        for (name, value) in &self.values {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        text = text.replace("${dir}", &folder.display().to_string());
        let log = folder.join("access.log");
        for (key, value) in [
            ("admin", "{ address: \"127.0.0.1:0\" }".to_owned()),
            ("runtime", "{ shards: 2, drain_timeout: 5s }".to_owned()),
            ("access_log", format!("{{ target: {{ file: \"{}\" }}, format: json }}", log.display())),
        ] {
            if !text.lines().any(|line| line.starts_with(&format!("{key}:"))) {
                let _ = write!(text, "\n{key}: {value}\n");
            }
        }
        text
    }

    fn around(&self, hosts: &str) -> String {
        let mut text = format!(
            "listeners:\n  - name: web\n    address: 127.0.0.1:0\n    route_table: main\n{}\
             route_tables:\n  - name: main\n    virtual_hosts:\n{}clusters:\n",
            indent(&self.listener, 4),
            indent(hosts, 6),
        );
        for Cluster { name, address, more } in &self.clusters {
            let _ = write!(
                text,
                "  - name: {name}\n    endpoints: [{{ address: \"{address}\" }}]\n{}",
                indent(more, 4)
            );
        }
        text += if self.clusters.is_empty() { "    []\n" } else { "" };
        for (index, name) in self.secrets.iter().enumerate() {
            text += if index == 0 { "secrets:\n" } else { "" };
            let _ = write!(
                text,
                "  - name: {name}\n    kind: {{ tls: {{ certificate: {{ file: {name}.pem }}, key: {{ file: {name}.key }} }} }}\n  \
                 - name: {name}-ca\n    kind: {{ ca: {{ file: {name}.ca }} }}\n"
            );
        }
        text
    }
}

fn indent(text: &str, by: usize) -> String {
    text.lines().filter(|line| !line.trim().is_empty()).fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{:by$}{line}", "");
        all
    })
}
