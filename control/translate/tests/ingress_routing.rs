//! Ingresses: hosts, paths and what is done with them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod golden;

use golden::golden;
use sluice_model::spec::RedirectCode;
use sluice_translate::{NamespacedName, PemPair};

#[test]
fn paths_are_compared_as_ingress_nginx_does() {
    golden("paths-compat", |_| {});
}

#[test]
fn paths_are_compared_as_the_text_of_kubernetes_says() {
    golden("paths-spec", |settings| settings.classes.without_class = false);
}

#[test]
fn one_ingress_with_an_expression_makes_all_paths_of_its_host_expressions() {
    golden("regex-mode", |_| {});
}

#[test]
fn targets_take_captures_and_paths_that_no_expression_can_be_are_rejected() {
    golden("rewrites", |_| {});
}

#[test]
fn what_no_path_takes_goes_to_the_default_backend() {
    golden("default-backends", |settings| {
        settings.default_backend =
            Some(NamespacedName { namespace: "infra".to_owned(), name: "pages".to_owned() });
    });
}

#[test]
fn hosts_are_merged_by_age_and_their_other_names_go_to_who_comes_first() {
    golden("hosts", |_| {});
}

#[test]
fn clients_are_sent_to_https_and_elsewhere_as_ingress_nginx_does() {
    golden("redirects", |settings| settings.fallback_certificate = Some(fallback()));
}

#[test]
fn what_a_trusted_proxy_says_of_the_scheme_decides_on_redirects() {
    golden("trusted", |settings| {
        settings.fallback_certificate = Some(fallback());
        settings.ingress.trusted = vec!["10.0.0.0/8".parse().unwrap()];
        settings.ingress.http_redirect_code = RedirectCode::TemporaryRedirect;
        settings.ingress.hsts = None;
    });
}

#[test]
fn certificates_come_from_secrets_and_the_default_one_stands_in() {
    golden("certificates", |settings| {
        settings.default_certificate =
            Some(NamespacedName { namespace: "infra".to_owned(), name: "default".to_owned() });
    });
}

#[test]
fn without_a_default_certificate_only_known_names_are_served() {
    golden("certificates-known", |_| {});
}

/// A certificate for no name.
fn fallback() -> PemPair {
    let block = |label| format!("-----BEGIN {label}-----\nZmFsbGJhY2s=\n-----END {label}-----\n");
    PemPair { certificate: block("CERTIFICATE"), key: block("PRIVATE KEY") }
}
