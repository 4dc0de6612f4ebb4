//! Ingresses: hosts, paths and what is done with them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod golden;

use golden::golden;
use sluice_translate::NamespacedName;

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
