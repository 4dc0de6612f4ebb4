//! Gateways without VirtualServices.

use super::{said, settings};
use crate::{Reason, Translation, tests::translate_with};

fn gateway(name: &str, servers: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{ name: {name}, namespace: shop }}
spec: {{ selector: {{ istio: ingressgateway }}, servers: [{servers}] }}
"
    )
}

fn translate(text: &str) -> Translation {
    translate_with(settings(), text)
}

fn listeners(translation: &Translation) -> Vec<&str> {
    translation.config.listeners.iter().map(|listener| listener.name.as_str()).collect()
}

#[test]
fn a_gateway_is_ours_when_all_its_labels_are() {
    let other = gateway("other", "{ port: { number: 81, protocol: HTTP }, hosts: ['*'] }")
        .replace("istio: ingressgateway", "istio: egressgateway");
    let everybody = gateway("everybody", "{ port: { number: 82, protocol: HTTP }, hosts: ['*'] }")
        .replace("istio: ingressgateway", "");
    let ours = gateway("ours", "{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }");
    let translation = translate(&(other + &everybody + &ours));
    assert_eq!(listeners(&translation), ["port-80", "port-82"]);
}

#[test]
fn a_port_is_the_one_that_the_service_of_the_gateway_leads_to() {
    let service = "
---
apiVersion: v1
kind: Service
metadata: { name: istio-ingressgateway, namespace: istio-system }
spec: { selector: { istio: ingressgateway }, ports: [{ name: http2, port: 80, targetPort: 8080 }] }
";
    let servers = "{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }, { port: { number: 90, protocol: HTTP }, hosts: ['*'] }";
    let translation = translate(&(gateway("web", servers) + service));
    assert_eq!(listeners(&translation), ["port-90", "port-8080"]);
}

#[test]
fn a_server_that_cannot_be_served_keeps_its_hosts_shut_and_the_others_open() {
    let servers = "
      { port: { number: 443, name: mutual, protocol: HTTPS }, hosts: [m.test], tls: { mode: MUTUAL, credentialName: m } },
      { port: { number: 443, name: missing, protocol: HTTPS }, hosts: [n.test], tls: { mode: SIMPLE, credentialName: n } },
      { port: { number: 443, name: pass, protocol: TLS }, hosts: ['*.p.test'], tls: { mode: PASSTHROUGH } },
      { port: { number: 3306, name: tcp, protocol: TCP }, hosts: ['*'] }";
    let translation = translate(&gateway("web", servers));
    assert_eq!(listeners(&translation), ["port-443"]);
    let tls = translation.config.listeners[0].tls.as_ref().unwrap();
    let scopes: Vec<(String, usize)> = tls
        .scopes
        .iter()
        .map(|scope| (scope.server_names[0].to_string(), scope.certificates.len()))
        .collect();
    let shut = |name: &str| (name.to_owned(), 0);
    assert_eq!(scopes, [shut("n.test"), shut("m.test"), shut("*.p.test")]);
    assert_eq!(
        said(&translation),
        [
            "ERROR Gateway shop/web: spec.servers[1].tls.credentialName: there is no Secret istio-system/n, the gateway's namespace; handshakes that need this certificate fail",
            "ERROR Gateway shop/web: spec.servers[3].port.protocol: not in effect yet: TCP needs TCP and TLS pass-through; the port is not opened",
            "ERROR Gateway shop/web: spec.servers[0].tls.mode: not in effect yet: it needs client certificates; until then handshakes for the hosts of this server fail",
            "ERROR Gateway shop/web: spec.servers[2].tls.mode: not in effect yet: it needs TCP and TLS pass-through; until then handshakes for the hosts of this server fail",
        ]
    );
}

#[test]
fn of_two_servers_that_want_the_same_the_older_one_has_it() {
    let secure = |hosts: &str| {
        format!(
            "{{ port: {{ number: 443, protocol: HTTPS }}, hosts: [{hosts}], tls: {{ mode: SIMPLE, credentialName: c }} }}"
        )
    };
    let plain = "{ port: { number: 443, protocol: HTTP }, hosts: ['*'] }";
    let translation = translate(
        &(gateway("a", &secure("a.test, b.test"))
            + &gateway("b", &secure("b.test, c.test"))
            + &gateway("c", plain)),
    );
    let said = said(&translation);
    assert!(
        said.iter().any(|line| line
            .starts_with("ERROR Gateway shop/b: spec.servers[0].hosts: `b.test` belongs to an older server")),
        "{said:#?}"
    );
    assert!(
        said.iter().any(|line| line.starts_with(
            "ERROR Gateway shop/c: spec.servers[0].port: Gateway shop/a has the port with TLS already"
        )),
        "{said:#?}"
    );
    assert_eq!(translation.config.listeners[0].tls.as_ref().unwrap().scopes.len(), 1);
}

#[test]
fn a_gateway_with_a_mistake_is_not_served_and_its_neighbour_is() {
    let bad = "{ port: { number: 0, protocol: FTP }, hosts: [] }, { port: { number: 443, protocol: HTTPS }, hosts: ['a b'] }";
    let good = gateway("good", "{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }");
    let translation = translate(&(gateway("bad", bad) + &good));
    assert_eq!(listeners(&translation), ["port-80"]);
    assert_eq!(said(&translation).len(), 5, "{:#?}", said(&translation));
}

#[test]
fn a_host_that_ingresses_have_is_theirs_and_the_virtual_service_is_told() {
    let server = "{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }";
    let objects = "
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: both, namespace: shop }
spec: { hosts: [a.test, b.test], gateways: [web], http: [{ directResponse: { status: 200 } }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: a, namespace: shop }
spec: { rules: [{ host: a.test, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }] }
";
    let translation = translate(&(gateway("web", server) + objects));
    let hosts = &translation.config.route_tables[0].virtual_hosts;
    let owners: Vec<(&str, &str)> = hosts
        .iter()
        .filter_map(|host| Some((host.name.as_str(), host.routes[0].origin.as_deref()?)))
        .filter(|(name, _)| *name != "*")
        .collect();
    assert_eq!(owners, [("a.test", "Ingress shop/a"), ("b.test", "VirtualService shop/both")]);
    let told = "WARNING VirtualService shop/both: Ingresses have host `a.test` at port 80 already and serve it; give one of them another host or port";
    assert!(said(&translation).iter().any(|line| line == told), "{:#?}", said(&translation));
}

/// An Ingress with a certificate for its host.
fn secure_ingress(host: &str, annotations: &str) -> String {
    format!(
        "
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{ name: secure, namespace: shop, annotations: {{ {annotations} }} }}
spec:
  tls: [{{ hosts: [{host}], secretName: own }}]
  rules: [{{ host: {host}, http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}] }} }}]
---
apiVersion: v1
kind: Secret
metadata: {{ name: own, namespace: shop }}
type: kubernetes.io/tls
stringData: {{ tls.crt: \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\", tls.key: \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\" }}
"
    )
}

/// The scopes of port 443: which names each has, and how many certificates.
fn scopes(translation: &Translation) -> Vec<(String, usize)> {
    let listener = translation.config.listeners.iter().find(|listener| listener.name == "port-443").unwrap();
    let scopes = listener.tls.as_ref().unwrap().scopes.iter();
    let names = |scope: &sluice_model::spec::TlsScope| {
        scope.server_names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    scopes.map(|scope| (names(scope), scope.certificates.len())).collect()
}

fn translate_certified(text: &str) -> Translation {
    let mut settings = settings();
    settings.certificates = crate::CertificateReader(|_, _| Ok(vec!["a.test".to_owned()]));
    translate_with(settings, text)
}

#[test]
fn hosts_of_ingresses_keep_their_certificates_where_a_gateway_has_a_server_for_all_names() {
    let server =
        "{ port: { number: 443, protocol: HTTPS }, hosts: ['*'], tls: { mode: SIMPLE, credentialName: n } }";
    let one = |name: &str, certificates: usize| (name.to_owned(), certificates);
    let both = translate_certified(&(secure_ingress("a.test", "") + &gateway("web", server)));
    assert_eq!(scopes(&both), [one("a.test", 1), one("*", 0)]);
    let apart = server.replace("'*'", "b.test");
    let apart = translate_certified(&(secure_ingress("a.test", "") + &gateway("web", &apart)));
    assert_eq!(scopes(&apart), [one("b.test", 0)], "nobody takes the host of the Ingress");
}

#[test]
fn hosts_of_ingresses_on_the_default_certificate_are_not_taken_by_a_server_for_all_names_but_those_without_tls_are()
 {
    let server =
        "{ port: { number: 443, protocol: HTTPS }, hosts: ['*'], tls: { mode: SIMPLE, credentialName: n } }";
    let without_secret = secure_ingress("a.test", "").replace(", secretName: own", "");
    let without_tls = without_secret.replace("  tls: [{ hosts: [a.test] }]\n", "");
    let names = |ingress: &str, fallback: Option<&str>| {
        let mut settings = settings();
        settings.certificates = crate::CertificateReader(|_, _| Ok(Vec::new()));
        settings.fallback_certificate = fallback.map(|line| {
            let block = |kind| format!("-----BEGIN {kind}-----\n{line}\n-----END {kind}-----\n");
            crate::PemPair { certificate: block("CERTIFICATE"), key: block("PRIVATE KEY") }
        });
        scopes(&translate_with(settings, &(ingress.to_owned() + &gateway("web", server))))
    };
    let one = |name: &str, certificates: usize| (name.to_owned(), certificates);
    assert_eq!(names(&without_secret, Some("AAAA")), [one("a.test", 1), one("*", 0)]);
    assert_eq!(names(&without_secret, None), [one("*", 0)], "there is nothing to show for it");
    assert_eq!(names(&without_tls, Some("AAAA")), [one("*", 0)]);
}

#[test]
fn a_name_that_an_ingress_has_with_tls_is_not_the_gateways_and_it_is_told() {
    let server = "{ port: { number: 443, protocol: HTTPS }, hosts: [a.test, b.test], tls: { mode: SIMPLE, credentialName: n } }";
    let refused = "nginx.ingress.kubernetes.io/auth-tls-secret: shop/ca";
    for (annotations, certificates) in [("", 1), (refused, 0)] {
        let translation =
            translate_certified(&(secure_ingress("a.test", annotations) + &gateway("web", server)));
        assert_eq!(scopes(&translation), [("a.test".to_owned(), certificates), ("b.test".to_owned(), 0)]);
        let told = "WARNING Gateway shop/web: Ingresses have host `a.test` at port 443 already and serve it; give one of them another host or port";
        assert!(said(&translation).iter().any(|line| line == told), "{:#?}", said(&translation));
    }
}

#[test]
fn a_redirect_to_https_belongs_to_servers_for_http() {
    let server = |protocol: &str, tls: &str| {
        let servers =
            format!("{{ port: {{ number: 90, protocol: {protocol} }}, hosts: ['*'], tls: {{ {tls} }} }}");
        translate(&gateway("web", &servers))
    };
    let secure = server("HTTPS", "httpsRedirect: true, mode: SIMPLE, credentialName: a");
    let redirect = |report: &&crate::Report| report.field == "spec.servers[0].tls.httpsRedirect";
    assert_eq!(secure.reports.iter().find(redirect).map(|report| report.reason), Some(Reason::NoEffect));
    assert_eq!(listeners(&secure), ["port-90"], "it has no effect, and the server is served");
    for said in ["", "httpsRedirect: false", "httpsRedirect: true"] {
        let plain = server("HTTP", said);
        assert!(plain.reports.is_empty(), "{said}: {:?}", plain.reports);
        assert_eq!(listeners(&plain), ["port-90"], "{said}");
    }
    for (protocol, said) in [
        ("HTTP", "mode: SIMPLE, credentialName: a"),
        ("HTTP", "credentialName: a"),
        ("TCP", "httpsRedirect: true"),
    ] {
        let wrong = server(protocol, said);
        let found: Vec<_> = wrong.reports.iter().map(|report| (&*report.field, report.reason)).collect();
        assert_eq!(found, [("spec.servers[0].tls", Reason::Invalid)], "{protocol}: {said}");
        assert_eq!(listeners(&wrong), [""; 0]);
    }
}

#[test]
fn a_port_that_is_mapped_to_where_the_pod_listens_is_one_listener_with_it() {
    let service = "
---
apiVersion: v1
kind: Service
metadata: { name: istio-ingressgateway, namespace: istio-system }
spec: { selector: { istio: ingressgateway }, ports: [{ name: http2, port: 80, targetPort: 8080 }] }
";
    let mut settings = settings();
    settings.port_map = [(80, 8080)].into();
    let servers = "{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }, { port: { number: 8080, protocol: HTTP }, hosts: ['a.test'] }";
    let translation = translate_with(settings, &(gateway("web", servers) + service));
    assert_eq!(listeners(&translation), ["port-80"]);
    let listener = &translation.config.listeners[0];
    assert_eq!((listener.address.port(), listener.public_port), (8080, Some(80)));

    let mut anywhere = crate::tests::settings();
    anywhere.port_map = [(80, 0), (81, 0)].into();
    let servers = "{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }, { port: { number: 81, protocol: HTTP }, hosts: ['*'] }";
    let everybody = gateway("web", servers).replace("istio: ingressgateway", "");
    assert_eq!(
        listeners(&translate_with(anywhere, &everybody)),
        ["port-80", "port-81"],
        "each at a port of its own"
    );
}

#[test]
fn a_server_with_tls_takes_no_port_from_ingresses_that_are_served_without() {
    let ingress = "
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: shop }
spec:
  ingressClassName: nginx
  rules: [{ host: a.test, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }]
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }
";
    let servers = "{ port: { number: 80, protocol: HTTPS }, hosts: ['b.test'], tls: { mode: SIMPLE, credentialName: own } }";
    let translation = translate(&(gateway("web", servers) + ingress));
    let listener = translation.config.listeners.iter().find(|listener| listener.name == "port-80").unwrap();
    assert_eq!(listener.tls, None);
    let conflict = translation.reports.iter().find(|report| report.reason == Reason::Conflict);
    let message = conflict.map(ToString::to_string).unwrap_or_default();
    assert!(message.contains("port 80 is served without TLS already"), "{message}");
}

#[test]
fn names_of_a_server_that_is_not_served_do_not_fall_to_one_that_asks_less_of_clients() {
    let server = |name: &str, host: &str, tls: &str| {
        format!(
            "{{ port: {{ number: 443, name: {name}, protocol: HTTPS }}, hosts: [{host}], tls: {{ {tls} }} }}"
        )
    };
    let wide = gateway("wide", &server("all", "'*'", "mode: SIMPLE, credentialName: n"));
    let wrong = "{ port: { number: 80, protocol: FTP }, hosts: [x.test] }";
    let mutual = "mode: MUTUAL, credentialName: m";
    let all = ("*".to_owned(), 0);
    let shut = |name: &str| (name.to_owned(), 0);
    for (servers, names) in [
        // The Gateway is rejected for another of its servers.
        (format!("{}, {wrong}", server("a", "a.test", mutual)), Some("a.test")),
        (format!("{}, {wrong}", server("a", "'b/*.a.test', 'a b', a.test", mutual)), Some("*.a.test a.test")),
        (format!("{}, {wrong}", server("a", "a.test", "mode: SIMPLE, credentialName: m")), None),
        (
            format!(
                "{}, {wrong}",
                server("a", "a.test", "mode: SIMPLE, credentialName: m, subjectAltNames: [b]")
            ),
            Some("a.test"),
        ),
        // It cannot be read, and nobody knows what it asks for.
        (server("a", "a.test", "mode: MUTAUL, credentialName: m"), Some("a.test")),
        (server("a", "a.test", "mode: SIMPLE, credentialName: m, minProtocolVersion: 7"), Some("a.test")),
        // The server alone is left out.
        (server("a", "'*', a.test", mutual), Some("a.test")),
        (server("a", "a.test", mutual).replace("hosts:", "bind: 127.9.9.9, hosts:"), Some("a.test")),
    ] {
        let text = wide.clone() + &gateway("zone", &servers);
        let translation = translate(&text);
        let wanted: Vec<_> = [all.clone()].into_iter().chain(names.map(shut)).collect();
        let mut found = scopes(&translation);
        found.sort();
        assert_eq!(found, wanted, "{servers}: {:#?}", said(&translation));
        let told =
            said(&translation).iter().any(|line| line.contains("another server would not ask clients"));
        assert_eq!(told, names.is_some(), "{servers}");
        let mut open = settings();
        open.allow_unprotected = true;
        assert_eq!(scopes(&translate_with(open, &text)), std::slice::from_ref(&all), "{servers}");
    }
}

#[test]
fn a_name_that_another_server_has_is_not_shut_by_one_that_is_not_served() {
    let secure = |hosts: &str, mode: &str| {
        format!(
            "{{ port: {{ number: 443, protocol: HTTPS }}, hosts: [{hosts}], tls: {{ mode: {mode}, credentialName: c }} }}"
        )
    };
    let broken = gateway("a", &(secure("a.test, b.test", "MUTUAL") + ", { hosts: [] }"));
    let translation = translate(&(broken + &gateway("b", &secure("a.test", "SIMPLE"))));
    let mut found = scopes(&translation);
    found.sort();
    assert_eq!(found, [("a.test".to_owned(), 0), ("b.test".to_owned(), 0)]);
}

#[test]
fn servers_are_told_the_port_of_the_gateway_whatever_the_pod_listens_at() {
    let service = "
---
apiVersion: v1
kind: Service
metadata: { name: istio-ingressgateway, namespace: istio-system }
spec: { selector: { istio: ingressgateway }, ports: [{ name: http2, port: 80, targetPort: 8080 }, { name: https, port: 443, targetPort: 8443 }] }
";
    let servers = "{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }, { port: { number: 90, protocol: HTTP }, hosts: ['*'] }, { port: { number: 443, protocol: HTTPS }, hosts: ['*'], tls: { mode: SIMPLE, credentialName: n } }";
    let mut settings = settings();
    settings.port_map = [(8080, 18080)].into();
    let translation = translate_with(settings, &(gateway("web", servers) + service));
    let ports: Vec<(u16, Option<u16>)> = translation
        .config
        .listeners
        .iter()
        .map(|listener| (listener.address.port(), listener.public_port))
        .collect();
    assert_eq!(ports, [(90, None), (18080, Some(80)), (8443, Some(443))]);
}

#[test]
fn an_address_is_a_host_however_it_is_spelled() {
    let server = "{ port: { number: 80, protocol: HTTP }, hosts: ['2001:DB8::1', '[::2]', '10.0.0.1'] }";
    let objects = "
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: v, namespace: shop }
spec: { hosts: ['[2001:db8:0:0::1]', '0:0::2', 10.0.0.1], gateways: [web], http: [{ directResponse: { status: 200 } }] }
";
    let translation = translate(&(gateway("web", server) + objects));
    assert_eq!(said(&translation), [""; 0]);
    let hosts = &translation.config.route_tables[0].virtual_hosts;
    let hosts: Vec<String> = hosts.iter().map(|host| host.hosts[0].to_string()).collect();
    assert_eq!(hosts, ["10.0.0.1", "[2001:db8::1]", "[::2]"]);
}

#[test]
fn a_gateway_that_is_not_selected_is_named_with_the_way_out() {
    let server = "{ port: { number: 80, protocol: HTTP }, hosts: ['*'] }";
    let other = gateway("other", server).replace("istio: ingressgateway", "istio: egressgateway, zone: a");
    let text = gateway("ours", server) + &other;
    let unselected = |labels: &[(&str, &str)]| {
        let mut settings = settings();
        settings.labels =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut translator = crate::Translator::new(settings);
        for change in crate::tests::changes(&text) {
            translator.apply(change);
        }
        assert_eq!(translator.translate().reports.len(), 0, "nothing is wrong with them");
        translator.unselected().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        unselected(&[("istio", "ingressgateway")]),
        [
            "INFO Gateway shop/other: spec.selector: it selects gateways with `istio=egressgateway,zone=a` and the labels of this one are `istio=ingressgateway`, so nothing of it is served here; start the gateway with `--labels istio=egressgateway,zone=a`, or change the selector"
        ]
    );
    let without = unselected(&[]);
    assert_eq!(without.len(), 2);
    assert!(without[0].contains("this one has no labels"), "{without:?}");
}

#[test]
fn what_the_controller_believes_for_ingresses_is_not_believed_at_the_ports_of_gateways() {
    let mut settings = settings();
    settings.ingress.trusted = vec!["0.0.0.0/0".parse().unwrap()];
    let text = gateway("web", "{ port: { number: 8080, protocol: HTTP }, hosts: ['*'] }");
    let translation = translate_with(settings, &text);
    let listeners = &translation.config.listeners;
    assert!(!listeners.is_empty());
    assert!(listeners.iter().all(|listener| listener.forwarded.trusted.is_empty()), "{listeners:#?}");
}
