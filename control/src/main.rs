//! The `sluice` command.
//!
//! Each subcommand is a file of its own: its arguments, its help, and what it does. They end in an exit code or in a
//! [`failure::Failure`], which carries one.

mod admin_client;
mod api_server;
mod audit;
mod check;
mod completions;
mod contenders;
mod crds;
mod default_certificate;
mod echo;
mod explain;
mod failure;
mod file;
mod gateway;
mod manifests;
mod nginx_flags;
mod output;
mod plane;
mod quickstart;
mod run;
mod schema;
mod sidecar;
mod source;
mod status;
mod told;
mod translate;

use clap::{CommandFactory, Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nlicence:   Apache-2.0",
    "\nprotocols: HTTP/1.0, HTTP/1.1, HTTP/2, gRPC, WebSocket; TLS 1.2 and 1.3 by rustls with aws-lc-rs",
);

const AFTER_HELP: &str = "\
Exit codes:
  0    it worked; a proxy ended after a complete drain
  1    the configuration is wrong or cannot be read
  2    the command line is wrong
  3    an address cannot be listened on; most often it is taken
  4    the system refused something else (threads, files, signals)
  5    the drain deadline came and connections were cut
  128+n  signal n ended a drain at once

Start with `sluice quickstart`.";

/// A programmable HTTP proxy: strict, fast, reloaded without losing a request.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, long_version = LONG_VERSION, after_help = AFTER_HELP, max_term_width = 110)]
#[command(propagate_version = false, arg_required_else_help = true, subcommand_required = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Gateway(Box<gateway::Gateway>),
    Sidecar(Box<sidecar::Sidecar>),
    Check(Box<check::Check>),
    Explain(Box<explain::Explain>),
    Translate(Box<translate::Translate>),
    Audit(Box<audit::Audit>),
    Crds(crds::Crds),
    Schema(schema::Schema),
    Echo(echo::Echo),
    Quickstart(quickstart::Quickstart),
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    // Clap prints its own errors and ends with code 2.
    let result = match Cli::parse().command {
        Command::Run(run) => run.execute(),
        Command::Gateway(gateway) => gateway.execute(),
        Command::Sidecar(sidecar) => sidecar.execute(),
        Command::Check(check) => check.execute(),
        Command::Explain(explain) => explain.execute(),
        Command::Translate(translate) => translate.execute(),
        Command::Audit(audit) => audit.execute(),
        Command::Crds(crds) => crds.execute(),
        Command::Schema(schema) => schema.execute(),
        Command::Echo(echo) => echo.execute(),
        Command::Quickstart(quickstart) => quickstart.execute(),
        Command::Completions(completions) => completions.execute(Cli::command()),
    };
    result.unwrap_or_else(Failure::report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
