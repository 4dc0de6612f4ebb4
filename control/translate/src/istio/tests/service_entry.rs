//! ServiceEntries on their own.

use super::{said, settings};
use crate::tests::translate_with;

#[test]
fn what_no_connection_can_be_told_by_is_refused() {
    for (spec, wrong) in [
        ("hosts: [a.test], addresses: [192.0.2.1, 2001:db8::/32], resolution: STATIC", None),
        (
            "hosts: [a.test], addresses: [nowhere], resolution: STATIC",
            Some("spec.addresses[0]: `nowhere` is neither"),
        ),
        (
            "hosts: [a.test], addresses: [192.0.2.0/24], resolution: DNS",
            Some("spec.addresses[0]: a network needs"),
        ),
        ("hosts: [a.test, b.test], resolution: DNS", Some("spec.ports[0].protocol: connections do not say")),
        ("hosts: [a.test, b.test], resolution: NONE", None),
        (
            "hosts: [a.test], resolution: DNS_ROUND_ROBIN, endpoints: [{ address: c.test }, { address: d.test }]",
            Some("spec.endpoints: `resolution: DNS_ROUND_ROBIN` has one at most"),
        ),
    ] {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{ name: a, namespace: shop }}\n\
             spec: {{ {spec}, ports: [{{ number: 9000, name: tcp, protocol: TCP }}] }}\n"
        );
        let said = said(&translate_with(settings(), &text));
        let refused: Vec<&String> = said.iter().filter(|line| line.starts_with("ERROR")).collect();
        match (wrong, &*refused) {
            (None, []) => {}
            (Some(wrong), [only]) => assert!(only.contains(wrong), "{only}"),
            _ => panic!("{spec}: {said:?}"),
        }
    }
}

#[test]
fn who_sees_an_entry_that_says_nothing_is_a_matter_of_the_mesh() {
    let text = "
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: \"defaultServiceExportTo: ['.']\" }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: a, namespace: shop }
spec: { hosts: [a.test], EXPORT resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec: { selector: { istio: ingressgateway }, servers: [{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a, namespace: shop }
spec: { hosts: [shop.test], gateways: [web], http: [{ route: [{ destination: { host: a.test } }] }] }
";
    for (export, seen) in [("", false), ("exportTo: ['*'],", true), ("exportTo: ['~'],", false)] {
        let said = said(&translate_with(settings(), &text.replace("EXPORT", export)));
        let missing = said.iter().any(|line| line.contains("there is no service `a.test`"));
        assert_eq!(missing, !seen, "{export}: {said:?}");
    }
}
