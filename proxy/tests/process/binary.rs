//! The binary: signals, exit codes, and a machine without file descriptors.

use crate::scene::{Answer, LONG, answering, ask, eventually, read, table, taken_port};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

struct Process {
    child: Child,
    folder: tempfile::TempDir,
    log: Receiver<String>,
    web: SocketAddr,
    admin: SocketAddr,
}

impl Process {
    /// `limit` bounds the file descriptors.
    fn start(yaml: &str, limit: Option<u32>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.yaml");
        fs::write(&file, yaml).unwrap();
        let mut child = command(&file, limit).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (lines, log) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let web = address(&log, "listening");
        let admin = address(&log, "admin is ready");
        Self { child, folder, log, web, admin }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn exit(mut self) -> Option<i32> {
        let mut code = None;
        eventually("the process ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code()
    }

    fn admin(&self, path: &str) -> Answer {
        ask(self.admin, "GET", path, "localhost", "")
    }

    fn said(&self, text: &str) {
        while !self.log.recv_timeout(LONG).unwrap().contains(text) {}
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(file: &PathBuf, limit: Option<u32>) -> Command {
    let binary = env!("CARGO_BIN_EXE_sluice-proxy");
    let mut command = match limit {
        Some(limit) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("ulimit -n {limit}; exec \"$0\" \"$@\"")).arg(binary);
            shell
        }
        None => Command::new(binary),
    };
    command.arg("run").arg(file).args(["--admin", "127.0.0.1:0", "--shards", "2", "--log", "info"]);
    command
}

/// The address in the next line that contains a text.
fn address(log: &Receiver<String>, text: &str) -> SocketAddr {
    loop {
        let line = log.recv_timeout(LONG).unwrap();
        if line.contains(text) {
            return line.rsplit_once("address=").unwrap().1.parse().unwrap();
        }
    }
}

/// A request that is not complete yet.
fn hanging(process: &Process) -> TcpStream {
    let mut stream = TcpStream::connect(process.web).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nho").unwrap();
    eventually("the connection is known", || process.admin("/listeners").body.contains("\"connections\": 1"));
    stream
}

#[test]
fn a_first_signal_drains() {
    for signal in [Signal::TERM, Signal::INT] {
        let process = Process::start(&answering("web", "hello"), None);
        process.signal(signal);
        assert_eq!(process.exit(), Some(0));
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let process = Process::start(&answering("web", "hello"), None);
    let mut stream = hanging(&process);
    process.signal(Signal::TERM);
    eventually("it drains", || process.admin("/ready").status == 503);
    process.signal(Signal::TERM);
    assert_eq!(process.exit(), Some(128 + 15));
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

#[test]
fn a_signal_after_a_requested_drain_is_the_first() {
    let process = Process::start(&answering("web", "hello"), None);
    let mut stream = hanging(&process);
    let asked = ask(process.admin, "POST", "/drain", "localhost", "content-length: 0\r\n");
    assert_eq!(asked.status, 202);
    process.signal(Signal::TERM);
    process.said("a second signal ends at once");
    stream.write_all(b"st: a\r\n\r\n").unwrap();
    assert_eq!(read(&mut stream).body, "hello");
    assert_eq!(process.exit(), Some(0));
}

#[test]
fn a_cut_drain_has_a_code_of_its_own() {
    let yaml = format!("runtime: {{ drain_timeout: 50ms }}\n{}", answering("web", "hello"));
    let process = Process::start(&yaml, None);
    let _stream = hanging(&process);
    process.signal(Signal::TERM);
    assert_eq!(process.exit(), Some(5));
}

#[test]
fn hang_up_reads_again_and_says_what_is_wrong() {
    let process = Process::start(&answering("web", "hello"), None);
    fs::write(process.folder.path().join("proxy.yaml"), "listeners: 7\nclustres: []\n").unwrap();
    process.signal(Signal::HUP);
    process.said("clustres");
    process.said("last good one stays in force");
    assert_eq!(ask(process.web, "GET", "/", "a", "").body, "hello");
}

#[test]
fn levels_change_while_running() {
    let process = Process::start(&answering("web", "hello"), None);
    assert_eq!(process.admin("/logging").body, "info\n");
    let post = |path: &str| ask(process.admin, "POST", path, "localhost", "content-length: 0\r\n");
    assert_eq!(post("/logging?level=warn").body, "warn\n");
    assert_eq!(post("/logging?sluice_proxy=debug").status, 200);
    let levels = process.admin("/logging").body;
    assert!(levels.contains("sluice_proxy=debug") && levels.contains("warn"), "{levels}");
    assert_eq!(post("/logging?level=loud=er").status, 400);
    assert_eq!(post("/logging").status, 400);
}

#[test]
fn failures_to_start_have_codes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.yaml");
    let run = |yaml: &str| {
        fs::write(&file, yaml).unwrap();
        let output = command(&file, None).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, message) = run("clustres: []\n");
    assert_eq!(code, Some(1));
    assert!(message.contains("clustres"), "{message}");
    let taken = taken_port();
    let yaml = format!(
        "listeners:\n- {{ name: web, address: '{}', route_table: main }}\n{}",
        taken.local_addr().unwrap(),
        table("x")
    );
    let (code, message) = run(&yaml);
    assert_eq!(code, Some(3));
    assert!(message.contains("`web`"), "{message}");
}

#[test]
fn without_descriptors_it_waits_answers_admin_and_recovers() {
    let process = Process::start(&answering("web", "hello"), Some(64));
    let held: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(process.web).unwrap()).collect();
    process.said("nothing is left to accept them with");
    let failures = || {
        let body = process.admin("/stats").body;
        let line =
            body.lines().find(|line| line.starts_with("sluice_accept_failures_total")).map(str::to_owned);
        line.and_then(|line| line.rsplit_once(": ")?.1.parse::<u64>().ok()).unwrap_or(0)
    };
    eventually("failures are counted", || failures() > 0);
    assert_eq!(process.admin("/ready").status, 200);
    drop(held);
    assert_eq!(ask(process.web, "GET", "/", "a", "").body, "hello");
}
