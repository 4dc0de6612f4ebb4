//! VirtualServices on their own, and those that delegate.

use super::{said, settings};
use crate::{Translation, tests::translate_with};
use sluice_model::spec::{Action, Filter, Route};

const FRONT: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: shop }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: audit, namespace: shop }
spec: { ports: [{ name: http, port: 80 }] }
";

fn service(name: &str, hosts: &str, http: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: {name}, namespace: shop }}
spec: {{ {hosts} http: [{http}] }}
"
    )
}

const ROOT: &str = "hosts: [shop.test], gateways: [web],";
const CART: &str = "route: [{ destination: { host: cart } }]";

/// What comes of one rule that delegates, and one that is delegated to.
fn delegated(root: &str, leaf: &str) -> Translation {
    let root = format!("{{ {root}, delegate: {{ name: leaf }} }}");
    translate_with(
        settings(),
        &(FRONT.to_owned() + &service("root", ROOT, &root) + &service("leaf", "", leaf)),
    )
}

fn only_route(translation: &Translation) -> &Route {
    let hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
    match &hosts.flat_map(|host| &host.routes).collect::<Vec<_>>()[..] {
        [only] => only,
        other => panic!("{other:?} {:?}", said(translation)),
    }
}

#[test]
fn what_a_delegate_inherits_stands_beside_its_own_action() {
    let answered = delegated("directResponse: { status: 410 }", &format!("{{ {CART} }}"));
    assert!(matches!(&only_route(&answered).action, Action::Respond(answer) if answer.status.get() == 410));
    let own = delegated("directResponse: { status: 410 }", "{ redirect: { uri: /x } }");
    assert!(matches!(only_route(&own).action, Action::Redirect(_)));

    let fault = "fault: { abort: { httpStatus: 500, percentage: { value: 100 } } }";
    let inherited = format!("{fault}, rewrite: {{ uri: /x }}, mirror: {{ host: cart }}");
    let moved = delegated(&inherited, "{ redirect: { uri: /x } }");
    let route = only_route(&moved);
    assert!(matches!(route.action, Action::Redirect(_)), "{route:?}");
    assert!(matches!(&route.filters[..], [Filter::Fault(_)]), "{route:?}");

    let both = delegated(
        "mirror: { host: cart }",
        &format!("{{ {CART}, mirrors: [{{ destination: {{ host: audit }} }}] }}"),
    );
    assert_eq!(only_route(&both).mirrors.len(), 2);
}

#[test]
fn a_rule_that_delegates_is_read_whole() {
    for (rule, wrong) in [
        ("timeout: 0.0001s", "spec.http[0].timeout: a timeout is at least"),
        ("fault: { abort: { grpcStatus: NONSENSE } }", "spec.http[0].fault.abort.grpcStatus"),
        ("headers: { request: { set: { a: '%NOPE%' } } }", "spec.http[0]: headers.request: "),
        ("retries: { attempts: 1, retryOn: whatever }", "spec.http[0].retries.retryOn"),
        ("route: [{ destination: { host: cart } }]", "spec.http[0].route: cannot stand beside `delegate`"),
    ] {
        let said = said(&delegated(rule, &format!("{{ {CART} }}")));
        assert!(
            said.iter()
                .any(|line| line.starts_with("ERROR VirtualService shop/root") && line.contains(wrong)),
            "{rule}: {said:?}"
        );
    }
    let nobody = FRONT.to_owned() + &service("root", ROOT, "{ delegate: {} }");
    let said = said(&translate_with(settings(), &nobody));
    assert!(
        said.iter().any(|line| line.contains("spec.http[0].delegate.name: name the VirtualService")),
        "{said:?}"
    );
}

#[test]
fn rules_behind_one_that_delegates_are_reached() {
    let leaf = service("leaf", "", &format!("{{ match: [{{ uri: {{ prefix: /cart }} }}], {CART} }}"));
    let root = service("root", ROOT, &format!("{{ delegate: {{ name: leaf }} }}, {{ {CART} }}"));
    let translation = translate_with(settings(), &(FRONT.to_owned() + &root + &leaf));
    assert_eq!(said(&translation), [""; 0]);
    assert_eq!(translation.config.route_tables[0].virtual_hosts[0].routes.len(), 2);
}

#[test]
fn a_pseudo_header_counts_beside_the_field_of_its_name() {
    let matching = "match: [{ method: { prefix: G }, headers: { ':method': { exact: GET }, ':path': { regex: '/a.*' } }, withoutHeaders: { ':authority': { prefix: Shop }, ':status': { exact: '200' } } }]";
    let rule = format!("{{ {matching}, {CART} }}");
    let translation = translate_with(settings(), &(FRONT.to_owned() + &service("root", ROOT, &rule)));
    let conditions: Vec<(&str, bool)> = only_route(&translation).matches[0]
        .pseudo_headers
        .iter()
        .map(|pseudo| (pseudo.name.as_str(), pseudo.invert))
        .collect();
    assert_eq!(conditions, [(":method", false), (":path", false), (":authority", true)]);
    assert_eq!(said(&translation).len(), 1, "the field that no request has: {:?}", said(&translation));
}

#[test]
fn rules_that_differ_by_what_is_settled_before_a_request_do_not_repeat_each_other() {
    let rule = |settled: &str| format!("{{ match: [{{ uri: {{ exact: /a }} {settled} }}], {CART} }}");
    for (settled, again) in [
        (", port: 80", false),
        (", gateways: [web]", false),
        (", sourceLabels: { app: a }", false),
        (", sourceNamespace: a", false),
        ("", true),
        (", port: 81", true),
    ] {
        let rules = format!("{}, {}, {}", rule(""), rule(", port: 81"), rule(settled));
        let said = said(&translate_with(settings(), &(FRONT.to_owned() + &service("root", ROOT, &rules))));
        let found = said.iter().any(|line| line.contains("again"));
        assert_eq!(found, again, "{settled}: {said:?}");
    }
}

#[test]
fn routes_of_one_name_are_told_apart_by_their_object_or_by_number() {
    let named = |path: &str| format!("{{ name: api, match: [{{ uri: {{ prefix: {path} }} }}], {CART} }}");
    let objects = FRONT.to_owned()
        + &service("a", ROOT, &format!("{}, {}", named("/a"), named("/b")))
        + &service("b", ROOT, &format!("{}, {}", named("/c"), named("/d")));
    let translation = translate_with(settings(), &objects);
    let names: Vec<&str> = translation.config.route_tables[0].virtual_hosts[0]
        .routes
        .iter()
        .map(|route| route.name.as_str())
        .collect();
    assert_eq!(names, ["api", "api (2)", "api of shop/b", "api of shop/b (2)"]);
}

#[test]
fn a_route_names_the_delegate_that_its_rule_is_written_in() {
    let translation = delegated("name: r", &format!("{{ {CART} }}"));
    let route = only_route(&translation);
    assert_eq!(route.origin.as_deref(), Some("VirtualService shop/root"));
    assert_eq!(route.delegate.as_deref(), Some("VirtualService shop/leaf"));
}

#[test]
fn a_condition_that_always_holds_keeps_its_place_before_the_rules_of_younger_objects() {
    for guard in [
        "withoutHeaders: { '@request.auth.claims.group': { exact: admins } }",
        "scheme: { regex: 'https?' }",
        "uri: { regex: '/.*' }",
    ] {
        let first = format!("{{ match: [{{ {guard} }}], directResponse: {{ status: 403 }} }}");
        let later = "{ match: [{ uri: { prefix: /admin } }], directResponse: { status: 200 } }";
        let text = FRONT.to_owned() + &service("a", ROOT, &first) + &service("b", ROOT, later);
        let translation = translate_with(settings(), &text);
        let hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
        let statuses: Vec<u16> = hosts
            .flat_map(|host| &host.routes)
            .filter_map(|route| match &route.action {
                Action::Respond(answer) => Some(answer.status.get()),
                _ => None,
            })
            .collect();
        assert_eq!(statuses, [403, 200], "{guard}: {:?}", said(&translation));
    }
}
