//! `sluice sidecar` serves the mesh as one pod sees it.

use sluice_dsl::{
    Answer, Gateway, GatewayRecipe, Http1, NameServer, Origin, Reply, Request, Wire, cli, gateway, sidecar,
};
use std::net::SocketAddr;

/// The pod that asks.
const POD: &str = "
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
";

/// Two versions of a service on port 9080, told apart by their pods.
const REVIEWS: &str = "
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { clusterIP: 10.96.0.10, selector: { app: reviews }, ports: [{ name: http, port: 9080, targetPort: web }] }
---
apiVersion: v1
kind: Pod
metadata: { name: reviews-v1, namespace: shop, labels: { app: reviews, version: v1 } }
spec: { containers: [{ name: web, ports: [{ name: web, containerPort: ${v1} }] }] }
status: { phase: Running, podIP: 127.0.0.1 }
---
apiVersion: v1
kind: Pod
metadata: { name: reviews-v2, namespace: shop, labels: { app: reviews, version: v2 } }
spec: { containers: [{ name: web, ports: [{ name: web, containerPort: ${v2} }] }] }
status: { phase: Running, podIP: 127.0.0.1 }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: shop }
spec: { host: reviews, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
";

const RULES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  http:
  - name: jason
    match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: reviews, subset: v2 } }]
  - name: split
    route:
    - { destination: { host: reviews, subset: v1 }, weight: 100 }
    - { destination: { host: reviews, subset: v2 }, weight: 0 }
";

fn reviews(recipe: GatewayRecipe, v1: &Origin, v2: &Origin) -> GatewayRecipe {
    recipe
        .value("v1", &v1.address().port())
        .value("v2", &v2.address().port())
        .manifest("pod.yaml", POD)
        .manifest("reviews.yaml", REVIEWS)
        .port(9080)
}

async fn at(sidecar: &mut Gateway, port: u16, request: &Request) -> Reply {
    Http1::connect(sidecar.port(port).await).await.send(request).await
}

async fn ask(sidecar: &mut Gateway, port: u16, host: &str) -> (u16, String) {
    let reply = at(sidecar, port, &Request::get("/").host(host)).await;
    (reply.status, reply.text().to_owned())
}

#[tokio::test]
async fn a_virtual_service_of_the_mesh_splits_by_header_and_weight_and_follows_changes() {
    let [v1, v2] = [Origin::saying("v1").await, Origin::saying("v2").await];
    let mut sidecar = reviews(sidecar!("shop/web"), &v1, &v2).manifest("rules.yaml", RULES).start().await;

    for name in [
        "reviews",
        "reviews:9080",
        "reviews.shop",
        "reviews.shop.svc",
        "reviews.shop.svc.cluster.local.",
        "10.96.0.10",
    ] {
        assert_eq!(ask(&mut sidecar, 9080, name).await, (200, "v1".to_owned()), "{name}");
    }
    let jason = Request::get("/jason").host("reviews").field("end-user", "jason");
    assert_eq!(at(&mut sidecar, 9080, &jason).await.text(), "v2");
    let entry = sidecar.logged("jason", |entry| entry["path"] == "/jason").await;
    assert_eq!(entry["object"], "VirtualService shop/reviews", "{entry}");
    assert_eq!(entry["route"], "jason");
    assert_eq!(entry["cluster"], "outbound|9080|v2|reviews.shop.svc.cluster.local");

    sidecar.edit("rules.yaml", "subset: v1 }, weight: 100", "subset: v2 }, weight: 100");
    let request = Request::get("/").host("reviews");
    sidecar.until_at(9080, "the other version answers", &request, |reply| reply.text() == "v2").await;

    sidecar.remove("rules.yaml");
    sidecar
        .until_at(9080, "without rules, all of the service answers", &request, |reply| reply.text() == "v1")
        .await;
}

#[tokio::test]
async fn what_the_application_says_of_others_goes_on_as_it_is() {
    let origin = Origin::http1(|_| Answer::ok("seen")).await;
    let mut sidecar =
        sidecar!("shop/web").manifest("pod.yaml", POD).service("shop/api", &[&origin]).start().await;
    let request = Request::get("/")
        .host("api")
        .field("x-request-id", "from-the-application")
        .field("x-forwarded-for", "192.0.2.7");
    assert_eq!(sidecar.send(&request).await.status, 200);
    let seen = &origin.saw(1).await[0];
    assert_eq!(seen.fields.get("x-request-id"), Some("from-the-application"));
    assert_eq!(seen.fields.get("x-forwarded-for"), Some("192.0.2.7"));
    assert_eq!(seen.fields.get("x-forwarded-proto"), Some("http"), "said where the application did not");
    assert_eq!(seen.fields.get("x-forwarded-host"), None);
    assert_eq!(seen.fields.get("x-envoy-attempt-count"), Some("1"));
    assert_eq!(seen.fields.get("x-envoy-external-address"), None);
    assert_eq!(seen.host, "api");
    assert_eq!(sidecar.send(&request.field("x-forwarded-proto", "https")).await.status, 200);
    assert_eq!(origin.saw(2).await[1].fields.get("x-forwarded-proto"), Some("https"));

    let mut wire = Wire::connect(sidecar.port(80).await).await;
    wire.send("GET / HTTP/1.0\r\nhost: api\r\n\r\n").await;
    assert_eq!(wire.reply().await.status, 426, "HTTP/1.0 is not spoken in the mesh");
}

/// A Sidecar for the pods of shop, exportTo, and two namespaces with a service each.
const SCOPES: &str = "
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: team, labels: { app: web } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: shop }
spec: { egress: [{ hosts: ['./*', '~shop/hidden.shop.svc.cluster.local', 'team/open.team.svc.cluster.local'] }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: private, namespace: team }
spec:
  hosts: [private.test]
  exportTo: ['.']
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: ${private} } }]
";

#[tokio::test]
async fn two_pods_see_different_things() {
    let [own, hidden, open, closed, private] = [
        Origin::saying("own").await,
        Origin::saying("hidden").await,
        Origin::saying("open").await,
        Origin::saying("closed").await,
        Origin::saying("private").await,
    ];
    let recipe = |recipe: GatewayRecipe| {
        recipe
            .manifest("pod.yaml", POD)
            .value("private", &private.address().port())
            .manifest("scopes.yaml", SCOPES)
            .service("shop/own", &[&own])
            .service("shop/hidden", &[&hidden])
            .service("team/open", &[&open])
            .service("team/closed", &[&closed])
    };
    let mut shop = recipe(sidecar!("shop/web")).start().await;
    let mut team = recipe(sidecar!("team/web")).start().await;
    let text = |text: &str| (200, text.to_owned());
    for (host, in_shop, in_team) in [
        ("own", true, false),
        ("own.shop", true, true),
        ("hidden.shop", false, true),
        ("open.team", true, true),
        ("open", false, true),
        ("closed.team", false, true),
        ("private.test", false, true),
    ] {
        let name = host.split('.').next().unwrap_or(host);
        for (sees, pod) in [(in_shop, &mut shop), (in_team, &mut team)] {
            let answer = ask(pod, 80, host).await;
            if sees {
                assert_eq!(answer, text(name), "{host}");
            } else {
                assert_eq!(answer.0, 404, "{host}");
            }
        }
    }
    for (pod, listeners) in [(&shop, 1), (&team, 0)] {
        let page = pod.proxy().admin("/debug/translation?object=Sidecar/shop/default").await.json();
        assert_eq!(page["listeners"].as_array().map(Vec::len), Some(listeners), "it holds for one: {page:#}");
    }
    let entry = shop.logged("a host that the pod does not see", |entry| entry["status"] == 404).await;
    assert_eq!(entry["response_flags"], "NR", "{entry}");
}

#[tokio::test]
async fn a_mesh_that_knows_all_hosts_refuses_others() {
    let origin = Origin::saying("own").await;
    let only = "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: shop }
spec: { outboundTrafficPolicy: { mode: REGISTRY_ONLY } }
";
    let mut sidecar = sidecar!("shop/web")
        .manifest("pod.yaml", POD)
        .manifest("sidecar.yaml", only)
        .service("shop/own", &[&origin])
        .start()
        .await;
    assert_eq!(ask(&mut sidecar, 80, "own").await, (200, "own".to_owned()));
    assert_eq!(ask(&mut sidecar, 80, "elsewhere.test").await.0, 502);
}

#[tokio::test]
async fn several_virtual_services_of_a_host_count_together_with_a_warning() {
    let [v1, v2] = [Origin::saying("v1").await, Origin::saying("v2").await];
    let more = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: younger, namespace: shop, creationTimestamp: '2030-01-01T00:00:00Z' }
spec:
  hosts: [reviews.shop.svc.cluster.local]
  http: [{ match: [{ uri: { exact: /health } }], directResponse: { status: 218 } }]
";
    let rules =
        RULES.replace("namespace: shop }", "namespace: shop, creationTimestamp: '2020-01-01T00:00:00Z' }");
    let mut sidecar = reviews(sidecar!("shop/web"), &v1, &v2)
        .manifest("a-younger.yaml", more)
        .manifest("rules.yaml", &rules)
        .start()
        .await;
    assert_eq!(at(&mut sidecar, 9080, &Request::get("/health").host("reviews")).await.status, 218);
    assert_eq!(ask(&mut sidecar, 9080, "reviews").await, (200, "v1".to_owned()));
    let status = sidecar.status("VirtualService shop/younger").await.to_string();
    assert!(
        status
            .contains("VirtualService shop/reviews has rules for host `reviews.shop.svc.cluster.local` too"),
        "{status}"
    );
}

#[tokio::test]
async fn ports_of_other_protocols_are_reported_and_mapped_ports_are_open() {
    let origin = Origin::saying("own").await;
    let database = "
apiVersion: v1
kind: Service
metadata: { name: database, namespace: shop }
spec: { ports: [{ name: tcp-postgres, port: 5432 }] }
";
    let services = |recipe: GatewayRecipe| {
        recipe
            .manifest("pod.yaml", POD)
            .manifest("database.yaml", database)
            .service("shop/own", &[&origin])
            .port(5432)
    };
    let mut sidecar = services(sidecar!("shop/web")).start().await;
    let status = sidecar.status("Service shop/database").await.to_string();
    assert!(
        status.contains("spec.ports[0]: not in effect yet: it needs TCP and TLS pass-through"),
        "{status}"
    );
    assert_eq!(ask(&mut sidecar, 5432, "database").await.0, 404, "nobody is there, but the port is open");

    let gateway = services(gateway!()).start().await;
    let open = gateway.proxy().admin("/listeners").await.json();
    assert_eq!(
        open.as_array().map(Vec::len),
        Some(0),
        "a gateway leaves ports closed that no object has: {open}"
    );
}

fn version_1(destination: SocketAddr) -> Vec<u8> {
    format!("PROXY TCP4 127.0.0.9 {} 4321 {}\r\n", destination.ip(), destination.port()).into()
}

fn version_2(destination: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(to) = destination else { unreachable!("{destination}") };
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x09".to_vec();
    header.extend(to.ip().octets());
    header.extend(4321_u16.to_be_bytes());
    header.extend(to.port().to_be_bytes());
    header
}

async fn brought(sidecar: &mut Gateway, header: &[u8], host: &str) -> (u16, String) {
    let mut wire = Wire::connect(sidecar.port(80).await).await;
    wire.send([header, format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()].concat()).await;
    let reply = wire.reply().await;
    (reply.status, reply.text().to_owned())
}

/// A service whose port says nothing about its protocol: it is found by its address, whatever host a request names.
const UNSAID: &str = "
apiVersion: v1
kind: Service
metadata: { name: unsaid, namespace: shop }
spec: { clusterIP: 10.96.0.20, ports: [{ port: 7070 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: unsaid, namespace: shop, labels: { kubernetes.io/service-name: unsaid } }
addressType: IPv4
ports: [{ port: ${unsaid} }]
endpoints: [{ addresses: [127.0.0.1] }]
";

#[tokio::test]
async fn a_connection_is_served_by_where_it_was_on_its_way_to() {
    let [v1, v2, unsaid, outside] = [
        Origin::saying("v1").await,
        Origin::saying("v2").await,
        Origin::saying("unsaid").await,
        Origin::saying("outside").await,
    ];
    let mut sidecar = reviews(sidecar!("shop/web"), &v1, &v2)
        .manifest("rules.yaml", RULES)
        .value("unsaid", &unsaid.address().port())
        .manifest("unsaid.yaml", UNSAID)
        .port(7070)
        .argument("--original-dst=proxy-protocol")
        .start()
        .await;
    let to = |text: &str| text.parse::<SocketAddr>().expect("an address");
    for header in [version_1, version_2] {
        let text = |text: &str| (200, text.to_owned());
        // The port picks the listener, wherever the connection came in; there the host counts.
        assert_eq!(brought(&mut sidecar, &header(to("10.96.0.10:9080")), "reviews").await, text("v1"));
        // Without a protocol the address says which service it is.
        assert_eq!(brought(&mut sidecar, &header(to("10.96.0.20:7070")), "any.test").await, text("unsaid"));
        // What nobody knows goes where it was going: to an endpoint, or out of the mesh.
        assert_eq!(brought(&mut sidecar, &header(outside.address()), "outside.test").await, text("outside"));
        assert_eq!(brought(&mut sidecar, &header(outside.address()), "reviews").await, text("outside"));
    }
    let entry =
        sidecar.logged("what was let through", |entry| entry["cluster"] == "PassthroughCluster").await;
    assert_eq!(entry["endpoint"], outside.address().to_string(), "{entry}");

    let mut wire = Wire::connect(sidecar.port(80).await).await;
    wire.send("GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await;
    wire.expect_close().await;
}

#[tokio::test]
async fn where_only_known_hosts_are_let_through_a_destination_of_nobody_is_refused() {
    let [own, outside] = [Origin::saying("own").await, Origin::saying("outside").await];
    let only = "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: istio-system }
spec: { outboundTrafficPolicy: { mode: REGISTRY_ONLY } }
";
    let mut sidecar = sidecar!("shop/web")
        .manifest("pod.yaml", POD)
        .manifest("sidecar.yaml", only)
        .service("shop/own", &[&own])
        .argument("--original-dst=proxy-protocol")
        .start()
        .await;
    let port_80 = version_1("10.96.0.1:80".parse().expect("an address"));
    assert_eq!(brought(&mut sidecar, &port_80, "own").await, (200, "own".to_owned()));
    assert_eq!(brought(&mut sidecar, &port_80, "outside.test").await.0, 502);
    // Nobody knows what is spoken at a port that no service has, so that there is no answer either.
    let mut wire = Wire::connect(sidecar.port(80).await).await;
    wire.send(
        [version_1(outside.address()), b"GET / HTTP/1.1\r\nhost: outside.test\r\n\r\n".to_vec()].concat(),
    )
    .await;
    wire.expect_close().await;
    assert!(outside.requests().is_empty());
}

#[tokio::test]
async fn names_of_a_service_entry_are_asked_of_the_name_server_that_was_named() {
    let api = Origin::saying("api").await;
    let names = NameServer::knowing(&[("api.outside.test", [127, 0, 0, 1].into())]).await;
    let entry = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: shop }
spec:
  hosts: [api.outside.test]
  resolution: DNS
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${api} }]
";
    let mut sidecar = sidecar!("shop/web")
        .manifest("pod.yaml", POD)
        .value("api", &api.address().port())
        .manifest("entry.yaml", entry)
        .argument(&format!("--dns={}", names.address()))
        .start()
        .await;
    sidecar.says("api.outside.test", "/", "api").await;
}

#[tokio::test]
async fn commands_show_what_a_pod_would_see() {
    let cli = cli!()
        .file("shop/pod.yaml", POD)
        .file(
            "shop/services.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: { name: api, namespace: shop }\n\
             spec: { ports: [{ name: http, port: 80 }, { name: tcp, port: 81 }] }\n",
        )
        .file(
            "shop/rules.yaml",
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: api, namespace: shop }\n\
             spec: { hosts: [api], http: [{ name: gone, directResponse: { status: 410 } }] }\n",
        );
    let explained = cli.run(&["explain", "shop", "--pod", "shop/web", "--port", "80", "--host", "api"]).await;
    assert_eq!(explained.code, 0, "{explained:?}");
    assert!(explained.stdout.contains("VirtualService shop/api"), "{explained:?}");
    let checked = cli.run(&["check", "shop", "--pod", "shop/web"]).await;
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked.stdout.contains("WARNING Service shop/api: spec.ports[1]: not in effect yet"),
        "{checked:?}"
    );
    let translated =
        cli.run(&["translate", "shop", "--pod", "shop/web", "--original-dst", "proxy-protocol"]).await;
    assert!(translated.stdout.contains("PassthroughCluster"), "{translated:?}");
    let unnamed = cli.run(&["sidecar", "--manifests", "shop"]).await;
    assert_eq!(unnamed.code, 2);
    assert!(unnamed.stderr.contains("--pod NAMESPACE/NAME"), "{unnamed:?}");
}
