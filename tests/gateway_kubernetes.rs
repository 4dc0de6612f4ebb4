//! `sluice gateway` and a real Kubernetes API server, with the rights that `configs/kubernetes` grants and no more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "gateway_kubernetes/beside.rs"]
mod beside;
#[path = "gateway_kubernetes/told.rs"]
mod told;

use sluice_dsl::{
    Certificate, GatewayRecipe, Kubernetes, Origin, Request, Signal, TlsClient, cli, external_manifest,
    gateway, kubernetes, secret_manifest,
};

const BASE: &str = "configs/kubernetes/base";

const NAMESPACE: &str = "{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }";

const HOST: &str = "shop.example.com";

const INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: shop }
spec:
  ingressClassName: sluice
  rules:
  - host: shop.example.com
    http:
      paths:
      - { path: /, pathType: Prefix, backend: { service: { name: web, port: { name: http } } } }
";

/// The host of [`INGRESS`] in Istio's kinds.
const ISTIO: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: shop }
spec:
  hosts: [shop.example.com]
  gateways: [web]
  http: [{ route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: ${port} } } }] }]
";

/// A namespace with an Ingress in it that an origin serves.
async fn shop(cluster: &Kubernetes, origin: &Origin) {
    cluster.install(BASE).await;
    cluster.apply(NAMESPACE).await;
    serve_from(cluster, origin).await;
    cluster.apply(INGRESS).await;
}

async fn serve_from(cluster: &Kubernetes, origin: &Origin) {
    cluster.apply(&external_manifest("shop/web", origin)).await;
}

/// The same for another host.
fn other_ingress(name: &str, host: &str) -> String {
    INGRESS.replace("name: web, namespace", &format!("name: {name}, namespace")).replace(HOST, host)
}

/// A gateway that may do what the installation lets it do.
async fn recipe(cluster: &Kubernetes) -> GatewayRecipe {
    let token = cluster.account("sluice-system/sluice").await;
    gateway!().kubeconfig(cluster.kubeconfig(&token)).argument("--labels=istio=ingressgateway")
}

#[tokio::test]
async fn objects_and_their_changes_are_served_by_every_gateway_that_starts() {
    let Some(cluster) = kubernetes!().await else { return };
    let (one, two) = (Origin::saying("one").await, Origin::saying("two").await);
    shop(&cluster, &one).await;
    let recipe = recipe(&cluster).await;
    let mut gateway = recipe.clone().start().await;
    gateway.says(HOST, "/", "one").await;
    serve_from(&cluster, &two).await;
    gateway.says(HOST, "/", "two").await;

    gateway.signal(Signal::KILL);
    gateway.ended().await;
    let mut gateway = recipe.start().await;
    assert_eq!(gateway.get(HOST, "/").await.text(), "two", "it is ready when everything is there");

    // The port stays open for the other one.
    cluster.apply(&other_ingress("other", "other.example.com")).await;
    cluster.delete(INGRESS).await;
    let request = Request::get("/").host(HOST);
    gateway.until("the Ingress is gone", &request, |reply| reply.status == 404).await;
}

#[tokio::test]
async fn kinds_of_istio_are_picked_up_when_they_are_defined() {
    let Some(cluster) = kubernetes!().await else { return };
    let origin = Origin::saying("hello").await;
    cluster.install(BASE).await;
    let mut gateway = recipe(&cluster).await.start().await;
    cluster.install("configs/kubernetes/crds").await;
    cluster.apply(NAMESPACE).await;
    serve_from(&cluster, &origin).await;
    cluster.apply(&ISTIO.replace("${port}", &origin.address().port().to_string())).await;
    gateway.says(HOST, "/", "hello").await;
}

#[tokio::test]
async fn an_api_server_that_is_paused_takes_no_route_away_and_its_changes_arrive_afterwards() {
    let Some(cluster) = kubernetes!().await else { return };
    let (one, two) = (Origin::saying("one").await, Origin::saying("two").await);
    shop(&cluster, &one).await;
    let mut gateway = recipe(&cluster).await.start().await;
    gateway.says(HOST, "/", "one").await;
    cluster.pause().await;
    for _ in 0..100 {
        assert_eq!(gateway.get(HOST, "/").await.text(), "one");
    }
    cluster.resume();
    serve_from(&cluster, &two).await;
    gateway.says(HOST, "/", "two").await;
}

#[tokio::test]
async fn an_api_server_that_is_killed_takes_no_route_away_and_its_changes_arrive_when_it_is_back() {
    let Some(mut cluster) = kubernetes!().await else { return };
    let (one, two) = (Origin::saying("one").await, Origin::saying("two").await);
    shop(&cluster, &one).await;
    let mut gateway = recipe(&cluster).await.start().await;
    gateway.says(HOST, "/", "one").await;
    cluster.kill().await;
    for _ in 0..100 {
        assert_eq!(gateway.get(HOST, "/").await.text(), "one");
    }
    cluster.start_again().await;
    serve_from(&cluster, &two).await;
    gateway.says(HOST, "/", "two").await;
}

/// A server that was started again remembers no version from before.
#[tokio::test]
async fn a_gateway_that_asks_for_a_forgotten_version_lists_again() {
    let Some(mut cluster) = kubernetes!().await else { return };
    let (one, two) = (Origin::saying("one").await, Origin::saying("two").await);
    shop(&cluster, &one).await;
    let old = other_ingress("old", "old.example.com");
    cluster.apply(&old).await;
    let mut gateway = recipe(&cluster).await.start().await;
    gateway.says("old.example.com", "/", "one").await;

    gateway.signal(Signal::STOP);
    // Versions go on without the kinds that the gateway watches.
    cluster.apply("{ apiVersion: v1, kind: Namespace, metadata: { name: other } }").await;
    cluster.kill().await;
    cluster.start_again().await;
    cluster.delete(&old).await;
    serve_from(&cluster, &two).await;
    gateway.signal(Signal::CONT);

    gateway.process_says("are listed again").await;
    gateway.says(HOST, "/", "two").await;
    let gone = Request::get("/").host("old.example.com");
    gateway.until("what was deleted meanwhile is gone", &gone, |reply| reply.status == 404).await;
}

#[tokio::test]
async fn certificates_that_are_granted_by_name_are_served() {
    let Some(cluster) = kubernetes!().await else { return };
    let origin = Origin::saying("hello").await;
    shop(&cluster, &origin).await;
    cluster.delete_file("configs/kubernetes/base/secrets.yaml").await;
    cluster.apply_file("configs/kubernetes/named-secrets/example.yaml").await;
    let certificate = Certificate::of(&[HOST]);
    cluster.apply(&secret_manifest("shop/shop-tls", &certificate)).await;
    cluster.apply(&secret_manifest("shop/hidden", &certificate)).await;
    let tls = |host: &str, secret: &str| format!("  tls: [{{ hosts: [{host}], secretName: {secret} }}]\n");
    let ingress = INGRESS.to_owned() + &tls(HOST, "shop-tls");
    let hidden = other_ingress("hidden", "hidden.example.com") + &tls("hidden.example.com", "hidden");
    cluster.apply(&format!("{ingress}---{hidden}")).await;

    let mut gateway = recipe(&cluster).await.start().await;
    let client = TlsClient::trusting(&certificate, HOST, &["http/1.1"]);
    let reply = gateway.send_tls(&client, false, &Request::get("/").host(HOST)).await;
    assert_eq!(reply.text(), "hello");
    gateway
        .status_becomes("Ingress shop/hidden", |entry| entry["events"].to_string().contains("hidden"))
        .await;
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_and_taken_up_when_it_is_granted() {
    let Some(cluster) = kubernetes!().await else { return };
    let origin = Origin::saying("hello").await;
    shop(&cluster, &origin).await;
    cluster.delete_file("configs/kubernetes/base/reading.yaml").await;
    let token = cluster.account("sluice-system/sluice").await;
    let kubeconfig = format!("--kubeconfig={}", cluster.kubeconfig(&token).display());
    let cli = cli!();
    let mut gateway = cli.start([
        "gateway",
        &kubeconfig,
        "--bind=127.0.0.1",
        "--admin=127.0.0.1:0",
        "--port-map=80=0,443=0",
    ]);
    let said = gateway.says("ingresses.networking.k8s.io").await;
    assert!(said.contains("allow the verbs `list` and `watch`"), "{said}");
    cluster.apply_file("configs/kubernetes/base/reading.yaml").await;
    gateway.says("listener port-80 on ").await;
}
