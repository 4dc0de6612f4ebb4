//! A real process, real sockets: requests go through, answers come back, changes are seen.

use sluice_dsl::{Answer, Http1, Http2, Nobody, Origin, Request, Script, Signal, Wire, sluice, tool};

#[tokio::test]
async fn a_get_reaches_the_upstream_and_its_answer_comes_back() {
    let shop = Origin::http1(|_| Answer::ok("hello").field("X-Shop", "open")).await;
    let proxy = sluice!().in_front_of(&shop).await;

    let reply = proxy.send(&Request::get("/cart?x=1").field("X-Asked", "yes")).await;
    assert_eq!((reply.status, reply.text(), reply.field("x-shop")), (200, "hello", "open"));
    let seen = &shop.requests()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str(), seen.host.as_str()),
        ("GET", "/cart?x=1", "sluice.test")
    );
    assert!(seen.fields.names().contains(&"X-Asked"), "the case of names is kept");

    let entry = proxy.logged_path("/cart?x=1").await;
    assert_eq!(
        (&entry["status"], &entry["route"], &entry["cluster"]),
        (&200.into(), &"all".into(), &"origin".into())
    );
}

#[tokio::test]
async fn bodies_go_through_in_both_directions() {
    let mirror = Origin::http1(|seen| Answer::ok(seen.body.clone())).await;
    let proxy = sluice!().in_front_of(&mirror).await;
    let body: Vec<u8> = (0..3_000_000u32).map(|byte| byte as u8).collect();

    let with_length = proxy.send(&Request::post("/", body.clone())).await;
    assert!(with_length.body == body, "{} bytes came back", with_length.body.len());
    let in_chunks = proxy.send(&Request::post("/", body.clone()).chunked()).await;
    assert!(in_chunks.body == body, "{} bytes came back", in_chunks.body.len());
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let shop = Origin::saying("hello").await;
    let proxy = sluice!().argument("--shards=1").in_front_of(&shop).await;
    let mut client = Http1::connect(proxy.address()).await;
    for number in 0..20 {
        assert_eq!(client.get(&format!("/{number}")).await.status, 200);
    }
    assert_eq!((shop.requests().len(), shop.connections()), (20, 1));
}

#[tokio::test]
async fn http2_clients_reach_http1_and_http2_upstreams() {
    let old = Origin::saying("one").await;
    let new = Origin::http2(|_| Answer::ok("two").trailer("x-sum", "42")).await;
    let proxy = sluice!()
        .cluster("old", &old)
        .cluster_with("new", &new, "protocol: http2")
        .routes(
            "
- { name: old, match: [{ path: { prefix: /old } }], action: { forward: { destinations: [{ cluster: old }] } } }
- { name: new, match: [{ path: { prefix: /new } }], action: { forward: { destinations: [{ cluster: new }] } } }",
        )
        .start()
        .await;

    let client = Http2::connect(proxy.address()).await;
    assert_eq!(client.get("/old").await.text(), "one");
    let reply = client.get("/new").await;
    assert_eq!((reply.text(), reply.trailers.get("x-sum")), ("two", Some("42")));
    let over_http1 = proxy.get("/new").await;
    assert_eq!((over_http1.version.as_str(), over_http1.text()), ("HTTP/1.1", "two"));
    assert_eq!(new.requests()[0].version, "HTTP/2");
}

#[tokio::test]
async fn a_refused_connection_is_a_503_with_its_flag() {
    let nobody = Nobody::new();
    let proxy = sluice!().in_front_of(&nobody).await;
    assert_eq!(proxy.get("/gone").await.status, 503);
    let entry = proxy.logged_path("/gone").await;
    assert!(entry["response_flags"].to_string().contains("UF"), "{entry}");
}

#[tokio::test]
async fn a_malformed_request_is_refused_and_logged() {
    let shop = Origin::saying("hello").await;
    let proxy = sluice!().in_front_of(&shop).await;
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET /two HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await;
    wire.expect("HTTP/1.1 400 Bad Request\r\n").await;
    wire.read_to_close().await;
    let entry = proxy.logged_path("/two").await;
    assert_eq!(entry["status"], 400);
    assert!(shop.requests().is_empty());
}

#[tokio::test]
async fn an_answer_with_broken_framing_is_a_502_and_its_connection_is_not_used_again() {
    let script = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc").await;
        wire.read_to_close().await;
    });
    let mut broken = script.await;
    let proxy = sluice!().in_front_of(&broken).await;
    assert_eq!(proxy.get("/").await.status, 502);
    broken.finished().await;
}

#[tokio::test]
async fn a_changed_file_is_seen_and_a_bad_one_is_not() {
    let (one, two) = (Origin::saying("one").await, Origin::saying("two").await);
    let mut proxy = sluice!().cluster("one", &one).cluster("two", &two).forwarding_to("one").start().await;
    let mut client = Http1::connect(proxy.address()).await;
    assert_eq!(client.get("/").await.text(), "one");

    proxy.change(|recipe| recipe.forwarding_to("two")).await;
    assert_eq!(client.get("/").await.text(), "two", "on the connection that was there before");

    proxy.write_recipe(|recipe| recipe.forwarding_to("three"));
    let why = proxy.refused().await;
    assert!(why.contains("three"), "{why}");
    assert_eq!(client.get("/").await.text(), "two");
}

#[tokio::test]
async fn sigterm_ends_an_idle_proxy_with_code_0() {
    let shop = Origin::saying("hello").await;
    let mut proxy = sluice!().in_front_of(&shop).await;
    assert_eq!(proxy.get("/").await.status, 200);
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.ended().await, 0);
}

#[tokio::test]
async fn curl_is_served_in_both_versions() {
    let shop = Origin::saying("hello").await;
    let proxy = sluice!().in_front_of(&shop).await;
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let arguments = ["-sS", version, "-d", "some body", "-w", " %{http_code}", &proxy.url("/curl")];
        let Some(output) = tool("curl", arguments).await else { return };
        assert_eq!((output.code, output.stdout.as_str()), (0, "hello 200"), "{}", output.stderr);
    }
}

#[tokio::test]
async fn h2load_loses_nothing() {
    let shop = Origin::saying("hello").await;
    let proxy = sluice!().in_front_of(&shop).await;
    for protocol in ["--h1", "--no-tls-proto=h2c"] {
        let arguments = ["-n2000", "-c8", "-m4", protocol, &proxy.url("/load")];
        let Some(output) = tool("h2load", arguments).await else { return };
        assert!(
            output.stdout.contains("2000 succeeded, 0 failed, 0 errored"),
            "{protocol}: {}",
            output.stdout
        );
        assert!(output.stdout.contains("status codes: 2000 2xx"), "{protocol}: {}", output.stdout);
    }
}
