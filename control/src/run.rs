//! `sluice run`.

use crate::{check, failure::Failure, output};
use clap::Args;
use sluice_proxy::{ConfigSource, Logging, Options, Overrides, Proxy, RunningProxy, StartError};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, str::FromStr};

/// Run a proxy from a configuration file.
///
/// The file and the certificates that it names are watched: a good change takes effect within a moment and loses no
/// request, a bad one is reported and ignored. SIGHUP reads the file again and reopens log files. SIGTERM and Ctrl-C
/// drain: connections finish what they do, up to `runtime.drain_timeout`; a second one ends at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice run proxy.yaml
  sluice run proxy.yaml --validate
  sluice run proxy.yaml --admin 127.0.0.1:0 --listen web=127.0.0.1:9000
  sluice run proxy.yaml --log info,sluice_proxy::dns=debug

What listens where is said on standard error once the proxy accepts traffic.")]
pub(crate) struct Run {
    /// The configuration.
    file: PathBuf,
    /// Check the configuration, show what is wrong, and end (see `sluice check`).
    #[arg(long)]
    validate: bool,
    /// Where the admin endpoint listens, in place of `admin.address`.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Where the listener of this name listens, in place of its `address`. May be given several times.
    #[arg(long, value_name = "NAME=ADDRESS")]
    listen: Vec<Listen>,
    /// Data threads, in place of `runtime.shards`.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// The name server to ask for names of endpoints, in place of `dns.servers` or the system's.
    #[arg(long, value_name = "ADDRESS")]
    dns: Option<SocketAddr>,
    /// What the process says about itself on standard error: a level, or levels by part.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

/// `web=127.0.0.1:9000`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listen {
    name: String,
    address: SocketAddr,
}

// === impl Run ===

impl Run {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        if self.validate {
            return check::check_file(&self.file);
        }
        let mut options = Options::new(ConfigSource::File(self.file));
        options.overrides = Overrides {
            admin: self.admin,
            listeners: self.listen.into_iter().map(|listen| (listen.name, listen.address)).collect(),
            shards: self.shards,
            name_server: self.dns,
        };
        options.logging = Some(install_log(&self.log)?);
        let proxy = Proxy::start(options).map_err(|error| start_failure(&error))?;
        announce_admin(&proxy);
        announce_listeners(&proxy);
        Ok(ExitCode::from(proxy.wait().code()))
    }
}

/// Installs the log of the process; a wrong filter is a wrong command line.
pub(crate) fn install_log(filter: &str) -> Result<Logging, Failure> {
    Logging::install(filter).map_err(|error| Failure::usage(format!("--log {filter}: {error}")))
}

/// A proxy that did not start, as a failure of the command.
pub(crate) fn start_failure(error: &StartError) -> Failure {
    Failure::coded(error.exit_code(), error.to_string())
}

/// Says where admin is. Scripts rely on these lines and those of listeners: they are how ports that the system chose
/// become known.
pub(crate) fn announce_admin(proxy: &RunningProxy) {
    output::note(&format!("admin on {}", proxy.admin_address()));
    if let Some(address) = proxy.health_address() {
        output::note(&format!("health on {address}"));
    }
}

/// Says what listens where.
pub(crate) fn announce_listeners(proxy: &RunningProxy) {
    for (name, address) in proxy.listener_addresses() {
        output::note(&format!("listener {name} on {address}"));
    }
}

// === impl Listen ===

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, address) = text.split_once('=').ok_or("write NAME=ADDRESS, as in web=127.0.0.1:9000")?;
        let address = address.parse().map_err(|_| format!("`{address}` is not an address and port"))?;
        Ok(Self { name: name.to_owned(), address })
    }
}
