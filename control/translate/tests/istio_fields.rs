//! No field is silently ignored: each one of an object changes the configuration, or is reported.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod leaves;

use leaves::{leaves, objects, without};
use serde_json::Value;
use sluice_crds::{AnyObject, ObjectName, istio::rows};
use sluice_model::tree::Path;
use sluice_translate::{
    CertificateReader, Change, Held, Reason, Role, Settings, SidecarOf, Translation, Translator,
};
use std::collections::{BTreeMap, BTreeSet};

/// Objects in use that have, together, every field of their kinds that can be in effect at a gateway, and at a sidecar.
const AT_GATEWAY: &str = include_str!("fields/objects.yaml");
const AT_SIDECAR: &str = include_str!("fields/sidecar.yaml");

/// Objects with every field that there is, whether they fit together or not.
const EVERYTHING: &str = include_str!("../../crds/src/tests/full.yaml");

/// The kinds whose fields are looked at, by the role in which they count.
const OF_GATEWAY: [&str; 4] = ["VirtualService", "DestinationRule", "Gateway", "ServiceEntry"];
const OF_SIDECAR: [&str; 1] = ["Sidecar"];

/// Fields that say nothing but a name, and fields that another one decides about.
const NAMES: [(&str, &str); 5] = [
    ("Sidecar", "egress.port.name"),
    ("Gateway", "servers.name"),
    ("Gateway", "servers.port.name"),
    // They belong to the mode MUTUAL, and its verdict.
    ("DestinationRule", "trafficPolicy.tls.clientCertificate"),
    ("DestinationRule", "trafficPolicy.tls.privateKey"),
];

fn gateway() -> Settings {
    Settings {
        labels: [("istio".to_owned(), "ingressgateway".to_owned())].into(),
        pod_namespace: "istio-system".to_owned(),
        certificates: CertificateReader(|_, _| Ok(Vec::new())),
        ..Settings::default()
    }
}

/// That of the pod shop/web.
fn sidecar() -> Settings {
    Settings {
        role: Role::Sidecar(SidecarOf { original_destination: false }),
        pod: Some("web".to_owned()),
        labels: [("app".to_owned(), "web".to_owned())].into(),
        pod_namespace: "shop".to_owned(),
        ..Settings::default()
    }
}

fn translate(settings: Settings, objects: impl Iterator<Item = AnyObject>) -> Translation {
    let mut translator = Translator::new(settings);
    for (object, order) in objects.zip(0..) {
        translator.apply(Change::Put(Held::new(object, None, order)));
    }
    translator.translate()
}

/// The field of a leaf as rows have it: no numbers, no keys of maps that users choose, policies of a DestinationRule in
/// one place.
fn field(kind: &str, leaf: &[String]) -> String {
    const MAPS: [&str; 12] = [
        "headers",
        "withoutHeaders",
        "queryParams",
        "sourceLabels",
        "labels",
        "matchLabels",
        "selector",
        "set",
        "add",
        "to",
        "ports",
        "portLevelMtls",
    ];
    const COMPARISONS: [&str; 3] = ["exact", "prefix", "regex"];
    let mut keys: Vec<&str> = Vec::new();
    let mut free = false;
    for (key, next) in leaf.iter().zip(leaf.iter().skip(1).map(Some).chain([None])).skip(1) {
        if key.parse::<usize>().is_ok() {
            continue;
        }
        if std::mem::take(&mut free) || COMPARISONS.contains(&key.as_str()) {
            continue;
        }
        keys.push(key);
        let list = next.is_some_and(|next| next.parse::<usize>().is_ok());
        let levels = next.is_some_and(|next| next == "request" || next == "response");
        free = MAPS.contains(&key.as_str()) && !list && !levels;
    }
    if kind == "DestinationRule" {
        if keys.starts_with(&["subsets", "trafficPolicy"]) {
            keys.remove(0);
        }
        let port = keys.iter().position(|key| *key == "portLevelSettings");
        if let Some(port) = port.filter(|_| keys.last() != Some(&"number")) {
            keys.remove(port);
        }
    }
    keys.join(".")
}

fn path(leaf: &[String]) -> Path {
    leaf.iter().fold(Path::root(), |path, key| match key.parse() {
        Ok(index) => path.index(index),
        Err(_) => path.key(key),
    })
}

#[test]
fn every_field_of_an_object_in_use_makes_a_difference_or_is_reported() {
    every_field_shows(&gateway(), AT_GATEWAY, &OF_GATEWAY);
    every_field_shows(&sidecar(), AT_SIDECAR, &OF_SIDECAR);
}

fn every_field_shows(settings: &Settings, in_use: &str, kinds: &[&str]) {
    let all = objects(in_use);
    let whole = translate(settings.clone(), all.iter().cloned());
    let mistakes = whole.reports.iter().filter(|report| report.reason == Reason::Invalid);
    let mistakes: Vec<String> = mistakes.map(ToString::to_string).collect();
    assert_eq!(mistakes, [""; 0]);
    // By kind and field, whether it shows anywhere.
    let mut fields: BTreeMap<(&str, String), bool> = BTreeMap::new();
    for (index, object) in all.iter().enumerate().filter(|(_, object)| kinds.contains(&object.name().kind)) {
        let kind = object.name().kind;
        let value = serde_json::to_value(object).unwrap();
        let mut found = Vec::new();
        leaves(&value["spec"], &vec!["spec".to_owned()], &mut found);
        for leaf in found {
            let shows = fields.entry((kind, field(kind, &leaf))).or_default();
            *shows = *shows || is_reported(&whole, &object.name(), &leaf) || {
                let mut others = all.clone();
                others[index] = objects(&without(&value, &leaf).to_string()).remove(0);
                let less = translate(settings.clone(), others.into_iter());
                less.config != whole.config || less.reports != whole.reports
            };
        }
    }
    let named = |kind: &str, field: &str| NAMES.contains(&(kind, field));
    let silent = fields.iter().filter(|((kind, field), shows)| !**shows && !named(kind, field));
    let silent: Vec<_> = silent.map(|(field, _)| field).collect();
    assert!(silent.is_empty(), "these fields make no difference and are not reported: {silent:#?}");

    // What is not among the objects has a verdict of its own, which is reported.
    let mut missing = BTreeSet::new();
    for object in objects(EVERYTHING).iter().filter(|object| kinds.contains(&object.name().kind)) {
        let kind = object.name().kind;
        let mut found = Vec::new();
        leaves(&serde_json::to_value(object).unwrap()["spec"], &vec!["spec".to_owned()], &mut found);
        let in_effect = found.iter().filter(|leaf| rows::verdict(kind, &path(leaf)).is_in_effect());
        let unseen = in_effect.map(|leaf| (kind, field(kind, leaf)));
        missing.extend(unseen.filter(|key| !fields.contains_key(key) && !named(key.0, &key.1)));
    }
    assert!(missing.is_empty(), "no object shows what these fields do: {missing:#?}");
}

/// Whether something is said about the field, or about one above it.
fn is_reported(translation: &Translation, object: &ObjectName, leaf: &[String]) -> bool {
    (1..=leaf.len()).any(|length| {
        let above = path(&leaf[..length]).to_string();
        let mut reports = translation.reports.iter();
        length > 1 && reports.any(|report| report.object == *object && report.field == above)
    })
}

#[test]
fn every_field_with_a_verdict_is_reported() {
    every_verdict_is_reported(&gateway(), &OF_GATEWAY);
    every_verdict_is_reported(&sidecar(), &OF_SIDECAR);
}

fn every_verdict_is_reported(settings: &Settings, kinds: &[&str]) {
    let manifest = objects(EVERYTHING);
    for object in manifest.iter().filter(|object| kinds.contains(&object.name().kind)) {
        let name = object.name();
        let mut alone = serde_json::to_value(object).unwrap();
        // What rejects it keeps nothing from being judged; what does not select the gateway would.
        if name.kind == "Gateway" {
            alone["spec"]["servers"][0]["tls"]["httpsRedirect"] = false.into();
            alone["spec"]["servers"][0]["tls"]["credentialNames"] = Value::Array(Vec::new());
        }
        let translation = translate(settings.clone(), objects(&alone.to_string()).into_iter());
        let mut found = Vec::new();
        leaves(&alone["spec"], &vec!["spec".to_owned()], &mut found);
        for leaf in found {
            let verdict = rows::verdict(name.kind, &path(&leaf));
            let value = leaf.iter().skip(1).fold(&alone["spec"], |value, key| match key.parse::<usize>() {
                Ok(index) => &value[index],
                Err(_) => &value[key],
            });
            if verdict.is_in_effect() || *value == Value::Bool(false) {
                continue;
            }
            let said = is_reported(&translation, &name, &leaf);
            assert!(said, "{name} {}: {verdict}: {:#?}", path(&leaf), translation.reports);
        }
    }
}
