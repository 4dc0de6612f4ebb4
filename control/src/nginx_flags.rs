//! The flags of the ingress-nginx controller by their own names, so that Helm values carry over. The table of
//! `sluice-crds` says which there are; what becomes of each here is said below.

use crate::{
    api_server::Access,
    failure::Failure,
    status::{Address, Origin},
};
use clap::{Arg, ArgMatches, Command, FromArgMatches, builder::ValueParser, error::Error};
use sluice_crds::{
    Verdict,
    annotations::{Value, ValueKind},
    flags::{self, Flag},
};
use sluice_model::value::Duration;
use sluice_proxy::NginxMetrics;
use sluice_translate::{NamespacedName, Settings};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// The flags that were given.
#[derive(Debug, Clone, Default)]
pub(crate) struct NginxFlags(BTreeMap<&'static str, Value>);

const NO_CLUSTER: &str = "objects come from a folder, so there is no cluster to look at or to write to";
const NO_NEED: &str = "nothing needs it";
const NO_METRICS: &str = "without --enable-metrics /metrics has Sluice's own families only";
/// What `--enable-metrics` shows, and how.
const METRICS: [&str; 7] = [
    "exclude-socket-metrics",
    "length-buckets",
    "metrics-per-host",
    "metrics-per-undefined-host",
    "report-status-classes",
    "size-buckets",
    "time-buckets",
];

impl NginxFlags {
    /// What they say about the translation. `pod_namespace` is where names without a namespace are.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        let text = |name: &str| match self.0.get(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let is = |name: &str| self.is(name, false);
        let object = |name: &str| match self.0.get(name) {
            Some(Value::Object(namespace, name)) => Some(NamespacedName {
                namespace: namespace.clone().unwrap_or_else(|| settings.pod_namespace.clone()),
                name: name.clone(),
            }),
            _ => None,
        };
        let port = |name: &str, default: u16| match self.0.get(name) {
            Some(Value::Int(number)) => u16::try_from(*number).unwrap_or(default),
            _ => default,
        };
        settings.configmap = object("configmap");
        settings.default_backend = object("default-backend-service");
        // A list of addresses goes before it.
        settings.publish_service = object("publish-service").filter(
            |_| !matches!(self.0.get("publish-status-address"), Some(Value::List(list)) if !list.is_empty()),
        );
        settings.default_certificate = object("default-ssl-certificate");
        settings.http_port = port("http-port", settings.http_port);
        settings.https_port = port("https-port", settings.https_port);
        settings.external_names = !is("disable-svc-external-name");
        settings.metric_labels.rules = is("enable-metrics");
        settings.topology.hints = self.is("enable-topology-aware-routing", true);
        if let Some(path) = self.health_path() {
            settings.health_path = path;
        }
        if let Some(prefix) = text("annotations-prefix") {
            settings.annotations_prefix = prefix;
        }
        let classes = &mut settings.classes;
        if let Some(name) = text("ingress-class") {
            classes.annotation = name;
        }
        if let Some(controller) = text("controller-class") {
            // ingress-nginx's own name is known, and alone says to behave as it did.
            if !classes.compat_controllers.contains(&controller) {
                classes.spec_controllers.push(controller);
            }
        }
        classes.by_name = is("ingress-class-by-name");
        classes.without_class = is("watch-ingress-without-class");
        classes.disable_catch_all = is("disable-catch-all");
    }

    /// The only namespace whose objects count (`--watch-namespace`).
    pub(crate) fn namespace(&self) -> Option<String> {
        self.text("watch-namespace")
    }

    /// Labels of the namespaces whose objects count (`--watch-namespace-selector`).
    pub(crate) fn namespace_selector(&self) -> Option<String> {
        self.text("watch-namespace-selector")
    }

    /// How the API server is reached (`--kubeconfig`, `--apiserver-host`, `--certificate-authority`).
    pub(crate) fn access(&self, context: Option<String>) -> Access {
        Access {
            kubeconfig: self.text("kubeconfig").map(Into::into),
            context,
            server: self.text("apiserver-host"),
            authority: self.text("certificate-authority").map(Into::into),
        }
    }

    /// A text that is not empty; empty values of Helm mean nothing.
    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    /// Where the addresses for the status of Ingresses come from (`--publish-status-address`, `--publish-service`,
    /// `--report-node-internal-ip-address`); `pod_namespace` is where a service without a namespace is.
    pub(crate) fn address_origin(&self, pod_namespace: &str) -> Origin {
        match (self.0.get("publish-status-address"), self.0.get("publish-service")) {
            (Some(Value::List(addresses)), _) if !addresses.is_empty() => {
                Origin::Named(addresses.iter().map(|address| Address::new(address)).collect())
            }
            (_, Some(Value::Object(namespace, name))) => Origin::Service(NamespacedName {
                namespace: namespace.clone().unwrap_or_else(|| pod_namespace.to_owned()),
                name: name.clone(),
            }),
            _ => Origin::Nodes { internal: self.is("report-node-internal-ip-address", false) },
        }
    }

    /// Whether status is written to a cluster (`--update-status`).
    pub(crate) fn update_status(&self) -> bool {
        self.is("update-status", true)
    }

    /// Whether addresses are taken away at the end (`--update-status-on-shutdown`).
    pub(crate) fn update_status_on_shutdown(&self) -> bool {
        self.is("update-status-on-shutdown", true)
    }

    /// Between two looks for the addresses of nodes (`--status-update-interval`).
    pub(crate) fn status_update_interval(&self) -> std::time::Duration {
        match self.0.get("status-update-interval") {
            Some(Value::Int(seconds)) => {
                std::time::Duration::from_secs(u64::try_from(*seconds).unwrap_or(1).max(1))
            }
            _ => std::time::Duration::from_secs(60),
        }
    }

    /// The name of the Lease whose holder writes status (`--election-id`).
    pub(crate) fn election_id(&self) -> String {
        match self.0.get("election-id") {
            Some(Value::Text(name)) if !name.is_empty() => name.clone(),
            _ => "ingress-controller-leader".to_owned(),
        }
    }

    /// How long its holder may be silent (`--election-ttl`); `None` where nobody is elected
    /// (`--disable-leader-election`).
    pub(crate) fn election_ttl(&self) -> Option<std::time::Duration> {
        if self.is("disable-leader-election", false) {
            return None;
        }
        Some(match self.0.get("election-ttl") {
            Some(Value::Time(ttl)) => *ttl,
            _ => std::time::Duration::from_secs(30),
        })
    }

    fn is(&self, name: &str, default: bool) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(value)) => *value,
            _ => default,
        }
    }

    /// Where health and metrics can be read (`--healthz-port`, `--healthz-host`); `None` where neither was given.
    pub(crate) fn health(&self) -> Result<Option<SocketAddr>, Failure> {
        const USUAL: u16 = 10254;
        let host = self.text("healthz-host");
        let port = match self.0.get("healthz-port") {
            Some(Value::Int(port)) => Some(u16::try_from(*port).map_err(|_| {
                Failure::usage(format!("--healthz-port: `{port}` is not a port; write a number up to 65535"))
            })?),
            _ => None,
        };
        if host.is_none() && port.is_none() {
            return Ok(None);
        }
        let address = host.map_or(Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), |host| {
            host.parse().map_err(|_| {
                Failure::usage(format!(
                    "--healthz-host: `{host}` is not an address; write one, as in 127.0.0.1"
                ))
            })
        })?;
        Ok(Some(SocketAddr::new(address, port.unwrap_or(USUAL))))
    }

    /// Where there, and at the ports of Ingresses, it is said that the process is well (`--health-check-path`).
    pub(crate) fn health_path(&self) -> Option<String> {
        self.text("health-check-path")
    }

    /// How long `/ready` says no before listeners close (`--shutdown-grace-period`).
    pub(crate) fn drain_grace(&self) -> Duration {
        match self.0.get("shutdown-grace-period") {
            Some(Value::Int(seconds)) => Duration::from_secs(u64::try_from(*seconds).unwrap_or_default()),
            _ => Duration::ZERO,
        }
    }

    /// How `nginx_ingress_controller_*` are shown; `None` without `--enable-metrics`. `pod` is the gateway's own.
    pub(crate) fn metrics(&self, pod: NamespacedName) -> Result<Option<NginxMetrics>, Failure> {
        let is = |name: &str, default: bool| match self.0.get(name) {
            Some(Value::Bool(value)) => *value,
            _ => default,
        };
        if !is("enable-metrics", false) {
            return Ok(None);
        }
        let list = |name: &str| match self.0.get(name) {
            Some(Value::List(words)) => words.clone(),
            _ => Vec::new(),
        };
        let buckets = |name: &str, default: Vec<f64>| {
            let number = |word: &String| {
                word.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0).ok_or_else(
                    || {
                        Failure::usage(format!(
                            "--{name}: `{word}` is not a number; write numbers with commas between them"
                        ))
                    },
                )
            };
            let written = list(name).iter().map(number).collect::<Result<Vec<_>, _>>()?;
            Ok(if written.is_empty() { default } else { written })
        };
        let default = NginxMetrics::default();
        Ok(Some(NginxMetrics {
            controller_class: match self.0.get("controller-class") {
                Some(Value::Text(class)) => class.clone(),
                _ => default.controller_class,
            },
            controller_namespace: pod.namespace,
            controller_pod: pod.name,
            per_host: is("metrics-per-host", true),
            undefined_hosts: is("metrics-per-undefined-host", false),
            status_classes: is("report-status-classes", false),
            excluded: list("exclude-socket-metrics").into_iter().collect(),
            time_buckets: buckets("time-buckets", default.time_buckets)?,
            length_buckets: buckets("length-buckets", default.length_buckets)?,
            size_buckets: buckets("size-buckets", default.size_buckets)?,
        }))
    }

    /// Why a flag that works elsewhere changes nothing here; `None` where it does.
    fn not_here(&self, name: &str, cluster: bool) -> Option<&'static str> {
        let metrics = self.0.get("enable-metrics") == Some(&Value::Bool(true));
        if METRICS.contains(&name) { (!metrics).then_some(NO_METRICS) } else { not_here(name, cluster) }
    }

    /// A line for each flag that was given and changes nothing, where objects come from a cluster or from a folder.
    pub(crate) fn without_effect(&self, cluster: bool) -> impl Iterator<Item = String> + '_ {
        self.0.keys().filter_map(move |name| {
            let row = flags::look_up(name).ok()?;
            let why = match row.verdict {
                Verdict::InEffect => format!("no effect: {}", self.not_here(name, cluster)?),
                verdict => verdict.to_string(),
            };
            Some(format!("--{name}: {why}"))
        })
    }
}

/// The same for flags that do not depend on each other.
fn not_here(name: &str, cluster: bool) -> Option<&'static str> {
    match name {
        "annotations-prefix"
        | "configmap"
        | "controller-class"
        | "default-backend-service"
        | "default-ssl-certificate"
        | "disable-catch-all"
        | "disable-svc-external-name"
        | "enable-metrics"
        | "enable-topology-aware-routing"
        | "health-check-path"
        | "healthz-host"
        | "healthz-port"
        | "http-port"
        | "https-port"
        | "ingress-class"
        | "ingress-class-by-name"
        | "publish-service"
        | "publish-status-address"
        | "shutdown-grace-period"
        | "watch-ingress-without-class"
        | "watch-namespace" => None,
        "apiserver-host"
        | "certificate-authority"
        | "disable-leader-election"
        | "election-id"
        | "election-ttl"
        | "kubeconfig"
        | "report-node-internal-ip-address"
        | "status-update-interval"
        | "update-status"
        | "update-status-on-shutdown"
        | "watch-namespace-selector"
            if cluster =>
        {
            None
        }
        "watch-namespace-selector" => Some("only --watch-namespace narrows a folder"),
        _ if cluster => Some(NO_NEED),
        _ => Some(NO_CLUSTER),
    }
}

fn argument(row: &'static Flag) -> Arg {
    let argument = Arg::new(row.name)
        .long(row.name)
        .help_heading("Flags of the ingress-nginx controller")
        .hide_short_help(true)
        .help(match row.default {
            Some(default) => format!("{} [there: {default}]", row.verdict),
            None => row.verdict.to_string(),
        })
        .value_parser(ValueParser::new(move |text: &str| {
            row.value.parse(text).map_err(|error| error.to_string())
        }));
    if row.value == ValueKind::Bool {
        argument.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
    } else {
        argument.allow_hyphen_values(true).value_name("VALUE")
    }
}

impl clap::Args for NginxFlags {
    fn augment_args(command: Command) -> Command {
        command.args(flags::all().iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for NginxFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = flags::all()
            .iter()
            .filter_map(|row| Some((row.name, matches.get_one::<Value>(row.name)?.clone())));
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args;

    #[test]
    fn a_controller_class_of_its_own_is_one_of_spec_and_that_of_ingress_nginx_one_of_compat() {
        let classes = |name: &str| {
            let command = NginxFlags::augment_args(Command::new("sluice"));
            let matches =
                command.try_get_matches_from(["sluice", &format!("--controller-class={name}")]).unwrap();
            let mut settings = Settings::default();
            NginxFlags::from_arg_matches(&matches).unwrap().apply(&mut settings);
            (settings.classes.compat_controllers, settings.classes.spec_controllers)
        };
        let usual = Settings::default().classes;
        assert_eq!(
            classes("k8s.io/ingress-nginx"),
            (usual.compat_controllers.clone(), usual.spec_controllers.clone())
        );
        let (compat, spec) = classes("example.com/edge");
        assert_eq!(compat, usual.compat_controllers);
        assert_eq!(spec, ["sluice.dev/ingress", "example.com/edge"]);
    }
}
