//! A proxy on ephemeral ports, and what a client sees of it.

use sluice_proxy::{ConfigSource, Options, Proxy, RunningProxy, StartError};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// For things that happen at once, on a machine that does a lot of other things.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A proxy whose configuration is a file in a folder of its own.
pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) proxy: Option<RunningProxy>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Scene {
    /// Starts a proxy with two shards.
    pub(crate) fn start(yaml: &str) -> Self {
        Self::try_start(yaml).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn try_start(yaml: &str) -> Result<Self, StartError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("proxy.yaml"), yaml).unwrap();
        let proxy = Proxy::start(options(folder.path().join("proxy.yaml")))?;
        Ok(Self { folder, proxy: Some(proxy) })
    }

    pub(crate) fn proxy(&self) -> &RunningProxy {
        self.proxy.as_ref().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the file as editors do.
    pub(crate) fn rewrite(&self, yaml: &str) {
        fs::write(self.path("new"), yaml).unwrap();
        fs::rename(self.path("new"), self.path("proxy.yaml")).unwrap();
    }

    pub(crate) fn admin(&self, path: &str) -> Answer {
        ask(self.proxy().admin_address(), "GET", path, "localhost", "")
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.admin(path).body).unwrap()
    }

    /// The value of a line of `/stats` that begins like this.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        let body = self.admin("/stats").body;
        let lines = body.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(": "));
        lines.filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
    }

    /// Asks a listener.
    pub(crate) fn get(&self, listener: &str, path: &str) -> Answer {
        ask(self.proxy().listener_address(listener).unwrap(), "GET", path, "shop.test", "")
    }
}

/// Two shards, admin on a port that nobody else has, no signals.
pub(crate) fn options(file: PathBuf) -> Options {
    let mut options = Options::new(ConfigSource::File(file));
    options.overrides.admin = Some("127.0.0.1:0".parse().unwrap());
    options.overrides.shards = Some(2);
    options.signals = false;
    options
}

/// A listener on a port of its own that answers everything itself.
pub(crate) fn answering(listener: &str, body: &str) -> String {
    format!("listeners:\n- name: {listener}\n  address: 127.0.0.1:0\n  route_table: main\n{}", table(body))
}

/// A route table that answers everything itself.
pub(crate) fn table(body: &str) -> String {
    format!(
        "route_tables:\n- name: main\n  virtual_hosts:\n  - name: all\n    hosts: ['*']\n    routes:\n    - name: hello\n      action: {{ respond: {{ status: 200, body: '{body}' }} }}\n"
    )
}

/// One request on a connection of its own.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, host: &str, fields: &str) -> Answer {
    exchange(
        address,
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{fields}connection: close\r\n\r\n").as_bytes(),
    )
}

/// Sends bytes and reads to the end.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(request).unwrap();
    read(&mut stream)
}

/// Reads an answer to the end of the connection.
pub(crate) fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Waits for a condition.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A port that is taken as long as the value lives.
pub(crate) fn taken_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}
