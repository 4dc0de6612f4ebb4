//! Ingresses: what becomes of each annotation, how servers are spoken to, and what the controller's ConfigMap changes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod golden;

use golden::{golden, golden_of};
use sluice_translate::{NamespacedName, PemPair, Settings, audit::audit};

#[test]
fn every_annotation_is_judged_and_what_protects_and_is_not_in_effect_is_refused() {
    golden("verdicts", |_| {});
}

#[test]
fn what_is_not_protected_is_served_where_that_was_asked_for_and_said_loudly() {
    golden("unprotected", |settings| settings.allow_unprotected = true);
}

#[test]
fn words_and_risks_that_the_config_map_forbids_are_refused() {
    golden("guarded", controller);
}

#[test]
fn endpoints_are_chosen_as_annotations_say() {
    golden("balancing", |_| {});
}

#[test]
fn servers_are_spoken_to_as_annotations_say() {
    golden("servers", |_| {});
}

#[test]
fn errors_are_replaced_by_pages_of_whoever_is_named_for_it() {
    golden("error-pages", |settings| {
        controller(settings);
        settings.default_backend =
            Some(NamespacedName { namespace: "infra".to_owned(), name: "default".to_owned() });
    });
}

#[test]
fn errors_pass_where_nobody_has_pages_and_that_is_said() {
    golden("error-pages-nowhere", controller);
}

#[test]
fn snippets_are_translated_or_refused_with_line_and_directive() {
    golden("snippets", controller);
}

#[test]
fn snippets_are_refused_where_nothing_allows_them() {
    golden("snippets-refused", |_| {});
}

#[test]
fn servers_of_auto_http_are_spoken_to_as_clients_speak_to_us() {
    golden("auto-http", |settings| {
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nZmFsbGJhY2s=\n-----END {kind}-----\n");
        settings.fallback_certificate =
            Some(PemPair { certificate: block("CERTIFICATE"), key: block("PRIVATE KEY") });
    });
}

#[test]
fn fields_of_config_maps_are_set_in_requests_and_answers() {
    golden("headers", controller);
}

#[test]
fn an_audit_counts_judges_and_says_what_there_is_to_know_without_showing_values() {
    golden_of(("audit", "audit"), controller, |settings, store, translation| {
        let json = |show| serde_json::to_string_pretty(&audit(settings, store, translation, show)).unwrap();
        for secret in ["s3cret", "hidden.example.net", "X-Token", "4711"] {
            assert!(json(true).contains(secret) && !json(false).contains(secret), "{secret}");
        }
        json(false) + "\n"
    });
}

/// The ConfigMap of the controller.
fn controller(settings: &mut Settings) {
    let name = NamespacedName { namespace: "ingress-nginx".to_owned(), name: "controller".to_owned() };
    settings.configmap = Some(name);
}
