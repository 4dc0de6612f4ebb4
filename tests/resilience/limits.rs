//! How much a cluster and its endpoints are given at once.

use super::{
    config,
    faulty::{Faulty, Way},
};
use sluice_dsl::{Answer, Http1, Origin, Sluice, Wire, eventually, sluice};
use std::{fmt::Display, time::Duration};
use tokio::task::JoinSet;

/// One shard, so that nothing depends on which of them a client meets.
async fn limited(endpoints: &[&dyn Display], cluster: &str) -> Sluice {
    sluice!().config(&config(endpoints, cluster, "")).argument("--shards=1").start().await
}

/// A client that has asked, and waits.
async fn asking(proxy: &Sluice) -> Wire {
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET /held HTTP/1.1\r\nhost: a.test\r\n\r\n").await;
    wire
}

/// The next request is refused at once.
async fn overflows(proxy: &Sluice, path: &str) {
    let reply = Http1::connect(proxy.address()).await.get(path).await;
    assert_eq!(reply.status, 503, "{path}");
    assert_eq!(proxy.logged_path(path).await["response_flags"], "UO", "{path}");
}

#[tokio::test]
async fn more_requests_than_allowed_are_refused_at_once_until_others_are_over() {
    let silent = Faulty::start(Way::Silence).await;
    let proxy = limited(&[&silent], ", limits: { requests: 2 }").await;
    let (one, _two) = (asking(&proxy).await, asking(&proxy).await);
    eventually("both were sent", || silent.requests() == 2).await;
    overflows(&proxy, "/third").await;
    proxy.stat_becomes("sluice_upstream_overflows_total", &["limit=\"requests\""], |count| count > 0.5).await;
    silent.turn(Way::Answer);
    one.reset();
    proxy.logged_path("/held").await;
    assert_eq!(proxy.get("/again").await.status, 200);
}

#[tokio::test]
async fn an_endpoint_with_enough_requests_is_passed_over() {
    let both = [Faulty::start(Way::Silence).await, Faulty::start(Way::Silence).await];
    let turn = |way| both.iter().for_each(|endpoint| endpoint.turn(way));
    let proxy = limited(&[&both[0], &both[1]], ", endpoint_limits: { requests: 1 }").await;
    let _held = asking(&proxy).await;
    eventually("it was sent", || both.iter().any(|endpoint| endpoint.requests() == 1)).await;
    let (busy, free) = if both[0].requests() == 1 { (&both[0], &both[1]) } else { (&both[1], &both[0]) };
    turn(Way::Answer);
    for _ in 0..6 {
        assert_eq!(proxy.get("/").await.text(), "good");
    }
    assert_eq!((busy.requests(), free.requests()), (1, 6));
    turn(Way::Silence);
    let _other = asking(&proxy).await;
    eventually("it was sent", || free.requests() == 7).await;
    overflows(&proxy, "/full").await;
}

#[tokio::test]
async fn requests_wait_for_connections_and_never_open_more_than_allowed() {
    let slow = Origin::http1(|_| Answer::ok("slow").after(Duration::from_millis(5))).await;
    let proxy = limited(&[&slow], ", limits: { connections: 2 }").await;
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let address = proxy.address();
        clients.spawn(async move {
            let mut connection = Http1::connect(address).await;
            for _ in 0..10 {
                assert_eq!(connection.get("/").await.status, 200);
            }
        });
    }
    clients.join_all().await;
    assert_eq!(slow.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_another_shard_keeps_is_given_up_for_who_needs_one() {
    let origin = Origin::saying("hello").await;
    let proxy = sluice!().config(&config(&[&origin], ", limits: { connections: 1 }", "")).start().await;
    // New connections are spread over both shards.
    for number in 0..12 {
        assert_eq!(Http1::connect(proxy.address()).await.get("/").await.status, 200, "request {number}");
        assert!(origin.open_connections() <= 1);
    }
}

#[tokio::test]
async fn more_requests_than_may_wait_are_refused_at_once_and_the_others_when_their_time_is_over() {
    let silent = Faulty::start(Way::Silence).await;
    let more = ", limits: { connections: 1, pending_requests: 1 }, connect_timeout: 2s";
    let proxy = limited(&[&silent], more).await;
    let _served = asking(&proxy).await;
    eventually("it was sent", || silent.requests() == 1).await;
    let mut waiting = asking(&proxy).await;
    let overflow = "sluice_upstream_overflows_total";
    proxy.stat_becomes(overflow, &["limit=\"connections\""], |count| count > 0.5).await;
    overflows(&proxy, "/third").await;
    assert_eq!(waiting.reply().await.status, 503, "there was no connection in time");
    assert_eq!(silent.requests(), 1);
    let clusters = proxy.admin("/clusters").await.json();
    assert_eq!(clusters[0]["endpoints"][0]["health"], "healthy", "it has done nothing wrong");
}

#[tokio::test]
async fn an_endpoint_with_enough_connections_is_passed_over() {
    let (one, two) = (Faulty::start(Way::Silence).await, Faulty::start(Way::Silence).await);
    let proxy = limited(&[&one, &two], ", endpoint_limits: { connections: 1 }").await;
    let mut held = Vec::new();
    for number in 1..=2 {
        held.push(asking(&proxy).await);
        eventually("it was sent", || one.requests() + two.requests() == number).await;
    }
    assert_eq!((one.requests(), two.requests()), (1, 1));
    overflows(&proxy, "/third").await;
}

#[tokio::test]
async fn connections_that_are_shared_count_once() {
    let origin = Origin::http2(|_| Answer::ok("hello").after(Duration::from_millis(5))).await;
    let proxy = limited(&[&origin], ", protocol: http2, limits: { connections: 1 }").await;
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let address = proxy.address();
        clients.spawn(async move { Http1::connect(address).await.get("/").await.status });
    }
    assert!(clients.join_all().await.iter().all(|status| *status == 200));
    assert_eq!(origin.connections(), 1);
}
