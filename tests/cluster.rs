//! `sluice gateway` serves the objects of a Kubernetes API server, whatever that server does.

use serde_json::{Value, json};
use sluice_dsl::{
    ApiServer, Certificate, Cli, Disturbance, Fault, Gateway, GatewayRecipe, Http1, Origin, Request, SHOP,
    SHOP_HOST, TlsClient, cli, gateway, ingress_manifest, secret_manifest, service_manifest, within,
};
use std::net::SocketAddr;

/// With TLS by a secret.
fn secured(name: &str, secret: &str) -> String {
    ingress_manifest(name, "web").replace(
        "  rules:",
        &format!("  tls: [{{ hosts: [{name}.example.com], secretName: {secret} }}]\n  rules:"),
    )
}

fn route(host: &str, service: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{ name: edge, namespace: shop }}
spec:
  selector: {{ istio: ingressgateway }}
  servers: [{{ port: {{ number: 80, name: http, protocol: HTTP }}, hosts: ['{host}'] }}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: routes, namespace: shop }}
spec:
  hosts: ['{host}']
  gateways: [edge]
  http: [{{ route: [{{ destination: {{ host: {service}, port: {{ number: 80 }} }} }}] }}]
"
    )
}

fn recipe(api: &ApiServer) -> GatewayRecipe {
    gateway!().cluster(api).argument("--ingress-class-by-name")
}

/// A server with the shop, and a gateway for it.
async fn shop(origin: &Origin) -> (ApiServer, Gateway) {
    let api = ApiServer::start().await;
    api.put(&service_manifest("shop/web", &[origin]));
    api.put(SHOP);
    let gateway = recipe(&api).start().await;
    (api, gateway)
}

/// Another service behind the same name.
fn moved(api: &ApiServer, origin: &Origin) {
    api.put(&service_manifest("shop/web", &[origin]));
}

async fn both() -> [Origin; 2] {
    [Origin::saying("one").await, Origin::saying("two").await]
}

#[tokio::test]
async fn what_is_listed_is_served_and_what_changes_is_followed() {
    let [one, two] = both().await;
    let (api, mut gateway) = shop(&one).await;
    gateway.says(SHOP_HOST, "/", "one").await;
    moved(&api, &two);
    gateway.says(SHOP_HOST, "/", "two").await;
    api.put(&ingress_manifest("blog", "web"));
    gateway.says("blog.example.com", "/", "two").await;
    api.delete("Ingress shop/blog");
    let gone = Request::get("/").host("blog.example.com");
    gateway.until("the blog is gone", &gone, |reply| reply.status == 404).await;

    let proxy = gateway.proxy();
    let kind = ["kind=\"Ingress\""];
    assert_eq!(proxy.stat("sluice_watch_objects", &kind).await as u64, 1);
    assert_eq!(proxy.stat("sluice_watches", &kind).await as u64, 1);
    assert!(proxy.stat("sluice_watch_last_event_age_seconds", &kind).await < 60.0);
    let watch = &api.calls("watch pods")[0];
    assert!(watch.wants_metadata(), "{watch:?}");
    let lists = api.calls("list ingresses");
    assert!(lists.is_empty(), "the list came with the watch: {lists:?}");
}

#[tokio::test]
async fn a_server_without_streaming_lists_is_listed_page_by_page() {
    let [one, two] = both().await;
    let api = ApiServer::start().await.without_streaming_lists();
    for number in 0..1_100 {
        api.put(&ingress_manifest(&format!("host-{number}"), "web"));
    }
    api.put(&service_manifest("shop/web", &[&one]));
    let mut gateway = recipe(&api).start().await;
    gateway.says("host-0.example.com", "/", "one").await;
    gateway.says("host-1099.example.com", "/", "one").await;
    assert_eq!(api.calls("list ingresses").len(), 3);
    moved(&api, &two);
    gateway.says("host-1099.example.com", "/", "two").await;
}

#[tokio::test]
async fn half_a_list_removes_nothing_and_brings_nothing() {
    let [one, two] = both().await;
    for streaming in [true, false] {
        let api = ApiServer::start().await;
        let api = if streaming { api } else { api.without_streaming_lists() };
        api.put(&service_manifest("shop/web", &[&one]));
        api.put(SHOP);
        let mut gateway = recipe(&api).start().await;
        gateway.says(SHOP_HOST, "/", "one").await;

        api.always("list ingresses", Fault::Half);
        api.always("watch ingresses", Fault::Half);
        api.forget();
        let asked = api.calls("* ingresses").len();
        api.disturb("ingresses", Disturbance::Gone);
        api.put(&ingress_manifest("blog", "web"));
        api.called("* ingresses", asked + 4).await;
        assert_eq!(gateway.get(SHOP_HOST, "/").await.status, 200);
        assert_eq!(gateway.get("blog.example.com", "/").await.status, 404);
        moved(&api, &two);
        gateway.says(SHOP_HOST, "/", "two").await;

        api.heal();
        gateway.says("blog.example.com", "/", "two").await;
    }
}

#[tokio::test]
async fn whatever_goes_wrong_with_a_watch_loses_no_route_and_no_change() {
    let line = |text: &str| Disturbance::Line(text.to_owned());
    let disturbances = [
        Disturbance::End,
        Disturbance::Cut,
        Disturbance::BadChunk,
        Disturbance::Gone,
        line("this is no JSON"),
        line("{\"type\":\"ADDED\"}"),
        line("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500,\"message\":\"oops\"}}"),
    ];
    let [one, two] = both().await;
    let (api, mut gateway) = shop(&one).await;
    for (number, disturbance) in disturbances.into_iter().enumerate() {
        let calls = api.calls("watch endpointslices").len();
        api.disturb("*", disturbance.clone());
        api.called("watch endpointslices", calls + 1).await;
        let origin = [&two, &one][number % 2];
        moved(&api, origin);
        let text = ["two", "one"][number % 2];
        let what = format!("it follows after {disturbance:?}");
        gateway
            .until(&what, &Request::get("/").host(SHOP_HOST), |reply| {
                assert_eq!(reply.status, 200, "{disturbance:?}");
                reply.text() == text
            })
            .await;
    }
}

#[tokio::test]
async fn a_watch_that_falls_silent_is_noticed() {
    let [one, two] = both().await;
    let api = ApiServer::start().await;
    api.put(&service_manifest("shop/web", &[&one]));
    api.put(SHOP);
    let mut gateway = recipe(&api).argument("--watch-lifetime=2").start().await;
    gateway.says(SHOP_HOST, "/", "one").await;
    api.disturb("*", Disturbance::Stall);
    moved(&api, &two);
    gateway.says(SHOP_HOST, "/", "two").await;
    let silent = ["kind=\"EndpointSlice\"", "reason=\"silent\""];
    assert!(gateway.proxy().stat("sluice_watch_errors_total", &silent).await >= 1.0);
}

#[tokio::test]
async fn a_server_that_is_gone_loses_no_route_and_is_followed_when_it_is_back() {
    let [one, two] = both().await;
    let (mut api, mut gateway) = shop(&one).await;
    gateway.says(SHOP_HOST, "/", "one").await;
    api.stop().await;
    gateway.process_says("no connection to the API server").await;
    gateway.says(SHOP_HOST, "/", "one").await;
    moved(&api, &two);
    api.resume().await;
    gateway.says(SHOP_HOST, "/", "two").await;
    gateway.process_says("are read again").await;
}

#[tokio::test]
async fn a_server_that_has_too_much_to_do_is_left_alone_as_long_as_it_asks() {
    let one = Origin::saying("one").await;
    let api = ApiServer::start().await.without_streaming_lists();
    api.put(&service_manifest("shop/web", &[&one]));
    api.put(SHOP);
    api.next("list ingresses", Fault::RetryAfter(2));
    api.next("list services", Fault::Status(500));
    api.next("list endpointslices", Fault::Nonsense("<html>hello</html>".to_owned()));
    let begun = std::time::Instant::now();
    let mut gateway = recipe(&api).start().await;
    assert!(begun.elapsed().as_secs() >= 2, "{:?}", begun.elapsed());
    gateway.says(SHOP_HOST, "/", "one").await;
    assert_eq!(api.calls("list ingresses").len(), 2);
}

#[tokio::test]
async fn a_kind_that_is_not_installed_is_picked_up_when_it_appears_in_whichever_version() {
    let [one, two] = both().await;
    let api = ApiServer::start().await;
    api.serve("networking.istio.io", &[]);
    api.put(&service_manifest("shop/web", &[&one]));
    api.put(SHOP);
    let mut gateway = recipe(&api).argument("--labels=istio=ingressgateway").start().await;
    gateway.says(SHOP_HOST, "/", "one").await;
    gateway.process_says("there are no virtualservices.networking.istio.io in this cluster").await;

    api.serve("networking.istio.io", &["v1beta1"]);
    api.put(&service_manifest("shop/api", &[&two]));
    api.put(&route("api.example.com", "api"));
    gateway.says("api.example.com", "/", "two").await;
    let watched = api.calls("watch virtualservices");
    assert!(watched.iter().any(|call| call.version == "v1beta1" && call.answered == Some(200)));
    gateway.says(SHOP_HOST, "/", "one").await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_stops_no_other() {
    let [one, two] = both().await;
    let (api, mut gateway) = shop(&one).await;
    let odd = |spec: Value, labels: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": spec,
            "metadata": { "name": "odd", "namespace": "shop", "labels": labels },
        })
    };
    api.put_object(odd(json!({ "rules": 7 }), json!({})));
    let entry = gateway.status_becomes("Ingress shop/odd", |entry| !entry["events"][0].is_null()).await;
    assert_eq!(entry["events"][0]["reason"], "Invalid", "{entry:#}");
    api.put_object(odd(json!({}), json!("none")));
    let deep = (0..100).fold(json!(0), |inner, _| json!([inner]));
    api.put_object(odd(json!({ "rules": deep }), json!({})));
    gateway.process_says("Ingress shop/odd: it cannot be read").await;

    api.put(&ingress_manifest("blog", "web"));
    gateway.says("blog.example.com", "/", "one").await;
    moved(&api, &two);
    gateway.says(SHOP_HOST, "/", "two").await;
}

/// Waits until the host's own certificate is served.
async fn secure(gateway: &mut Gateway, certificate: &Certificate, host: &str) {
    let client = TlsClient::trusting(certificate, host, &[]);
    let address = gateway.port(443).await;
    within(format!("{host} has its certificate"), async {
        while client.handshake(address).await.is_err() {}
    })
    .await;
}

#[tokio::test]
async fn secrets_are_read_only_where_something_refers_to_them() {
    let one = Origin::saying("one").await;
    let certificate = Certificate::of(&["pay.example.com"]);
    let api = ApiServer::start().await;
    api.put(&service_manifest("shop/web", &[&one]));
    api.put(SHOP);
    api.put(&secret_manifest("shop/pay", &certificate));
    api.put(&secret_manifest("other/private", &certificate));
    let mut gateway = recipe(&api).start().await;
    gateway.says(SHOP_HOST, "/", "one").await;
    assert_eq!(api.calls("* secrets"), [], "nothing refers to one");

    // Who is forbidden to read the namespace may still read this one.
    api.put(&secured("pay", "pay"));
    secure(&mut gateway, &certificate, "pay.example.com").await;
    let calls = api.calls("* secrets");
    let asked = calls.iter().map(|call| (call.namespace.as_str(), call.parameter("fieldSelector")));
    assert!(
        !calls.is_empty() && asked.clone().all(|asked| asked == ("shop", "metadata.name=pay")),
        "{calls:#?}"
    );

    let renewed = Certificate::of(&["pay.example.com"]);
    api.put(&secret_manifest("shop/pay", &renewed));
    secure(&mut gateway, &renewed, "pay.example.com").await;

    api.delete("Ingress shop/pay");
    gateway.proxy().stat_becomes("sluice_watch_objects", &["kind=\"Secret\""], |count| count == 0.0).await;
}

#[tokio::test]
async fn many_secrets_of_a_namespace_are_watched_together_and_the_others_one_by_one() {
    let one = Origin::saying("one").await;
    let certificate = Certificate::of(&["*.example.com"]);
    let api = ApiServer::start().await;
    api.put(&service_manifest("shop/web", &[&one]));
    for number in 0..40 {
        api.put(&secured(&format!("host-{number}"), &format!("secret-{number}")));
        let secret = secret_manifest(&format!("shop/secret-{number}"), &certificate);
        // Some say that they are of no special type.
        api.put(&if number < 3 { secret.replace("kubernetes.io/tls", "Opaque") } else { secret });
    }
    api.put(&secret_manifest("shop/unused", &certificate));
    let mut gateway = recipe(&api).start().await;
    secure(&mut gateway, &certificate, "host-0.example.com").await;
    secure(&mut gateway, &certificate, "host-39.example.com").await;
    let calls = api.calls("* secrets");
    let mut asked: Vec<&str> = calls.iter().map(|call| call.parameter("fieldSelector")).collect();
    asked.sort_unstable();
    asked.dedup();
    let wanted = [
        "metadata.name=secret-0",
        "metadata.name=secret-1",
        "metadata.name=secret-2",
        "type=kubernetes.io/tls",
    ];
    assert_eq!(asked, wanted);
    assert_eq!(gateway.proxy().stat("sluice_watch_objects", &["kind=\"Secret\""]).await as u64, 40);

    // One that was there before, and that nobody wanted.
    let other = Certificate::of(&["new.example.com"]);
    api.put(&secret_manifest("shop/new", &other));
    api.put(&secured("new", "new"));
    secure(&mut gateway, &other, "new.example.com").await;
}

#[tokio::test]
async fn who_may_read_secrets_only_by_name_reads_as_many_as_are_needed() {
    let one = Origin::saying("one").await;
    let certificate = Certificate::of(&["*.example.com"]);
    let api = ApiServer::start().await;
    api.put(&service_manifest("shop/web", &[&one]));
    for number in 0..40 {
        api.put(&secured(&format!("host-{number}"), &format!("secret-{number}")));
        api.put(&secret_manifest(&format!("shop/secret-{number}"), &certificate));
    }
    // Streaming or not, the first two requests for the whole namespace; those for names come after them.
    api.times(1, "watch secrets", Fault::Status(403));
    let mut gateway = recipe(&api).start().await;
    for number in [0, 20, 39] {
        secure(&mut gateway, &certificate, &format!("host-{number}.example.com")).await;
    }
    let calls = api.calls("watch secrets");
    let refused: Vec<&str> = calls
        .iter()
        .filter(|call| call.answered == Some(403))
        .map(|call| call.parameter("fieldSelector"))
        .collect();
    assert_eq!(refused, ["type=kubernetes.io/tls"]);
    let named = calls.iter().filter(|call| call.parameter("fieldSelector").starts_with("metadata.name="));
    assert_eq!(named.count(), 40);
}

#[tokio::test]
async fn what_may_not_be_read_is_named_with_the_right_that_is_missing() {
    let one = Origin::saying("one").await;
    let api = ApiServer::start().await;
    api.put(&service_manifest("shop/web", &[&one]));
    api.put(SHOP);
    for kind in ["virtualservices", "secrets"] {
        api.always(&format!("list {kind}"), Fault::Status(403));
        api.always(&format!("watch {kind}"), Fault::Status(403));
    }
    api.put(&secured("pay", "pay"));
    let mut gateway = recipe(&api).start().await;
    gateway.says(SHOP_HOST, "/", "one").await;
    gateway.says("pay.example.com", "/", "").await;
    let line = gateway.process_says("cannot list and watch virtualservices").await;
    for part in ["403", "`list` and `watch`", "`virtualservices.networking.istio.io`", "ClusterRole"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let line = gateway.process_says("cannot list and watch secrets").await;
    assert!(line.contains("Role in namespace shop"), "{line}");
}

#[tokio::test]
async fn readiness_waits_for_every_first_list() {
    let one = Origin::saying("one").await;
    let api = ApiServer::start().await.without_streaming_lists();
    api.put(&service_manifest("shop/web", &[&one]));
    api.put(SHOP);
    for kind in ["services", "endpointslices", "ingressclasses", "pods"] {
        api.always(&format!("list {kind}"), Fault::Status(403));
        let cli = cli!();
        let kubeconfig = format!("--kubeconfig={}", api.kubeconfig().display());
        let mut process = cli.start([
            "gateway",
            &kubeconfig,
            "--admin=127.0.0.1:0",
            "--bind=127.0.0.1",
            "--port-map=80=0",
            "--ingress-class-by-name",
        ]);
        let line = process.says("sluice: admin on ").await;
        let admin: SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
        process.says(&format!("cannot list and watch {kind}")).await;
        let host = admin.to_string();
        let ask = async |path: &str| Http1::connect(admin).await.send(&Request::get(path).host(&host)).await;
        let ready = ask("/ready").await;
        assert_eq!((ready.status, ready.text()), (503, "not ready: first configuration\n"), "{kind}");
        assert_eq!(ask("/healthz").await.status, 200);
        api.heal();
        process.says("sluice: listener port-80 on ").await;
        assert_eq!(ask("/ready").await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn only_the_namespaces_that_are_chosen_count() {
    let [one, two] = both().await;
    let namespace = |name: &str, labels: &str| {
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name}, labels: {{ {labels} }} }}\n")
    };
    let elsewhere = |text: &str| {
        text.replace("namespace: shop", "namespace: blog").replace("shop.example", "blog.example")
    };
    for selector in [false, true] {
        let api = ApiServer::start().await;
        api.put(&namespace("shop", "team: web"));
        api.put(&namespace("blog", "team: other"));
        api.put(&service_manifest("shop/web", &[&one]));
        api.put(SHOP);
        api.put(&service_manifest("blog/web", &[&two]));
        api.put(&elsewhere(SHOP));
        let argument =
            if selector { "--watch-namespace-selector=team=web" } else { "--watch-namespace=shop" };
        let mut gateway = recipe(&api).argument(argument).start().await;
        gateway.says(SHOP_HOST, "/", "one").await;
        assert_eq!(gateway.get("blog.example.com", "/").await.status, 404, "{argument}");
        if selector {
            api.put(&namespace("blog", "team: web"));
            gateway.says("blog.example.com", "/", "two").await;
            api.put(&namespace("shop", "team: none"));
            let gone = Request::get("/").host(SHOP_HOST);
            gateway.until("the shop is gone", &gone, |reply| reply.status == 404).await;
        } else {
            let calls = api.calls("watch services");
            assert!(calls.iter().all(|call| call.namespace == "shop"), "{calls:#?}");
        }
    }
}

#[tokio::test]
async fn the_pod_of_the_gateway_says_its_labels_and_its_node() {
    let [one, two] = both().await;
    let api = ApiServer::start().await;
    api.put(&route("api.example.com", "web"));
    api.put(&service_manifest("shop/web", &[&one]));
    let slice = service_manifest("shop/web", &[&one, &two])
        .replace("spec: {", "spec: { internalTrafficPolicy: Local,");
    let near = slice.replacen("addresses: [127.0.0.1] }", "addresses: [127.0.0.1], nodeName: far }", 1);
    api.put(&near.replacen("addresses: [127.0.0.1] }", "addresses: [127.0.0.1], nodeName: near }", 1));
    api.put(
        "
apiVersion: v1
kind: Pod
metadata: { name: edge-1, namespace: edge, labels: { istio: ingressgateway } }
spec: { nodeName: near, containers: [{ name: sluice }] }
---
apiVersion: v1
kind: Node
metadata: { name: near, labels: { topology.kubernetes.io/zone: z1 } }
",
    );
    let recipe = recipe(&api).argument("--pod-name=edge-1").argument("--pod-namespace=edge");
    let mut gateway = recipe.start().await;
    for _ in 0..6 {
        gateway.says("api.example.com", "/", "two").await;
    }
    assert_eq!(api.calls("get nodes")[0].name, "near");

    // Its labels are followed, and are what they were when it is gone. An Ingress keeps the port open.
    api.put(&ingress_manifest("blog", "web"));
    gateway.says("blog.example.com", "/", "two").await;
    let pod = api.object("Pod edge/edge-1");
    let mut other = pod.clone();
    other["metadata"]["labels"] = json!({ "istio": "other" });
    api.put_object(other);
    let request = Request::get("/").host("api.example.com");
    gateway.until("the gateway is selected no longer", &request, |reply| reply.status == 404).await;
    api.put_object(pod);
    gateway.says("api.example.com", "/", "two").await;
    api.delete("Pod edge/edge-1");
    gateway.proxy().stat_becomes("sluice_watch_objects", &["kind=\"Pod\""], |count| count == 0.0).await;
    api.put(&ingress_manifest("later", "web"));
    gateway.says("later.example.com", "/", "two").await;
    gateway.says("api.example.com", "/", "two").await;
}

#[tokio::test]
async fn what_selects_pods_for_their_addresses_is_told_that_they_are_not_read() {
    let api = ApiServer::start().await;
    api.put(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: workers, namespace: shop }
spec:
  hosts: [workers.test]
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  workloadSelector: { labels: { app: worker } }
",
    );
    let cli = cli!();
    let kubeconfig = api.kubeconfig().display().to_string();
    let output = cli.run(["check", "--cluster", "--kubeconfig", &kubeconfig]).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let line = output.stdout.lines().find(|line| line.contains("ServiceEntry shop/workers"));
    let line = line.unwrap_or_else(|| panic!("it is told: {}", output.stdout));
    assert!(line.starts_with("WARNING") && line.contains("list the addresses as `endpoints`"), "{line}");
}

#[tokio::test]
async fn the_tools_read_a_cluster_once_and_end() {
    let one = Origin::saying("one").await;
    let certificate = Certificate::of(&["pay.example.com"]);
    let mut api = ApiServer::start().await;
    api.put(&service_manifest("shop/web", &[&one]));
    api.put(SHOP);
    api.put(&secured("pay", "pay"));
    api.put(&secret_manifest("shop/pay", &certificate));
    api.put(&SHOP.replace("name: web, namespace", "name: bad, namespace").replace("Prefix", "Sideways"));
    let kubeconfig = api.kubeconfig().display().to_string();
    let run = async |cli: &Cli, arguments: &[&str]| {
        let all =
            [arguments, &["--cluster", "--kubeconfig", &kubeconfig, "--ingress-class-by-name"]].concat();
        cli.run(all).await
    };
    let cli = cli!();
    let output = run(&cli, &["check"]).await;
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stdout.starts_with("ERROR Ingress shop/bad: "), "{}", output.stdout);
    let output = run(&cli, &["translate", "--show-secrets"]).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let config: Value = serde_json::from_str(&output.stdout).unwrap();
    let names = config["secrets"].as_array().into_iter().flatten().map(|secret| &secret["name"]);
    assert_eq!(names.collect::<Vec<_>>(), ["fallback certificate", "shop/pay"], "{config:#}");
    let output = run(&cli, &["explain", "--host", SHOP_HOST]).await;
    assert!(
        output.code == 0 && output.stdout.contains("Ingress shop/web"),
        "{}{}",
        output.stdout,
        output.stderr
    );
    let output = run(&cli, &["audit", "--format", "json"]).await;
    assert_eq!(
        serde_json::from_str::<Value>(&output.stdout).unwrap()["source"],
        format!("http://{}/", api.address())
    );

    let output = cli.run(["check", "--cluster", "--kubeconfig", &kubeconfig, "--context", "none"]).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("--context none"), "{}", output.stderr);
    api.stop().await;
}
