//! Links and cookies in which an upstream names itself.

use sluice_dsl::{Answer, Http1, Http2, Origin, Request, Speaks, sluice};

const ROUTES: &str = r#"
- name: shop
  match: [{ path: { prefix: /shop } }]
  action: { forward: { destinations: [{ cluster: shop }] } }
  rewrite: { path: { prefix: /app } }
  response_rewrite:
    location:
      - { prefix: { from: "http://shop.internal/app/", to: /shop/ } }
      - { regex: { pattern: '^http://([a-z]+)\.internal/(.*)$', replacement: 'https://\1.example/\2' } }
    cookie_path: [{ prefix: { from: /app, to: /shop } }]
    cookie_domain: [{ exact: { from: shop.internal, to: shop.example } }]
  headers: { response: { add: [{ name: set-cookie, value: "ours=1; Path=/app" }] } }
- name: plain
  action: { forward: { destinations: [{ cluster: shop }] } }
"#;

async fn origin(speaks: Speaks) -> Origin {
    Origin::speaking(speaks)
        .start(|seen| {
            let location = if seen.target.contains("other") {
                "http://bank.internal/pay?x=1"
            } else {
                "http://shop.internal/app/cart"
            };
            Answer::status(302)
                .field("location", location)
                .field("refresh", "3; url=http://shop.internal/app/")
                .field("set-cookie", "id=/app; Path=/app/x; Secure; Domain=.Shop.internal")
                .field("set-cookie", "lang=en; Path=/")
        })
        .await
}

#[tokio::test]
async fn links_and_cookies_of_an_upstream_are_rewritten_in_every_combination_of_versions() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let protocol = if matches!(speaks, Speaks::Http2) { "protocol: http2" } else { "" };
        let origin = origin(speaks).await;
        let proxy = sluice!().cluster_with("shop", &origin, protocol).routes(ROUTES).start().await;
        let replies = [
            Http1::connect(proxy.address()).await.get("/shop/cart").await,
            Http2::connect(proxy.address()).await.get("/shop/cart").await,
        ];
        for reply in replies {
            assert_eq!((reply.status, reply.field("location")), (302, "/shop/cart"));
            assert_eq!(reply.field("refresh"), "3; url=/shop/");
            let cookies = reply.fields.all("set-cookie");
            let rewritten = "id=/app; Path=/shop/x; Secure; Domain=.shop.example";
            assert_eq!(cookies, [rewritten, "lang=en; Path=/", "ours=1; Path=/app"]);
        }
        let other = proxy.get("/shop/other").await;
        assert_eq!(other.field("location"), "https://bank.example/pay?x=1");
    }
}

#[tokio::test]
async fn a_route_that_asks_for_nothing_changes_nothing() {
    let origin = origin(Speaks::Http1).await;
    let proxy = sluice!().cluster("shop", &origin).routes(ROUTES).start().await;
    let reply = proxy.send(&Request::get("/")).await;
    assert_eq!(reply.field("location"), "http://shop.internal/app/cart");
    assert_eq!(reply.fields.all("set-cookie")[0], "id=/app; Path=/app/x; Secure; Domain=.Shop.internal");
}
