//! How a copy ends: with the body of the client, and not before.

use crate::{BOTH, copying, counted, given_up, origin, protocol, routes, sent_whole};
use sluice_dsl::{Http1, Http2, Origin, Request, Script, Signal, Speaks, Wire, eventually, sluice};
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test]
async fn a_copy_outlives_the_answer_of_the_primary_and_the_client() {
    let shop = Origin::saying("hello").await;
    let answered = Arc::new(Notify::new());
    let heard = Arc::clone(&answered);
    let slow = Script::start(move |mut wire, _| {
        let heard = Arc::clone(&heard);
        async move {
            wire.read_head().await;
            wire.expect("body").await;
            heard.notified().await;
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            wire.read_to_close().await;
        }
    })
    .await;
    let proxy = copying(&shop, &slow).await;
    // Its connection is closed behind the answer.
    assert_eq!(proxy.send(&Request::post("/", "body")).await.status, 200);
    assert_eq!(counted(&proxy, "copy").await, (0, 0));
    answered.notify_one();
    sent_whole(&proxy, "copy", 1).await;
}

/// The primary answers before the body has come, or fails.
async fn early(answer: &'static str) -> Script {
    Script::start(move |mut wire, _| async move {
        wire.read_until("hello").await;
        wire.send(answer).await;
    })
    .await
}

#[tokio::test]
async fn a_copy_gets_the_rest_of_the_body_after_an_early_answer_or_a_failure_over_http1() {
    for (answer, status) in
        [("HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n", 403), ("", 503), ("nonsense\r\n", 502)]
    {
        let (shop, copy) = (early(answer).await, Origin::saying("").await);
        let proxy = copying(&shop, &copy).await;
        let mut client = Http1::connect(proxy.address()).await;
        let wire = client.wire();
        wire.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
        let reply = wire.reply().await;
        assert_eq!(
            (reply.status, reply.fields.get("connection")),
            (status, None),
            "the body is still wanted"
        );
        wire.send("5\r\nworld\r\n0\r\nx-sum: 7\r\n\r\n").await;
        let seen = &copy.saw(1).await[0];
        assert_eq!((seen.text(), seen.trailers.get("x-sum")), ("helloworld", Some("7")));
        sent_whole(&proxy, "copy", 1).await;
        // What follows the body is the next request.
        wire.send("GET /next HTTP/1.1\r\nhost: a\r\n\r\n").await;
        copy.saw(2).await;
    }
}

#[tokio::test]
async fn a_copy_gets_the_rest_of_the_body_after_an_early_answer_or_a_failure_over_http2() {
    for refused in [true, false] {
        // HTTP/2 resets what nobody will read; the copy still gets what the client sends.
        let shop = early(if refused { "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n" } else { "" }).await;
        let copy = origin(Speaks::Http2).await;
        let proxy = sluice!()
            .cluster("shop", &shop)
            .cluster_with("copy", &copy, protocol(Speaks::Http2))
            .routes(&routes("[{ cluster: copy }]", ""))
            .start()
            .await;
        let client = Http2::connect(proxy.address()).await;
        let (reply, mut body) = client.open(&Request::new("POST", "/"), false).await.expect("a stream");
        Http2::upload(&mut body, b"hello", false).await;
        let reply = Http2::take(reply).await.expect("an answer should come");
        assert_eq!(reply.status, if refused { 403 } else { 503 });
        Http2::upload(&mut body, b"world", true).await;
        let seen = &copy.saw(1).await[0];
        assert_eq!(seen.text(), "helloworld");
    }
}

#[tokio::test]
async fn a_copy_ends_with_a_body_that_the_client_does_not_finish() {
    for speaks in BOTH {
        let shop = Origin::saying("hello").await;
        let mut copy = Script::start(|mut wire, _| async move {
            wire.read_head().await;
            wire.read_to_close().await;
        })
        .await;
        let proxy = copying(&shop, &copy).await;
        match speaks {
            Speaks::Http1 => {
                let mut wire = Wire::connect(proxy.address()).await;
                wire.send("POST /half HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello").await;
                eventually("the copy has begun", || copy.connections() == 1).await;
                wire.reset();
            }
            Speaks::Http2 => {
                let client = Http2::connect(proxy.address()).await;
                let (reply, mut body) =
                    client.open(&Request::new("POST", "/half"), false).await.expect("a stream");
                Http2::upload(&mut body, b"hello", false).await;
                eventually("the copy has begun", || copy.connections() == 1).await;
                drop((reply, body));
            }
        }
        copy.finished().await;
        given_up(&proxy, "copy", "client cut the body", 1).await;
        assert!(shop.requests().is_empty());
    }
}

#[tokio::test]
async fn a_drain_waits_for_copies_no_longer_than_its_deadline() {
    let shop = Origin::saying("hello").await;
    let silent = Script::start(|wire, _| wire.stall()).await;
    let mut proxy = copying(&shop, &silent).await;
    assert_eq!(proxy.get("/").await.status, 200);
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.ended().await, 0);
}
