//! What a translation is told on the command line, besides the objects.

use crate::{
    default_certificate, failure::Failure, nginx_flags::NginxFlags, output, source::cluster::Options,
};
use clap::{Args, ValueEnum};
use sluice_model::spec::WorkloadLabels;
use sluice_proxy::{Dialects, IstioMetrics};
use sluice_translate::{AnchorReader, CertificateReader, NamespacedName, Role, Settings, SidecarOf};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

/// Shared by every command that translates Kubernetes objects, so that they all come to the same.
#[derive(Debug, Args)]
pub(crate) struct Told {
    /// The address that listeners listen on.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    bind: IpAddr,
    /// Local ports for the ports that objects name; others are bound as they are. Port 0 takes a free one.
    #[arg(long, value_name = "PORT=LOCAL,...", value_delimiter = ',', value_parser = parse_ports)]
    port_map: Vec<(u16, u16)>,
    /// Labels of the pod: Istio Gateways select a gateway by them, Sidecars and rules a pod. Without it, those of its object.
    #[arg(long, value_name = "KEY=VALUE,...", value_delimiter = ',', value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Serve what asks for a protection that is not in effect, unprotected.
    #[arg(long)]
    allow_unprotected: bool,
    /// Let all canaries of a path act, their weights summed, in place of the oldest alone.
    #[arg(long)]
    all_canaries: bool,
    /// The namespace of the gateway's pod, where the secrets of Istio Gateways are looked up.
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE", default_value = "default")]
    pod_namespace: String,
    /// Show `istio_requests_total` and its family in /metrics, for dashboards and analyses made for Istio.
    #[arg(long)]
    istio_metrics: bool,
    /// The context of the kubeconfig, in place of its current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// How long a watch of the API server lives, in seconds, before it is opened again; a server that is silent for longer is
    /// taken for gone.
    #[arg(long, value_name = "SECONDS", default_value = "120", hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=86_400))]
    watch_lifetime: u32,
    #[command(flatten)]
    pub(crate) nginx: NginxFlags,
}

/// The pod that a gateway runs in.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OwnPod {
    /// The name of the gateway's pod. Where the source has it, its labels and node count.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pod_name: Option<String>,
}

impl OwnPod {
    /// [`Told::settings`] for a gateway.
    pub(crate) fn settings(&self, told: &Told, cluster: bool) -> Result<Settings, Failure> {
        Ok(Settings { pod: self.pod_name.clone(), ..told.settings(cluster)? })
    }
}

/// Everything that says how objects are served, for commands that say what would become of them: as by a gateway or, beside
/// a pod, by its sidecar.
#[derive(Debug, Args)]
pub(crate) struct Served {
    #[command(flatten)]
    own: OwnPod,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    pub(crate) told: Told,
}

impl Served {
    pub(crate) fn settings(&self, cluster: bool) -> Result<Settings, Failure> {
        if self.beside.pod.is_some() {
            self.beside.settings(&self.told, cluster)
        } else {
            self.own.settings(&self.told, cluster)
        }
    }
}

/// The pod that a sidecar is beside.
#[derive(Debug, Default, Args)]
pub(crate) struct Beside {
    /// The pod that asks for services: what it sees is served.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = parse_pod)]
    pub(crate) pod: Option<NamespacedName>,
    /// How connections say where they were on their way to. With a PROXY header, which every connection has to begin with
    /// then, requests for unknown hosts can be let through. Whoever can connect is believed: bind to loopback.
    #[arg(long, value_name = "HOW", requires = "pod")]
    original_dst: Option<OriginalDst>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OriginalDst {
    /// The header of the PROXY protocol, version 1 or 2.
    ProxyProtocol,
}

impl Beside {
    /// [`Told::settings`] for the sidecar of the pod.
    pub(crate) fn settings(&self, told: &Told, cluster: bool) -> Result<Settings, Failure> {
        let mut settings = told.settings(cluster)?;
        if let Some(pod) = &self.pod {
            settings.pod_namespace.clone_from(&pod.namespace);
            settings.pod = Some(pod.name.clone());
            settings.role = Role::Sidecar(SidecarOf { original_destination: self.original_dst.is_some() });
        }
        Ok(settings)
    }
}

impl Told {
    /// What is read of a cluster.
    pub(crate) fn cluster(&self, pod: Option<NamespacedName>) -> Options {
        Options {
            access: self.nginx.access(self.context.clone()),
            namespace: self.nginx.namespace(),
            selector: self.nginx.namespace_selector(),
            pod,
            lifetime: Duration::from_secs(self.watch_lifetime.into()),
        }
    }

    /// As the translation takes it, of the objects of a cluster or of a folder. Says on standard error what was given and
    /// changes nothing. Hosts that have no certificate get one that is made here, another one each time.
    fn settings(&self, cluster: bool) -> Result<Settings, Failure> {
        for line in self.nginx.without_effect(cluster) {
            output::note(&line);
        }
        if self.allow_unprotected {
            output::note(
                "--allow-unprotected: what asks for a protection that is not in effect is served WITHOUT it",
            );
        }
        let mut settings = Settings {
            bind: self.bind,
            port_map: self.port_map.iter().copied().collect(),
            labels: self.labels.iter().cloned().collect::<BTreeMap<_, _>>(),
            pod_namespace: self.pod_namespace.clone(),
            whole_pods: !cluster,
            all_canaries: self.all_canaries,
            allow_unprotected: self.allow_unprotected,
            certificates: CertificateReader(|certificate, key| {
                sluice_tls::certificate_names(certificate, key).map_err(|error| error.to_string())
            }),
            fallback_certificate: Some(default_certificate::self_signed()?),
            anchors: AnchorReader(|pem| sluice_tls::check_anchors(pem).map_err(|error| error.to_string())),
            ..Settings::default()
        };
        settings.metric_labels.workloads = self.istio_metrics;
        self.nginx.apply(&mut settings);
        Ok(settings)
    }

    /// The families of metrics besides our own. `pod` is the name of the proxy's own pod, where that is known; its labels
    /// are those of the settings.
    pub(crate) fn dialects(&self, settings: &Settings, pod: Option<&str>) -> Result<Dialects, Failure> {
        let (namespace, pod) = (settings.pod_namespace.clone(), pod.unwrap_or_default());
        let nginx =
            self.nginx.metrics(NamespacedName { namespace: namespace.clone(), name: pod.to_owned() })?;
        let label = |name: &str| settings.labels.get(name).cloned().unwrap_or_default();
        let first = |names: &[&str]| {
            names.iter().map(|name| label(name)).find(|value| !value.is_empty()).unwrap_or_default()
        };
        // Which Deployment the pod is of, only its object says; its label `app` mostly has the same name.
        let name = if label("app").is_empty() { pod.to_owned() } else { label("app") };
        let source = WorkloadLabels {
            namespace,
            app: label("app"),
            version: label("version"),
            canonical_service: first(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]),
            canonical_revision: first(&[
                "service.istio.io/canonical-revision",
                "app.kubernetes.io/version",
                "version",
            ]),
            name,
        };
        let istio = self.istio_metrics.then(|| IstioMetrics::new(source, "Kubernetes".to_owned()));
        Ok(Dialects { nginx: nginx.map(Arc::new), istio: istio.map(Arc::new) })
    }
}

fn parse_ports(text: &str) -> Result<(u16, u16), String> {
    let (port, local) = text.split_once('=').ok_or("write PORT=LOCAL, as in 80=8080")?;
    let number = |text: &str| text.trim().parse().map_err(|_| format!("`{text}` is not a port"));
    match (number(port)?, number(local)?) {
        (0, _) => Err("no object can name port 0".to_owned()),
        ports => Ok(ports),
    }
}

fn parse_pod(text: &str) -> Result<NamespacedName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(NamespacedName { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("write NAMESPACE/NAME, as in shop/web-7d4b9".to_owned()),
    }
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, as in istio=ingressgateway")?;
    if key.is_empty() {
        Err("a label needs a key".to_owned())
    } else {
        Ok((key.to_owned(), value.to_owned()))
    }
}
