//! Faults on purpose, bounds in time and in size.

use sluice_dsl::{Answer, Deaf, Http2, Origin, Request, Sluice, sluice};
use std::time::{Duration, Instant};

/// Routes by name, each at its own path, to the cluster `origin`.
fn routes(rows: &[(&str, &str)]) -> String {
    let route = |(name, more): &(&str, &str)| {
        format!(
            "- {{ name: {name}, match: [{{ path: {{ prefix: /{name} }} }}], action: {{ forward: {{ destinations: [{{ \
             cluster: origin }}] }} }}, {more} }}\n"
        )
    };
    let routes: Vec<String> = rows.iter().map(route).collect();
    routes.concat()
}

/// What the access log says of a target: status, flags, details.
async fn logged(proxy: &Sluice, target: &str) -> (u64, String, String) {
    let entry = proxy.logged_path(target).await;
    let text = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
    (entry["status"].as_u64().unwrap_or_default(), text("response_flags"), text("details"))
}

fn log(status: u64, flags: &str, details: &str) -> (u64, String, String) {
    (status, flags.to_owned(), details.to_owned())
}

#[tokio::test]
async fn an_abort_answers_with_a_status_and_asks_no_upstream() {
    let (origin, mirror) = (Origin::saying("hello").await, Origin::saying("").await);
    let proxy = sluice!()
        .cluster("origin", &origin)
        .cluster("mirror", &mirror)
        .routes(&routes(&[
            ("http", "filters: [{ fault: { abort: { status: { http: 418 } } } }], mirrors: [{ cluster: mirror }]"),
            ("grpc", "filters: [{ fault: { abort: { status: { grpc: 14 } } } }]"),
            (
                "edited",
                "filters: [{ fault: { abort: { status: { http: 500 }, percent: 100 } } }], headers: { response: { set: \
                 [{ name: x-route, value: '%ROUTE_NAME%' }] } }",
            ),
        ]))
        .start()
        .await;
    for reply in proxy.both(&Request::post("/http", "body")).await {
        assert_eq!((reply.status, reply.text()), (418, "fault filter abort"), "{}", reply.version);
    }
    for reply in proxy.both(&Request::post("/grpc", "").field("content-type", "application/grpc")).await {
        let found = (reply.status, reply.field("grpc-status"), reply.field("grpc-message"));
        assert_eq!(found, (200, "14", "fault filter abort"), "{}", reply.version);
        assert_eq!((reply.field("content-type"), &*reply.body), ("application/grpc", &b""[..]));
    }
    for reply in proxy.both(&Request::get("/edited")).await {
        assert_eq!(
            (reply.status, reply.field("x-route")),
            (500, ""),
            "a fault is not dressed up: {}",
            reply.version
        );
    }
    assert_eq!(logged(&proxy, "/http").await, log(418, "FI", "fault_filter_abort"));
    assert_eq!(logged(&proxy, "/grpc").await, log(200, "FI", "fault_filter_abort"));
    assert!(origin.requests().is_empty() && mirror.requests().is_empty(), "the fault comes first");
}

#[tokio::test]
async fn a_delay_holds_a_request_back_and_is_not_part_of_its_time_limit() {
    let origin = Origin::saying("hello").await;
    let delay = "delay: { fixed: 700ms }";
    let proxy = sluice!()
        .cluster("origin", &origin)
        .routes(&routes(&[
            ("delayed", &format!("filters: [{{ fault: {{ {delay} }} }}], timeouts: {{ request: 600ms }}")),
            ("both", &format!("filters: [{{ fault: {{ {delay}, abort: {{ status: {{ http: 503 }} }} }} }}]")),
        ]))
        .start()
        .await;
    for (path, status, flags, details) in
        [("/delayed", 200, "DI", "via_upstream"), ("/both", 503, "DI,FI", "fault_filter_abort")]
    {
        let begun = Instant::now();
        for reply in proxy.both(&Request::get(path)).await {
            assert_eq!(reply.status, status, "{path} over {}", reply.version);
        }
        assert!(begun.elapsed() >= Duration::from_millis(700), "{path} is held back");
        assert_eq!(logged(&proxy, path).await, log(status.into(), flags, details), "{path}");
    }
}

#[tokio::test]
async fn a_fault_strikes_its_share_of_the_requests_to_four_decimals() {
    let origin = Origin::saying("hello").await;
    let abort = |percent: &str| {
        format!("filters: [{{ fault: {{ abort: {{ status: {{ http: 503 }}, percent: {percent} }} }} }}]")
    };
    // What the finest shares miss in so few requests is once in a hundred thousand runs.
    let rows = [
        ("never", abort("0"), 0..=0),
        ("seldom", abort("0.0001"), 0..=0),
        ("often", abort("99.9999"), 10..=10),
        ("always", abort("100"), 10..=10),
        ("half", abort("50"), 0..=10),
    ];
    let written: Vec<(&str, &str)> = rows.iter().map(|(name, more, _)| (*name, &**more)).collect();
    let proxy = sluice!().cluster("origin", &origin).routes(&routes(&written)).start().await;
    let client = Http2::connect(proxy.address()).await;
    for (name, _, wanted) in rows {
        let mut aborted = 0;
        for _ in 0..10 {
            aborted += u32::from(client.get(&format!("/{name}")).await.status == 503);
        }
        assert!(wanted.contains(&aborted), "{name}: {aborted} of 10");
    }
    let mut aborted = 0_u32;
    for _ in 0..400 {
        aborted += u32::from(client.get("/half").await.status == 503);
    }
    // Six standard deviations on either side.
    assert!(aborted.abs_diff(200) <= 60, "{aborted} of 400 where half are meant");
}

#[tokio::test]
async fn each_time_limit_has_its_status_and_its_flag() {
    let slow = Origin::http1(|_| Answer::ok("late").after(Duration::from_secs(60))).await;
    let deaf = Deaf::new().await;
    let proxy = sluice!()
        .cluster("origin", &slow)
        .cluster_with("deaf", &deaf, "connect_timeout: 100ms")
        .routes(
            &(routes(&[
                ("request", "timeouts: { request: 100ms }"),
                ("idle", "timeouts: { idle: 100ms }"),
            ]) + "- { name: connect, match: [{ path: { prefix: /connect } }], action: { forward: { destinations: [{ \
                  cluster: deaf }] } } }"),
        )
        .start()
        .await;
    for (path, status, flags, details) in [
        ("/request", 504, "UT", "upstream_response_timeout"),
        ("/idle", 504, "SI", "stream_idle_timeout"),
        ("/connect", 503, "UF", "upstream_reset_before_response_started{connection_failure}"),
    ] {
        for (reply, version) in proxy.both(&Request::get(path)).await.iter().zip(["1", "2"]) {
            assert_eq!(reply.status, status, "{path} over HTTP/{version}");
        }
        assert_eq!(logged(&proxy, path).await, log(status.into(), flags, details), "{path}");
    }
}

#[tokio::test]
async fn a_route_bounds_request_bodies_whatever_their_framing() {
    let origin = Origin::http1(|seen| Answer::ok(seen.body.len().to_string())).await;
    let proxy = sluice!()
        .cluster("origin", &origin)
        .listener("limits: { body: 1KiB }")
        .routes(&routes(&[("small", "max_body: 10B"), ("large", "max_body: 64KiB"), ("listener", "")]))
        .start()
        .await;
    let body = |length: usize| vec![b'x'; length];
    for (path, most) in [("/small", 10), ("/large", 64 << 10), ("/listener", 1 << 10)] {
        for (length, status) in [(most, 200), (most + 1, 413)] {
            let sized = Request::post(&format!("{path}?sized"), body(length));
            let sized = sized.field("content-length", &length.to_string());
            let chunked = Request::post(&format!("{path}?chunked"), body(length)).chunked();
            for (framing, request) in [("sized", sized), ("chunked", chunked)] {
                let what = format!("{length} bytes to {path}, {framing}");
                for reply in proxy.both(&request).await {
                    assert_eq!(reply.status, status, "{what}");
                    assert!(status == 413 || reply.text() == length.to_string(), "{what}");
                }
                let refused = |entry: &serde_json::Value| {
                    entry["status"] == status
                        && entry["path"] == format!("{path}?{framing}")
                        && (status == 200 || entry["details"] == "request_payload_too_large")
                };
                proxy.logged(&what, refused).await;
            }
        }
    }
}
