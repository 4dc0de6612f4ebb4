//! Manifests in; model and reports out.

use crate::{Settings, Translation, tests};

/// A gateway with the labels that the manifests of the documentation select.
fn settings() -> Settings {
    let mut settings = tests::settings();
    settings.labels = [("istio".to_owned(), "ingressgateway".to_owned())].into();
    settings.pod_namespace = "istio-system".to_owned();
    settings
}

/// What is said about objects, a line each.
fn said(translation: &Translation) -> Vec<String> {
    translation.reports.iter().map(ToString::to_string).collect()
}

mod destination_rule;
mod gateway;
mod service_entry;
mod virtual_service;
