//! What a route tries again.

use sluice_dsl::{Answer, Http1, Http2, Nobody, Origin, Request, Sluice, Speaks, sluice};
use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A cluster of these endpoints, and one route with this `retry`.
async fn in_front_of(endpoints: &[&dyn Display], retry: &str, more: &str) -> Sluice {
    let endpoints: Vec<String> = endpoints.iter().map(|at| format!("{{ address: '{at}' }}")).collect();
    let endpoints = endpoints.join(", ");
    let config = format!(
        "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}]
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: [\"*\"]
        routes: [{{ name: all, action: {{ forward: {{ destinations: [{{ cluster: all }}] }} }}, retry: {retry} }}]
clusters: [{{ name: all, endpoints: [{endpoints}]{more} }}]
"
    );
    sluice!().config(&config).start().await
}

/// Answers with this status for so many requests, then well.
async fn failing(speaks: Speaks, status: u16, times: usize) -> Origin {
    let left = Arc::new(AtomicUsize::new(times));
    let fails =
        move || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    Origin::speaking(speaks)
        .start(move |_| if fails() { Answer::status(status).body("failed") } else { Answer::ok("good") })
        .await
}

#[tokio::test]
async fn a_status_that_the_route_names_is_tried_again_and_its_answer_dropped() {
    for (speaks, more) in [(Speaks::Http1, ""), (Speaks::Http2, ", protocol: http2")] {
        let origin = failing(speaks, 503, 2).await;
        let proxy = in_front_of(&[&origin], "{ on: [{ status: 503 }] }", more).await;
        let request = Request::new("PUT", "/put").body("the body");
        let reply = Http1::connect(proxy.address()).await.send(&request).await;
        assert_eq!((reply.status, reply.text()), (200, "good"));
        let bodies: Vec<_> = origin.requests().iter().map(|seen| seen.text().to_owned()).collect();
        assert_eq!(bodies, ["the body"; 3]);
        let logged = proxy.logged_path("/put").await;
        assert_eq!((&logged["attempts"], &logged["response_flags"]), (&3.into(), &"".into()), "{logged}");
    }
}

#[tokio::test]
async fn the_last_answer_goes_to_the_client_when_the_tries_are_used_up() {
    let origin = failing(Speaks::Http1, 503, 9).await;
    let proxy = in_front_of(&[&origin], "{ attempts: 1, on: [{ status: 503 }] }", "").await;
    let reply = Http2::connect(proxy.address()).await.get("/get").await;
    assert_eq!((reply.status, reply.text()), (503, "failed"));
    assert_eq!(origin.requests().len(), 2);
    let logged = proxy.logged_path("/get").await;
    assert_eq!((&logged["attempts"], &logged["response_flags"]), (&2.into(), &"URX".into()), "{logged}");
}

#[tokio::test]
async fn a_post_is_repeated_only_where_the_route_allows_it() {
    for (allowed, wanted) in [("false", (503, 1)), ("true", (200, 2))] {
        let origin = failing(Speaks::Http1, 503, 1).await;
        let retry = format!("{{ on: [{{ status: 503 }}], non_idempotent: {allowed} }}");
        let proxy = in_front_of(&[&origin], &retry, "").await;
        let reply = proxy.send(&Request::post("/", "x")).await;
        assert_eq!((reply.status, origin.requests().len()), wanted, "{allowed}");
    }
}

#[tokio::test]
async fn attempts_zero_tries_nothing_again() {
    let origin = Origin::saying("good").await;
    let nobody = Nobody::new();
    let patient = in_front_of(&[&nobody, &origin], "{ attempts: 1 }", "").await;
    let strict = in_front_of(&[&nobody, &origin], "{ attempts: 0 }", "").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        assert_eq!(patient.get("/").await.status, 200);
        statuses.push(Http1::connect(strict.address()).await.get("/").await.status);
    }
    assert!(statuses.contains(&503) && statuses.contains(&200), "{statuses:?}");
}
