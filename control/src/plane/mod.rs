//! A control plane and its proxy in one process: what `sluice gateway` and every other command that serves objects share.
//!
//! ```text
//! source ─▶ follow (a thread of its own): translate ─▶ feed ─▶ proxy
//!                                           └─▶ situation ─▶ admin: /status, metrics
//! ```
//!
//! The proxy is started first, without any listener, so that admin answers while the source is still read; `GET /ready`
//! says yes when the first full state is served.

mod follow;
mod nginx_numbers;
mod objects;
mod pages;
mod situation;
mod translation;
mod trouble;

use crate::{
    failure::Failure,
    output,
    run::{announce_admin, announce_listeners, install_log, start_failure},
    source::{
        Source,
        cluster::Cluster,
        folder::{Folder, Followed},
    },
    status::StatusThread,
    told::Told,
};
use clap::{Args, ValueEnum};
use follow::Follower;
use pages::Pages;
pub(crate) use situation::Shared;
use sluice_model::spec::{AccessLog, AccessLogFormat, AccessLogTarget, Config, Runtime};
use sluice_proxy::{ConfigSource, Exit, Options, Overrides, Proxy, RunningProxy, feed};
use sluice_translate::{NamespacedName, Role, Settings};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

/// What a text line of the access log has: the same that Envoy users know, and the object behind the route.
const TEXT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% \
    %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \"%REQ(:AUTHORITY)%\" \"%OBJECT_NAME%\" \"%ROUTE_NAME%\" %UPSTREAM_CLUSTER% %UPSTREAM_HOST%";

/// How such a process is started.
#[derive(Debug, Args)]
pub(crate) struct Plane {
    /// The folder of manifests; without it, the objects are those of a Kubernetes API server: the one that --kubeconfig names,
    /// or that of the pod of this process.
    #[arg(long, value_name = "DIR")]
    manifests: Option<PathBuf>,
    /// Where the admin endpoint listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:15000")]
    admin: SocketAddr,
    /// Where /ready, /healthz and /metrics can be read by kubelets and Prometheus, as in 0.0.0.0:15021; admin, which can
    /// do more, stays on loopback.
    #[arg(long, value_name = "ADDRESS")]
    health: Option<SocketAddr>,
    /// A line for each request on standard output: in JSON, as a text, or none.
    #[arg(long, value_name = "FORM", default_value = "json")]
    access_log: LogForm,
    /// Data threads; without it, one for each CPU.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// The name server to ask for names of endpoints, in place of the system's.
    #[arg(long, value_name = "ADDRESS")]
    dns: Option<SocketAddr>,
    /// What the process says about itself on standard error: a level, or levels by part.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    #[command(flatten)]
    pub(crate) told: Told,
}

/// Such a process, started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) proxy: RunningProxy,
    /// Where the objects come from, in words.
    pub(crate) place: String,
    /// Who writes to the cluster, where there is one.
    status: Option<StatusThread>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogForm {
    Json,
    Text,
    Off,
}

impl Plane {
    /// Whether the objects are those of a cluster.
    pub(crate) fn has_cluster(&self) -> bool {
        self.manifests.is_none()
    }

    /// Runs until the proxy ends; see [`Plane::start`].
    pub(crate) fn run(self, pod: Option<NamespacedName>, settings: Settings) -> Result<ExitCode, Failure> {
        let Started { proxy, place, status } = self.start(pod, settings)?;
        announce_admin(&proxy);
        output::note(&place);
        proxy.first_in_force();
        announce_listeners(&proxy);
        let exit = proxy.wait();
        // A second signal means now.
        if let Some(status) = status.filter(|_| !matches!(exit, Exit::Signal(_))) {
            status.end();
        }
        Ok(ExitCode::from(exit.code()))
    }

    /// Starts it, and returns at once with where the objects come from, in words: listeners come when the first state is
    /// in force. `pod` is the pod that this process is, or stands for; what the source knows about it counts where the
    /// command line is silent. `settings` are [`Told::settings`] with what the role adds.
    pub(crate) fn start(self, pod: Option<NamespacedName>, settings: Settings) -> Result<Started, Failure> {
        let dialects = self.told.dialects(&settings, pod.as_ref().map(|pod| pod.name.as_str()))?;
        // What a source finds out while it begins is said once.
        let logging = install_log(&self.log)?;
        let source = self.source(pod.clone())?;
        let nginx = &self.told.nginx;
        let frame = Config {
            runtime: Runtime { drain_grace: nginx.drain_grace(), ..Runtime::default() },
            access_log: self.access_log.written(),
            ..Config::default()
        };
        let watches = match &source {
            Source::Folder(_) => None,
            Source::Cluster(cluster) => Some(cluster.stats()),
        };
        let addresses = nginx.address_origin(&settings.pod_namespace);
        let shared = Arc::new(Shared::new(
            addresses,
            settings.annotations_prefix.clone(),
            watches,
            dialects.nginx.is_some(),
        ));
        let place = source.to_string();
        let (feeder, feed) = feed("objects", frame.clone());

        let mut options = Options::new(ConfigSource::Feed(feed));
        options.overrides = Overrides {
            admin: Some(self.admin),
            shards: self.shards,
            name_server: self.dns,
            ..Overrides::default()
        };
        let of_nginx = self.told.nginx.health()?;
        if let (Some(address), Some(_)) = (self.health, of_nginx) {
            output::note(&format!("--healthz-port and --healthz-host: no effect: --health says {address}"));
        }
        options.health = self.health.or(of_nginx);
        options.health_path = self.told.nginx.health_path().map(Into::into);
        options.logging = Some(logging);
        let istio = dialects.istio.clone();
        options.dialects = dialects;
        options.extension = Some(Arc::new(Pages(shared.clone())));
        let proxy = Proxy::start(options).map_err(|error| start_failure(&error))?;
        // What serves one pod writes nothing: gateways do.
        let writes = self.has_cluster() && settings.role == Role::Gateway;
        let namespace = settings.pod_namespace.clone();
        Follower::new(source, settings, frame, shared.clone())
            .naming(pod.clone(), istio)
            .start(feeder)
            .map_err(|error| Failure::system(format!("cannot follow {place}: {error}")))?;
        let access = self.told.cluster(None).access;
        let status = writes
            .then(|| StatusThread::start(access, shared, &self.told.nginx, pod, &namespace))
            .transpose()
            .map_err(|error| Failure::system(format!("cannot start the status writer: {error}")))?;
        Ok(Started { proxy, place, status })
    }

    fn source(&self, pod: Option<NamespacedName>) -> Result<Source, Failure> {
        let options = self.told.cluster(pod.clone());
        let Some(root) = &self.manifests else {
            return Cluster::start(options).map(Source::Cluster).map_err(|error| {
                Failure::usage(format!(
                    "{error}; name a kubeconfig with --kubeconfig FILE, or a folder with --manifests DIR"
                ))
            });
        };
        if options.access.is_named() {
            return Err(Failure::usage(
                "objects come from a folder (--manifests) or from a cluster (--kubeconfig, --context, --apiserver-host), not from \
                 both; leave one of them out",
            ));
        }
        let folder = Folder::new(root.clone(), self.told.nginx.namespace());
        let folder = Followed::open(folder).map_err(|error| {
            Failure::configuration(format!("cannot read the manifests in {}: {error}", root.display()))
        })?;
        Ok(Source::Folder(Box::new(folder)))
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
