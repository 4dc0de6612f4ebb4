//! Who does not read stops who sends: what lies between them is bounded, whatever they speak.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

use bytes::Bytes;
use sluice_dsl::{Http2, Request, Script, Sluice, Streams, Wire, sluice, within};
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Waits until a count moves no more while many other requests are served.
async fn settles(proxy: &Sluice, count: &AtomicU64) -> u64 {
    let client = Http2::connect(proxy.address()).await;
    let (mut before, mut quiet) = (count.load(Ordering::SeqCst), 0);
    while quiet < 50 {
        assert_eq!(client.get("/quick").await.status, 200);
        let now = count.load(Ordering::SeqCst);
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
    }
    before
}

const SLOW_AND_QUICK: &str = "
- { name: quick, match: [{ path: { prefix: /quick } }], action: { respond: { status: 200 } } }
- { name: slow, action: { forward: { destinations: [{ cluster: slow }] } } }";

/// What sockets on both sides of the proxy may hold by themselves.
const SOCKETS: u64 = 24 * MIB as u64;

#[tokio::test]
async fn a_client_that_does_not_read_stops_its_upstream() {
    let (mut one, sent) = Script::endless().await;
    let proxy = sluice!().cluster("slow", &one).routes(SLOW_AND_QUICK).start().await;
    for http2 in [false, true] {
        sent.store(0, Ordering::SeqCst);
        if http2 {
            let client = Http2::connect(proxy.address()).await;
            let (reply, _) = client.open(&Request::get("/"), true).await.expect("a stream");
            let _unread = within("the head", reply).await.expect("an answer");
            let held = settles(&proxy, &sent).await;
            assert!((64 * KIB as u64..SOCKETS).contains(&held), "{held} bytes");
        } else {
            let mut client = Wire::connect(proxy.address()).await;
            client.send("GET / HTTP/1.1\r\nhost: sluice.test\r\n\r\n").await;
            client.read_head().await;
            let held = settles(&proxy, &sent).await;
            assert!((64 * KIB as u64..SOCKETS).contains(&held), "{held} bytes");
        }
        one.finished().await;
    }

    // Between HTTP/2 and HTTP/2 only windows count, and they are exact.
    let mut two = Streams::start().await;
    let proxy = sluice!()
        .cluster_with("slow", &two, "protocol: http2")
        .routes(SLOW_AND_QUICK)
        .argument("--shards=1")
        .start()
        .await;
    let client = Http2::connect(proxy.address()).await;
    let (reply, _) = client.open(&Request::get("/"), true).await.expect("a stream");
    let (_, mut respond) = two.next().await;
    let mut body = respond.send_response(http::Response::new(()), false).expect("the stream is open");
    let _unread = within("the head", reply).await.expect("an answer");
    let sent = Arc::new(AtomicU64::new(0));
    let counted = sent.clone();
    let upload = tokio::spawn(async move { pour(&mut body, &counted).await });
    let held = settles(&proxy, &sent).await;
    assert!(held >= 256 * KIB as u64, "at least the window of a stream: {held} bytes");
    assert!(held <= 2 * MIB as u64, "no more than both windows and what is on its way: {held} bytes");
    upload.abort();
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_its_client() {
    let one = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        wire.stall().await;
    })
    .await;
    let mut two = Streams::start().await;
    let to_one = sluice!().cluster("slow", &one).routes(SLOW_AND_QUICK).start().await;
    let to_two = sluice!()
        .cluster_with("slow", &two, "protocol: http2")
        .routes(SLOW_AND_QUICK)
        .argument("--shards=1")
        .start()
        .await;
    for (proxy, most) in [(&to_one, SOCKETS), (&to_two, MIB as u64)] {
        let client = Http2::connect(proxy.address()).await;
        let (_reply, mut body) = client.open(&Request::post("/", ""), false).await.expect("a stream");
        let unread = if most < SOCKETS { Some(two.next().await) } else { None };
        let sent = Arc::new(AtomicU64::new(0));
        let counted = sent.clone();
        let upload = tokio::spawn(async move { pour(&mut body, &counted).await });
        let held = settles(proxy, &sent).await;
        assert!((256 * KIB as u64..=most).contains(&held), "{held} bytes");
        upload.abort();
        drop(unread);
    }
}

/// Sends as windows allow, for ever.
async fn pour(body: &mut h2::SendStream<Bytes>, count: &AtomicU64) {
    loop {
        body.reserve_capacity(64 * KIB);
        let Some(Ok(room)) = poll_fn(|cx| body.poll_capacity(cx)).await else { return };
        if body.send_data(Bytes::from(vec![0; room]), false).is_err() {
            return;
        }
        count.fetch_add(room as u64, Ordering::SeqCst);
    }
}
