//! `sluice-benches`: the same work for Sluice, nginx, HAProxy, Envoy, pingora and a bare relay, in the same run.
//!
//! ```text
//! compare ─▶ rounds × rows × peers ─▶ start the peer on its core ─▶ warm up ─▶ load ─▶ what it cost ─▶ report
//!             (compare)   (row) (peer)     (process, cores)                  (load)   (metric)      (report)
//! ```
//!
//! `benches/README.md` says how to run it and what the rows mean. The micro-benchmarks are in `benches/micro`.

mod certificate;
mod compare;
mod cores;
mod load;
mod machine;
mod metric;
mod peer;
mod process;
mod relay;
mod report;
mod row;
mod upstream;

use clap::{Parser, Subcommand};
use std::{net::SocketAddr, process::ExitCode};

/// Sluice beside other proxies, on the same work.
#[derive(Debug, Parser)]
#[command(name = "sluice-benches", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, and print and write a report.
    Compare(compare::Options),
    /// Say which rows and peers there are.
    List,
    /// Be the floor: copy bytes between each connection and one of its own to the server.
    #[command(hide = true)]
    Relay {
        /// Where to listen.
        listen: SocketAddr,
        /// Where the bytes go.
        server: SocketAddr,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Compare(options) => compare::run(&options),
        Command::List => {
            say(&row::list());
            say(&peer::list());
            Ok(())
        }
        Command::Relay { listen, server } => relay::run(listen, server).map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("sluice-benches: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Why the comparison could not go on. What concerns only one peer on one row is no such error: it stands in the report.
type Error = Box<dyn std::error::Error>;

#[allow(clippy::print_stdout, reason = "the report of a command belongs on standard output")]
fn say(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr, reason = "progress and the last words of a command belong on standard error")]
fn note(text: &str) {
    eprintln!("{text}");
}
