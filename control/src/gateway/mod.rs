//! `sluice gateway`: objects, translation and proxy in one process.
//!
//! ```text
//! folder ─▶ follow (a thread of its own) ─▶ feed ─▶ proxy
//!              └─▶ situation ─▶ admin: /status, metrics
//! ```

mod admin;
mod default_certificate;
mod follow;
mod situation;

use crate::{
    failure::Failure,
    output,
    run::{announce, install_log, start_failure},
    source::Folder,
    told::Told,
};
use admin::Pages;
use clap::{Args, ValueEnum};
use follow::{Follower, Frame};
use situation::Shared;
use sluice_model::spec::{AccessLog, AccessLogFormat, AccessLogTarget, Runtime};
use sluice_proxy::{ConfigSource, Options, Overrides, Proxy, feed};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

/// What a text line of the access log has: the same that Envoy users know, and the object behind the route.
const TEXT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% \
    %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \"%REQ(:AUTHORITY)%\" \"%OBJECT_NAME%\" \"%ROUTE_NAME%\" %UPSTREAM_CLUSTER% %UPSTREAM_HOST%";

/// Serve Kubernetes objects: an ingress gateway for Ingress, Gateway and VirtualService.
///
/// With `--manifests` the objects come from a folder: every .yaml, .yml and .json below it, several documents a file. The
/// folder is watched: a change takes effect within a moment and loses no request. A file that is broken is reported and
/// keeps the objects that it had; an object that cannot be served is reported, and its neighbours are served. SIGTERM
/// and Ctrl-C drain, a second one ends at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice gateway --manifests configs/canary --bind 127.0.0.1 --port-map 80=8080,443=8443
  sluice gateway --manifests shop/ --labels istio=ingressgateway --access-log text

The flags of the ingress-nginx controller are taken by their own names (see --help). GET /status on the admin port says
what became of each object, `sluice check DIR` says the same beforehand.")]
pub(crate) struct Gateway {
    /// The folder of manifests.
    #[arg(long, value_name = "DIR")]
    manifests: Option<PathBuf>,
    /// Where the admin endpoint listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:15000")]
    admin: SocketAddr,
    /// A line for each request on standard output: in JSON, as a text, or none.
    #[arg(long, value_name = "FORM", default_value = "json")]
    access_log: LogForm,
    /// Data threads; without it, one for each CPU.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// What the process says about itself on standard error: a level, or levels by part.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// The name of the gateway's pod. Where the manifests have it, its labels and node count.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pod_name: Option<String>,
    #[command(flatten)]
    told: Told,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogForm {
    Json,
    Text,
    Off,
}

impl Gateway {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let Some(root) = self.manifests else {
            return Err(Failure::usage(
                "name a folder of manifests with --manifests DIR; objects of a cluster (--kubeconfig, or the cluster \
                 that this process runs in) cannot be read yet",
            ));
        };
        let logging = install_log(&self.log)?;
        let mut settings = self.told.settings();
        settings.fallback_certificate = Some(default_certificate::self_signed()?);
        let nginx = &self.told.nginx;
        let frame = Frame {
            runtime: Runtime { drain_grace: nginx.drain_grace(), ..Runtime::default() },
            access_log: self.access_log.written(),
        };
        let shared = Arc::new(Shared::new(nginx.status_addresses()));
        let mut folder = Folder::new(root.clone(), nginx.namespace());
        let scan = folder.scan().map_err(|error| {
            Failure::configuration(format!("cannot read the manifests in {}: {error}", root.display()))
        })?;
        if let Some(pod) = &self.pod_name {
            follow::adopt_pod(&mut settings, &scan, pod);
        }
        let (follower, first) = Follower::new(folder, scan, settings, frame, shared.clone());
        let (feeder, feed) = feed("manifests", first);

        let mut options = Options::new(ConfigSource::Feed(feed));
        options.overrides =
            Overrides { admin: Some(self.admin), shards: self.shards, ..Overrides::default() };
        options.logging = Some(logging);
        options.extension = Some(Arc::new(Pages(shared)));
        let proxy = Proxy::start(options).map_err(|error| start_failure(&error))?;
        follower
            .start(feeder)
            .map_err(|error| Failure::system(format!("cannot watch {}: {error}", root.display())))?;
        announce(&proxy);
        output::note(&format!("manifests in {}", root.display()));
        Ok(ExitCode::from(proxy.wait().code()))
    }
}

impl LogForm {
    fn written(self) -> Option<AccessLog> {
        let format = match self {
            Self::Json => AccessLogFormat::Json,
            Self::Text => AccessLogFormat::Text(TEXT.to_owned()),
            Self::Off => return None,
        };
        Some(AccessLog { target: AccessLogTarget::Stdout, format })
    }
}
