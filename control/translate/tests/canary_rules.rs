//! Who gets a canary: what is made of the annotations decides as a plain reading of ingress-nginx's rules does
//! (`route_to_alternative_balancer` of its balancer).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use proptest::prelude::*;
use sluice_core::{
    explain::{Outcome, Question, Verdict, explain},
    snapshot::{NoChains, compile},
};
use sluice_crds::{Manifest, manifest::EntryContent};
use sluice_translate::{Change, Held, Settings, Translator};
use std::{fmt::Write, net::Ipv4Addr};

/// The annotations of a canary, as text.
#[derive(Debug, Clone)]
struct Written {
    by_header: bool,
    value: Option<&'static str>,
    pattern: Option<&'static str>,
    by_cookie: bool,
    weight: Option<&'static str>,
    total: Option<&'static str>,
}

/// What a client sends.
#[derive(Debug, Clone)]
struct Sent {
    header: Option<&'static str>,
    cookie: Option<&'static str>,
}

/// The part of such requests that the canary gets, read from the rules.
fn plainly(written: &Written, sent: &Sent) -> f64 {
    if let (true, Some(header)) = (written.by_header, sent.header) {
        match (written.value.filter(|value| !value.is_empty()), written.pattern) {
            (Some(value), _) if header == value => return 1.0,
            (Some(_), _) => {}
            (None, Some("^(de|at)")) if header.starts_with("de") || header.starts_with("at") => return 1.0,
            (None, Some("wa")) if header.contains("wa") => return 1.0,
            // An error of the expression: at once to the main service.
            (None, Some("(de")) => return 0.0,
            (None, Some(_)) => {}
            (None, None) if header == "always" => return 1.0,
            (None, None) if header == "never" => return 0.0,
            (None, None) => {}
        }
    }
    match (written.by_cookie, sent.cookie) {
        (true, Some("always")) => return 1.0,
        (true, Some("never")) => return 0.0,
        _ => {}
    }
    let number =
        |text: Option<&str>, default: i64| text.map_or(default, |text| text.parse().unwrap_or(default));
    let total = match number(written.total, 100) {
        total if total > 100 => total,
        _ => 100,
    };
    (number(written.weight, 0) as f64 / total as f64).clamp(0.0, 1.0)
}

fn manifests(written: &Written, main_ready: bool, canary_ready: bool) -> String {
    let mut annotations = String::from("nginx.ingress.kubernetes.io/canary: 'true'");
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            write!(annotations, ", nginx.ingress.kubernetes.io/{name}: '{value}'").unwrap();
        }
    };
    add("canary-by-header", written.by_header.then_some("X-Canary"));
    add("canary-by-header-value", written.value);
    add("canary-by-header-pattern", written.pattern);
    add("canary-by-cookie", written.by_cookie.then_some("side"));
    add("canary-weight", written.weight);
    add("canary-weight-total", written.total);
    let mut text = String::new();
    for (service, annotations, ready) in
        [("main", "", main_ready), ("next", annotations.as_str(), canary_ready)]
    {
        let addresses = if ready { "[{ ip: 10.0.0.1 }]" } else { "[]" };
        write!(
            text,
            "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{ name: {service}, namespace: shop, annotations: {{ {annotations} }} }}
spec: {{ rules: [{{ host: a.test, http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}] }} }}] }}
---
apiVersion: v1
kind: Service
metadata: {{ name: {service}, namespace: shop }}
spec: {{ ports: [{{ port: 80 }}] }}
---
apiVersion: v1
kind: Endpoints
metadata: {{ name: {service}, namespace: shop }}
subsets: [{{ addresses: {addresses}, ports: [{{ port: 8080 }}] }}]
---
"
        )
        .unwrap();
    }
    text
}

/// The part that the canary gets of such requests; `None` where nobody serves them.
fn decided(text: &str, sent: &Sent) -> Option<f64> {
    let mut settings = Settings { bind: Ipv4Addr::LOCALHOST.into(), ..Settings::default() };
    settings.classes.without_class = true;
    let mut translator = Translator::new(settings);
    for (order, entry) in (0..).zip(Manifest::read(text).entries) {
        let EntryContent::Object(object) = entry.content else { panic!("{entry:?}") };
        translator.apply(Change::Put(Held::new(object, None, order)));
    }
    let loaded =
        sluice_model::validate("test", translator.translate().config, &sluice_model::NoFiles).unwrap();
    let snapshot = compile(None, &loaded.config, &NoChains);
    let header = sent.header.map(|value| ("x-canary".to_owned(), value.to_owned()));
    let cookie = sent.cookie.map(|value| ("cookie".to_owned(), format!("other=1; side={value}")));
    let question = Question {
        listener: None,
        port: None,
        bound: std::collections::BTreeMap::new(),
        method: "GET".to_owned(),
        authority: "a.test".to_owned(),
        server_name: None,
        target: "/".to_owned(),
        fields: header.into_iter().chain(cookie).collect(),
        source: Ipv4Addr::LOCALHOST.into(),
    };
    let answer = explain(&snapshot, &question);
    let Verdict::Route(served) = answer.verdict else { panic!("{answer}") };
    let Outcome::Forward { to, .. } = served.outcome else { panic!("no forward") };
    let share = |name| to.iter().filter(|to| to.cluster == name).map(|to| to.share / 100.0).sum::<f64>();
    let served = to.iter().all(|to| to.endpoints.as_ref().is_some_and(|endpoints| !endpoints.is_empty()));
    served.then(|| share("shop/next:80"))
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(values.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_made_of_the_annotations_decides_as_the_rules_do(
        by_header in any::<bool>(),
        value in one_of(&[None, None, Some(""), Some("de"), Some("always"), Some("never")]),
        pattern in one_of(&[None, None, Some("^(de|at)"), Some("wa"), Some("(de")]),
        by_cookie in any::<bool>(),
        weight in one_of(&[None, Some("0"), Some("10"), Some("100"), Some("150"), Some("-5"), Some("ten")]),
        total in one_of(&[None, Some("50"), Some("100"), Some("1000"), Some("0"), Some("many")]),
        header in one_of(&[None, Some("always"), Some("never"), Some("Always"), Some("de-CH"), Some("de"), Some("")]),
        cookie in one_of(&[None, Some("always"), Some("never"), Some("x")]),
        main_ready in prop::bool::weighted(0.9),
        canary_ready in prop::bool::weighted(0.9),
    ) {
        let written = Written { by_header, value, pattern, by_cookie, weight, total };
        let sent = Sent { header, cookie };
        let wanted = match (main_ready, canary_ready) {
            (false, _) => None,
            (true, false) => Some(0.0),
            (true, true) => Some(plainly(&written, &sent)),
        };
        let found = decided(&manifests(&written, main_ready, canary_ready), &sent);
        match (wanted, found) {
            (Some(wanted), Some(found)) => prop_assert!((wanted - found).abs() < 1e-6, "{wanted} and {found}"),
            (wanted, found) => prop_assert_eq!(wanted, found),
        }
    }
}
