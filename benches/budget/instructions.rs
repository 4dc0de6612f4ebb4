//! Instructions outside the kernel for each request, counted by callgrind and compared with what is checked in.
//!
//! Callgrind emulates a processor, so counts repeat within three per cent on any machine, however busy. They hold for one
//! compiler and one profile: the tests run in release builds only, and a new compiler means new figures in
//! `instructions.txt`.

use crate::{
    origin,
    running::{Running, ask},
    there,
};
use std::{fs, path::Path};

/// Counts with fewer and with more requests; the difference has neither start nor end of the process in it.
const FEW: usize = 200;
const MANY: usize = 1_200;

/// What may be lost or won before somebody has to say so.
const TOLERANCE: f64 = 0.05;

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "only a release build is what users run: cargo test --release -p sluice-proxy --test budget"
)]
fn a_plain_http1_request_costs_as_many_instructions_as_before() {
    compare("http1", |proxy, requests| ask(proxy.plain, "http", true, requests));
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "only a release build is what users run: cargo test --release -p sluice-proxy --test budget"
)]
fn an_http1_request_over_tls_costs_as_many_instructions_as_before() {
    compare("tls", |proxy, requests| ask(proxy.secure, "https", true, requests));
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "only a release build is what users run: cargo test --release -p sluice-proxy --test budget"
)]
fn an_http2_request_costs_as_many_instructions_as_before() {
    compare("http2", |proxy, requests| ask(proxy.plain, "http", false, requests));
}

fn compare(name: &str, ask: impl Fn(&Running, usize)) {
    if !there(&["valgrind", "h2load"]) {
        return;
    }
    let now = (instructions(&ask, MANY) - instructions(&ask, FEW)) as f64 / (MANY - FEW) as f64;
    println!("{name} {now:.0}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/budget/instructions.txt");
    let text = fs::read_to_string(&file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    let before =
        line.unwrap_or_else(|| panic!("benches/budget/instructions.txt has no line `{name} {now:.0}`"));
    let change = now / before - 1.0;
    assert!(
        change.abs() <= TOLERANCE,
        "a request over {name} costs {now:.0} instructions, {:+.1} % against the {before:.0} of \
         benches/budget/instructions.txt. Find out why; where it is meant to be, write `{name} {now:.0}` there",
        change * 100.0
    );
}

/// All instructions of a process that serves so many requests on one connection.
fn instructions(ask: &impl Fn(&Running, usize), requests: usize) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("callgrind.out");
    let out = format!("--callgrind-out-file={}", file.display());
    let mut proxy = Running::start(origin::start(), &["valgrind", "--tool=callgrind", &out]);
    ask(&proxy, requests);
    proxy.end();
    let counts = fs::read_to_string(&file).unwrap();
    let total = counts.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.unwrap_or_else(|| panic!("callgrind wrote no total"))
}
