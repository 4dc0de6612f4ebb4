//! `sluice-proxy`: the data plane alone. The command `sluice` does the same and more.

use clap::{Args, Parser, Subcommand};
use sluice_proxy::{ConfigSource, Logging, Options, Proxy};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

/// The Sluice data plane.
#[derive(Debug, Parser)]
#[command(name = "sluice-proxy", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy that a file describes, and follow its changes.
    Run(Run),
}

#[derive(Debug, Args)]
struct Run {
    /// The configuration, YAML.
    file: PathBuf,
    /// Serve admin here, whatever the file says.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Use so many data threads, whatever the file says.
    #[arg(long, value_name = "COUNT")]
    shards: Option<u16>,
    /// What is logged, as in `info,sluice_proxy::dns=debug`.
    #[arg(long, value_name = "LEVELS", default_value = "info")]
    log: String,
}

fn main() -> ExitCode {
    let Cli { command: Command::Run(run) } = Cli::parse();
    let logging = match Logging::install(&run.log) {
        Ok(logging) => logging,
        Err(error) => return fail(&format!("--log: {error}"), 2),
    };
    let mut options = Options::new(ConfigSource::File(run.file));
    options.overrides.admin = run.admin;
    options.overrides.shards = run.shards;
    options.logging = Some(logging.clone());
    match Proxy::start(options) {
        Ok(proxy) => {
            for (listener, address) in proxy.listener_addresses() {
                tracing::info!(listener, %address, "listening");
            }
            tracing::info!(address = %proxy.admin_address(), "admin is ready");
            proxy.wait().code().into()
        }
        Err(error) => {
            logging.flush();
            fail(&error.to_string(), error.exit_code())
        }
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    #[allow(clippy::print_stderr, reason = "the last words of a command belong on standard error")]
    {
        eprintln!("sluice-proxy: {message}");
    }
    code.into()
}
