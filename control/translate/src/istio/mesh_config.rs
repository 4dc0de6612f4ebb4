//! MeshConfig: what holds where Istio's objects say nothing themselves.
//!
//! It becomes settings. A field that is not there, or whose value makes no sense, leaves the setting as it is.

use super::{notes::Notes, retry};
use crate::{
    reads::View,
    report::{Level, Reason, Report},
    settings::{IstioIngresses, MeshDefaults, Role, Settings},
    store::{Held, Of},
};
use sluice_crds::{
    core::{ConfigMap, Pod},
    istio::{H2UpgradePolicy, HttpRetry, IngressControllerMode, MeshConfig, NormalizationType, mesh_config},
};
use sluice_model::{spec::NormalizePath, value::Duration};

/// The ConfigMap, and the key that holds the text.
const NAMESPACE: &str = "istio-system";
const NAME: &str = "istio";
const KEY: &str = "mesh";

/// The class of Ingresses that are Istio's, and the label `istio` of the gateway that serves them, where nobody says it.
const INGRESS_CLASS: &str = "istio";
const INGRESS_SELECTOR: &str = "ingressgateway";

/// Puts what MeshConfig says into the settings.
pub(crate) fn shape(view: &View<'_>, settings: &mut Settings) {
    let told = written(view);
    let config = told.map(|(_, text)| mesh_config::read(text).config).unwrap_or_default();
    settings.classes.istio = ingresses(&config, settings);
    let of_pod = proxy_config(view, settings).map(|(_, text)| mesh_config::read_proxy(text).config);
    let topology = of_pod.and_then(|own| own.gateway_topology);
    let topology = topology.or(config.default_config.and_then(|proxy| proxy.gateway_topology));
    settings.mesh.trusted_proxies = topology.map_or(0, |topology| topology.num_trusted_proxies);
    let Some((map, _)) = told else { return };
    if !config.root_namespace.is_empty() {
        settings.root_namespace = config.root_namespace;
    }
    let millis = config.connect_timeout.map(|timeout| timeout.get().as_millis() as u64);
    let normalization = config.path_normalization.map(|path| path.normalization);
    settings.mesh = MeshDefaults {
        services_export_to: config.default_service_export_to,
        virtual_services_export_to: config.default_virtual_service_export_to,
        destination_rules_export_to: config.default_destination_rule_export_to,
        retries: config.default_http_retry_policy.filter(|policy| wrong(map.held(), policy).is_empty()),
        connect_timeout: millis.filter(|millis| *millis > 0).map(Duration::from_millis),
        http2_upgrade: config.h2_upgrade_policy == H2UpgradePolicy::Upgrade,
        trusted_proxies: settings.mesh.trusted_proxies,
        outbound: config.outbound_traffic_policy.and_then(|policy| policy.mode),
        normalize_path: normalization.map(|kind| match kind {
            NormalizationType::Default | NormalizationType::Base => NormalizePath::Base,
            NormalizationType::None => NormalizePath::None,
            NormalizationType::MergeSlashes => NormalizePath::MergeSlashes,
            NormalizationType::DecodeAndMergeSlashes => NormalizePath::DecodeAndMergeSlashes,
        }),
    };
}

/// What is to be said about it.
pub(crate) fn report(view: &View<'_>, settings: &Settings) -> Vec<Report> {
    let mut reports = Vec::new();
    if let Some((map, text)) = written(view) {
        let read = mesh_config::read(text);
        reports = said(map.held(), &format!("data.{KEY}"), &read);
        let retries = read.config.default_http_retry_policy.iter();
        reports.extend(retries.flat_map(|policy| wrong(map.held(), policy)));
    }
    if let Some((pod, text)) = proxy_config(view, settings) {
        let at = format!("metadata.annotations[{}]", mesh_config::PROXY_CONFIG);
        reports.extend(said(pod.held(), &at, &mesh_config::read_proxy(text)));
    }
    reports
}

/// The Ingresses that are Istio's, for the gateway that is to serve them.
fn ingresses(config: &MeshConfig, settings: &Settings) -> Option<IstioIngresses> {
    let or = |written: &str, usual: &str| if written.is_empty() { usual } else { written }.to_owned();
    let selected = or(&config.ingress_selector, INGRESS_SELECTOR);
    let serves = settings.role == Role::Gateway && settings.labels.get("istio") == Some(&selected);
    let mode = config.ingress_controller_mode;
    (serves && mode != IngressControllerMode::Off).then(|| IstioIngresses {
        class: or(&config.ingress_class, INGRESS_CLASS),
        without_class: mode == IngressControllerMode::Default,
    })
}

fn said<T>(held: &Held, at: &str, read: &mesh_config::Read<T>) -> Vec<Report> {
    let judged = read.judged.iter().filter_map(|(field, verdict)| {
        Some(Report::of_verdict(held, *verdict, "", false)?.at(format!("{at}.{field}")))
    });
    let problems = read.problems.iter().map(|problem| {
        let message = format!("{}; it is ignored", problem.message);
        Report::new(held, Level::Warning, Reason::Invalid, message).at(at)
    });
    judged.chain(problems).collect()
}

/// What the pod of a gateway says of its proxy; a sidecar's concerns connections that it does not take yet.
fn proxy_config<'s>(view: &View<'s>, settings: &Settings) -> Option<(Of<'s, Pod>, &'s str)> {
    let name = settings.pod.as_ref().filter(|_| settings.role == Role::Gateway)?;
    let pod = view.get::<Pod>(&settings.pod_namespace, name)?;
    let annotations = pod.object().metadata.annotations.as_ref()?;
    Some((pod, annotations.get(mesh_config::PROXY_CONFIG)?))
}

fn written<'s>(view: &View<'s>) -> Option<(Of<'s, ConfigMap>, &'s str)> {
    let map = view.get::<ConfigMap>(NAMESPACE, NAME)?;
    Some((map, map.object().content.data.get(KEY)?))
}

/// What is wrong with the default of retries; it is not used then.
fn wrong(held: &Held, policy: &HttpRetry) -> Vec<Report> {
    let mut notes = Notes::about(held);
    retry::retry(Some(policy), &format!("data.{KEY}.defaultHttpRetryPolicy"), &mut notes);
    notes.reports.retain(|report| report.severity == Level::Error);
    notes.reports
}

#[cfg(test)]
mod tests;
