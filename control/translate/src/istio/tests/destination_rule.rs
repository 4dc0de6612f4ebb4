//! DestinationRules on their own.

use super::{said, settings};
use crate::{Reason, tests::translate_with};

fn rule(spec: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: reviews, namespace: shop }}
spec: {{ {spec} }}
"
    )
}

const SERVICE: &str = "
---
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: team }
spec: { hosts: [outside.test, '*.wild.test'], exportTo: ['.'], resolution: NONE, ports: [{ number: 80, name: http, protocol: HTTP }] }
";

#[test]
fn a_rule_for_a_host_that_nobody_has_is_told_so() {
    for known in ["reviews", "Reviews.shop.svc.cluster.local", "outside.test", "'*.wild.test'", "'*.local'"] {
        let translation = translate_with(settings(), &(rule(&format!("host: {known}")) + SERVICE));
        let lost = translation.reports.iter().find(|report| report.object.kind == "DestinationRule");
        assert!(lost.is_none(), "{known}: {lost:?}");
    }
    for (unknown, way_out) in [
        ("ratings", "there is no service `ratings.shop.svc.cluster.local`, so this rule has no effect"),
        ("reviews.shop", "so write `reviews.shop.svc.cluster.local`"),
        ("a.wild.test", "there is no service `a.wild.test`"),
    ] {
        let translation = translate_with(settings(), &(rule(&format!("host: {unknown}")) + SERVICE));
        let found = translation.reports.iter().find(|report| report.object.kind == "DestinationRule");
        let found = found.unwrap_or_else(|| panic!("{unknown}: nothing is said"));
        assert_eq!((found.reason, found.field.as_str()), (Reason::NotFound, "spec.host"));
        assert!(found.message.contains(way_out), "{found}");
    }
}

#[test]
fn subsets_have_labels_as_names_and_policies_that_say_something() {
    for (subsets, wrong) in [
        ("{ name: v1 }", None),
        ("{ name: -v1 }", Some("spec.subsets[0].name: `-v1` is not a name")),
        ("{ name: v1- }", Some("spec.subsets[0].name: `v1-` is not a name")),
        ("{ name: v1, trafficPolicy: {} }", Some("spec.subsets[0].trafficPolicy: says nothing")),
    ] {
        let translation =
            translate_with(settings(), &(rule(&format!("host: reviews, subsets: [{subsets}]")) + SERVICE));
        let said = said(&translation);
        match wrong {
            None => assert!(!said.iter().any(|line| line.contains("DestinationRule")), "{said:?}"),
            Some(wrong) => assert!(said.iter().any(|line| line.contains(wrong)), "{said:?}"),
        }
    }
}

#[test]
fn a_rule_that_cannot_be_used_sends_nothing_in_clear_that_it_protects() {
    const ROUTES: &str = "
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec: { servers: [{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: shop }
spec: { hosts: ['*'], gateways: [web], http: [{ route: [{ destination: { host: reviews } }] }] }
";
    for (spec, refused) in [
        ("trafficPolicy: { tls: { mode: ISTIO_MUTUAL } }, subsets: [{ name: V1 }]", true),
        ("trafficPolicy: { tls: { mode: MUTAL } }", true),
        ("subsets: [{ name: v1, trafficPolicy: { tls: { mode: SIMPLE } } }, { name: v1 }]", true),
        ("trafficPolicy: { tls: { mode: DISABLE } }, subsets: [{ name: V1 }]", false),
        ("subsets: [{ name: V1 }]", false),
        ("trafficPolicy: { connectionPool: { tcp: { connectTimeout: soon } } }", false),
    ] {
        let translation =
            translate_with(settings(), &(rule(&format!("host: reviews, {spec}")) + SERVICE + ROUTES));
        let cluster =
            translation.config.clusters.iter().find(|cluster| cluster.name.contains("reviews")).unwrap();
        assert_eq!(cluster.unavailable, refused, "{spec}");
        let mut open = settings();
        open.allow_unprotected = true;
        let open = translate_with(open, &(rule(&format!("host: reviews, {spec}")) + SERVICE + ROUTES));
        assert!(open.config.clusters.iter().all(|cluster| !cluster.unavailable), "{spec}");
    }
}
