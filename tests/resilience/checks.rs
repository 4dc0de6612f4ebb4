//! Endpoints that are asked whether they serve.

use super::{in_front_of, shown};
use sluice_dsl::{Answer, Nobody, Origin, Sluice, eventually};
use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Waits until the endpoint is taken for this.
async fn becomes(proxy: &Sluice, address: &impl Display, health: &str) {
    loop {
        // Each question is one to admin, which answers in its own time; the test ends when patience does.
        proxy.stat_becomes("sluice_uptime_seconds", &[], |_| true).await;
        if shown(proxy, address).await["health"] == health {
            return;
        }
    }
}

const FAST: &str = "interval: 20ms, healthy_threshold: 2, unhealthy_threshold: 2";

/// An origin that answers checks well as long as the switch is on, and everything else always.
async fn switched(well: &Arc<AtomicBool>) -> Origin {
    let well = well.clone();
    Origin::http1(move |seen| match (&*seen.target, well.load(Ordering::SeqCst)) {
        ("/healthz?full", false) => Answer::status(503).body("sick"),
        ("/healthz?full", true) => Answer::ok("all is well here"),
        _ => Answer::ok("good"),
    })
    .await
}

#[tokio::test]
async fn an_endpoint_that_says_it_is_ill_gets_nothing_until_it_is_well() {
    let well = Arc::new(AtomicBool::new(false));
    let (ill, good) = (switched(&well).await, switched(&Arc::new(AtomicBool::new(true))).await);
    let check = format!(
        ", health_check: {{ probe: {{ http: {{ path: /healthz?full, host: a.test, statuses: [200], body: is well }} }}, {FAST} }}"
    );
    let proxy = in_front_of(&[&ill, &good], &check, "").await;
    becomes(&proxy, &ill, "unhealthy").await;
    proxy
        .stat_becomes("sluice_upstream_endpoints_unhealthy", &["cluster=\"all\""], |count| count > 0.5)
        .await;
    for _ in 0..6 {
        assert_eq!(proxy.get("/").await.status, 200);
    }
    let asked = |origin: &Origin| origin.requests().iter().filter(|seen| seen.target == "/").count();
    assert_eq!((asked(&ill), asked(&good)), (0, 6));
    let check = ill.requests().remove(0);
    assert_eq!((&*check.host, check.fields.get("user-agent")), ("a.test", Some("sluice-health-check")));
    well.store(true, Ordering::SeqCst);
    becomes(&proxy, &ill, "healthy").await;
    // It has its turn again in each shard.
    for _ in 0..4 {
        assert_eq!(proxy.get("/").await.status, 200);
    }
    assert!(asked(&ill) > 0);
}

#[tokio::test]
async fn a_body_without_the_text_is_no_good_answer() {
    let origin = Origin::saying("something else").await;
    let check = format!(", health_check: {{ probe: {{ http: {{ body: is well }} }}, {FAST} }}");
    let proxy = in_front_of(&[&origin], &check, "").await;
    becomes(&proxy, &origin, "unhealthy").await;
    assert_eq!(proxy.get("/").await.status, 200, "better somebody ill than nobody");
    let strict = format!("{check}, panic_threshold: 0");
    let proxy = in_front_of(&[&origin], &strict, "").await;
    becomes(&proxy, &origin, "unhealthy").await;
    assert_eq!(proxy.get("/refused").await.status, 503);
    assert_eq!(proxy.logged_path("/refused").await["response_flags"], "UH");
}

#[tokio::test]
async fn a_connection_is_enough_for_tcp() {
    let (nobody, origin) = (Nobody::new(), Origin::saying("good").await);
    let check = format!(", health_check: {{ probe: tcp, {FAST} }}");
    let proxy = in_front_of(&[&nobody.address(), &origin], &check, "").await;
    becomes(&proxy, &nobody.address(), "unhealthy").await;
    eventually("the origin is asked", || origin.connections() > 1).await;
    becomes(&proxy, &origin, "healthy").await;
}

#[tokio::test]
async fn the_health_protocol_of_grpc_is_spoken() {
    let serving = Arc::new(AtomicBool::new(true));
    let said = serving.clone();
    let origin = Origin::http2(move |seen| {
        // The message names the service `shop.Cart`.
        let asked =
            seen.target == "/grpc.health.v1.Health/Check" && seen.body == *b"\0\0\0\0\x0b\x0a\x09shop.Cart";
        let status = if said.load(Ordering::SeqCst) && asked { 1 } else { 2 };
        Answer::ok([0, 0, 0, 0, 2, 8, status])
            .field("content-type", "application/grpc")
            .trailer("grpc-status", "0")
    })
    .await;
    let check =
        format!(", protocol: http2, health_check: {{ probe: {{ grpc: {{ service: shop.Cart }} }}, {FAST} }}");
    let proxy = in_front_of(&[&origin], &check, "").await;
    origin.saw(2).await;
    becomes(&proxy, &origin, "healthy").await;
    serving.store(false, Ordering::SeqCst);
    becomes(&proxy, &origin, "unhealthy").await;
}

#[tokio::test]
async fn who_is_not_asked_any_more_is_healthy_and_each_endpoint_is_asked_once_for_all_shards() {
    let nobody = Nobody::new();
    let check = format!(", health_check: {{ probe: tcp, {FAST} }}");
    let mut proxy = in_front_of(&[&nobody.address()], &check, "").await;
    becomes(&proxy, &nobody.address(), "unhealthy").await;
    proxy.reload(&super::config(&[&nobody.address()], "", "")).await;
    becomes(&proxy, &nobody.address(), "healthy").await;
}
