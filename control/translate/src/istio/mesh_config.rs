//! MeshConfig: what holds where Istio's objects say nothing themselves.
//!
//! It becomes settings. A field that is not there, or whose value makes no sense, leaves the setting as it is.

use super::{notes::Notes, retry};
use crate::{
    reads::View,
    report::{Level, Reason, Report},
    settings::{MeshDefaults, Settings},
    store::{Held, Of},
};
use sluice_crds::{
    core::ConfigMap,
    istio::{H2UpgradePolicy, HttpRetry, NormalizationType, mesh_config},
};
use sluice_model::{spec::NormalizePath, value::Duration};

/// The ConfigMap, and the key that holds the text.
const NAMESPACE: &str = "istio-system";
const NAME: &str = "istio";
const KEY: &str = "mesh";

/// Puts what MeshConfig says into the settings.
pub(crate) fn shape(view: &View<'_>, settings: &mut Settings) {
    let Some((map, text)) = written(view) else { return };
    let config = mesh_config::read(text).config;
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
pub(crate) fn report(view: &View<'_>) -> Vec<Report> {
    let Some((map, text)) = written(view) else { return Vec::new() };
    let read = mesh_config::read(text);
    let judged = read.judged.iter().filter_map(|(field, verdict)| {
        let report = Report::of_verdict(map.held(), *verdict, "", false)?;
        Some(report.at(format!("data.{KEY}.{field}")))
    });
    let problems = read.problems.iter().map(|problem| {
        let message = format!("{}; it is ignored", problem.message);
        Report::new(map.held(), Level::Warning, Reason::Invalid, message).at(format!("data.{KEY}"))
    });
    let retries = read.config.default_http_retry_policy.iter().flat_map(|policy| wrong(map.held(), policy));
    judged.chain(problems).chain(retries).collect()
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
