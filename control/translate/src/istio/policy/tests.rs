use super::may_meet;
use crate::{
    Settings, Translation,
    tests::{changes, settings, translate_with},
};
use sluice_model::spec::Action;

/// A host of an Ingress, one of a VirtualService with a port of its own, and the services behind them.
const OPEN: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec: { servers: [{ port: { number: 8080, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: shop }
spec: { hosts: [shop.test], gateways: [web], http: [{ mirror: { host: web }, route: [{ destination: { host: web } }] }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: blog, namespace: shop }
spec: { rules: [{ host: blog.test, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { clusterIP: 10.9.0.1, ports: [{ port: 80 }] }
";

fn gateway() -> Settings {
    let mut settings = settings();
    settings.labels = [("istio".to_owned(), "ingressgateway".to_owned())].into();
    settings.pod_namespace = "edge".to_owned();
    settings
}

fn authorization(namespace: &str, metadata: &str, spec: &str) -> String {
    format!(
        "
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{ name: policy, namespace: {namespace}, {metadata} }}
spec: {{ {spec} }}
"
    )
}

fn authentication(namespace: &str, spec: &str) -> String {
    authorization(namespace, "", spec).replace("AuthorizationPolicy", "RequestAuthentication")
}

/// The hosts that are refused.
fn refused(translation: &Translation) -> Vec<&str> {
    let hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
    let refused = hosts.filter(|host| {
        let status = |action: &Action| match action {
            Action::Respond(answer) => answer.status.get(),
            _ => 0,
        };
        !host.routes.is_empty() && host.routes.iter().all(|route| status(&route.action) == 503)
    });
    let mut names: Vec<&str> = refused.map(|host| host.name.as_str()).collect();
    names.dedup();
    names
}

/// What a policy refuses, and what is said about it.
fn with(policy: &str) -> (Vec<String>, String) {
    let translation = translate_with(gateway(), &format!("{OPEN}{policy}"));
    let said: Vec<String> = translation
        .reports
        .iter()
        .filter(|report| report.object.name == "policy")
        .map(ToString::to_string)
        .collect();
    (refused(&translation).into_iter().map(str::to_owned).collect(), said.join("\n"))
}

const ALL: [&str; 2] = ["blog.test", "shop.test"];
const NONE: [&str; 0] = [];

#[test]
fn a_policy_that_selects_the_gateway_closes_all_its_routes_also_those_of_ingresses() {
    let deny_all = authorization("edge", "", "");
    let (refused, said) = with(&deny_all);
    assert_eq!(refused, ALL);
    assert_eq!(
        said,
        "ERROR AuthorizationPolicy edge/policy: not in effect yet: it needs mesh authorization; until then it selects this gateway, so all routes answer 503"
    );
    let gateway = "selector: { matchLabels: { istio: ingressgateway } }, rules: [{ from: [{ source: { ipBlocks: [10.0.0.0/8] } }] }]";
    assert_eq!(with(&authorization("edge", "", gateway)).0, ALL);
    assert_eq!(with(&authorization("istio-system", "", gateway)).0, ALL, "the root namespace");
    assert_eq!(
        with(&authorization("istio-system", "", "action: DENY, rules: [{}]")).0,
        ALL,
        "the whole mesh"
    );
    let tokens = "jwtRules: [{ issuer: me }]";
    assert_eq!(with(&authentication("edge", tokens)).0, ALL);
    assert_eq!(with(&authentication("edge", &format!("selector: {{ matchLabels: {{}} }}, {tokens}"))).0, ALL);
}

#[test]
fn a_policy_of_other_pods_is_reported_and_closes_nothing() {
    for (namespace, spec) in [
        ("shop", ""),
        ("edge", "selector: { matchLabels: { app: web } }"),
        ("istio-system", "selector: { matchLabels: { app: web } }"),
        ("edge", "targetRefs: [{ kind: Service, name: web }]"),
        ("edge", "targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: other }]"),
    ] {
        let (refused, said) = with(&authorization(namespace, "", spec));
        assert_eq!(refused, NONE, "{namespace} {spec}");
        assert_eq!(
            said,
            format!(
                "INFO AuthorizationPolicy {namespace}/policy: not in effect yet: it needs mesh authorization; it does not select this gateway, and the pods that it selects have to enforce it"
            )
        );
        assert_eq!(
            with(&authentication(
                namespace,
                format!("{spec}, jwtRules: [{{ issuer: me }}]").trim_start_matches(", ")
            ))
            .0,
            NONE
        );
    }
    let peers = authorization("edge", "", "mtls: { mode: STRICT }")
        .replace("AuthorizationPolicy", "PeerAuthentication");
    let (refused, said) = with(&peers);
    assert_eq!(refused, NONE);
    assert!(said.starts_with("WARNING PeerAuthentication edge/policy: not in effect yet"), "{said}");
}

#[test]
fn a_policy_may_be_attached_to_the_gateway_by_name() {
    let mut settings = gateway();
    settings.labels.insert("gateway.networking.k8s.io/gateway-name".to_owned(), "edge".to_owned());
    let policy = |namespace: &str| {
        authorization(
            namespace,
            "",
            "targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]",
        )
    };
    let closed = |namespace| {
        let translation = translate_with(settings.clone(), &format!("{OPEN}{}", policy(namespace)));
        refused(&translation).len()
    };
    assert_eq!((closed("edge"), closed("istio-system"), closed("shop")), (2, 0, 0));
}

#[test]
fn a_policy_that_refuses_nothing_closes_nothing() {
    for (metadata, spec) in [
        ("annotations: { istio.io/dry-run: 'true' }", "action: DENY, rules: [{}]"),
        ("", "action: AUDIT, rules: [{}]"),
        ("", "action: DENY"),
        ("", "rules: [{}]"),
    ] {
        let (refused, said) = with(&authorization("edge", metadata, spec));
        assert_eq!(refused, NONE, "{spec}");
        assert!(said.starts_with("INFO"), "{said}");
    }
    assert_eq!(with(&authentication("edge", "")).0, NONE);
}

#[test]
fn what_a_denial_names_by_host_or_port_is_all_that_it_can_concern() {
    let deny = |to: &str| {
        with(&authorization(
            "edge",
            "",
            &format!("action: DENY, rules: [{{ to: [{{ operation: {{ {to} }} }}] }}]"),
        ))
        .0
    };
    assert_eq!(deny("hosts: [shop.test]"), ["shop.test"]);
    assert_eq!(deny("hosts: ['blog.test:*', 'other.test']"), ["blog.test"]);
    assert_eq!(deny("ports: ['8080']"), ["shop.test"]);
    assert_eq!(deny("ports: ['80'], hosts: ['shop.*']"), NONE);
    assert_eq!(deny("paths: [/admin]"), ALL);
    assert_eq!(deny("notHosts: [shop.test]"), ALL, "what is excluded narrows nothing");
    let allow = "rules: [{ to: [{ operation: { hosts: [shop.test] } }] }]";
    assert_eq!(with(&authorization("edge", "", allow)).0, ALL, "whoever is not allowed is refused");
}

#[test]
fn hosts_of_policies_meet_patterns_of_routes() {
    for (host, pattern, meets) in [
        ("a.test", "a.test", true),
        ("A.test:8080", "a.test", true),
        ("a.test", "b.test", false),
        ("*.test", "a.test", true),
        ("*.com", "a.test", false),
        ("a.*", "a.test", true),
        ("b.*", "a.test", false),
        ("*", "a.test", true),
        ("a.x.test", "*.x.test", true),
        ("a.y.test", "*.x.test", false),
        ("*.test", "*.x.test", true),
        ("*.a.x.test", "*.x.test", true),
        ("*.y.test", "*.x.test", false),
        ("a.test", "*", true),
    ] {
        assert_eq!(may_meet(host, &pattern.parse().unwrap()), meets, "{host} {pattern}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_closes_what_it_may_be_about() {
    let all = with(&authorization("edge", "", "action: FORBID, rules: [{}]")).0;
    assert_eq!(all, ALL);
    assert_eq!(with(&authorization("edge", "", "selector: 5, rules: [{}]")).0, ALL);
    let other = "selector: { matchLabels: { app: web } }, action: FORBID";
    assert_eq!(with(&authorization("edge", "", other)).0, NONE);
}

#[test]
fn without_protection_everything_is_served_and_that_is_said_loudly() {
    let mut settings = gateway();
    settings.allow_unprotected = true;
    let translation = translate_with(settings, &format!("{OPEN}{}", authorization("edge", "", "")));
    assert_eq!(refused(&translation), NONE);
    let said = translation.reports.iter().any(|report| report.to_string().contains("NOT PROTECTED"));
    assert!(said, "{:?}", translation.reports);
}

#[test]
fn routes_close_and_open_with_the_policy() {
    let mut translator = crate::Translator::new(gateway());
    let mut write = |text: &str| {
        for change in changes(text) {
            translator.apply(change);
        }
        let now = std::time::Instant::now();
        refused(&translator.translate_at(now)).len()
    };
    assert_eq!(write(OPEN), 0);
    assert_eq!(write(&authorization("edge", "", "")), 2);
    assert_eq!(write(&authorization("edge", "", "rules: [{}]")), 0);
}
