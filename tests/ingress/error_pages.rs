//! Errors that are replaced by pages of a default backend.

use sluice_dsl::{Answer, GatewayRecipe, Http1, Origin, Request, Seen, gateway};

/// A shop whose errors go to a page, over an Ingress with these annotations.
fn recipe(shop: &[&dyn ToString], pages: &Origin, annotations: &str) -> GatewayRecipe {
    gateway!().service("shop/web", shop).service("shop/pages", &[pages]).manifest(
        "ingress.yaml",
        &format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n  namespace: shop\n  annotations:\n    \
             kubernetes.io/ingress.class: nginx\n    nginx.ingress.kubernetes.io/default-backend: pages\n{annotations}\
             spec:\n  rules:\n  - host: shop.test\n    http:\n      paths:\n      \
             - {{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}\n"
        ),
    )
}

fn intercepting(codes: &str) -> String {
    format!("    nginx.ingress.kubernetes.io/custom-http-errors: \"{codes}\"\n")
}

/// Answers with what it is told to stand for.
fn page(seen: &Seen) -> Answer {
    let code = seen.fields.get("x-code").and_then(|code| code.parse().ok());
    Answer::status(code.unwrap_or(500)).body("a page")
}

#[tokio::test]
async fn the_page_learns_what_went_wrong_and_the_client_sees_what_the_page_says() {
    let shop =
        Origin::http1(|seen| Answer::status(if seen.target == "/fine" { 200 } else { 404 }).body("not here"))
            .await;
    let pages = Origin::http1(page).await;
    let mut gateway = recipe(&[&shop], &pages, &intercepting("404,503")).start().await;
    assert_eq!(gateway.get("shop.test", "/fine").await.status, 200);

    let mut client = Http1::connect(gateway.port(80).await).await;
    let request = Request::post("/cart?x=1", "hello").host("shop.test").field("accept", "application/json");
    for round in 0..2 {
        let reply = client.send(&request).await;
        assert_eq!((reply.status, reply.text()), (404, "a page"), "the connection lives on, round {round}");
    }
    let seen = &pages.requests()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str(), seen.host.as_str()),
        ("POST", "/?x=1", "shop.test")
    );
    assert_eq!(seen.length, 0, "a page needs no body");
    for (name, value) in [
        ("x-code", "404"),
        ("x-format", "application/json"),
        ("x-original-uri", "/cart?x=1"),
        ("x-namespace", "shop"),
        ("x-ingress-name", "web"),
        ("x-service-name", "web"),
        ("x-service-port", "80"),
    ] {
        assert_eq!(seen.fields.get(name), Some(value), "{name}");
    }
    assert!(seen.fields.get("x-request-id").is_some());
    let entry = gateway.logged("the first error", |entry| entry["path"] == "/cart?x=1").await;
    assert_eq!((&entry["status"], &entry["details"]), (&404.into(), &"error_page".into()), "{entry}");
}

#[tokio::test]
async fn a_service_without_endpoints_shows_the_page_and_passes_its_status_on() {
    let pages = Origin::http1(|_| Answer::status(418).body("closed")).await;
    let mut gateway = recipe(&[], &pages, "").start().await;
    let reply = gateway.get("shop.test", "/cart").await;
    assert_eq!((reply.status, reply.text()), (418, "closed"));
    let seen = &pages.requests()[0];
    assert_eq!((seen.fields.get("x-code"), seen.target.as_str()), (Some("503"), "/cart"));
}

#[tokio::test]
async fn errors_of_servers_pass_where_the_ingress_says_so_and_our_own_do_not() {
    let shop = Origin::http1(|_| Answer::status(503).body("busy")).await;
    let pages = Origin::http1(page).await;
    let keep = format!(
        "{}    nginx.ingress.kubernetes.io/disable-proxy-intercept-errors: \"true\"\n",
        intercepting("503")
    );
    let mut gateway = recipe(&[&shop], &pages, &keep).start().await;
    assert_eq!(gateway.get("shop.test", "/").await.text(), "busy");
    let gone = shop.stop().await;
    let reply = gateway.get("shop.test", "/").await;
    assert_eq!((reply.status, reply.text()), (503, "a page"), "{gone} refuses connections");
}
