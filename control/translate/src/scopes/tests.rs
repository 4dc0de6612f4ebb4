use crate::{
    CertificateReader, PemPair, Settings,
    tests::{settings, translate_with},
};

fn pem(line: &str) -> PemPair {
    let block = |kind: &str| format!("-----BEGIN {kind}-----\n{line}\n-----END {kind}-----\n");
    PemPair { certificate: block("CERTIFICATE"), key: block("PRIVATE KEY") }
}

/// An Ingress for a host; `more` stands in its `spec`.
fn ingress(host: &str, more: &str) -> String {
    let name = host.replace('*', "any");
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{ name: {name}, namespace: shop }}\nspec: {{ {more} \
         rules: [{{ host: '{host}', http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, \
         port: {{ number: 80 }} }} }} }}] }} }}] }}\n"
    )
}

fn secret(name: &str) -> String {
    let PemPair { certificate, key } = pem("AAAA");
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: shop }}\ntype: kubernetes.io/tls\n\
         stringData: {{ tls.crt: {certificate:?}, tls.key: {key:?} }}\n"
    )
}

#[test]
fn where_unknown_names_are_refused_every_host_is_known_under_its_certificate_and_nothing_else_is() {
    let rejecting = || {
        let mut settings = Settings { fallback_certificate: Some(pem("AAAA")), ..settings() };
        settings.certificates = CertificateReader(|_, _| Ok(vec!["a.test".into(), "b.test".into()]));
        settings.ingress.ssl_reject_handshake = true;
        settings
    };
    let hosts = [
        ingress("a.test", "tls: [{ hosts: [a.test], secretName: own }],"),
        ingress("b.test", "tls: [{ hosts: [b.test], secretName: own }],"),
        ingress("c.test", "tls: [{ hosts: [c.test] }],"),
        ingress("*.d.test", ""),
        secret("own"),
    ];
    let translation = translate_with(rejecting(), &hosts.concat());
    let listener = translation.config.listeners.iter().find(|listener| listener.name == "port-443").unwrap();
    let tls = listener.tls.as_ref().unwrap();
    assert_eq!(tls.certificates, [""; 0], "there is none for whoever names nobody");
    let scopes: Vec<(&str, String)> = tls
        .scopes
        .iter()
        .map(|scope| {
            let names: Vec<String> = scope.server_names.iter().map(ToString::to_string).collect();
            (&*scope.certificates[0], names.join(" "))
        })
        .collect();
    let wanted =
        [("fallback certificate", "?.d.test c.test".to_owned()), ("shop/own", "a.test b.test".to_owned())];
    assert_eq!(scopes, wanted);
    let closed = translate_with(rejecting(), &ingress("", ""));
    assert!(closed.config.listeners.iter().all(|listener| listener.name != "port-443"), "no name, no TLS");
}

#[test]
fn a_refusal_for_all_names_shuts_no_host_that_others_have() {
    let mut settings = Settings { fallback_certificate: Some(pem("AAAA")), ..settings() };
    settings.certificates = CertificateReader(|_, _| Ok(vec!["a.test".into()]));
    let asks = |text: String| {
        text.replace(
            "namespace: shop }",
            "namespace: shop, annotations: { nginx.ingress.kubernetes.io/auth-tls-secret: shop/ca } }",
        )
    };
    let hosts = [
        asks(ingress("*.test", "")),
        ingress("a.test", "tls: [{ hosts: [a.test], secretName: own }],"),
        ingress("b.test", "tls: [{ hosts: [b.test] }],"),
        ingress("c.test", ""),
        ingress("d.other", ""),
        secret("own"),
    ];
    let translation = translate_with(settings, &hosts.concat());
    let listener = translation.config.listeners.iter().find(|listener| listener.name == "port-443").unwrap();
    let scopes = &listener.tls.as_ref().unwrap().scopes;
    let of = |name: &str| {
        let named = |scope: &&sluice_model::spec::TlsScope| {
            scope.server_names.iter().any(|pattern| pattern.to_string() == name)
        };
        scopes.iter().find(named).map(|scope| scope.certificates.first().map_or("", String::as_str))
    };
    assert_eq!(of("?.test"), Some(""), "no handshake");
    assert_eq!(of("a.test"), Some("shop/own"));
    assert_eq!(of("b.test"), Some("fallback certificate"));
    assert_eq!(of("c.test"), Some("fallback certificate"), "without TLS of its own, as everywhere");
    assert_eq!(of("d.other"), None, "nobody refuses it");
}
