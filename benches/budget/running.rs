//! A real `sluice-proxy` process, possibly inside a tool, and the client that all counts share.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// How long anything may take, inside a tool and on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A proxy in front of an origin: one shard, a listener with and one without TLS, no access log.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// Where clients without and with TLS come.
    pub(crate) plain: SocketAddr,
    pub(crate) secure: SocketAddr,
    /// Its configuration lives there.
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts it; `tool` is a command that runs the proxy, or nothing.
    pub(crate) fn start(origin: SocketAddr, tool: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = rcgen::generate_simple_self_signed(["budget.example".to_owned()]).unwrap();
        fs::write(folder.path().join("chain.pem"), certificate.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
        let file = folder.path().join("proxy.yaml");
        fs::write(&file, configuration(origin)).unwrap();
        let mut words = tool.iter().copied().chain([env!("CARGO_BIN_EXE_sluice-proxy")]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("run").arg(file).args(["--log", "info"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = lines(&mut child);
        let plain = address(&said, "listener=\"plain\"");
        let secure = address(&said, "listener=\"secure\"");
        Self { child, plain, secure, _folder: folder }
    }

    /// Ends it in order, and waits until it has ended: its tool has written what it found by then.
    pub(crate) fn end(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the proxy ended with {status}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of one connection, which sends so many requests of eight header fields, one after the other.
pub(crate) fn ask(address: SocketAddr, scheme: &str, http1: bool, requests: usize) {
    let mut command = Command::new("h2load");
    command.args(["-c1", "-m1", "-t1", "-n", &requests.to_string()]);
    if http1 {
        command.arg("--h1");
    }
    for field in [
        "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "accept-language: en-US,en;q=0.5",
        "accept-encoding: gzip, deflate, br",
        "referer: https://budget.example/products",
        "cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
        "cache-control: max-age=0",
    ] {
        command.args(["-H", field]);
    }
    command.arg("--connect-to").arg(address.to_string());
    command.arg(format!("{scheme}://budget.example:{}/products/1", address.port()));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&format!("{requests} succeeded, 0 failed, 0 errored")), "{text}");
}

fn configuration(origin: SocketAddr) -> String {
    format!(
        "admin: {{ address: '127.0.0.1:0' }}
runtime: {{ shards: 1 }}
listeners:
- {{ name: plain, address: '127.0.0.1:0', route_table: main }}
- {{ name: secure, address: '127.0.0.1:0', route_table: main, tls: {{ certificates: [own] }} }}
route_tables:
- name: main
  virtual_hosts:
  - name: all
    hosts: [budget.example]
    routes: [{{ name: all, match: [{{ path: {{ prefix: /products }} }}], action: {{ forward: {{ destinations: [{{ cluster: origin }}] }} }} }}]
clusters: [{{ name: origin, endpoints: [{{ address: '{origin}' }}] }}]
secrets: [{{ name: own, kind: {{ tls: {{ certificate: {{ file: chain.pem }}, key: {{ file: key.pem }} }} }} }}]
"
    )
}

/// What it says, for as long as it lives: a pipe that nobody reads would stop it.
fn lines(child: &mut Child) -> Receiver<String> {
    let stderr = child.stderr.take().unwrap();
    let (lines, said) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    said
}

/// The address in the next line that contains a text.
fn address(said: &Receiver<String>, text: &str) -> SocketAddr {
    let mut before = Vec::new();
    loop {
        let Ok(line) = said.recv_timeout(PATIENCE) else { panic!("no line with {text} after {before:#?}") };
        if line.contains(text) {
            return line.rsplit_once("address=").unwrap().1.trim().parse().unwrap();
        }
        before.push(line);
    }
}
