//! Manifests in; model and reports out.

use crate::{Settings, tests};

/// A gateway with the labels that the manifests of the documentation select.
fn settings() -> Settings {
    let mut settings = tests::settings();
    settings.labels = [("istio".to_owned(), "ingressgateway".to_owned())].into();
    settings.pod_namespace = "istio-system".to_owned();
    settings
}

mod gateway;
