use crate::{
    Settings, Translation, Translator,
    tests::{changes, settings},
};
use sluice_model::spec::{Action, CanaryHeaderRule, Forward, Route};

/// An Ingress of host `shop.example.com` with one path; `meta` may hold `annotations` and the like.
fn ingress(name: &str, meta: &str, path: &str, service: &str) -> String {
    format!(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{ name: {name}, namespace: shop, {meta} }}
spec:
  rules:
  - host: shop.example.com
    http: {{ paths: [{{ path: {path}, pathType: Prefix, backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}] }}
---
"
    )
}

/// A canary with annotations of its family, `canary: \"true\"` among them.
fn canary(name: &str, annotations: &str, path: &str, service: &str) -> String {
    let annotations: Vec<String> = annotations
        .split_terminator("; ")
        .map(|annotation| {
            let (key, value) = annotation.split_once('=').expect("name=value");
            let key =
                if key.contains('/') { key.to_owned() } else { format!("nginx.ingress.kubernetes.io/{key}") };
            format!("{key}: '{value}'")
        })
        .collect();
    let annotations =
        format!("annotations: {{ nginx.ingress.kubernetes.io/canary: 'true', {} }}", annotations.join(", "));
    ingress(name, &annotations, path, service)
}

/// A service with this many ready endpoints.
fn service(name: &str, ready: u8) -> String {
    let number = name.len();
    let endpoints: Vec<String> =
        (1..=ready).map(|last| format!("{{ addresses: [10.0.{number}.{last}] }}")).collect();
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{ name: {name}, namespace: shop }}
spec: {{ ports: [{{ port: 80 }}] }}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{ name: {name}-1, namespace: shop, labels: {{ kubernetes.io/service-name: {name} }} }}
addressType: IPv4
ports: [{{ port: 8080 }}]
endpoints: [{}]
---
",
        endpoints.join(", ")
    )
}

fn services() -> String {
    [service("main", 1), service("next", 1), service("beta1", 1)].concat()
}

fn translate_as(settings: Settings, text: &str) -> Translation {
    let mut translator = Translator::new(settings);
    for change in changes(text) {
        translator.apply(change);
    }
    let translation = translator.translate();
    if let Err(error) = sluice_model::validate("test", translation.config.clone(), &sluice_model::NoFiles) {
        panic!("the model refuses it:\n{error}");
    }
    translation
}

fn translate(parts: &[String]) -> Translation {
    translate_as(settings(), &parts.concat())
}

fn route<'t>(translation: &'t Translation, path: &str) -> &'t Route {
    let hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
    let name = format!("prefix {path}");
    let found = hosts.flat_map(|host| &host.routes).find(|route| route.name == name);
    found.unwrap_or_else(|| panic!("no route `{name}`: {:?}", translation.config.route_tables))
}

fn forward<'t>(translation: &'t Translation, path: &str) -> &'t Forward {
    match &route(translation, path).action {
        Action::Forward(forward) => forward,
        action => panic!("{action:?}"),
    }
}

/// The clusters of a path's canaries, each with its weight.
fn acting(translation: &Translation, path: &str) -> Vec<(String, u32)> {
    let canaries = forward(translation, path).canaries.iter();
    canaries.map(|canary| (canary.cluster.clone(), canary.weight)).collect()
}

/// What is said about an object, without its name.
fn said(translation: &Translation, name: &str) -> Vec<String> {
    let about = translation.reports.iter().filter(|report| report.object.name == name);
    about.map(|report| format!("{} {}: {}", report.severity, report.field, report.message)).collect()
}

fn one_canary(annotations: &str) -> Translation {
    translate(&[ingress("web", "", "/", "main"), canary("web-next", annotations, "/", "next"), services()])
}

#[test]
fn a_canary_takes_its_weight_of_the_path_that_it_is_for() {
    let translation = one_canary("canary-weight=10");
    let forward = forward(&translation, "/");
    assert_eq!(forward.destinations[0].cluster, "shop/main:80");
    assert_eq!(
        (acting(&translation, "/"), forward.canary_total),
        (vec![("shop/next:80".to_owned(), 10)], 100)
    );
    assert_eq!(*translation.reports, []);
    let hosts = translation.config.route_tables[0].virtual_hosts.iter();
    assert_eq!(hosts.map(|host| &*host.name).collect::<Vec<_>>(), ["shop.example.com", "health"]);
}

#[test]
fn weights_are_parts_of_a_total_that_counts_only_above_a_hundred() {
    for (annotations, weight, total) in [
        ("canary-weight=10; canary-weight-total=1000", 10, 1000),
        ("canary-weight=10; canary-weight-total=20", 10, 100),
        ("canary-weight=10; canary-weight-total=0", 10, 100),
        ("canary-weight=250", 100, 100),
        ("canary-weight=-3", 0, 100),
        ("canary-weight=ten", 0, 100),
        ("canary-by-cookie=c", 0, 100),
    ] {
        let translation = one_canary(annotations);
        assert_eq!(acting(&translation, "/")[0].1, weight, "{annotations}");
        assert_eq!(forward(&translation, "/").canary_total, total, "{annotations}");
    }
}

#[test]
fn a_header_decides_by_always_and_never_or_by_its_value_or_by_a_pattern() {
    let rule = |annotations| {
        let translation = one_canary(annotations);
        let header = forward(&translation, "/").canaries[0].header.clone();
        header.map(|header| (header.name.as_str().to_owned(), header.rule))
    };
    let x = |rule| Some(("x-canary".to_owned(), rule));
    assert_eq!(rule("canary-by-header=X-Canary"), x(CanaryHeaderRule::AlwaysNever));
    assert_eq!(
        rule("canary-by-header=X-Canary; canary-by-header-value=de"),
        x(CanaryHeaderRule::Value("de".to_owned()))
    );
    assert_eq!(
        rule("canary-by-header=X-Canary; canary-by-header-pattern=^(de|at)"),
        x(CanaryHeaderRule::Regex("^(de|at)".parse().unwrap()))
    );
    assert_eq!(
        rule("canary-by-header=X-Canary; canary-by-header-value=de; canary-by-header-pattern=at"),
        x(CanaryHeaderRule::Value("de".to_owned())),
        "the pattern is not looked at beside a value"
    );
    assert_eq!(rule("canary-by-header-value=de; canary-weight=1"), None, "no header is named");
    assert_eq!(
        rule("canary-by-header=X-Canary; canary-by-header-pattern=(de"),
        x(CanaryHeaderRule::Never),
        "who sends the header stays at the main service, cookie and weight are not asked"
    );
}

#[test]
fn a_pattern_that_only_backtracking_could_match_rejects_the_canary_by_name() {
    let translation = one_canary("canary-by-header=X; canary-by-header-pattern=^(?!a); canary-weight=50");
    assert_eq!(acting(&translation, "/"), []);
    let said = said(&translation, "web-next");
    assert!(said[0].starts_with("ERROR") && said[0].contains("look-around"), "{said:?}");
}

#[test]
fn annotations_of_the_family_without_canary_true_make_a_main_ingress() {
    for annotation in
        ["", "nginx.ingress.kubernetes.io/canary: 'false', ", "nginx.ingress.kubernetes.io/canary: 'yes', "]
    {
        let meta = format!("annotations: {{ {annotation} nginx.ingress.kubernetes.io/canary-weight: '50' }}");
        let translation = translate(&[ingress("web", &meta, "/", "main"), services()]);
        assert_eq!(forward(&translation, "/").destinations[0].cluster, "shop/main:80", "{annotation}");
        assert_eq!(acting(&translation, "/"), []);
        let said = said(&translation, "web");
        assert!(said.iter().any(|said| said.contains("no effect without `canary: \"true\"`")), "{said:?}");
    }
}

#[test]
fn the_canary_s_own_word_for_other_things_is_not_heard() {
    let annotations = "canary-weight=10; rewrite-target=/x; auth-url=http://auth/; proxy-read-timeout=7; \
                       canary-wight=5; load-balance=ewma; upstream-hash-by-subset=true";
    let translation = one_canary(annotations);
    assert_eq!(acting(&translation, "/").len(), 1);
    assert_eq!(route(&translation, "/").timeouts.idle.get().as_secs(), 60);
    let ignored = "has no effect on a canary: the Ingress that it is the canary of decides; write it there";
    let field = |name| format!("metadata.annotations[nginx.ingress.kubernetes.io/{name}]");
    let mut said = said(&translation, "web-next");
    said.sort();
    let mut wanted = vec![
        format!("WARNING {}: {ignored}", field("auth-url")),
        format!(
            "WARNING {}: there is no such annotation; did you mean `canary-weight`?",
            field("canary-wight")
        ),
        format!(
            "WARNING {}: not in effect yet: it needs balancing by locality or in subsets",
            field("upstream-hash-by-subset")
        ),
        format!("WARNING {}: {ignored}", field("proxy-read-timeout")),
        format!("WARNING {}: {ignored}", field("rewrite-target")),
    ];
    wanted.sort();
    assert_eq!(said, wanted);
}

#[test]
fn the_main_ingress_says_how_the_canary_s_servers_are_spoken_to() {
    let meta = "annotations: { nginx.ingress.kubernetes.io/backend-protocol: GRPC, \
                nginx.ingress.kubernetes.io/proxy-connect-timeout: '9' }";
    let translation = translate(&[
        ingress("web", meta, "/", "main"),
        canary("next", "canary-weight=1", "/", "next"),
        services(),
    ]);
    assert_eq!(acting(&translation, "/")[0].0, "shop/next:80 grpc connect 9s");
    let cluster = translation.config.clusters.iter().find(|cluster| cluster.name.starts_with("shop/next"));
    assert_eq!(cluster.unwrap().connect_timeout.get().as_secs(), 9);
}

#[test]
fn without_ready_endpoints_the_canary_leaves_all_to_the_main_service() {
    let main = ingress("web", "", "/", "main");
    let next = canary("web-next", "canary-by-header=X; canary-weight=100", "/", "next");
    let translation = translate(&[main, next, service("main", 1), service("next", 0)]);
    assert_eq!(acting(&translation, "/"), []);
    assert_eq!(forward(&translation, "/").destinations[0].cluster, "shop/main:80");
}

#[test]
fn without_ready_endpoints_of_the_main_service_nobody_is_served_who_asks_for_the_canary_either() {
    let main = ingress("web", "", "/", "main");
    let next = canary("web-next", "canary-by-header=X; canary-weight=100", "/", "next");
    let translation = translate(&[main.clone(), next.clone(), service("main", 0), service("next", 1)]);
    assert_eq!(acting(&translation, "/"), []);
    let clusters = &translation.config.clusters;
    let cluster = clusters.iter().find(|cluster| cluster.name == "shop/main:80").unwrap();
    assert_eq!(cluster.endpoints, []);
    let translation = translate(&[main, next, service("next", 1)]);
    assert!(matches!(route(&translation, "/").action, Action::Respond(_)), "there is no main service at all");
}

#[test]
fn a_canary_without_a_main_ingress_makes_no_host() {
    let translation = translate(&[canary("lonely", "canary-weight=100", "/", "next"), services()]);
    assert!(translation.config.route_tables.iter().all(|table| table.virtual_hosts.is_empty()));
    let said = said(&translation, "lonely");
    assert!(said.len() == 1 && said[0].starts_with("WARNING"), "{said:?}");
}

#[test]
fn a_path_that_the_main_ingress_lacks_never_serves_and_the_others_do() {
    let next = canary("web-next", "canary-weight=20", "/", "next")
        + &canary("api-next", "canary-weight=30", "/api", "next");
    let translation = translate(&[ingress("web", "", "/", "main"), next, services()]);
    assert_eq!(acting(&translation, "/"), [("shop/next:80".to_owned(), 20)]);
    let names: Vec<&str> = translation.config.route_tables[0].virtual_hosts[0]
        .routes
        .iter()
        .map(|route| route.name.as_str())
        .filter(|name| name.contains("api"))
        .collect();
    assert_eq!(names, [""; 0]);
    assert!(
        said(&translation, "api-next")[0].contains("path `/api`"),
        "{:?}",
        said(&translation, "api-next")
    );
}

#[test]
fn the_path_type_has_to_be_the_same() {
    let exact = canary("web-next", "canary-weight=20", "/", "next").replace("Prefix", "Exact");
    let translation = translate(&[ingress("web", "", "/", "main"), exact, services()]);
    assert_eq!(acting(&translation, "/"), []);
    assert_eq!(said(&translation, "web-next").len(), 1);
}

#[test]
fn a_canary_may_live_in_another_namespace_and_come_before_its_main_ingress() {
    let next = canary("web-next", "canary-weight=20", "/", "next") + &service("next", 1);
    let next = next.replace("namespace: shop", "namespace: other");
    let translation = translate(&[next, ingress("web", "", "/", "main"), services()]);
    assert_eq!(acting(&translation, "/"), [("other/next:80".to_owned(), 20)]);
}

#[test]
fn another_host_of_the_main_service_has_no_canary() {
    let other = ingress("blog", "", "/", "main").replace("shop.example.com", "blog.example.com");
    let translation = translate(&[
        other,
        ingress("web", "", "/", "main"),
        canary("web-next", "canary-weight=20", "/", "next"),
        services(),
    ]);
    let hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
    for host in hosts {
        let Action::Forward(forward) = &host.routes[0].action else { continue };
        assert_eq!(forward.canaries.len(), usize::from(host.name == "shop.example.com"), "{}", host.name);
    }
}

#[test]
fn of_several_canaries_the_oldest_acts_and_all_where_that_is_asked_for() {
    let at = |day: u8, canary: String| {
        canary.replace(
            "namespace: shop,",
            &format!("namespace: shop, creationTimestamp: '2026-01-0{day}T00:00:00Z',"),
        )
    };
    let text = [
        ingress("web", "", "/", "main"),
        at(2, canary("young", "canary-weight=30; canary-weight-total=300", "/", "next")),
        at(1, canary("old", "canary-weight=20", "/", "beta1")),
        services(),
    ]
    .concat();
    let oldest = translate_as(settings(), &text);
    assert_eq!(acting(&oldest, "/"), [("shop/beta1:80".to_owned(), 20)]);
    assert_eq!(
        said(&oldest, "young"),
        [
            "WARNING : Ingress shop/old is a canary of path `/` of host `shop.example.com` already; the older one acts, this one never serves"
        ]
    );
    let all = translate_as(Settings { all_canaries: true, ..settings() }, &text);
    assert_eq!(acting(&all, "/"), [("shop/beta1:80".to_owned(), 60), ("shop/next:80".to_owned(), 30)]);
    assert_eq!(forward(&all, "/").canary_total, 300);
    assert_eq!(said(&all, "young"), [""; 0]);
}

#[test]
fn the_main_service_is_no_canary_of_itself() {
    let translation = translate(&[
        ingress("web", "", "/", "main"),
        canary("web-next", "canary-weight=20", "/", "main"),
        services(),
    ]);
    assert_eq!(acting(&translation, "/"), []);
    assert!(said(&translation, "web-next")[0].contains("names the service of the main"));
}

#[test]
fn a_canary_with_a_default_backend_attaches_to_the_one_for_all_hosts() {
    let catch_all = |name: &str, annotations: &str, service: &str| {
        format!(
            "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{ name: {name}, namespace: shop, annotations: {{ {annotations} }} }}
spec: {{ defaultBackend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}
---
"
        )
    };
    let family =
        "nginx.ingress.kubernetes.io/canary: 'true', nginx.ingress.kubernetes.io/canary-weight: '15'";
    // Rules of its own change nothing about it.
    let rules = "spec: { rules: [{ host: other.example.com }], defaultBackend";
    let alone = catch_all("all-next", family, "next");
    for canary in [alone.replace("spec: { defaultBackend", rules), alone] {
        let translation = translate(&[catch_all("all", "", "main"), canary, services()]);
        let hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
        let canaries: Vec<_> = hosts
            .flat_map(|host| &host.routes)
            .filter_map(|route| match &route.action {
                Action::Forward(forward) => Some(forward.canaries.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!((canaries.len(), canaries[0].weight), (1, 15), "{:?}", translation.reports);
    }
}

#[test]
fn clients_stay_on_their_side_and_are_known_by_a_cookie_s_value_where_that_is_asked_for() {
    let translation = one_canary(
        "canary-weight=10; canary-by-cookie=group; sluice.dev/canary-by-cookie-value=beta; sluice.dev/canary-sticky=source-ip",
    );
    let wanted = serde_json::json!({
        "destinations": [{ "cluster": "shop/main:80" }],
        "canaries": [{ "cluster": "shop/next:80", "weight": 10, "cookie": "group", "cookie_value": "beta",
                       "origin": "Ingress shop/web-next" }],
        "sticky": { "hash": "source_ip" },
    });
    assert_eq!(serde_json::to_value(forward(&translation, "/")).unwrap(), wanted);

    let translation =
        one_canary("canary-weight=10; sluice.dev/canary-sticky=moon; sluice.dev/canary-stick=x");
    assert_eq!(forward(&translation, "/").sticky, None);
    let said = said(&translation, "web-next");
    assert!(said.iter().any(|said| said.contains("write `source-ip`")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("did you mean `canary-sticky`?")), "{said:?}");

    let translation = one_canary("canary-weight=10; sluice.dev/canary-by-cookie-value=beta");
    assert_eq!(forward(&translation, "/").canaries[0].cookie_value, None);
    let said = self::said(&translation, "web-next");
    assert!(said.iter().any(|said| said.contains("has no effect without canary-by-cookie")), "{said:?}");
}
