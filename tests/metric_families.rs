//! Metrics in the words of ingress-nginx and of Istio: what Flagger, KEDA and dashboards select is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]
#![allow(clippy::float_cmp, reason = "counters are whole numbers")]

use sluice_dsl::{
    Answer, Certificate, Gateway, Origin, Request, gateway, secret_manifest, service_manifest, within,
};
use std::collections::BTreeMap;

/// One line of a scrape.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    labels: BTreeMap<String, String>,
    value: f64,
}

/// The samples of a metric, as Prometheus reads them.
async fn samples(gateway: &Gateway, metric: &str) -> Vec<Sample> {
    let page = gateway.proxy().admin("/metrics").await;
    let line = |line: &str| {
        let (labels, value) = line.strip_prefix(metric)?.strip_prefix('{')?.rsplit_once("} ")?;
        let label = |label: &str| {
            let (name, value) = label.split_once("=\"").expect("a label");
            (name.to_owned(), value.to_owned())
        };
        let labels = labels.strip_suffix('"')?.split("\",").map(label).collect();
        Some(Sample { labels, value: value.parse().expect("a number") })
    };
    page.text().lines().filter_map(line).collect()
}

/// `sum(metric{selectors})`; a selector is `label="value"`, `label!="value"`, `label=~"value|value"` or `label!~"5.*"`.
async fn sum(gateway: &Gateway, metric: &str, selectors: &[&str]) -> f64 {
    let holds = |sample: &Sample, selector: &str| {
        let (label, rest) = selector.split_at(selector.find(['=', '!']).expect("an operator"));
        let (operator, wanted) = rest.split_once('"').expect("a quoted value");
        let wanted = wanted.trim_end_matches('"');
        let value = sample.labels.get(label).map_or("", String::as_str);
        let matches = wanted.split('|').any(|one| match one.strip_suffix(".*") {
            Some(start) => value.starts_with(start),
            None => value == one,
        });
        match operator {
            "=" => value == wanted,
            "!=" => value != wanted,
            "=~" => matches,
            "!~" => !matches,
            other => panic!("no operator: {other}"),
        }
    };
    let samples = samples(gateway, metric).await;
    let selected = samples.iter().filter(|sample| selectors.iter().all(|selector| holds(sample, selector)));
    selected.map(|sample| sample.value).sum()
}

/// Waits until a sum is this: a request is counted when it is over, a moment after its answer.
async fn becomes(gateway: &Gateway, metric: &str, selectors: &[&str], value: f64) {
    let mut last = f64::NAN;
    let counted = async {
        while last != value {
            last = sum(gateway, metric, selectors).await;
            assert!(last <= value || last.is_nan(), "{metric}{selectors:?} is {last}, beyond {value}");
        }
    };
    within(format!("{metric}{selectors:?} is {value}"), counted).await;
}

const CLASS: &str = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: { name: nginx }\n\
    spec: { controller: k8s.io/ingress-nginx }\n";

fn ingress(name: &str, annotations: &str, host: &str, path: &str, service: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{ name: {name}, namespace: test, annotations: {{ {annotations} }} }}\nspec:\n  ingressClassName: nginx\n  \
         rules:\n  - host: '{host}'\n    http: {{ paths: [{{ path: {path}, pathType: Prefix, \
         backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}] }}\n"
    )
}

/// Fails where it is told to.
async fn origin(name: &'static str) -> Origin {
    Origin::http1(move |seen| match &*seen.target {
        "/broken" => Answer::status(500),
        _ => Answer::ok(name),
    })
    .await
}

async fn podinfo(arguments: &[&str]) -> (Gateway, [Origin; 2]) {
    let (primary, canary) = (origin("primary").await, origin("canary").await);
    let by_header =
        "nginx.ingress.kubernetes.io/canary: 'true', nginx.ingress.kubernetes.io/canary-by-header: x-canary";
    let recipe = gateway!()
        .manifest("class.yaml", CLASS)
        .service("test/podinfo", &[&primary])
        .service("test/podinfo-canary", &[&canary])
        .manifest("a-main.yaml", &ingress("podinfo", "", "app.example", "/", "podinfo"))
        .manifest(
            "b-canary.yaml",
            &ingress("podinfo-canary", by_header, "app.example", "/", "podinfo-canary"),
        )
        .manifest("c-wild.yaml", &ingress("wild", "", "*.wild.example", "/api", "podinfo"));
    let recipe = arguments.iter().fold(recipe, |recipe, argument| recipe.argument(argument));
    (recipe.start().await, [primary, canary])
}

const REQUESTS: &str = "nginx_ingress_controller_requests";
const OF_PODINFO: [&str; 2] = ["namespace=\"test\"", "ingress=\"podinfo\""];

#[tokio::test]
async fn flaggers_success_rate_and_duration_can_be_selected() {
    let (mut gateway, _origins) = podinfo(&["--enable-metrics=true"]).await;
    for path in ["/", "/", "/broken", "/cart"] {
        gateway.get("app.example", path).await;
    }
    let [namespace, ingress] = OF_PODINFO;
    becomes(&gateway, REQUESTS, &OF_PODINFO, 4.0).await;
    assert_eq!(sum(&gateway, REQUESTS, &[namespace, ingress, "status!~\"5.*\""]).await, 3.0);
    let latency = "nginx_ingress_controller_ingress_upstream_latency_seconds";
    assert_eq!(sum(&gateway, &format!("{latency}_count"), &OF_PODINFO).await, 4.0);
    assert!(sum(&gateway, &format!("{latency}_sum"), &OF_PODINFO).await < 60.0);
}

#[tokio::test]
async fn a_canary_counts_for_the_main_ingress_under_its_own_name() {
    let (mut gateway, _origins) = podinfo(&["--enable-metrics"]).await;
    let request = Request::get("/").host("app.example");
    gateway.send(&request).await;
    let canary = request.field("x-canary", "always");
    assert_eq!(gateway.send(&canary).await.text(), "canary");
    gateway.send(&canary).await;
    let [namespace, ingress] = OF_PODINFO;
    becomes(&gateway, REQUESTS, &OF_PODINFO, 3.0).await;
    assert_eq!(sum(&gateway, REQUESTS, &[namespace, ingress, "canary!=\"\""]).await, 2.0);
    let named =
        ["canary=\"test-podinfo-canary-80\"", "service=\"podinfo\"", "host=\"app.example\"", "path=\"/\""];
    assert_eq!(sum(&gateway, REQUESTS, &named).await, 2.0);
    assert_eq!(sum(&gateway, REQUESTS, &["canary=\"\"", "method=\"GET\"", "status=\"200\""]).await, 1.0);
}

#[tokio::test]
async fn clients_cannot_make_up_labels() {
    let (mut gateway, _origins) = podinfo(&["--enable-metrics", "--metrics-per-undefined-host"]).await;
    for label in ["one", "two", "three"] {
        let host = format!("{label}.wild.example");
        gateway.get(&host, &format!("/api/{label}?{label}")).await;
        gateway.send(&Request::new(&label.to_uppercase(), "/api").host(&host)).await;
        assert_eq!(gateway.get(&format!("{label}.unknown.example"), "/").await.status, 404);
    }
    becomes(&gateway, REQUESTS, &[], 9.0).await;
    let found = samples(&gateway, REQUESTS).await;
    let of = |sample: &Sample| ["host", "path", "method"].map(|label| sample.labels[label].clone());
    let mut found: Vec<_> = found.iter().map(|sample| (of(sample).join(" "), sample.value)).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let wanted = [("*.wild.example /api GET", 3.0), ("*.wild.example /api OTHER", 3.0), ("_  GET", 3.0)];
    assert_eq!(found, wanted.map(|(labels, value)| (labels.to_owned(), value)));
}

#[tokio::test]
async fn counters_go_on_where_routes_and_endpoints_change() {
    let (mut gateway, [_primary, canary]) = podinfo(&["--enable-metrics=true"]).await;
    gateway.get("app.example", "/").await;
    let moved = service_manifest("test/podinfo", &[&canary]);
    gateway.write("services/test-podinfo.yaml", &moved);
    gateway.says("app.example", "/", "canary").await;
    let before = sum(&gateway, REQUESTS, &OF_PODINFO).await;
    assert!(before >= 2.0, "{before}");
    gateway.edit_in_force("a-main.yaml", "path: /,", "path: /api,").await;
    assert_eq!(gateway.get("app.example", "/api").await.status, 200);
    becomes(&gateway, REQUESTS, &["path=\"/api\"", "status=\"200\""], 1.0).await;
    let after = sum(&gateway, REQUESTS, &["path=\"/\"", "status=\"200\""]).await;
    assert!(after >= before, "{before} {after}");
    let reloads = sum(&gateway, "nginx_ingress_controller_success", &[]).await;
    assert!(reloads >= 2.0, "{reloads}");
}

#[tokio::test]
async fn histograms_have_the_buckets_that_the_flags_name() {
    let arguments = [
        "--enable-metrics=true",
        "--time-buckets=0.5,60",
        "--report-status-classes",
        "--metrics-per-host=false",
        "--exclude-socket-metrics=nginx_ingress_controller_bytes_sent,header_duration_seconds",
    ];
    let (mut gateway, _origins) = podinfo(&arguments).await;
    gateway.get("app.example", "/").await;
    let bucket = "nginx_ingress_controller_request_duration_seconds_bucket";
    becomes(&gateway, REQUESTS, &[], 1.0).await;
    let found = samples(&gateway, bucket).await;
    let bounds: Vec<&str> = found.iter().map(|sample| sample.labels["le"].as_str()).collect();
    assert_eq!(bounds, ["0.5", "60", "+Inf"]);
    assert_eq!(sum(&gateway, bucket, &["le=\"60\"", "status=\"2xx\""]).await, 1.0);
    assert!(found.iter().all(|sample| !sample.labels.contains_key("host")), "{found:?}");
    let page = gateway.proxy().admin("/metrics").await;
    for excluded in ["bytes_sent", "header_duration_seconds"] {
        assert!(!page.text().contains(&format!("nginx_ingress_controller_{excluded}")), "{excluded}");
    }
    for shown in [
        "response_size_sum",
        "request_size_count",
        "response_duration_seconds_sum",
        "connect_duration_seconds_sum",
    ] {
        assert!(page.text().contains(&format!("nginx_ingress_controller_{shown}")), "{shown}");
    }
    // Line, fields and all: more than the body alone.
    let whole = "GET / HTTP/1.1\r\nhost: app.example\r\n\r\n".len() as f64;
    assert_eq!(sum(&gateway, "nginx_ingress_controller_request_size_sum", &[]).await, whole);
}

#[tokio::test]
async fn the_controller_says_what_it_is_and_how_its_configuration_is() {
    let arguments = ["--enable-metrics=true", "--pod-name=gateway-1", "--pod-namespace=ingress"];
    let (gateway, _origins) = podinfo(&arguments).await;
    let controller = [
        "controller_class=\"k8s.io/ingress-nginx\"",
        "controller_namespace=\"ingress\"",
        "controller_pod=\"gateway-1\"",
    ];
    let value =
        async |name: &str| sum(&gateway, &format!("nginx_ingress_controller_{name}"), &controller).await;
    assert_eq!(value("config_last_reload_successful").await, 1.0);
    assert_eq!(value("build_info").await, 1.0);
    let hash = value("config_hash").await;
    assert!(hash > 0.0);
    assert!(value("config_last_reload_successful_timestamp_seconds").await > 1.7e9);
    assert!(value("nginx_process_resident_memory_bytes").await > 1e6);
    assert!(value("nginx_process_requests_total").await >= 0.0);
    gateway.edit_in_force("a-main.yaml", "path: /,", "path: /api,").await;
    assert_ne!(value("config_hash").await, hash);
    gateway.edit_in_force("a-main.yaml", "path: /api,", "path: /,").await;
    assert_eq!(value("config_hash").await, hash, "the same configuration has the same hash");
}

#[tokio::test]
async fn certificates_of_hosts_say_when_they_end_and_what_they_are() {
    let certificate = Certificate::of(&["app.example"]);
    let origin = origin("app").await;
    let tls = |text: String, tls: &str| text.replace("rules:", &format!("tls: [{tls}]\n  rules:"));
    let gateway = gateway!()
        .argument("--enable-metrics")
        .manifest("class.yaml", CLASS)
        .service("test/app", &[&origin])
        .manifest("secret.yaml", &secret_manifest("test/own", &certificate))
        .manifest(
            "own.yaml",
            &tls(ingress("own", "", "app.example", "/", "app"), "{ hosts: [app.example], secretName: own }"),
        )
        .manifest(
            "default.yaml",
            &tls(ingress("default", "", "b.example", "/", "app"), "{ hosts: [b.example] }"),
        )
        .manifest("plain.yaml", &ingress("plain", "", "c.example", "/", "app"))
        .start()
        .await;
    let ends = samples(&gateway, "nginx_ingress_controller_ssl_expire_time_seconds").await;
    let mut hosts: Vec<&str> = ends.iter().map(|sample| &*sample.labels["host"]).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["_", "app.example", "b.example"], "those that have TLS, and all others");
    let own = ends.iter().find(|sample| sample.labels["host"] == "app.example").unwrap();
    // What the test's certificates have: the year 4096.
    assert_eq!(own.value, 67_090_118_400.0);
    let label = |sample: &Sample, name: &str| sample.labels[name].clone();
    assert_eq!((&*label(own, "namespace"), &*label(own, "secret_name")), ("test", "own"));
    assert_eq!(label(own, "class"), "k8s.io/ingress-nginx");
    let infos = samples(&gateway, "nginx_ingress_controller_ssl_certificate_info").await;
    let info = infos.iter().find(|sample| sample.labels["host"] == "app.example").unwrap();
    assert_eq!((info.value, &*label(info, "public_key_algorithm")), (1.0, "ECDSA"));
    assert!(label(info, "issuer_common_name").starts_with("Authority of "), "{info:?}");
    assert_eq!(label(info, "identifier"), format!("-{}", label(info, "serial_number")));
    assert_eq!(label(own, "identifier"), label(info, "identifier"));

    gateway.write("secret.yaml", &secret_manifest("test/own", &Certificate::of(&["app.example"])));
    let renewed = async {
        loop {
            let infos = samples(&gateway, "nginx_ingress_controller_ssl_certificate_info").await;
            let now = infos.iter().find(|sample| sample.labels["host"] == "app.example").unwrap();
            if label(now, "serial_number") != label(info, "serial_number") {
                break;
            }
        }
    };
    within("the certificate of the new Secret", renewed).await;
}

#[tokio::test]
async fn ingresses_that_nobody_serves_are_orphans_until_somebody_does() {
    let origin = origin("app").await;
    let gateway = gateway!()
        .argument("--enable-metrics")
        .manifest("class.yaml", CLASS)
        .service("test/app", &[&origin])
        .service("test/idle", &[])
        .manifest("good.yaml", &ingress("good", "", "a.example", "/", "app"))
        .manifest("idle.yaml", &ingress("idle", "", "b.example", "/", "idle"))
        .manifest("gone.yaml", &ingress("gone", "", "c.example", "/", "gone"))
        .start()
        .await;
    let orphans = "nginx_ingress_controller_orphan_ingress";
    let found: BTreeMap<String, f64> = samples(&gateway, orphans)
        .await
        .into_iter()
        .map(|sample| (format!("{} {}", sample.labels["ingress"], sample.labels["type"]), sample.value))
        .collect();
    let wanted = [
        ("gone no-endpoint", 0.0),
        ("gone no-service", 1.0),
        ("good no-endpoint", 0.0),
        ("good no-service", 0.0),
        ("idle no-endpoint", 1.0),
        ("idle no-service", 0.0),
    ];
    assert_eq!(found, wanted.map(|(name, value)| (name.to_owned(), value)).into());
    gateway.write("services/test-idle.yaml", &service_manifest("test/idle", &[&origin]));
    gateway.write("more.yaml", &service_manifest("test/gone", &[&origin]));
    let served = async { while sum(&gateway, orphans, &[]).await != 0.0 {} };
    within("no Ingress is an orphan any more", served).await;
}

#[tokio::test]
async fn every_ingress_that_is_written_is_checked_and_counted() {
    let origin = origin("app").await;
    let good = ingress("web", "", "a.example", "/", "app");
    let gateway = gateway!()
        .argument("--enable-metrics")
        .manifest("class.yaml", CLASS)
        .service("test/app", &[&origin])
        .manifest("web.yaml", &good)
        .start()
        .await;
    let of_web = ["namespace=\"test\"", "ingress=\"web\""];
    let counted =
        async |name: &str| sum(&gateway, &format!("nginx_ingress_controller_check_{name}"), &of_web).await;
    assert_eq!((counted("success").await, counted("errors").await), (1.0, 0.0));
    gateway.write("web.yaml", &good.replace("path: /,", "path: no-slash,"));
    becomes(&gateway, "nginx_ingress_controller_check_errors", &of_web, 1.0).await;
    gateway.write("web.yaml", &good.replace("path: /,", "path: /web,"));
    becomes(&gateway, "nginx_ingress_controller_check_success", &of_web, 2.0).await;
    gateway.remove("web.yaml");
    let forgotten = async { while counted("success").await != 0.0 {} };
    within("nothing is said of an Ingress that is gone", forgotten).await;
}

#[tokio::test]
async fn an_error_that_a_page_replaced_counts_under_the_status_that_the_client_got() {
    let (app, pages) = (origin("app").await, Origin::http1(|_| Answer::status(418)).await);
    let annotations = "nginx.ingress.kubernetes.io/custom-http-errors: '500', \
                       nginx.ingress.kubernetes.io/default-backend: pages";
    let mut gateway = gateway!()
        .argument("--enable-metrics")
        .manifest("class.yaml", CLASS)
        .service("test/podinfo", &[&app])
        .service("test/pages", &[&pages])
        .manifest("web.yaml", &ingress("podinfo", annotations, "app.example", "/", "podinfo"))
        .start()
        .await;
    assert_eq!(gateway.get("app.example", "/broken").await.status, 418);
    becomes(&gateway, REQUESTS, &["status=\"418\"", "service=\"podinfo\""], 1.0).await;
    assert_eq!(sum(&gateway, REQUESTS, &[]).await, 1.0);
}

#[tokio::test]
async fn without_the_flags_there_are_only_our_own_families() {
    let (mut gateway, _origins) = podinfo(&[]).await;
    gateway.get("app.example", "/").await;
    let page = gateway.proxy().admin("/metrics").await;
    let mut names = page.text().lines().filter_map(|line| line.strip_prefix("# TYPE "));
    assert!(names.all(|name| name.starts_with("sluice_")), "{}", page.text());
}

/// A pod of a ReplicaSet, as a Deployment makes it.
fn pod(workload: &str, version: &str, origin: &Origin) -> String {
    let (port, ip) = (origin.address().port(), origin.address().ip());
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {workload}-6f7d8-x2x\n  namespace: test\n  \
         labels: {{ app: podinfo, version: {version}, pod-template-hash: 6f7d8 }}\n  ownerReferences:\n  \
         - {{ apiVersion: apps/v1, kind: ReplicaSet, name: {workload}-6f7d8, uid: '1', controller: true }}\n\
         spec: {{ containers: [{{ name: podinfo, ports: [{{ name: http, containerPort: {port} }}] }}] }}\n\
         status: {{ phase: Running, podIP: {ip} }}\n"
    )
}

#[tokio::test]
async fn requests_count_by_the_workload_that_served_them() {
    let (primary, canary) = (origin("primary").await, origin("canary").await);
    let text = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front, namespace: test }
spec: { selector: { istio: gateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [app.example] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: podinfo, namespace: test }
spec:
  hosts: [app.example]
  gateways: [front]
  http:
  - match: [{ headers: { x-canary: { exact: always } } }]
    route: [{ destination: { host: podinfo, subset: next } }]
  - match: [{ uri: { prefix: /gone } }]
    route: [{ destination: { host: gone } }]
  - route: [{ destination: { host: podinfo, subset: today } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: podinfo, namespace: test }
spec:
  host: podinfo
  subsets: [{ name: today, labels: { version: v1 } }, { name: next, labels: { version: v2 } }]
---
apiVersion: v1
kind: Service
metadata: { name: podinfo, namespace: test }
spec: { selector: { app: podinfo }, ports: [{ name: http, port: 9898, targetPort: http }] }
";
    let mut gateway = gateway!()
        .argument("--labels=istio=gateway,app=front-door")
        .argument("--istio-metrics")
        .manifest("all.yaml", text)
        .manifest("primary.yaml", &pod("podinfo-primary", "v1", &primary))
        .manifest("canary.yaml", &pod("podinfo", "v2", &canary))
        .start()
        .await;
    let request = |path: &str| Request::get(path).host("app.example");
    for path in ["/", "/broken", "/"] {
        gateway.send(&request(path)).await;
    }
    assert_eq!(gateway.send(&request("/").field("x-canary", "always")).await.text(), "canary");
    assert_eq!(gateway.send(&request("/gone")).await.status, 503);
    let total = "istio_requests_total";
    becomes(&gateway, total, &[], 5.0).await;
    let primary = ["destination_workload_namespace=\"test\"", "destination_workload=~\"podinfo-primary\""];
    assert_eq!(sum(&gateway, total, &primary).await, 3.0);
    assert_eq!(sum(&gateway, total, &[primary[0], primary[1], "response_code!~\"5.*\""]).await, 2.0);
    let canary = ["destination_workload=\"podinfo\"", "destination_version=\"v2\"", "response_flags=\"-\""];
    assert_eq!(sum(&gateway, total, &canary).await, 1.0);
    let service = [
        "reporter=\"source\"",
        "source_workload=\"front-door\"",
        "destination_service=\"podinfo.test.svc.cluster.local\"",
        "destination_service_name=\"podinfo\"",
        "destination_canonical_service=\"podinfo\"",
        "request_protocol=\"http\"",
    ];
    assert_eq!(sum(&gateway, total, &service).await, 4.0);
    let lost = ["destination_workload=\"unknown\"", "response_code=\"503\"", "response_flags=\"NC\""];
    assert_eq!(sum(&gateway, total, &lost).await, 1.0);
    let duration = "istio_request_duration_milliseconds_bucket";
    assert_eq!(sum(&gateway, duration, &[primary[1], "le=\"60000\""]).await, 3.0);
    for family in ["istio_request_bytes_count", "istio_response_bytes_count"] {
        assert_eq!(sum(&gateway, family, &primary).await, 3.0, "{family}");
    }
}

/// Nothing about the pod is told but its name: all else is what its object says.
#[tokio::test]
async fn the_source_is_the_workload_of_the_own_pod() {
    let origin = origin("primary").await;
    let own = "
apiVersion: v1
kind: Pod
metadata:
  name: front-6f7d8-abc
  namespace: test
  labels: { istio: gateway, app: front, version: v3, pod-template-hash: 6f7d8, service.istio.io/canonical-revision: r1 }
  ownerReferences: [{ apiVersion: apps/v1, kind: ReplicaSet, name: front-6f7d8, uid: '1', controller: true }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front, namespace: test }
spec: { selector: { istio: gateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [app.example] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api, namespace: test }
spec: { hosts: [app.example, api], gateways: [front, mesh], http: [{ route: [{ destination: { host: api } }] }] }
";
    let pod = ["--pod-name=front-6f7d8-abc", "--pod-namespace=test"];
    let gateway = pod.iter().fold(gateway!(), |recipe, argument| recipe.argument(argument));
    for recipe in [gateway, sluice_dsl::sidecar!("test/front-6f7d8-abc")] {
        let recipe = recipe.argument("--istio-metrics").manifest("own.yaml", own);
        let mut process = recipe.service("test/api", &[&origin]).start().await;
        process.says("app.example", "/", "primary").await;
        let source = [
            "reporter=\"source\"",
            "source_workload=\"front\"",
            "source_workload_namespace=\"test\"",
            "source_app=\"front\"",
            "source_version=\"v3\"",
            "source_canonical_service=\"front\"",
            "source_canonical_revision=\"r1\"",
            "source_principal=\"unknown\"",
            "destination_service_name=\"api\"",
        ];
        becomes(&process, "istio_requests_total", &source, 1.0).await;
    }
}
