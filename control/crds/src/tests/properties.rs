//! What holds for every text and every tree.

use super::FULL;
use crate::{
    Manifest, Object,
    core::{EndpointSlice, Ingress, Secret, Service},
    istio::{AuthorizationPolicy, DestinationRule, Gateway, VirtualService},
};
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Any JSON, with keys that the API has among others.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9./*:-]{0,8}|5s|-1s|ROUND_ROBIN|aGk=|\\PC{0,4}".prop_map(Value::from),
    ];
    let key = "metadata|name|namespace|labels|annotations|spec|status|hosts|http|match|uri|exact|regex|route|destination|host|\
        port|number|timeout|fault|delay|trafficPolicy|subsets|loadBalancer|servers|tls|rules|paths|backend|service|data|\
        ports|targetPort|endpoints|addresses|selector|creationTimestamp|items|[a-z]{0,3}";
    leaf.prop_recursive(6, 80, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6)
                .prop_map(|entries| Value::from(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Whatever a server sends is an object or none; what is good in it stays the same when it is printed and read again.
fn any_object<K: crate::Kind>(value: &Value) {
    let Ok(object) = serde_json::from_value::<Object<K>>(value.clone()) else { return };
    for told in object.explained() {
        assert!(!told.message.is_empty());
    }
    if !object.is_rejected() {
        let printed = serde_json::to_value(&object).unwrap();
        let again: Object<K> = serde_json::from_value(printed).unwrap();
        assert_eq!((again.content, again.metadata), (object.content, object.metadata));
        assert!(again.problems.is_empty(), "{:?}", again.problems);
    }
}

/// Three thousand objects in one text, as documents and as a list, each with a mistake and an unknown field: a time that
/// leaves no room for anything quadratic, even in a debug build.
#[test]
fn thousands_of_objects_in_one_text_are_no_trouble() {
    let mut documents = String::new();
    let mut list = "{ apiVersion: v1, kind: List, items: [\n".to_owned();
    for index in 0..3_000 {
        let object = format!(
            "{{ apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{ name: i{index} }}, spec: {{ tlss: [], rules: [
                {{ host: h{index}.example.com, http: {{ paths: [{{ path: /, pathType: prefix }}] }} }}] }} }}"
        );
        writeln!(documents, "{object}\n---").unwrap();
        writeln!(list, "{object},").unwrap();
    }
    for text in [documents, list + "] }"] {
        let manifest = Manifest::read(&text);
        assert!(manifest.malformed.is_empty(), "{:?}", manifest.malformed);
        assert_eq!(manifest.objects().count(), 3_000);
        assert!(manifest.objects().all(|object| object.problems().len() == 2 && object.is_rejected()));
    }
}

/// A good text with a piece cut out, doubled or replaced.
fn mangled() -> impl Strategy<Value = String> {
    let places: Vec<usize> = FULL.char_indices().map(|(at, _)| at).collect();
    (proptest::sample::select(places), 0..60_usize, "\\PC{0,6}", any::<bool>()).prop_map(
        |(start, length, insert, double)| {
            let end = FULL.ceil_char_boundary((start + length).min(FULL.len()));
            let again = if double { &FULL[start..end] } else { "" };
            format!("{}{insert}{again}{}", &FULL[..start], &FULL[end..])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_answered(value in json()) {
        any_object::<VirtualService>(&value);
        any_object::<DestinationRule>(&value);
        any_object::<Gateway>(&value);
        any_object::<AuthorizationPolicy>(&value);
        any_object::<Ingress>(&value);
        any_object::<Service>(&value);
        any_object::<EndpointSlice>(&value);
        any_object::<Secret>(&value);
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}") {
        Manifest::read(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn mangled_manifests_are_answered(text in mangled()) {
        for object in Manifest::read(&text).objects() {
            prop_assert!(object.explained().iter().all(|told| told.line >= 1 && !told.message.contains('\n')));
        }
    }
}
