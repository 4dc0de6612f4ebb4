//! TLS at listeners and to clusters.

use sluice_dsl::{Answer, Certificate, Http1, Http2, Origin, Request, Speaks, TlsClient, sluice};

#[tokio::test]
async fn the_server_name_picks_the_certificate() {
    let (shop, blog) = (Certificate::of(&["shop.test"]), Certificate::of(&["*.blog.test"]));
    let origin = Origin::saying("hello").await;
    let proxy = sluice!()
        .certificate("shop", &shop)
        .certificate("blog", &blog)
        .listener("tls: { certificates: [shop, blog] }")
        .in_front_of(&origin)
        .await;
    for (certificate, name) in [(&shop, "shop.test"), (&blog, "my.blog.test")] {
        let tls = TlsClient::trusting(certificate, name, &["http/1.1"]);
        let reply = Http1::connect_tls(proxy.address(), &tls).await.send(&Request::get("/").host(name)).await;
        assert_eq!((reply.status, reply.text()), (200, "hello"));
    }
    let seen = origin.requests();
    assert!(seen.iter().all(|seen| seen.fields.get("x-forwarded-proto") == Some("https")), "{seen:?}");
    let wrong = TlsClient::trusting(&blog, "shop.test", &["http/1.1"]);
    assert!(
        wrong.handshake(proxy.address()).await.is_err(),
        "the shop's certificate is not signed by the blog's authority"
    );
}

#[tokio::test]
async fn alpn_offers_both_versions() {
    let certificate = Certificate::of(&["shop.test"]);
    let origin = Origin::saying("hello").await;
    let proxy = sluice!()
        .certificate("shop", &certificate)
        .listener("tls: { certificates: [shop] }")
        .in_front_of(&origin)
        .await;
    let both = TlsClient::trusting(&certificate, "shop.test", &["h2", "http/1.1"]);
    let reply = Http2::connect_tls(proxy.address(), &both).await.get("/two").await;
    assert_eq!((reply.status, reply.text()), (200, "hello"));
    let none = TlsClient::trusting(&certificate, "shop.test", &[]);
    assert_eq!(Http1::connect_tls(proxy.address(), &none).await.get("/one").await.text(), "hello");
    assert_eq!(proxy.logged_path("/two").await["server_name"], "shop.test");
}

#[tokio::test]
async fn clusters_speak_tls_and_verify_in_both_versions() {
    let certificate = Certificate::of(&["shop.test"]);
    let routes = "
- { name: one, match: [{ path: { prefix: /one } }], action: { forward: { destinations: [{ cluster: one }] } } }
- { name: two, match: [{ path: { prefix: /two } }], action: { forward: { destinations: [{ cluster: two }] } } }";
    let one = Origin::speaking(Speaks::Http1).tls(&certificate).start(|_| Answer::ok("one")).await;
    let two = Origin::speaking(Speaks::Http2).tls(&certificate).start(|_| Answer::ok("two")).await;
    let tls = "tls: { server_name: shop.test, verify: { ca: shop-ca } }";
    let proxy = sluice!()
        .certificate("shop", &certificate)
        .cluster_with("one", &one, tls)
        .cluster_with("two", &two, &format!("{tls}\nprotocol: http2"))
        .routes(routes)
        .start()
        .await;
    assert_eq!(proxy.get("/one").await.text(), "one");
    assert_eq!(proxy.get("/two").await.text(), "two");
    assert_eq!(two.requests()[0].version, "HTTP/2");
}

#[tokio::test]
async fn a_server_that_cannot_be_verified_gets_no_request() {
    let (theirs, ours) = (Certificate::of(&["shop.test"]), Certificate::of(&["shop.test"]));
    let origin = Origin::speaking(Speaks::Http1).tls(&theirs).start(|_| Answer::ok("stolen")).await;
    for tls in [
        "tls: { server_name: shop.test, verify: { ca: ours-ca } }",
        "tls: { server_name: other.test, verify: { ca: theirs-ca } }",
        "tls: { server_name: shop.test }",
    ] {
        let proxy = sluice!()
            .certificate("ours", &ours)
            .certificate("theirs", &theirs)
            .cluster_with("shop", &origin, tls)
            .forwarding_to("shop")
            .start()
            .await;
        assert_eq!(proxy.get("/").await.status, 503, "{tls}");
    }
    assert!(origin.requests().is_empty());
}
