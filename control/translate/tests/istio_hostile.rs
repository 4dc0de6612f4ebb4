//! Whatever stands in Istio's objects, the model takes what they are translated to: an object can only spoil itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod leaves;

use leaves::{at, leaves, objects, without};
use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_crds::AnyObject;
use sluice_translate::{CertificateReader, Change, Held, NamespacedName, Settings, Translator};
use std::time::{Duration, Instant};

/// Objects in use, of which everything can be replaced.
const OBJECTS: &str = include_str!("fields/objects.yaml");

/// More of them, whose fields do not fit together.
const EVERYTHING: &str = include_str!("../../crds/src/tests/full.yaml");

/// What is written in the place of what makes sense.
fn hostile() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        " ",
        "*",
        "**",
        "*.",
        "*.*",
        ".",
        "..",
        "/",
        "//",
        "/../",
        "a b",
        "a,b",
        "a/b",
        "a/b/c",
        "~",
        "%",
        "%%",
        "%REQ(",
        "%REQ(x)%",
        "%NOSUCH%",
        "\u{0}",
        "a\r\nb: c",
        "\u{1b}",
        "ü",
        "xn--",
        "\\",
        "\\1",
        "\\99",
        "$1",
        "${x}",
        "{",
        "}",
        "{a}",
        "[",
        "[::1]",
        "[::1]:80",
        "(",
        "(?=a)",
        "(a)\\1",
        ".*",
        "a{1000}{1000}",
        "?",
        "/?a",
        "#",
        "/#a",
        ":",
        ":80",
        ":path",
        ":authority",
        "host",
        "Host",
        "content-length",
        "transfer-encoding",
        "connection",
        "te",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "a.test:80",
        "-a.test",
        "a-.test",
        "a..test",
        "A.TEST",
        "a.test.",
        "0s",
        "0.0001s",
        "1ns",
        "-1s",
        "99999999h",
        "1h1h",
        "soon",
        "0",
        "-1",
        "65536",
        "mesh",
        "public",
        "istio-system/public",
        "HTTP",
        "HTTPS",
        "TLS",
        "TCP",
        "GRPC",
        "SIMPLE",
        "MUTUAL",
        "PASSTHROUGH",
        "STATIC",
        "DNS",
        "NONE",
        "UPGRADE",
        "ftp",
        "reviews",
        "v1",
        "5xx",
        "5xx,,5xx",
        "100",
        "599",
        "600",
        "UNAVAILABLE",
    ];
    let numbers =
        [0, 1, -1, 80, 99, 100, 199, 200, 204, 304, 599, 600, 65_535, 65_536, 4_294_967_295, i64::MAX];
    prop_oneof![
        6 => prop::sample::select(texts.as_slice().to_vec()).prop_map(Value::from),
        2 => prop::sample::select(numbers.as_slice().to_vec()).prop_map(Value::from),
        1 => prop::sample::select(vec![0.000_01, 100.000_1, 1e300, -0.5]).prop_map(Value::from),
        1 => prop::sample::select(vec![json!(null), json!(true), json!([]), json!({}), json!([{}]), json!({ "a": {} })]),
        1 => (1..5000_usize).prop_map(|length| "a".repeat(length).into()),
        1 => (1..5000_usize).prop_map(|length| format!("/{}", "a/".repeat(length)).into()),
        1 => any::<String>().prop_map(Value::from),
    ]
}

/// What becomes of a leaf.
#[derive(Debug, Clone)]
enum Mutation {
    Replace(Value),
    Remove,
    /// The list that it is in has it twice.
    Repeat,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![6 => hostile().prop_map(Mutation::Replace), 2 => Just(Mutation::Remove), 1 => Just(Mutation::Repeat)]
}

fn mutate(object: &mut Value, which: prop::sample::Index, mutation: &Mutation) {
    let mut found = Vec::new();
    for part in ["spec", "stringData"] {
        leaves(&object[part], &vec![part.to_owned()], &mut found);
    }
    found.retain(|leaf| leaf.len() > 1);
    if found.is_empty() {
        return;
    }
    let leaf = &found[which.index(found.len())];
    match mutation {
        Mutation::Replace(value) => *at(object, leaf) = value.clone(),
        Mutation::Remove => *object = without(object, leaf),
        Mutation::Repeat => {
            let list = (1..leaf.len()).rev().find(|length| leaf[*length].parse::<usize>().is_ok());
            let Some(length) = list else { return };
            if let Value::Array(elements) = at(object, &leaf[..length]) {
                let copy = elements[leaf[length].parse::<usize>().unwrap()].clone();
                elements.push(copy);
            }
        }
    }
}

fn settings() -> Settings {
    let mut settings = Settings {
        labels: [("istio".to_owned(), "ingressgateway".to_owned())].into(),
        pod_namespace: "istio-system".to_owned(),
        certificates: CertificateReader(|_, _| Ok(vec!["a.test".to_owned()])),
        configmap: Some(NamespacedName {
            namespace: "istio-system".to_owned(),
            name: "controller".to_owned(),
        }),
        ..Settings::default()
    };
    settings.classes.without_class = true;
    settings
}

fn as_values(text: &str) -> Vec<Value> {
    objects(text).iter().map(|object| serde_json::to_value(object).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_objects_make_the_model_refuse_their_neighbours(
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), mutation()), 1..30),
        everything in any::<bool>(),
    ) {
        let mut values = as_values(OBJECTS);
        if everything {
            values.extend(as_values(EVERYTHING));
        }
        let mut translator = Translator::new(settings());
        let put = |translator: &mut Translator, order: usize, object: AnyObject| {
            translator.apply(Change::Put(Held::new(object, None, order as u64)));
        };
        for (order, value) in values.iter().enumerate() {
            put(&mut translator, order, objects(&value.to_string()).remove(0));
        }
        let mut now = Instant::now();
        translator.translate_at(now);
        for (which, leaf, mutation) in steps {
            let order = which.index(values.len());
            mutate(&mut values[order], leaf, &mutation);
            // What is not even an object any more is the concern of those who read it.
            if let Some(object) = objects(&values[order].to_string()).pop() {
                put(&mut translator, order, object);
            }
            now += Duration::from_millis(300);
            let translation = translator.translate_at(now);
            let checked = sluice_model::validate("test", translation.config, &sluice_model::NoFiles);
            prop_assert!(checked.is_ok(), "{}\n{:#}", checked.unwrap_err(), values[order]);
        }
        let translation = translator.translate();
        let checked = sluice_model::validate("test", translation.config, &sluice_model::NoFiles);
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }
}
