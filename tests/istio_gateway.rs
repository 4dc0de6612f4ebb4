//! `sluice gateway` serves Gateways and VirtualServices.

use sluice_dsl::{Certificate, Gateway, GatewayRecipe, Origin, Request, TlsClient, gateway};

/// One Gateway for plain HTTP, and services whose versions are told apart by a header.
const SHOP: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: shop }
spec:
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*.example.com'] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: shop }
spec:
  hosts: [shop.example.com]
  gateways: [web]
  http:
  - name: next
    match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: next } }]
  - name: missing
    match: [{ uri: { prefix: /missing } }]
    route: [{ destination: { host: nobody } }]
  - name: idle
    match: [{ uri: { prefix: /idle } }]
    route: [{ destination: { host: idle } }]
  - name: stable
    route: [{ destination: { host: stable } }]
";

const HOST: &str = "shop.example.com";

fn recipe(stable: &Origin, next: &Origin) -> GatewayRecipe {
    gateway!()
        .service("shop/stable", &[stable])
        .service("shop/next", &[next])
        .service("shop/idle", &[])
        .manifest("shop.yaml", SHOP)
}

async fn flags(gateway: &mut Gateway, path: &str) -> (u16, String, String) {
    let status = gateway.get(HOST, path).await.status;
    let entry = gateway.logged(path, |entry| entry["path"] == path).await;
    let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("object"), "VirtualService shop/shop", "{entry}");
    (status, text("response_flags"), text("cluster"))
}

#[tokio::test]
async fn a_virtual_service_routes_by_header_and_says_what_is_missing() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let mut gateway = recipe(&stable, &next).start().await;

    gateway.says(HOST, "/", "stable").await;
    let reply = gateway.send(&Request::get("/").host(HOST).field("end-user", "jason")).await;
    assert_eq!(reply.text(), "next");
    assert_eq!(gateway.get("other.example.com", "/").await.status, 404);

    let missing = flags(&mut gateway, "/missing").await;
    assert_eq!(missing, (503, "NC".to_owned(), "outbound|80||nobody.shop.svc.cluster.local".to_owned()));
    let idle = flags(&mut gateway, "/idle").await;
    assert_eq!(idle, (503, "UH".to_owned(), "outbound|80||idle.shop.svc.cluster.local".to_owned()));

    gateway.edit("shop.yaml", "host: stable", "host: next");
    gateway.says(HOST, "/", "next").await;
}

#[tokio::test]
async fn a_server_that_asks_for_client_certificates_is_shut_and_its_neighbour_serves() {
    let [stable, next] = [Origin::saying("stable").await, Origin::saying("next").await];
    let certificate = Certificate::of(&["shop.example.com", "mutual.example.com"]);
    let indent = |pem: &str| pem.replace('\n', "\n    ");
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: web, namespace: default }}\nstringData:\n  cert: |\n    {}\n  key: |\n    {}\n",
        indent(&certificate.chain_pem),
        indent(&certificate.key_pem)
    );
    let servers = "
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ['*.example.com'], tls: { httpsRedirect: true } }
  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: SIMPLE, credentialName: web } }
  - { port: { number: 443, name: mutual, protocol: HTTPS }, hosts: [mutual.example.com], tls: { mode: MUTUAL, credentialName: web } }
";
    let plain = "
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*.example.com'] }]
";
    let secure = SHOP.replace(plain, servers);
    assert_ne!(secure, SHOP);
    let mut gateway = recipe(&stable, &next)
        .port(443)
        .manifest("shop.yaml", &secure)
        .manifest("secret.yaml", &secret)
        .start()
        .await;

    let moved = gateway.get(HOST, "/cart?a=b").await;
    assert_eq!(moved.status, 301);
    assert_eq!(moved.field("location"), "https://shop.example.com/cart?a=b");

    let client = |name: &str| TlsClient::trusting(&certificate, name, &["h2"]);
    let reply = gateway.send_tls(&client(HOST), true, &Request::get("/").host(HOST)).await;
    assert_eq!((reply.status, reply.text()), (200, "stable"));
    let other = Request::get("/").host("mutual.example.com");
    assert_eq!(gateway.send_tls(&client(HOST), true, &other).await.status, 421);
    let address = gateway.port(443).await;
    assert!(client("mutual.example.com").handshake(address).await.is_err());
}
