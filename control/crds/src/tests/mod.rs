//! What holds for every kind.

mod golden;
mod properties;

use crate::{
    AnyObject, Manifest, Object,
    core::Secret,
    istio::{StringMatch, VirtualService},
    manifest::EntryContent,
};
use serde_json::Value;

/// An object of each kind in which every field of the API is set.
const FULL: &str = include_str!("full.yaml");

fn value(text: &str) -> Vec<Value> {
    let manifest = Manifest::read(text);
    assert!(manifest.malformed.is_empty(), "{:?}", manifest.malformed);
    manifest.objects().map(|object| serde_json::to_value(object).unwrap()).collect()
}

#[test]
fn objects_with_every_field_are_read_without_a_complaint() {
    let manifest = Manifest::read(FULL);
    let complaints = manifest.objects().flat_map(|object| {
        let name = object.name();
        object.explained().into_iter().map(move |told| format!("{name}: {}", told.message))
    });
    let complaints: Vec<_> = complaints.collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert!(manifest.malformed.is_empty());
    let kinds: std::collections::BTreeSet<_> = manifest.objects().map(|object| object.name().kind).collect();
    assert_eq!(kinds.len(), 17, "{kinds:?}");
}

#[test]
fn a_slip_in_kind_or_group_is_named_and_kinds_of_others_are_nobodys_mistake() {
    let read = |api_version: &str, kind: &str| {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{ name: a }}\n");
        match Manifest::read(&text).entries.remove(0).content {
            EntryContent::Invalid(problem) => Some(crate::object::Explained::new(&problem, false).message),
            EntryContent::Other { .. } => None,
            EntryContent::Object(object) => panic!("{object:?}"),
        }
    };
    for (api_version, kind, meant) in [
        ("networking.k8s.io/v1", "Ingres", "`kind: Ingress` of `apiVersion: networking.k8s.io/v1`"),
        (
            "networking.istio.io/v1",
            "virtualservice",
            "`kind: VirtualService` of `apiVersion: networking.istio.io/v1`",
        ),
        (
            "networking.istoi.io/v1",
            "VirtualService",
            "`kind: VirtualService` of `apiVersion: networking.istio.io/v1`",
        ),
        ("v1", "Ingress", "`kind: Ingress` of `apiVersion: networking.k8s.io/v1`"),
        ("networking.k8s.io", "Ingress", "`kind: Ingress` of `apiVersion: networking.k8s.io/v1`"),
        ("v1", "Servic", "`kind: Service` of `apiVersion: v1`"),
        ("networking.k8s.io/v11", "Ingress", "write `networking.k8s.io/v1`"),
        ("v1", "''", "field `kind` is missing"),
    ] {
        let said = read(api_version, kind).unwrap_or_default();
        assert!(said.contains(meant), "{api_version} {kind}: {said}");
    }
    for (api_version, kind) in [
        ("apps/v1", "Deployment"),
        ("v1", "Node"),
        ("v1", "ServiceAccount"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("gateway.networking.k8s.io/v1", "Gateway"),
        ("serving.knative.dev/v1", "Service"),
        ("networking.internal.knative.dev/v1alpha1", "Ingress"),
        ("networking.istio.io/v1", "WorkloadEntry"),
    ] {
        assert_eq!(read(api_version, kind), None, "{api_version} {kind}");
    }
}

#[test]
fn objects_survive_being_written_as_json_and_read_again() {
    let manifest = Manifest::read(FULL);
    let all = manifest.objects().map(|object| serde_json::to_string_pretty(object).unwrap());
    for (object, json) in manifest.objects().zip(all) {
        let again = Manifest::read(&json);
        assert_eq!(again.objects().collect::<Vec<_>>(), [object], "{json}");
    }
}

/// Nothing that was written gets lost: each field of the text is in the JSON, and the JSON has no other.
#[test]
fn what_is_printed_is_what_was_written() {
    let manifest = Manifest::read(FULL);
    for (document, printed) in FULL.split("\n---\n").zip(value(FULL)) {
        let tree = sluice_model::tree::parse(document).tree;
        let mut repairs = sluice_model::convert::Repairs::new(&tree);
        let root = sluice_model::tree::Path::root();
        let (written, problems) =
            sluice_model::convert::convert::<Value>(&tree, tree.root().unwrap(), &root, &mut repairs);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(printed, written.unwrap());
    }
    assert_eq!(manifest.entries.len(), value(FULL).len());
}

#[test]
fn the_versions_of_an_istio_kind_are_one_kind() {
    for version in ["v1", "v1beta1", "v1alpha3"] {
        let text = format!(
            "{{ apiVersion: networking.istio.io/{version}, kind: VirtualService, metadata: {{ name: x }}, spec: {{ hosts: [x] }} }}"
        );
        let manifest = Manifest::read(&text);
        assert!(matches!(manifest.objects().next(), Some(AnyObject::VirtualService(_))), "{version}");
    }
}

#[test]
fn lists_of_all_sorts_are_read() {
    let text = r#"{ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" } },
        { "apiVersion": "networking.k8s.io/v1", "kind": "IngressList", "metadata": {}, "items": [
            { "metadata": { "name": "b", "namespace": "c" }, "spec": {} }
        ] },
        { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" } }
    ] }"#;
    let manifest = Manifest::read(text);
    let names: Vec<_> = manifest.objects().map(|object| object.name().to_string()).collect();
    assert_eq!(names, ["ConfigMap default/a", "Ingress c/b"]);
    assert!(matches!(&manifest.entries[2].content, EntryContent::Other { kind, .. } if kind == "Deployment"));
}

/// What a server sends is never refused as long as it is an object: one bad object must not spoil a list.
#[test]
fn what_a_server_sends_is_read_with_all_that_is_wrong_with_it() {
    let text = r#"{ "metadata": { "name": "x", "namespace": "y", "managedFields": [{}] },
        "spec": { "http": [{ "timeout": 5, "retires": {} }], "tls": 1 }, "status": [] }"#;
    let object = AnyObject::of_server("VirtualService", &serde_json::from_str(text).unwrap()).unwrap();
    assert!(object.is_rejected() && object.metadata().managed_fields.is_none());
    let told: Vec<_> = object.explained().into_iter().map(|told| told.message).collect();
    assert_eq!(
        told,
        [
            "spec.http[0].timeout: expected a duration such as `5s`, found the number 5",
            "spec.tls: expected a list, found the number 1",
            "spec.http[0].retires: unknown field `retires`; did you mean `retries`?",
        ]
    );
    assert!(serde_json::from_str::<Object<VirtualService>>("[]").is_err());
    assert!(serde_json::from_str::<Object<VirtualService>>("{}").unwrap().is_rejected());
}

#[test]
fn secrets_are_neither_quoted_nor_printed() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations: { kubectl.kubernetes.io/last-applied-configuration: hunter2 }\ndata: { a: hunter2!, b: aHVudGVyMg== }\nstringData: { c: hunter2, d: 5 }\nimmutable: hunter2\n";
    let manifest = Manifest::read(text);
    let object = manifest.objects().next().unwrap();
    assert!(object.is_rejected());
    let all = format!("{:?} {object:?}", object.explained());
    assert!(!all.contains("hunter2") && !all.contains("aHVudGVyMg"), "{all}");
    let secret: Object<Secret> = serde_json::from_str(
        r#"{ "metadata": { "name": "s" }, "data": { "b": "aHVudGVyMg==", "c": "" }, "stringData": { "c": "x" } }"#,
    )
    .unwrap();
    assert_eq!(secret.content.get("b"), Some(&b"hunter2"[..]));
    assert_eq!(secret.content.get("c"), Some(&b"x"[..]));
}

#[test]
fn a_string_match_without_a_member_asks_for_presence() {
    assert_eq!(serde_json::from_str::<StringMatch>("{}").unwrap(), StringMatch::Present);
    assert_eq!(serde_json::to_string(&StringMatch::Present).unwrap(), "{}");
}
