//! Whatever the objects say, the model takes what comes of them: one object never keeps its neighbours from being served.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use proptest::prelude::*;
use sluice_crds::{Manifest, annotations, configmap, manifest::EntryContent};
use sluice_model::spec::Config;
use sluice_translate::{Change, Held, NamespacedName, Settings, Translation, Translator};

/// What somebody may write who means no good, or has misunderstood.
const TEXTS: [&str; 32] = [
    "",
    "true",
    "false",
    "0",
    "-1",
    "1",
    "99999999999999999999",
    "404,503",
    "/",
    "/a/$1",
    "/$9\\1%",
    "https://www.example.com/$1?x=%",
    "http://[::1",
    "http://a:0/$request_uri",
    "https://$host$request_uri%2",
    "a b",
    "a\nb: c",
    "\u{0}",
    "%REQ(x",
    "%",
    "$",
    "${x",
    "(?=a)",
    "((((",
    "~(a|b",
    "*.example.com",
    "~.*",
    "10.0.0.0/8,::/0",
    "somewhere/else",
    "error http_503 http_429 non_idempotent",
    "more_set_headers 'X: %REQ(';",
    "proxy_set_header Host \"a\nb\";",
];

/// Paths and hosts, some of which an API server would refuse.
const PATHS: [&str; 10] = ["/", "/a", "/a/", "/(.*)", "/(b", "/%", "/a b#?\"", "/\u{e9}\n", "a", "//"];
const HOSTS: [&str; 9] =
    ["", "a.example.com", "*.example.com", "A.EXAMPLE.COM.", "*", "a..b", "~x", "[::1]", "www.a.example.com"];

#[derive(Debug, Clone)]
struct Ingress {
    annotations: Vec<(usize, String)>,
    path: String,
    kind: &'static str,
    host: String,
    class: &'static str,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        1 => ".{0,40}",
        1 => (1..600_usize).prop_map(|length| format!("/{}", "x".repeat(length))),
    ]
}

fn ingress() -> impl Strategy<Value = Ingress> {
    let rows = annotations::all().len();
    (
        prop::collection::vec((0..rows, text()), 0..6),
        prop_oneof![3 => prop::sample::select(&PATHS[..]).prop_map(str::to_owned), 1 => text()],
        prop::sample::select(&["Exact", "Prefix", "ImplementationSpecific"][..]),
        prop_oneof![5 => prop::sample::select(&HOSTS[..]).prop_map(str::to_owned), 1 => text()],
        prop::sample::select(&["nginx", "plain"][..]),
    )
        .prop_map(|(annotations, path, kind, host, class)| Ingress {
            annotations,
            path,
            kind,
            host,
            class,
        })
}

/// JSON is YAML, and quotes what has to be quoted.
fn manifest(index: usize, ingress: &Ingress) -> String {
    let annotations: serde_json::Map<String, serde_json::Value> = ingress
        .annotations
        .iter()
        .map(|(row, text)| {
            let name = annotations::all()[*row].name;
            (format!("nginx.ingress.kubernetes.io/{name}"), text.as_str().into())
        })
        .collect();
    let service = ["web", "gone", "web"][index % 3];
    serde_json::json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": format!("i{index}"), "namespace": "shop", "annotations": annotations },
        "spec": { "ingressClassName": ingress.class, "tls": [{ "secretName": "broken", "hosts": [ingress.host] }],
                  "rules": [{ "host": ingress.host, "http": { "paths": [{ "path": ingress.path,
                      "pathType": ingress.kind, "backend": { "service": { "name": service, "port": { "number": 80 } } } }] } }] },
    })
    .to_string()
}

/// What is always there: a good neighbour, its server, classes, and a Secret that nobody can use.
const NEIGHBOUR: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: neighbour, namespace: shop }
spec:
  ingressClassName: nginx
  rules: [{ host: good.example.org, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }]
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: plain }
spec: { controller: sluice.dev/ingress }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { type: ExternalName, externalName: web.example.org, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Secret
metadata: { name: broken, namespace: shop }
type: kubernetes.io/tls
stringData: { tls.crt: nonsense, tls.key: nonsense }
";

fn changes(text: &str) -> Vec<Change> {
    let entries = Manifest::read(text).entries.into_iter();
    let objects = entries.filter_map(|entry| match entry.content {
        EntryContent::Object(object) => Some(Change::Put(Held::new(object, None, 0))),
        _ => None,
    });
    objects.collect()
}

fn translate(ingresses: &[Ingress], keys: &[(usize, String)]) -> Translation {
    let name = NamespacedName { namespace: "shop".to_owned(), name: "controller".to_owned() };
    let backend = NamespacedName { namespace: "shop".to_owned(), name: "web".to_owned() };
    let settings = Settings { configmap: Some(name), default_backend: Some(backend), ..Settings::default() };
    let mut translator = Translator::new(settings);
    let data: serde_json::Map<String, serde_json::Value> = keys
        .iter()
        .map(|(row, text)| (configmap::all()[*row].name.to_owned(), text.as_str().into()))
        .collect();
    let map = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "controller", "namespace": "shop" }, "data": data,
    });
    let objects = ingresses.iter().enumerate().map(|(index, ingress)| manifest(index, ingress));
    for text in objects.chain([NEIGHBOUR.to_owned(), map.to_string()]) {
        for change in changes(&text) {
            translator.apply(change);
        }
    }
    translator.translate()
}

fn serves(config: &Config, name: &str) -> bool {
    config.route_tables.iter().flat_map(|table| &table.virtual_hosts).any(|host| host.name == name)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_model_takes_whatever_objects_come_to_and_neighbours_are_served(
        ingresses in prop::collection::vec(ingress(), 1..5),
        keys in prop::collection::vec((0..configmap::all().len(), text()), 0..4),
    ) {
        let translation = translate(&ingresses, &keys);
        prop_assert!(serves(&translation.config, "good.example.org"));
        for report in &*translation.reports {
            prop_assert!(!report.message.starts_with("what comes of it"), "the last net was needed: {report}");
        }
        if let Err(error) = sluice_model::validate("any", translation.config, &sluice_model::NoFiles) {
            panic!("the model refuses it:\n{error}");
        }
    }
}
