//! Istio's traffic kinds at a gateway.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod golden;

use golden::golden;
use sluice_translate::Settings;

/// The gateway that the manifests of Istio's documentation select.
fn gateway(settings: &mut Settings) {
    settings.labels = [("istio".to_owned(), "ingressgateway".to_owned())].into();
    "istio-system".clone_into(&mut settings.pod_namespace);
}

#[test]
fn every_condition_of_a_match_is_carried_over() {
    golden("istio-matches", gateway);
}

#[test]
fn every_action_of_a_rule_is_carried_over() {
    golden("istio-actions", gateway);
}

#[test]
fn virtual_services_of_one_host_are_one_with_the_catch_alls_at_the_end() {
    golden("istio-order", gateway);
}

#[test]
fn a_virtual_service_has_the_hosts_that_it_shares_with_the_servers_that_take_it() {
    golden("istio-hosts", gateway);
}

#[test]
fn a_rule_may_leave_the_decision_to_another_virtual_service() {
    golden("istio-delegates", gateway);
}

#[test]
fn destinations_are_clusters_and_missing_ones_are_unavailable() {
    golden("istio-destinations", gateway);
}

#[test]
fn what_another_pod_would_have_to_prove_is_refused() {
    golden("istio-upstream-tls", gateway);
}

#[test]
fn what_is_wrong_rejects_its_object_and_no_other() {
    golden("istio-invalid", gateway);
}
