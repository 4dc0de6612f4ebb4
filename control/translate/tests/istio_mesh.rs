//! Istio's traffic kinds at the sidecar of a pod.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod golden;

use golden::{golden, golden_as};
use sluice_translate::{Role, Settings, SidecarOf};

/// The pod shop/web.
fn pod(settings: &mut Settings) {
    settings.role = Role::Sidecar(SidecarOf { original_destination: false });
    settings.pod = Some("web".to_owned());
    "shop".clone_into(&mut settings.pod_namespace);
}

#[test]
fn a_host_has_the_names_that_a_pod_of_its_namespace_or_another_may_use() {
    golden("mesh-names", pod);
}

#[test]
fn ports_that_http_may_be_spoken_at_are_served_and_others_reported() {
    golden("mesh-ports", pod);
}

#[test]
fn connections_that_say_where_they_were_on_their_way_to_are_served_by_that() {
    let original_destination = |settings: &mut Settings| {
        pod(settings);
        settings.role = Role::Sidecar(SidecarOf { original_destination: true });
        settings.port_map.insert(8080, 18080);
    };
    golden_as(("mesh-ports", "mesh-destinations"), original_destination);
}

#[test]
fn rules_for_the_mesh_count_where_the_pod_is() {
    golden("mesh-rules", pod);
}

#[test]
fn the_pod_sees_what_it_asks_for_and_what_others_let_it_see() {
    golden("mesh-scope", pod);
}

#[test]
fn without_its_object_a_pod_has_the_labels_that_were_told() {
    let told = |settings: &mut Settings| {
        pod(settings);
        settings.pod = Some("nobody".to_owned());
    };
    golden_as(("mesh-scope", "mesh-unknown-pod"), told);
}
