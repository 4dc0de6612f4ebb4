use super::*;
use crate::{
    Change, NamespacedName, Translation, Translator,
    tests::{changes, settings},
};
use sluice_model::spec::UnderscorePolicy;

const INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop, namespace: shop }
spec:
  rules: [{ host: shop.example.com, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }]
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { clusterIP: 10.9.0.1, ports: [{ port: 80 }] }
";

fn config_map(data: &str) -> Vec<Change> {
    changes(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: controller, namespace: ingress-nginx }}\ndata:\n{data}"
    ))
}

fn translator() -> Translator {
    translator_of(settings())
}

fn translator_of(mut settings: Settings) -> Translator {
    let name = NamespacedName { namespace: "ingress-nginx".to_owned(), name: "controller".to_owned() };
    settings.configmap = Some(name);
    let mut translator = Translator::new(settings);
    for change in changes(INGRESS) {
        translator.apply(change);
    }
    translator
}

fn with(translator: &mut Translator, data: &str) -> Translation {
    for change in config_map(data) {
        translator.apply(change);
    }
    translator.translate()
}

#[test]
fn the_config_map_shapes_listeners_and_a_change_of_it_is_a_change_of_everything() {
    let mut translator = translator();
    let before = translator.translate();
    assert_eq!(before.config.listeners[0].limits.target.get(), 16 * 1024);
    let after = with(
        &mut translator,
        "  large-client-header-buffers: 4 32k\n  enable-underscores-in-headers: 'false'\n  keep-alive: '20'\n  \
         use-http2: 'false'\n  use-forwarded-headers: 'true'\n  proxy-real-ip-cidr: 10.0.0.0/8\n",
    );
    let listener = &after.config.listeners[0];
    assert_eq!((listener.limits.target.get(), listener.limits.head.get()), (32 << 10, 128 << 10));
    assert_eq!(listener.headers.underscores, UnderscorePolicy::Drop);
    assert_eq!(listener.timeouts.keep_alive.get().as_secs(), 20);
    assert_eq!(listener.protocols.len(), 1);
    assert_eq!(listener.forwarded.trusted[0].to_string(), "10.0.0.0/8");
    assert_eq!(after.renewed, 2);
    assert_eq!(translator.translate().renewed, 0);
    let again = with(&mut translator, "  no-such-key: x\n");
    assert_eq!(again.config, before.config, "what is gone holds no more");
    assert_eq!(again.renewed, 2);
}

#[test]
fn ports_of_ingresses_have_the_bounds_of_ingress_nginx_where_the_config_map_is_silent() {
    let mut translator = translator();
    let bounds = |translation: &Translation| {
        let listener = &translation.config.listeners[0];
        let header = listener.timeouts.header.get().as_secs();
        (header, listener.limits.concurrent_streams, listener.headers.underscores)
    };
    let before = translator.translate();
    assert_eq!(bounds(&before), (60, 128, UnderscorePolicy::Drop));
    assert_eq!(before.config.runtime, sluice_model::spec::Runtime::default());
    let after = with(
        &mut translator,
        "  client-header-timeout: '9'\n  http2-max-concurrent-streams: '7'\n  enable-underscores-in-headers: 'true'\n  \
         worker-shutdown-timeout: 240s\n",
    );
    assert_eq!(bounds(&after), (9, 7, UnderscorePolicy::Allow));
    assert_eq!(after.config.runtime.drain_timeout.get().as_secs(), 240);
}

#[test]
fn every_key_is_judged() {
    let reports = with(
        &mut translator(),
        "  hsts: perhaps\n  use-forwarded-header: 'true'\n  use-gzip: 'true'\n  enable-brotli: 'false'\n  \
         main-snippet: 'worker_priority 1;'\n  reuse-port: 'true'\n  global-auth-url: http://auth/\n",
    )
    .reports;
    let said: Vec<String> = reports
        .iter()
        .filter(|report| report.object.kind == "ConfigMap")
        .map(|report| report.to_string().replace(" ConfigMap ingress-nginx/controller: data", ""))
        .collect();
    assert_eq!(
        said,
        [
            "ERROR.global-auth-url: not in effect yet: it needs authentication; until then every Ingress answers 503",
            "WARNING.hsts: `perhaps` is not a truth value: write `true` or `false`; `true` holds instead",
            "WARNING.use-forwarded-header: `use-forwarded-header` is not known: it is ignored; did you mean `use-forwarded-headers`?",
            "WARNING.use-gzip: not in effect yet: it needs compression",
            "WARNING.main-snippet: not supported: it configures the nginx process",
            "INFO.reuse-port: no effect: it tunes nginx itself",
        ]
    );
}

#[test]
fn a_snippet_for_all_that_says_who_may_come_shuts_all() {
    for (data, shut) in [
        ("  server-snippet: deny all;\n", true),
        ("  http-snippet: deny all;\n", true),
        ("  location-snippet: deny 10.0.0.0/8; auth_basic x;\n", true),
        ("  server-snippet: 'if ($http_x != a) { return 403; }'\n", true),
        ("  location-snippet: 'more_set_headers \"A: b\";'\n", false),
        ("  server-snippet: gzip on;\n", false),
        ("  http-snippet: ''\n", false),
    ] {
        let mut translator = translator();
        let translation = with(&mut translator, data);
        let routes = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
        let host = routes.into_iter().find(|host| host.name == "shop.example.com").unwrap();
        let refused = host.routes.iter().all(|route| {
            matches!(&route.action, sluice_model::spec::Action::Respond(answer) if answer.status.get() == 503)
        });
        assert_eq!(refused, shut, "{data}: {:#?}", translation.reports);
        let told = translation.reports.iter().any(|report| report.reason == Reason::FailsClosed);
        assert_eq!(told, shut, "{data}: {:#?}", translation.reports);
    }
}

#[test]
fn what_shuts_every_ingress_shuts_the_default_backend_too() {
    for (data, shut) in [
        ("  block-cidrs: 10.0.0.0/8\n", true),
        ("  global-auth-url: http://auth.example.com/\n", true),
        ("  server-snippet: deny all;\n", true),
        ("  block-cidrs: ''\n", false),
    ] {
        let mut settings = settings();
        settings.default_backend =
            Some(NamespacedName { namespace: "shop".to_owned(), name: "web".to_owned() });
        let translation = with(&mut translator_of(settings), data);
        let mut hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
        let unknown =
            hosts.find_map(|host| host.routes.iter().find(|route| route.name == "default")).unwrap();
        let refused = matches!(&unknown.action, sluice_model::spec::Action::Respond(_));
        assert_eq!(refused, shut, "{data}: {unknown:#?}");
    }
}

#[test]
fn bounds_of_heads_are_those_that_a_listener_can_have() {
    for (text, wanted) in [
        ("4 8k", Some((32 << 10, 8 << 10))),
        ("8 4m", Some((16 << 20, 4 << 20))),
        ("4 1", Some((256, 1))),
        ("1 64m", Some((16 << 20, 16 << 20))),
        ("4 0", None),
        ("4,32k", None),
        ("99999999999999999999 8k", None),
    ] {
        assert_eq!(header_buffers(text), wanted, "{text}");
    }
}

#[test]
fn whoever_is_named_badly_is_not_everybody() {
    for (text, trusted) in [("10.0.0.0/8", 1), ("10.0.0.0/8,192.168.0.0/33", 0), (" ", 2)] {
        let data = [("use-forwarded-headers", "true"), (TRUSTED, text)];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let mut settings = Settings::default();
        Keys(&data).shape_listeners(&mut settings);
        assert_eq!(settings.ingress.trusted.len(), trusted, "{text}");
    }
}
