//! Connections to endpoints: which one a request rides, what is sent again, whose turn it is, and what upstreams learn
//! about the client.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]
#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

use sluice_dsl::{
    Answer, Fields, Http1, Nobody, Origin, Request, Script, Sluice, Speaks, Wire, eventually, sluice,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Notify;

/// One shard, so that there is one pool.
async fn in_front_of(upstream: &impl ToString, more: &str) -> Sluice {
    sluice!()
        .cluster_with("origin", upstream, more)
        .forwarding_to("origin")
        .argument("--shards=1")
        .start()
        .await
}

/// A cluster with these endpoints, none of which is left out for how it answers.
async fn balancing(endpoints: &[(String, u32)]) -> Sluice {
    let endpoints: Vec<String> = endpoints
        .iter()
        .map(|(address, weight)| format!("{{ address: \"{address}\", weight: {weight} }}"))
        .collect();
    let text = format!(
        r#"
listeners: [{{ name: web, address: "127.0.0.1:0", route_table: main }}]
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: ["*"]
        routes: [{{ name: all, action: {{ forward: {{ destinations: [{{ cluster: shop }}] }} }} }}]
clusters: [{{ name: shop, endpoints: [{}], outlier_detection: {{ consecutive_local_errors: 0 }} }}]
"#,
        endpoints.join(", ")
    );
    sluice!().config(&text).argument("--shards=1").start().await
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

// === Idle connections ===

#[tokio::test]
async fn a_connection_whose_end_has_arrived_is_never_used() {
    let mut origin = Script::start(|mut wire, _| async move {
        wire.request().await.expect("a request");
        wire.send(OK).await;
        wire.close().await;
    })
    .await;
    let proxy = in_front_of(&origin, "").await;
    let mut client = Http1::connect(proxy.address()).await;
    for number in 0..10 {
        // A POST is sent once only, so it would fail on a connection that is closed already.
        let reply = client.send(&Request::post("/", "body")).await;
        assert_eq!(reply.status, 200, "request {number}");
        // From here on the end lies in the proxy's socket, whether or not its pool has been swept since.
        origin.finished().await;
    }
    assert_eq!(origin.connections(), 10);
    assert_eq!(proxy.stat("sluice_upstream_retries_total", &[]).await, 0.0);
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_are_nobodys_answer() {
    let mut origin = Script::start(|mut wire, _| async move {
        wire.request().await.expect("a request");
        wire.send([OK, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen"].concat()).await;
        wire.expect_close().await;
    })
    .await;
    let proxy = in_front_of(&origin, "").await;
    for _ in 0..3 {
        assert_eq!(proxy.get("/").await.text(), "");
        origin.finished().await;
    }
    assert_eq!(origin.connections(), 3);
}

#[tokio::test]
async fn what_must_not_be_sent_twice_rides_a_connection_only_after_a_short_pause() {
    let origin = Origin::saying("hello").await;
    for (within, connections) in [("10s", 1), ("0s", 3)] {
        let before = origin.connections();
        let proxy = in_front_of(&origin, &format!("keep_alive: {{ unsafe_reuse_within: {within} }}")).await;
        for request in
            [Request::get("/"), Request::post("/", "once"), Request::post("/", "once"), Request::get("/")]
        {
            assert_eq!(proxy.send(&request).await.status, 200);
        }
        assert_eq!(origin.connections() - before, connections, "unsafe_reuse_within: {within}");
    }
}

#[tokio::test]
async fn pools_are_as_large_and_as_patient_as_configured() {
    let origin = Origin::saying("hello").await;
    for (keep_alive, connections) in [("max_idle: 0", 4), ("max_requests: 2", 2), ("max_idle: 1", 1)] {
        let before = origin.connections();
        let proxy = in_front_of(&origin, &format!("keep_alive: {{ {keep_alive} }}")).await;
        for _ in 0..4 {
            assert_eq!(proxy.get("/").await.status, 200);
        }
        assert_eq!(origin.connections() - before, connections, "{keep_alive}");
    }
    let proxy = in_front_of(&origin, "keep_alive: { idle_timeout: 10ms }").await;
    assert_eq!(proxy.get("/").await.status, 200);
    eventually("the idle connection is closed", || origin.open_connections() == 0).await;
}

// === What is sent again ===

/// The first request on each connection but the last is answered; the second one dies with its connection.
async fn dying_after(first: usize, how: &'static str) -> Script {
    Script::start(move |mut wire, number| async move {
        wire.request().await.expect("a request");
        wire.send(OK).await;
        while wire.request().await.is_some() {
            if number >= first {
                wire.send(OK).await;
                continue;
            }
            if !how.is_empty() {
                wire.send(how).await;
            }
            return wire.reset();
        }
    })
    .await
}

#[tokio::test]
async fn a_request_is_sent_again_only_where_that_changes_nothing() {
    let long = "x".repeat(100_000);
    for (what, request, how, status) in [
        ("a GET", Request::get("/"), "", 200),
        ("a PUT with its body still held", Request::new("PUT", "/").body("short"), "", 200),
        ("a DELETE", Request::new("DELETE", "/"), "", 200),
        ("a POST", Request::post("/", "short"), "", 502),
        ("a PATCH", Request::new("PATCH", "/").body("short"), "", 502),
        ("a GET whose answer has begun", Request::get("/"), "HTTP/1.1 2", 503),
        ("a GET with an interim answer", Request::get("/"), "HTTP/1.1 103 Hints\r\n\r\n", 503),
        ("a PUT too long to be held", Request::new("PUT", "/").body(long), "", 502),
    ] {
        let origin = dying_after(1, how).await;
        let proxy = in_front_of(&origin, "keep_alive: { unsafe_reuse_within: 10s }").await;
        assert_eq!(proxy.get("/first").await.status, 200);
        // A fresh connection may be taken where the request could not be repeated; that is as good.
        let reply = proxy.send(&request).await;
        let fresh = what.contains("too long") && reply.status == 200;
        assert!(reply.status == status || fresh, "{what}: {}", reply.status);
        let retries = proxy.stat("sluice_upstream_retries_total", &[]).await;
        assert_eq!(retries, if status == 200 { 1.0 } else { 0.0 }, "{what}");
    }
}

#[tokio::test]
async fn a_retried_body_arrives_whole_and_once() {
    let bodies = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let origin = Script::start(move |mut wire, number| {
        let seen = seen.clone();
        async move {
            while let Some(request) = wire.request().await {
                if number == 0 && request.method == "PUT" {
                    return wire.reset();
                }
                seen.lock().expect("no panic elsewhere").push(request.body);
                wire.send(OK).await;
            }
        }
    })
    .await;
    let proxy = in_front_of(&origin, "").await;
    assert_eq!(proxy.get("/").await.status, 200);
    let body: Vec<u8> = (0..10_000u32).map(|byte| byte as u8).collect();
    for request in
        [Request::new("PUT", "/").body(body.clone()), Request::new("PUT", "/").body(body.clone()).chunked()]
    {
        assert_eq!(proxy.send(&request).await.status, 200);
    }
    let bodies = bodies.lock().expect("no panic elsewhere");
    assert!(bodies[1..] == [body.clone(), body], "{:?}", bodies.iter().map(Vec::len).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_broken_fresh_connection_is_followed_by_another_endpoint() {
    let broken = Script::start(|wire, _| async move { wire.reset() }).await;
    let good = Origin::saying("good").await;
    let proxy = balancing(&[(broken.to_string(), 1), (good.to_string(), 1)]).await;
    let mut client = Http1::connect(proxy.address()).await;
    for _ in 0..4 {
        assert_eq!(client.get("/").await.text(), "good");
    }
    assert_eq!(broken.connections(), 2, "its turn, and no more");
}

// === Whose turn it is ===

#[tokio::test]
async fn endpoints_take_turns_by_weight() {
    let mut origins = Vec::new();
    for name in ["one", "two", "three"] {
        origins.push(Origin::saying(name).await);
    }
    let weights = [5, 1, 2];
    let endpoints: Vec<(String, u32)> = origins.iter().map(ToString::to_string).zip(weights).collect();
    let proxy = balancing(&endpoints).await;
    let mut client = Http1::connect(proxy.address()).await;
    let mut answers = BTreeMap::<String, usize>::new();
    for _ in 0..80 {
        *answers.entry(client.get("/").await.text().to_owned()).or_default() += 1;
    }
    let expected = [("one", 50), ("three", 20), ("two", 10)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(answers, BTreeMap::from(expected));
}

#[tokio::test]
async fn a_dead_endpoint_costs_its_own_turns_and_no_request() {
    let (dead, one, two) = (Nobody::new(), Origin::saying("one").await, Origin::saying("two").await);
    for (endpoints, connects) in [
        (vec![dead.to_string(), one.to_string()], 10.0),
        (vec![one.to_string(), dead.to_string(), two.to_string(), one.to_string()], 5.0),
    ] {
        let endpoints: Vec<(String, u32)> = endpoints.into_iter().map(|address| (address, 1)).collect();
        let proxy = balancing(&endpoints).await;
        let mut client = Http1::connect(proxy.address()).await;
        for number in 0..20 {
            let reply = client.send(&Request::post("/", format!("{number}"))).await;
            assert_eq!(reply.status, 200, "request {number}");
        }
        let failed = proxy.stat("sluice_upstream_connect_failures_total", &[]).await;
        assert_eq!(failed, connects, "{endpoints:?}");
    }
}

#[tokio::test]
async fn ipv4_ipv6_and_names_are_reached() {
    let four = Origin::saying("IPv4").await;
    let proxy = in_front_of(&format!("localhost:{}", four.address().port()), "").await;
    for _ in 0..4 {
        assert_eq!(proxy.get("/").await.text(), "IPv4", "localhost is ::1 as well, where nobody may listen");
    }
    assert_eq!(four.requests()[0].host, "sluice.test");

    // Not every machine has IPv6.
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("no IPv6 here: that half of the test is left out");
        return;
    }
    let address = "[::1]:0".parse().expect("an address");
    let six = Origin::speaking(Speaks::Http1).at(address).start(|_| Answer::ok("IPv6")).await;
    let proxy = in_front_of(&six, "").await;
    assert_eq!(proxy.get("/").await.text(), "IPv6");
    let proxy = in_front_of(&format!("localhost:{}", six.address().port()), "").await;
    assert_eq!(proxy.get("/").await.text(), "IPv6");
    let listening = sluice!()
        .config(
            r#"
listeners: [{ name: web, address: "[::1]:0", route_table: main }]
route_tables:
  - name: main
    virtual_hosts: [{ name: all, hosts: ["*"], routes: [{ name: all, action: { forward: { destinations: [{ cluster: six }] } } }] }]
clusters: [{ name: six, endpoints: [{ address: "${six}" }] }]
"#,
        )
        .value("six", &six)
        .start()
        .await;
    assert_eq!(listening.get("/").await.text(), "IPv6");
    assert_eq!(
        six.requests()
            .pop()
            .and_then(|seen| seen.fields.get("x-forwarded-for").map(str::to_owned))
            .as_deref(),
        Some("::1")
    );
}

// === Concurrency ===

#[tokio::test]
async fn a_busy_connection_is_never_shared_in_http1() {
    let go = Arc::new(Notify::new());
    let released = Arc::new(AtomicBool::new(false));
    let (gate, open) = (go.clone(), released.clone());
    let origin = Script::start(move |mut wire, _| {
        let (gate, open) = (gate.clone(), open.clone());
        async move {
            while wire.request().await.is_some() {
                if !open.load(Ordering::SeqCst) {
                    gate.notified().await;
                }
                wire.send(OK).await;
            }
        }
    })
    .await;
    let proxy = in_front_of(&origin, "").await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = Wire::connect(proxy.address()).await;
        client.send("GET / HTTP/1.1\r\nhost: sluice.test\r\n\r\n").await;
        clients.push(client);
    }
    eventually("a connection for each request", || origin.connections() == 5).await;
    released.store(true, Ordering::SeqCst);
    go.notify_waiters();
    for client in &mut clients {
        assert_eq!(client.reply().await.status, 200);
    }
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: sluice.test\r\n\r\n").await;
        assert_eq!(client.reply().await.status, 200);
    }
    assert_eq!(origin.connections(), 5, "all of them are used again");
}

// === What the upstream learns about the client ===

#[tokio::test]
async fn the_client_is_who_the_listener_trusts() {
    let origin = Origin::saying("hello").await;
    let claimed = [
        ("x-forwarded-for", "198.51.100.7, 10.1.2.3"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-port", "443"),
        ("forwarded", "for=198.51.100.7"),
    ];
    let ask = async |listener: &str| {
        let proxy =
            sluice!().cluster("origin", &origin).forwarding_to("origin").listener(listener).start().await;
        let request =
            claimed.iter().fold(Request::get("/who"), |request, (name, value)| request.field(name, value));
        assert_eq!(proxy.send(&request).await.status, 200);
        let seen = origin.requests().pop().expect("a request").fields;
        let client = proxy.logged_path("/who").await["client"].as_str().unwrap_or_default().to_owned();
        (seen, client, proxy.address().port().to_string())
    };
    let is = |seen: &Fields, expected: [Option<&str>; 5]| {
        let found = claimed.map(|(name, _)| seen.get(name).map(str::to_owned));
        assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{seen:?}");
    };

    let (seen, client, port) = ask("").await;
    is(&seen, [Some("127.0.0.1"), Some("http"), Some("sluice.test"), Some(&port), None]);
    assert!(client.starts_with("127.0.0.1:"), "{client}");

    let (seen, client, _) = ask("forwarded: { trusted: [127.0.0.0/8, 10.0.0.0/8] }").await;
    let all = "198.51.100.7, 10.1.2.3, 127.0.0.1";
    is(&seen, [Some(all), Some("https"), Some("shop.example"), Some("443"), Some("for=198.51.100.7")]);
    assert!(client.starts_with("198.51.100.7"), "the first from the right that is not trusted: {client}");

    let (_, client, _) = ask("forwarded: { trusted: [127.0.0.0/8] }").await;
    assert!(client.starts_with("10.1.2.3"), "{client}");

    let (seen, client, port) = ask("forwarded: { trusted: [10.0.0.0/8] }").await;
    is(&seen, [Some("127.0.0.1"), Some("http"), Some("sluice.test"), Some(&port), None]);
    assert!(client.starts_with("127.0.0.1:"), "this peer is not among them: {client}");

    let (seen, _, _) = ask("forwarded: { append: false }").await;
    is(&seen, [None; 5]);
    let (seen, _, _) = ask("forwarded: { trusted: [127.0.0.0/8], append: false }").await;
    is(&seen, claimed.map(|(_, value)| Some(value)));
}
