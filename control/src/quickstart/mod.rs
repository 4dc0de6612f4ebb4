//! `sluice quickstart`: a proxy with something behind it, for the first ten minutes.

mod place;
mod servers;
mod tour;

use crate::{
    check,
    failure::Failure,
    file::{self, Folder},
    output, run,
};
use clap::Args;
use place::Place;
use servers::Servers;
use sluice_model::{Config, Source};
use sluice_proxy::{ConfigSource, Options, Overrides, Proxy, StartError};
use std::{collections::BTreeMap, net::SocketAddr, process::ExitCode};

/// The configuration that the binary carries.
const EMBEDDED: &str = include_str!("../../../configs/quickstart.yaml");

/// Start a proxy with three echo servers behind it, and show what to try.
///
/// In the repository it runs `configs/quickstart.yaml` itself; elsewhere it writes a copy to a temporary folder. Either
/// way the file is watched: change it, and the next request sees the change. Ctrl-C or SIGTERM ends it all and removes
/// the copy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice quickstart
  sluice quickstart --listen 127.0.0.1:9090 --admin 127.0.0.1:0")]
pub(crate) struct Quickstart {
    /// Where the proxy listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the admin endpoint listens, in place of 127.0.0.1:15000; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Run a copy in a temporary folder even inside the repository.
    #[arg(long)]
    copy: bool,
}

/// The listener that `--listen` moves.
const LISTENER: &str = "web";

impl Quickstart {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let logging = run::install_log("warn")?;
        let place = if self.copy { Place::copy()? } else { Place::find()? };
        let servers = Servers::start(&load(&place)?, &place)?;

        let mut options = Options::new(ConfigSource::File(place.file().to_path_buf()));
        options.overrides = Overrides {
            admin: self.admin,
            listeners: BTreeMap::from([(LISTENER.to_owned(), self.listen)]),
            shards: None,
        };
        options.logging = Some(logging);
        let proxy = Proxy::start(options).map_err(|error| with_advice(&error))?;

        let web = proxy.listener_address(LISTENER).unwrap_or(self.listen);
        output::print(&tour::text(web, proxy.admin_address(), &place, &servers))?;
        let exit = proxy.wait();
        output::note("bye");
        Ok(ExitCode::from(exit.code()))
    }
}

fn load(place: &Place) -> Result<Config, Failure> {
    let source: Source = file::read(place.file())?;
    match sluice_model::load(&source, &Folder::of(place.file())) {
        Ok(loaded) => Ok(loaded.config),
        Err(found) => {
            check::show(&source, &found, false)?;
            Err(Failure::configuration(format!("{} is not usable", source.name)))
        }
    }
}

fn with_advice(error: &StartError) -> Failure {
    let advice = match error {
        StartError::Listener { .. } => {
            "; choose another with --listen 127.0.0.1:9090, or --listen 127.0.0.1:0 for any"
        }
        StartError::Admin { .. } => "; choose another with --admin 127.0.0.1:0",
        _ => "",
    };
    run::start_failure(error).with_advice(advice)
}
