//! The comparison: rounds, in each of them all rows, on each of them all peers one after the other, in another order each round.

use crate::{
    Error,
    certificate::Certificate,
    cores::Cores,
    load::{self, Idle, Order, Origin},
    machine::Machine,
    metric::{Metric, Sample, median},
    note,
    peer::{PEERS, Peer, Programs, Scene, free_address},
    process::Process,
    report::{Report, Results},
    row::{Load, ROWS, Row},
    say,
    upstream::Upstream,
};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{path::PathBuf, process::Command, time::Duration};

/// Connections that a peer has before idle ones are counted: what it sets up for the first ones is not theirs.
const FIRST: usize = 200;

/// The rate of the open loop where nginx was not measured before.
const RATE: f64 = 6_000.0;

/// The share of nginx's greatest rate that the open loop asks for.
const SHARE: f64 = 0.4;

/// File descriptors that 10,000 connections on both sides of a peer need, and some.
const DESCRIPTORS: u64 = 65_536;

const MIB: f64 = (1 << 20) as f64;

/// What is compared, and how thoroughly.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often everything is measured.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Only these rows, as `list` names them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    rows: Vec<String>,
    /// Only these peers, as `list` names them. Without it: all but pingora, which is built only when it is named.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    peers: Vec<String>,
    /// A few rows, with HAProxy and nginx only: under three minutes.
    #[arg(long)]
    short: bool,
    /// Requests in a second for the row `latency`; by default 40 % of nginx's on the first row.
    #[arg(long)]
    rate: Option<f64>,
    /// The `sluice-proxy` to measure; by default it is built beside this program.
    #[arg(long, value_name = "FILE")]
    sluice: Option<PathBuf>,
    /// The `envoy` to measure; by default the one of the search path.
    #[arg(long, value_name = "FILE", default_value = "envoy")]
    envoy: PathBuf,
    /// Where the report is written, as `comparison.md` and `comparison.json`.
    #[arg(long, value_name = "FOLDER", default_value = "target/benches")]
    out: PathBuf,
}

/// Measures, prints and writes the report.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let (rows, peers) = (rows(options)?, peers(options)?);
    let cores = Cores::of_this_process()?;
    if cores.count() < 2 {
        return Err("a comparison needs two cores: one for the proxy, one for load and upstream".into());
    }
    raise_descriptors();
    let programs = programs(options, &peers)?;
    let mut report = Report::new(Machine::look(cores.count()), options.rounds, options.seconds);
    let mut here = Vec::new();
    for peer in peers {
        match peer.version(&programs) {
            Some(version) => {
                report.versions.push((peer, version));
                here.push(peer);
            }
            None => report.skipped.push(peer),
        }
    }
    let folder = tempfile::tempdir()?;
    let bench = Bench {
        certificate: Certificate::make(folder.path())?,
        folder,
        upstream: {
            // Threads stay where they began: beside the load.
            cores.join_load(1)?;
            Upstream::start()?
        },
        cores,
        programs,
        time: Duration::from_secs(options.seconds),
    };
    for round in 0..options.rounds {
        for row in &rows {
            for place in 0..here.len() {
                let peer = here[(place + round as usize) % here.len()];
                let rate = options.rate.unwrap_or_else(|| rate(&report.results));
                let outcome = bench.measure(peer, row, rate);
                note(&format!(
                    "round {} {:<16} {:<10} {}",
                    round + 1,
                    row.name,
                    peer.name(),
                    brief(&outcome)
                ));
                report.results.add(row, peer, round, outcome);
            }
        }
    }
    say(&report.markdown());
    report.write(&options.out)?;
    note(&format!("written: {0}/comparison.md, {0}/comparison.json", options.out.display()));
    Ok(())
}

/// Everything that a measurement needs besides its peer and its row.
struct Bench {
    certificate: Certificate,
    folder: tempfile::TempDir,
    upstream: Upstream,
    cores: Cores,
    programs: Programs,
    time: Duration,
}

impl Bench {
    /// One peer on one row, once.
    fn measure(&self, peer: Peer, row: &Row, rate: f64) -> Result<Sample, String> {
        if let Some(reason) = peer.cannot(row) {
            return Err(reason.to_owned());
        }
        if !self.cores.suffice(row.threads) {
            return Err(format!("needs {} cores", row.threads + 1));
        }
        let io = |error: std::io::Error| error.to_string();
        let folder = tempfile::tempdir_in(self.folder.path()).map_err(io)?;
        let mut origin = (row.load == Load::OpenLoop).then(Origin::start).transpose().map_err(io)?;
        let upstream =
            origin.as_ref().map_or(self.upstream, |origin| self.upstream.replaced(origin.address()));
        let scene = Scene {
            row,
            plain: free_address().map_err(io)?,
            secure: free_address().map_err(io)?,
            upstream,
            certificate: &self.certificate,
            folder: folder.path(),
        };
        let process = peer.start(&scene, &self.programs, &self.cores)?;
        self.cores.join_load(row.threads).map_err(io)?;
        let address = if row.load.tls() { scene.secure } else { scene.plain };
        let order = Order { row, address, time: self.time, rate };
        match row.load {
            Load::Idle { tls, count } => idle(&process, &order, tls, count),
            _ => busy(&process, &order, origin.as_mut()),
        }
    }
}

/// What requests cost.
fn busy(process: &Process, order: &Order<'_>, mut origin: Option<&mut Origin>) -> Result<Sample, String> {
    let io = |error: std::io::Error| error.to_string();
    let start = process.resident().map_err(io)?;
    load::run(&Order { time: Duration::from_secs(1), ..*order }, origin.as_deref_mut())?;
    let before = process.cpu().map_err(io)?;
    let outcome = load::run(order, origin)?;
    let used = process.cpu().map_err(io)?.since(before);
    let requests = outcome.requests as f64;
    let mut sample = Sample::from([
        (Metric::Cpu, used.total() / requests * 1e6),
        (Metric::User, used.user / requests * 1e6),
        (Metric::System, used.system / requests * 1e6),
        (Metric::Rate, requests / outcome.seconds),
        (Metric::Start, start as f64 / MIB),
        (Metric::Resident, process.resident().map_err(io)? as f64 / MIB),
    ]);
    if let Some(latencies) = outcome.latencies {
        sample.extend([
            (Metric::P50, latencies.p50),
            (Metric::P99, latencies.p99),
            (Metric::P999, latencies.p999),
        ]);
    }
    Ok(sample)
}

/// What connections cost that rest.
fn idle(process: &Process, order: &Order<'_>, tls: bool, count: usize) -> Result<Sample, String> {
    let io = |error: std::io::Error| error.to_string();
    let start = process.resident().map_err(io)?;
    let mut idle = Idle::new()?;
    idle.grow(order, tls, FIRST)?;
    let before = process.resident().map_err(io)?;
    idle.grow(order, tls, count)?;
    let after = process.resident().map_err(io)?;
    Ok(Sample::from([
        (Metric::PerConnection, after.saturating_sub(before) as f64 / 1024.0 / (count - FIRST) as f64),
        (Metric::Start, start as f64 / MIB),
        (Metric::Resident, after as f64 / MIB),
    ]))
}

fn rows(options: &Options) -> Result<Vec<Row>, Error> {
    let mut rows: Vec<Row> = ROWS.into_iter().filter(|row| row.short || !options.short).collect();
    if !options.rows.is_empty() {
        let named = |name: &String| {
            let row = ROWS.into_iter().find(|row| row.name == name);
            row.ok_or_else(|| format!("--rows: there is no row `{name}`; `sluice-benches list` names them"))
        };
        rows = options.rows.iter().map(named).collect::<Result<_, _>>()?;
    }
    Ok(rows)
}

fn peers(options: &Options) -> Result<Vec<Peer>, Error> {
    if options.peers.is_empty() {
        let short = |peer: &Peer| matches!(peer, Peer::Sluice | Peer::Haproxy | Peer::Nginx);
        let usual = |peer: &Peer| if options.short { short(peer) } else { *peer != Peer::Pingora };
        return Ok(PEERS.into_iter().filter(usual).collect());
    }
    let named = |name: &String| {
        let peer = PEERS.into_iter().find(|peer| peer.name() == name);
        peer.ok_or_else(|| {
            format!("--peers: there is no peer `{name}`; `sluice-benches list` names them").into()
        })
    };
    options.peers.iter().map(named).collect()
}

/// Finds the programs, and builds those that come from here.
fn programs(options: &Options, peers: &[Peer]) -> Result<Programs, Error> {
    let beside = std::env::current_exe()?.parent().map(PathBuf::from).unwrap_or_default();
    let sluice = if let Some(file) = &options.sluice {
        file.clone()
    } else {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        if profile == "dev" {
            note("this is a debug build: only ratios between its own runs mean anything");
        }
        cargo(&["build", "--locked", "-p", "sluice-proxy", "--profile", profile])?;
        beside.join("sluice-proxy")
    };
    let pingora = beside.join("pingora/release/sluice-benches-pingora");
    if peers.contains(&Peer::Pingora) {
        let (manifest, target) =
            (concat!(env!("CARGO_MANIFEST_DIR"), "/pingora/Cargo.toml"), beside.join("pingora"));
        let target = target.to_string_lossy();
        cargo(&["build", "--locked", "--release", "--manifest-path", manifest, "--target-dir", &target])?;
    }
    Ok(Programs { sluice, envoy: options.envoy.clone(), pingora })
}

fn cargo(arguments: &[&str]) -> Result<(), Error> {
    let program = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let status = Command::new(program).args(arguments).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo {} ended with {status}", arguments.join(" ")).into())
    }
}

/// 40 % of what nginx did on the first row; see [`RATE`].
fn rate(results: &Results) -> f64 {
    median(&results.values(ROWS[0].name, Peer::Nginx, Metric::Rate))
        .map_or(RATE, |rate| (rate * SHARE).round())
}

/// As many file descriptors as this process may have; the peers inherit that.
fn raise_descriptors() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if maximum.is_none_or(|maximum| maximum >= DESCRIPTORS) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum });
        return;
    }
    // Root may have more. Where it stays low, the rows with many connections say what is missing.
    let more = Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) };
    if setrlimit(Resource::Nofile, more).is_err() {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

fn brief(outcome: &Result<Sample, String>) -> String {
    match outcome {
        Ok(sample) => {
            let figures = sample.iter().map(|(metric, value)| format!("{} {value:.1}", metric.title()));
            figures.collect::<Vec<_>>().join(", ")
        }
        Err(reason) => reason.clone(),
    }
}
