//! However objects come and go, in whatever order: the translation is that of the objects that are there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use proptest::prelude::*;
use sluice_crds::{Manifest, manifest::EntryContent};
use sluice_translate::{
    CertificateReader, Change, Held, NamespacedName, PemPair, Settings, Translation, Translator,
};

/// An object that may be there, in one of several forms.
#[derive(Debug, Clone, Copy)]
enum Thing {
    Ingress { name: usize, form: usize },
    Service { name: usize, form: usize },
    Slice { service: usize, form: usize },
    Class { form: usize },
    Secret { name: usize, form: usize },
}

/// What happens to an object.
#[derive(Debug, Clone, Copy)]
enum Step {
    Put(Thing),
    Delete(Thing),
    Translate,
}

const ANNOTATIONS: [&str; 8] = [
    "use-regex: 'true'",
    "rewrite-target: /new",
    "server-alias: 'a.example.com, b.example.com'",
    "from-to-www-redirect: 'true'",
    "canary: 'true'",
    "force-ssl-redirect: 'true'",
    "permanent-redirect: 'no url'",
    "whitelist-source-range: '10.0.0.0/8'",
];

fn manifest(thing: Thing) -> String {
    match thing {
        Thing::Ingress { name, form } => {
            let host = ["a.example.com", "'*.example.com'", "www.a.example.com", "''"][form % 4];
            let path = ["/", "/a", "/a/", "/(b"][form / 4 % 4];
            let class = ["", "ingressClassName: plain"][form / 16 % 2];
            let tls = ["", "tls: [{ hosts: [a.example.com], secretName: s0 }]", "tls: [{ secretName: s1 }]"];
            let annotation = ANNOTATIONS[form / 3 % ANNOTATIONS.len()];
            let service = form % 3;
            let backend = format!("{{ service: {{ name: s{service}, port: {{ number: 80 }} }} }}");
            // Some have two hosts, and some have none but the default one.
            let rule = |host: &str| {
                format!(
                    "  - host: {host}\n    http:\n      paths:\n      - {{ path: {path}, pathType: ImplementationSpecific, backend: {backend} }}\n"
                )
            };
            let rules = match form / 5 % 5 {
                0 => format!("defaultBackend: {backend}"),
                1 => format!("rules:\n{}{}", rule(host), rule("b.example.com")),
                _ => format!("rules:\n{}", rule(host)),
            };
            format!(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
                 metadata:\n  name: i{name}\n  namespace: n{ns}\n  creationTimestamp: '2024-01-0{day}T00:00:00Z'\n\
                 \x20 annotations: {{ nginx.ingress.kubernetes.io/{annotation} }}\n\
                 spec:\n  {class}\n  {tls}\n  {rules}\n",
                ns = name % 2,
                day = 1 + name % 2,
                tls = tls[form / 2 % 3],
            )
        }
        Thing::Service { name, form } => format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{ name: s{name}, namespace: n{} }}\nspec: {{ ports: [{{ port: {} }}] }}\n",
            form % 2,
            [80, 8080][form / 2 % 2],
        ),
        Thing::Slice { service, form } => format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{ name: e{service}, namespace: n{}, labels: {{ kubernetes.io/service-name: s{} }} }}\n\
             addressType: IPv4\nports: [{{ port: 80 }}]\nendpoints: [{{ addresses: [10.0.0.{form}] }}]\n",
            form % 2,
            (service + form / 2) % 3,
        ),
        Thing::Class { form } => format!(
            "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{ name: plain }}\nspec: {{ controller: {} }}\n",
            ["sluice.dev/ingress", "k8s.io/ingress-nginx", "somebody.else/controller"][form % 3],
        ),
        Thing::Secret { name, form } => {
            let body = ["ZmFsbGJhY2s=", "c2hvcA==", "d2lsZA=="][form % 3];
            format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{ name: s{name}, namespace: n{} }}\nstringData:\n  \
                 tls.crt: \"-----BEGIN CERTIFICATE-----\\n{body}\\n-----END CERTIFICATE-----\\n\"\n  \
                 tls.key: \"-----BEGIN PRIVATE KEY-----\\n{body}\\n-----END PRIVATE KEY-----\\n\"\n",
                form / 3 % 2,
            )
        }
    }
}

fn held(thing: Thing) -> Held {
    let mut manifest = Manifest::read(&manifest(thing));
    match manifest.entries.remove(0).content {
        EntryContent::Object(object) => Held::new(object, None, 0),
        other => panic!("{other:?}"),
    }
}

/// Who is in a certificate, by its content.
fn names(certificate: &[u8], _: &[u8]) -> Result<Vec<String>, String> {
    let text = String::from_utf8_lossy(certificate);
    let names: &[&str] = if text.contains("c2hvcA==") {
        &["a.example.com"]
    } else if text.contains("d2lsZA==") {
        &["*.example.com"]
    } else {
        return Err("nobody is in it".to_owned());
    };
    Ok(names.iter().map(|name| (*name).to_owned()).collect())
}

fn translator(default_backend: bool) -> Translator {
    let block = |label| format!("-----BEGIN {label}-----\nd2lsZA==\n-----END {label}-----\n");
    let pair = PemPair { certificate: block("CERTIFICATE"), key: block("PRIVATE KEY") };
    let mut settings = Settings {
        certificates: CertificateReader(names),
        fallback_certificate: Some(pair),
        default_backend: default_backend
            .then(|| NamespacedName { namespace: "n0".to_owned(), name: "s0".to_owned() }),
        ..Settings::default()
    };
    settings.classes.without_class = true;
    Translator::new(settings)
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        4 => (0..4_usize, 0..96_usize).prop_map(|(name, form)| Thing::Ingress { name, form }),
        2 => (0..3_usize, 0..4_usize).prop_map(|(name, form)| Thing::Service { name, form }),
        2 => (0..3_usize, 0..12_usize).prop_map(|(service, form)| Thing::Slice { service, form }),
        1 => (0..3_usize).prop_map(|form| Thing::Class { form }),
        2 => (0..2_usize, 0..6_usize).prop_map(|(name, form)| Thing::Secret { name, form }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => thing().prop_map(Step::Put),
        2 => thing().prop_map(Step::Delete),
        2 => Just(Step::Translate),
    ]
}

fn meaning(translation: Translation) -> Translation {
    Translation { renewed: 0, ..translation }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_translation_that_followed_every_change_is_a_fresh_one_of_what_is_there(
        steps in prop::collection::vec(step(), 1..40),
        default_backend: bool,
    ) {
        let mut followed = translator(default_backend);
        for step in steps {
            match step {
                Step::Put(thing) => followed.apply(Change::Put(held(thing))),
                Step::Delete(thing) => followed.apply(Change::Delete(held(thing).object().name())),
                Step::Translate => {
                    followed.translate();
                }
            }
        }
        let now = meaning(followed.translate());
        let there: Vec<Held> = followed.store().iter().cloned().collect();
        let fresh = |order: Vec<Held>| {
            let mut fresh = translator(default_backend);
            for held in order {
                fresh.apply(Change::Put(held));
            }
            meaning(fresh.translate())
        };
        prop_assert_eq!(&now, &fresh(there.clone()));
        prop_assert_eq!(&now, &fresh(there.into_iter().rev().collect()));
        if let Err(error) = sluice_model::validate("any", now.config, &sluice_model::NoFiles) {
            panic!("the model refuses it:\n{error}");
        }
    }
}
