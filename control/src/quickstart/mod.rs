//! `sluice quickstart`: a gateway with something behind it, for the first ten minutes.

mod place;
mod servers;
mod tour;

use crate::{failure::Failure, manifests::Input, output, plane::Plane, told::OwnPod};
use clap::{Args, Parser};
use place::Place;
use servers::Servers;
use std::{
    net::{SocketAddr, TcpListener},
    process::ExitCode,
};

/// Serve a folder of Kubernetes manifests with three echo servers behind it, and show what to try.
///
/// In the repository it serves `configs/quickstart` itself; elsewhere it writes a copy to a temporary folder. Either way
/// the folder is watched: change a manifest, and the next request sees the change. Ctrl-C or SIGTERM ends it all and
/// removes the copy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice quickstart
  sluice quickstart --listen 127.0.0.1:9090 --admin 127.0.0.1:0")]
pub(crate) struct Quickstart {
    /// Where port 80 of the manifests is served; port 0 takes a free one. Port 443 gets a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the admin endpoint listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:15000")]
    admin: SocketAddr,
    /// Serve a copy in a temporary folder even inside the repository.
    #[arg(long)]
    copy: bool,
}

/// The listener of port 80.
const LISTENER: &str = "port-80";
/// The listener of port 443.
const SECURE: &str = "port-443";

/// What the quickstart is an example of: `sluice gateway`.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    plane: Plane,
}

impl Quickstart {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let place = if self.copy { Place::copy()? } else { Place::find()? };
        let command = self.command(&place);
        let line = Line::try_parse_from(&command)
            .map_err(|error| Failure::usage(format!("`sluice gateway` does not take it: {error}")))?;
        let settings = |cluster| OwnPod::default().settings(&line.plane.told, cluster);
        let Input::Manifests(manifests) = Input::read(Some(place.folder()), &line.plane.told, settings)?
        else {
            return Err(Failure::configuration(format!("{} is no folder", place.folder().display())));
        };
        let servers = Servers::start(&manifests.usable()?, &place)?;

        let settings = settings(line.plane.has_cluster())?;
        let started = line.plane.start(None, settings);
        let proxy = started.map_err(|failure| failure.with_advice(ADMIN_ADVICE))?.proxy;
        proxy.first_in_force();
        // A gateway goes on without a listener that it cannot have; a quickstart has nothing to show then.
        let Some(web) = proxy.listener_address(LISTENER) else {
            let why =
                TcpListener::bind(self.listen).err().map(|error| format!(": {error}")).unwrap_or_default();
            return Err(Failure::address(format!("cannot listen on {}{why}{LISTEN_ADVICE}", self.listen)));
        };
        let secure = proxy.listener_address(SECURE);
        output::print(&tour::text(web, secure, proxy.admin_address(), &place, &servers, &command))?;
        let exit = proxy.wait();
        output::note("bye");
        Ok(ExitCode::from(exit.code()))
    }

    /// What follows `sluice gateway`.
    fn command(&self, place: &Place) -> Vec<String> {
        let folder = place.folder().display();
        let (ip, port) = (self.listen.ip(), self.listen.port());
        vec![
            format!("--manifests={folder}"),
            format!("--bind={ip}"),
            format!("--port-map=80={port},443=0"),
            "--labels=istio=ingressgateway".to_owned(),
            format!("--admin={}", self.admin),
            "--access-log=text".to_owned(),
            "--log=warn".to_owned(),
        ]
    }
}

const LISTEN_ADVICE: &str = "; choose another with --listen 127.0.0.1:9090, or --listen 127.0.0.1:0 for any";
const ADMIN_ADVICE: &str = "; choose another with --admin 127.0.0.1:0";
