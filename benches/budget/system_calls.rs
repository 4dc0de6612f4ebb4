//! Four system calls that move data (receive and send, on either side), and those that wait for it.

use crate::{
    origin,
    running::{Running, ask},
    there,
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

const REQUESTS: usize = 1_000;

const DATA: [&str; 8] = ["recvfrom", "recvmsg", "read", "readv", "sendto", "sendmsg", "write", "writev"];

/// One request after the other wakes the shard twice: for the request and for the answer.
const WAITS: [&str; 3] = ["epoll_wait", "epoll_pwait", "epoll_pwait2"];

#[test]
fn a_request_over_http1_takes_four_data_system_calls_and_two_waits() {
    if !there(&["strace", "h2load"]) {
        return;
    }
    let mut proxy = Running::start(origin::start(), &[]);
    // Connections to the origin and buffers are there before anything is counted.
    ask(proxy.plain, "http", true, 100);
    let calls = counted(&proxy, || ask(proxy.plain, "http", true, REQUESTS));
    proxy.end();
    let per_request = |names: &[&str]| {
        names.iter().filter_map(|name| calls.get(*name)).sum::<u64>() as f64 / REQUESTS as f64
    };
    let all = calls.values().sum::<u64>() as f64 / REQUESTS as f64;
    let (data, waits) = (per_request(&DATA), per_request(&WAITS));
    assert!((3.9..4.1).contains(&data), "{data} data system calls for each request: {calls:?}");
    assert!(waits < 2.2, "{waits} waits for each request: {calls:?}");
    assert!(all - data - waits < 0.2, "{all} system calls for each request: {calls:?}");
}

/// How often each system call is made meanwhile, over all threads.
fn counted(proxy: &Running, work: impl FnOnce()) -> BTreeMap<String, u64> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counts");
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "-p", &proxy.child.id().to_string(), "-o"])
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(strace.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("attached"), "strace cannot attach to a process: {line}");
    work();
    kill_process(Pid::from_child(&strace), Signal::INT).unwrap();
    strace.wait().unwrap();
    counts(&fs::read_to_string(&file).unwrap())
}

/// Reads the table of `strace -c`: share, seconds, microseconds a call, calls, perhaps errors, name.
fn counts(table: &str) -> BTreeMap<String, u64> {
    let rows = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let name = *words.last()?;
        (name != "total").then(|| Some((name.to_owned(), words.get(3)?.parse().ok()?))).flatten()
    });
    rows.collect()
}

#[test]
fn counts_are_read_with_and_without_errors() {
    let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                 ------ ----------- ----------- --------- --------- ----------------\n\
                 60.00    0.000600           1      2000           epoll_wait\n\
                 40.00    0.000400           1      4000        12 recvfrom\n\
                 ------ ----------- ----------- --------- --------- ----------------\n\
                 100.00    0.001000           1      6000        12 total\n";
    let expected = BTreeMap::from([("epoll_wait".to_owned(), 2000), ("recvfrom".to_owned(), 4000)]);
    assert_eq!(counts(table), expected);
}
