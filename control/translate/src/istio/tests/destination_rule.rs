//! DestinationRules on their own.

use super::{said, settings};
use crate::{Reason, tests::translate_with};
use sluice_model::spec::Balancer;

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

/// A Gateway, and a VirtualService that sends all that comes there to a host.
fn routed_to(host: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{ name: web, namespace: shop }}
spec: {{ servers: [{{ port: {{ number: 80, protocol: HTTP }}, hosts: ['*'] }}] }}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: web, namespace: shop }}
spec: {{ hosts: ['*'], gateways: [web], http: [{{ route: [{{ destination: {{ host: {host} }} }}] }}] }}
"
    )
}

#[test]
fn a_rule_that_cannot_be_used_sends_nothing_in_clear_that_it_protects() {
    for (spec, refused) in [
        ("trafficPolicy: { tls: { mode: ISTIO_MUTUAL } }, subsets: [{ name: V1 }]", true),
        ("trafficPolicy: { tls: { mode: MUTAL } }", true),
        ("subsets: [{ name: v1, trafficPolicy: { tls: { mode: SIMPLE } } }, { name: v1 }]", true),
        ("trafficPolicy: { tls: { mode: DISABLE } }, subsets: [{ name: V1 }]", false),
        ("subsets: [{ name: V1 }]", false),
        ("trafficPolicy: { connectionPool: { tcp: { connectTimeout: soon } } }", false),
    ] {
        let translation = translate_with(
            settings(),
            &(rule(&format!("host: reviews, {spec}")) + SERVICE + &routed_to("reviews")),
        );
        let cluster =
            translation.config.clusters.iter().find(|cluster| cluster.name.contains("reviews")).unwrap();
        assert_eq!(cluster.unavailable, refused, "{spec}");
        let mut open = settings();
        open.allow_unprotected = true;
        let open = translate_with(
            open,
            &(rule(&format!("host: reviews, {spec}")) + SERVICE + &routed_to("reviews")),
        );
        assert!(open.config.clusters.iter().all(|cluster| !cluster.unavailable), "{spec}");
    }
}

/// `front` is another name for `reviews` of another namespace, and that one for a host outside.
const ALIASES: &str = "
---
apiVersion: v1
kind: Service
metadata: { name: front, namespace: shop }
spec: { type: ExternalName, externalName: Middle.team.svc.cluster.local. }
---
apiVersion: v1
kind: Service
metadata: { name: middle, namespace: team }
spec: { type: ExternalName, externalName: api.outside.test, ports: [{ name: http, port: 80 }] }
";

/// A DestinationRule for a host with the fields of a policy.
fn rule_of(namespace: &str, host: &str, policy: &str) -> String {
    rule(&format!("host: {host}, trafficPolicy: {{ {policy} }}")).replace(
        "name: reviews, namespace: shop",
        &format!("name: of-{namespace}-{}, namespace: {namespace}", host.len()),
    )
}

#[test]
fn another_name_for_a_service_is_no_way_around_the_rules_of_any_of_its_names() {
    const MUTUAL: &str = "tls: { mode: ISTIO_MUTUAL }";
    let front = |policy| rule_of("shop", "front", policy);
    let middle = |policy| rule_of("team", "middle", policy);
    let outside = |policy| rule_of("team", "api.outside.test", policy);
    let asking = "
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: team }
spec: { hosts: [api.outside.test], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }], subjectAltNames: [a] }
";
    for (objects, wanted) in [
        (String::new(), "plain"),
        (front(MUTUAL), "refused"),
        (middle(MUTUAL), "refused"),
        (outside(MUTUAL), "refused"),
        (front("tls: { mode: DISABLE }") + &middle(MUTUAL), "refused"),
        (front("tls: { mode: SIMPLE }") + &middle(MUTUAL), "refused"),
        (front(MUTUAL) + &middle("tls: { mode: DISABLE }"), "refused"),
        (front("tls: { mode: DISABLE }") + &outside("tls: { mode: SIMPLE }"), "api.outside.test"),
        (
            front("tls: { mode: SIMPLE, insecureSkipVerify: true }") + &outside("tls: { mode: SIMPLE }"),
            "api.outside.test",
        ),
        (middle("tls: { mode: SIMPLE, sni: a.test }"), "a.test"),
        (asking.to_owned(), "refused"),
    ] {
        let translation = translate_with(settings(), &(ALIASES.to_owned() + &routed_to("front") + &objects));
        let clusters = &translation.config.clusters;
        let cluster =
            clusters.iter().find(|cluster| cluster.name == "outbound|80||front.shop.svc.cluster.local");
        let cluster = cluster.unwrap();
        let found = match &cluster.tls {
            _ if cluster.unavailable => "refused",
            None => "plain",
            Some(tls) => tls.server_name.as_deref().unwrap_or_default(),
        };
        assert_eq!(found, wanted, "{objects}");
    }
}

#[test]
fn another_name_for_a_service_has_the_subsets_and_the_balancer_of_the_service() {
    let target = SERVICE.to_owned()
        + &rule(
            "host: reviews, trafficPolicy: { loadBalancer: { simple: RANDOM } }, subsets: [{ name: v1 }]",
        );
    let renamed = ALIASES.replace("Middle.team.svc.cluster.local.", "reviews.shop.svc.cluster.local");
    let aliases = renamed.clone() + &routed_to("front, subset: v1");
    let of_front = |objects: String| {
        let clusters = translate_with(settings(), &objects).config.clusters;
        let name = "outbound|80|v1|front.shop.svc.cluster.local";
        let cluster = clusters.iter().find(|cluster| cluster.name == name).unwrap();
        (cluster.unavailable, cluster.balancer.clone())
    };
    assert_eq!(of_front(aliases.clone() + &target), (false, Balancer::Random));
    let own = rule_of("shop", "front", "loadBalancer: { simple: ROUND_ROBIN }");
    assert_eq!(of_front(aliases.clone() + &target + &own), (false, Balancer::Random), "as with Istio");
    let other = renamed + &routed_to("front");
    let without = translate_with(settings(), &(other + SERVICE + &own)).config.clusters;
    assert_eq!(without[0].balancer, Balancer::RoundRobin, "the only rule that there is");
}
