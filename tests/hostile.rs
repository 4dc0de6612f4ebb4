//! Clients that are slow, greedy, half gone or flood: each meets a timer or a bound, is counted and logged, and costs
//! nobody else anything.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

use serde_json::Value;
use sluice_dsl::{
    Certificate, Deaf, Frames, Http1, Http2, Outcome, Recipe, Script, Sluice, TlsClient, Wire, eventually,
    sluice,
};
use std::sync::{Arc, atomic::Ordering};
use tokio::sync::Notify;

const KIB: usize = 1024;
const MIB: u64 = 1024 * 1024;

/// `/quick` is answered at once, everything else goes to this cluster.
fn in_front_of(cluster: &impl ToString) -> Recipe {
    sluice!().cluster("slow", cluster).routes(
        "
- { name: quick, match: [{ path: { prefix: /quick } }], action: { respond: { status: 204 } } }
- { name: slow, action: { forward: { destinations: [{ cluster: slow }] } } }",
    )
}

async fn others_are_served(proxy: &Sluice) {
    assert_eq!(proxy.get("/quick").await.status, 204);
}

/// The log's entry for the connection with this far end.
fn logged(proxy: &Sluice, wire: &Wire) -> Option<Value> {
    let peer = wire.address().to_string();
    proxy.log().into_iter().find(|entry| entry["peer"] == *peer)
}

/// Waits for it, and compares status, flags and details.
async fn is_logged(proxy: &Sluice, wire: &Wire, status: u16, flags: &str, details: &str) {
    let peer = wire.address().to_string();
    let entry = proxy.logged(details, |entry| entry["peer"] == *peer && entry["details"] == details).await;
    assert_eq!((&entry["status"], &entry["response_flags"]), (&status.into(), &flags.into()), "{entry}");
}

fn pseudo(method: &'static str, path: &'static str) -> [(&'static str, &'static str); 4] {
    [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)]
}

/// An upstream that takes a request's head and whatever follows, and says nothing.
async fn silent() -> Script {
    Script::start(|mut wire, _| async move {
        wire.read_to_close().await;
    })
    .await
}

/// An upstream that answers when it is told to.
async fn waiting(go: &Arc<Notify>) -> Script {
    let go = go.clone();
    Script::start(move |mut wire, _| {
        let go = go.clone();
        async move {
            while wire.request().await.is_some() {
                go.notified().await;
                wire.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate").await;
            }
        }
    })
    .await
}

// === Slow clients ===

#[tokio::test]
async fn a_head_that_trickles_in_is_refused_when_its_time_is_up() {
    let proxy = in_front_of(&silent().await).listener("timeouts: { header: 200ms }").start().await;
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET /slow HTTP/1.1\r\nhost: a\r\nx: ").await;
    // Each byte comes in time after the one before; that does not count.
    while logged(&proxy, &wire).is_none() {
        others_are_served(&proxy).await;
        let _ = wire.try_send("y").await;
    }
    is_logged(&proxy, &wire, 408, "SI", "request_header_timeout").await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.field("connection")), (408, "close"));
    wire.expect_close().await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_http2_preface_is_cut() {
    let timeouts = "timeouts: { handshake: 200ms, header: 200ms, keep_alive: 200ms }";
    let proxy = in_front_of(&silent().await).listener(timeouts).start().await;
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("PRI * HTTP").await;
    assert_eq!(wire.reply().await.status, 408, "so far it could be HTTP/1");
    is_logged(&proxy, &wire, 408, "SI", "request_header_timeout").await;

    let mut wire = Wire::connect(proxy.address()).await;
    wire.send(&Frames::PREFACE[..20]).await;
    others_are_served(&proxy).await;
    wire.read_to_close().await;
    let timed_out = ["listener=\"web\"", "reason=\"timed out\""];
    proxy.stat_becomes("sluice_handshake_failures_total", &timed_out, |count| count > 0.5).await;

    let mut wire = Wire::connect(proxy.address()).await;
    wire.send(Frames::PREFACE).await;
    others_are_served(&proxy).await;
    wire.read_to_close().await;
}

#[tokio::test]
async fn an_http2_head_that_never_ends_is_cut_when_the_connection_was_idle_for_too_long() {
    let proxy = in_front_of(&silent().await).listener("timeouts: { keep_alive: 200ms }").start().await;
    let mut frames = Frames::connect(proxy.address()).await;
    frames.frame(Frames::HEADERS, 0, 1, &Frames::block(&pseudo("GET", "/slow"))).await;
    others_are_served(&proxy).await;
    assert_eq!(frames.outcome(1).await, Outcome::Closed);
}

#[tokio::test]
async fn a_body_that_stops_is_refused_when_its_time_is_up_in_both_versions() {
    let mut upstream = silent().await;
    let proxy = in_front_of(&upstream).listener("timeouts: { body_idle: 200ms }").start().await;
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n1").await;
    others_are_served(&proxy).await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.field("connection")), (408, "close"));
    wire.expect_close().await;
    is_logged(&proxy, &wire, 408, "SI", "request_body_timeout").await;
    upstream.finished().await;

    let mut frames = Frames::connect(proxy.address()).await;
    frames.head(1, &pseudo("POST", "/slow"), false).await;
    frames.frame(Frames::DATA, 0, 1, b"1").await;
    assert_eq!(frames.outcome(1).await, Outcome::Status(408));
    is_logged(&proxy, frames.wire(), 408, "SI", "request_body_timeout").await;
    upstream.finished().await;
    frames.head(3, &pseudo("GET", "/quick"), true).await;
    assert_eq!(frames.outcome(3).await, Outcome::Status(204), "the connection lives on");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_little_was_held_for_it() {
    let (mut endless, sent) = Script::endless().await;
    let proxy = in_front_of(&endless).listener("timeouts: { write_idle: 300ms }").start().await;
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    others_are_served(&proxy).await;
    endless.finished().await;
    let entry = proxy.logged_path("/slow").await;
    assert_eq!((&entry["status"], &entry["response_flags"]), (&200.into(), &"DC".into()), "{entry}");
    // What the sockets hold by themselves.
    let held = sent.swap(0, Ordering::SeqCst);
    assert!(held < 24 * MIB, "{held} bytes");
    wire.read_to_close().await;

    // A client that gives no credit: only its stream ends.
    let mut frames = Frames::connect(proxy.address()).await;
    frames.head(1, &pseudo("GET", "/slow"), true).await;
    assert_eq!(frames.outcome(1).await, Outcome::Status(200));
    assert!(matches!(frames.outcome(1).await, Outcome::Reset(_)));
    endless.finished().await;
    let held = sent.load(Ordering::SeqCst);
    assert!(held < 24 * MIB, "{held} bytes");
    frames.head(3, &pseudo("GET", "/quick"), true).await;
    assert_eq!(frames.outcome(3).await, Outcome::Status(204), "the connection lives on");
}

#[tokio::test]
async fn an_empty_line_is_no_request_and_its_connection_ends_in_silence() {
    let proxy = in_front_of(&silent().await).listener("timeouts: { keep_alive: 200ms }").start().await;
    let mut fresh = Wire::connect(proxy.address()).await;
    fresh.send("\r\n").await;
    let mut used = Wire::connect(proxy.address()).await;
    used.send("GET /quick HTTP/1.1\r\nhost: a\r\n\r\n\r\n").await;
    assert_eq!(used.reply().await.status, 204);
    fresh.expect_close().await;
    used.expect_close().await;
    others_are_served(&proxy).await;
    eventually("both requests in the log", || proxy.log().len() >= 2).await;
    assert!(proxy.log().iter().all(|entry| entry["status"] == 204), "{:?}", proxy.log());
}

// === Greedy clients ===

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once_and_counted() {
    let proxy = in_front_of(&silent().await).listener("limits: { connections: 3 }").start().await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut client = Http1::connect(proxy.address()).await;
        assert_eq!(client.get("/quick").await.status, 204);
        kept.push(client);
    }
    for _ in 0..5 {
        Wire::connect(proxy.address()).await.expect_close().await;
    }
    let refused = proxy.stat("sluice_connections_refused_total", &["listener=\"web\""]).await;
    assert!((refused - 5.0).abs() < 0.5, "{refused}");
    assert_eq!(proxy.admin("/ready").await.status, 200, "the operator is not shut out");
    for client in &mut kept {
        assert_eq!(client.get("/quick").await.status, 204);
    }
    kept.pop();
    proxy.stat_becomes("sluice_connections_open", &["listener=\"web\""], |open| open < 2.5).await;
    others_are_served(&proxy).await;
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_and_the_others_served() {
    let go = Arc::new(Notify::new());
    let upstream = waiting(&go).await;
    let proxy = in_front_of(&upstream).listener("limits: { concurrent_streams: 2 }").start().await;
    let mut frames = Frames::connect(proxy.address()).await;
    for stream in [1, 3] {
        frames.head(stream, &pseudo("GET", "/slow"), true).await;
    }
    eventually("both at the upstream", || upstream.connections() == 2).await;
    frames.head(5, &pseudo("GET", "/slow"), true).await;
    assert_eq!(frames.outcome(5).await, Outcome::Reset(7));
    is_logged(&proxy, frames.wire(), 0, "UO", "http2_refused_stream").await;
    others_are_served(&proxy).await;
    go.notify_one();
    go.notify_one();
    assert!(matches!(frames.next().await, Some(frame) if frame.kind == Frames::HEADERS));
}

// === Floods ===

#[tokio::test]
async fn a_client_that_opens_and_resets_streams_is_sent_away() {
    let go = Arc::new(Notify::new());
    let proxy = in_front_of(&waiting(&go).await).start().await;
    let mut frames = Frames::connect(proxy.address()).await;
    let head = Frames::block(&pseudo("GET", "/slow"));
    let mut flood = Vec::new();
    for stream in (1..20_000).step_by(2) {
        flood.extend(Frames::encode(Frames::HEADERS, 5, stream, &head));
        flood.extend(Frames::encode(Frames::RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    let _ = frames.wire().try_send(flood).await;
    assert_eq!(frames.outcome(u32::MAX >> 1).await, Outcome::GoAway(11));
    let peer = frames.wire().address().to_string();
    let calm = |entry: &Value| entry["peer"] == *peer && entry["details"] == "http2_enhance_your_calm";
    assert_eq!(proxy.logged("the flood", calm).await["response_flags"], "DPE");
    others_are_served(&proxy).await;
}

#[tokio::test]
async fn a_head_of_continuations_without_end_is_ended_before_it_fills_the_memory() {
    let proxy = in_front_of(&silent().await).start().await;
    for piece in [Frames::block(&[("x", &"y".repeat(8 * KIB))]), Vec::new()] {
        let mut frames = Frames::connect(proxy.address()).await;
        frames.frame(Frames::HEADERS, 1, 1, &Frames::block(&pseudo("GET", "/slow"))).await;
        let pieces = Frames::encode(Frames::CONTINUATION, 0, 1, &piece).repeat(16);
        while frames.wire().try_send(&pieces).await.is_ok() {}
        let peer = frames.wire().address().to_string();
        let entry = proxy.logged("the flood", |entry| entry["peer"] == *peer).await;
        assert_eq!(entry["response_flags"], "DPE", "{entry}");
        others_are_served(&proxy).await;
    }
}

#[tokio::test]
async fn questions_without_end_from_a_client_that_does_not_read_are_bounded() {
    let proxy = in_front_of(&silent().await).listener("timeouts: { write_idle: 200ms }").start().await;
    let before = proxy.stat("sluice_process_resident_memory_bytes", &[]).await;
    for flood in [
        Frames::encode(Frames::PING, 0, 0, &[0; 8]).repeat(1_000),
        Frames::encode(Frames::SETTINGS, 0, 0, &[]).repeat(1_000),
        Frames::encode(Frames::SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]).repeat(1_000),
    ] {
        let mut frames = Frames::connect(proxy.address()).await;
        while frames.wire().try_send(&flood).await.is_ok() {
            others_are_served(&proxy).await;
        }
        is_logged(&proxy, frames.wire(), 0, "SI", "http2_client_does_not_read").await;
    }
    let grown = proxy.stat("sluice_process_resident_memory_bytes", &[]).await - before;
    assert!(before > 0.0 && grown < 32.0 * MIB as f64, "{grown} bytes more");
}

#[tokio::test]
async fn empty_pieces_of_a_body_that_nobody_reads_are_bounded() {
    let proxy = in_front_of(&Deaf::new().await).start().await;
    let before = proxy.stat("sluice_process_resident_memory_bytes", &[]).await;
    let mut frames = Frames::connect(proxy.address()).await;
    frames.head(1, &pseudo("POST", "/slow"), false).await;
    let empty = Frames::encode(Frames::DATA, 0, 1, &[]).repeat(10_000);
    for _ in 0..50 {
        if frames.wire().try_send(&empty).await.is_err() {
            break;
        }
        others_are_served(&proxy).await;
    }
    let grown = proxy.stat("sluice_process_resident_memory_bytes", &[]).await - before;
    assert!(before > 0.0 && grown < 32.0 * MIB as f64, "{grown} bytes more");
}

// === Clients that are half gone ===

#[tokio::test]
async fn a_client_that_has_said_everything_gets_a_late_answer() {
    let go = Arc::new(Notify::new());
    let upstream = waiting(&go).await;
    let proxy = in_front_of(&upstream).start().await;
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    wire.finish().await;
    eventually("it is at the upstream", || upstream.connections() == 1).await;
    for _ in 0..20 {
        others_are_served(&proxy).await;
    }
    go.notify_one();
    assert_eq!(wire.reply().await.text(), "late");
    wire.expect_close().await;
}

#[tokio::test]
async fn a_client_that_is_gone_takes_its_request_back() {
    let mut upstream = silent().await;
    let proxy = in_front_of(&upstream).start().await;
    for (number, request) in [
        "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1",
    ]
    .into_iter()
    .enumerate()
    {
        let mut wire = Wire::connect(proxy.address()).await;
        wire.send(request).await;
        eventually("it is at the upstream", || upstream.connections() == number + 1).await;
        let peer = wire.address().to_string();
        wire.reset();
        upstream.finished().await;
        let entry = proxy.logged("the one who left", |entry| entry["peer"] == *peer).await;
        assert_eq!((&entry["status"], &entry["response_flags"]), (&0.into(), &"DC".into()), "{entry}");
    }
    // The end of a body that is not whole needs no reset.
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1").await;
    wire.finish().await;
    upstream.finished().await;
    is_logged(&proxy, &wire, 0, "DC", "downstream_remote_disconnect").await;
}

// === TLS ===

#[tokio::test]
async fn whoever_does_not_speak_tls_at_a_tls_port_is_counted_or_told() {
    let certificate = Certificate::of(&["shop.test"]);
    let proxy = in_front_of(&silent().await)
        .certificate("shop", &certificate)
        .listener("tls: { certificates: [shop] }")
        .listener("timeouts: { handshake: 500ms }")
        .start()
        .await;
    let mut failures = 0.0;
    for bytes in [
        // Not a record; a record that is no handshake; half of a handshake, and then nothing; nothing.
        &b"\0\x01\x02\x03 garbage of some length"[..],
        b"\x17\x03\x03\0\x05hello",
        b"\x16\x03\x01\x02\0\x01\0\x01",
        b"",
    ] {
        let mut wire = Wire::connect(proxy.address()).await;
        let _ = wire.try_send(bytes).await;
        wire.read_to_close().await;
        failures += 1.0;
        proxy
            .stat_becomes("sluice_handshake_failures_total", &["listener=\"web\""], |count| {
                count > failures - 0.5
            })
            .await;
        let tls = TlsClient::trusting(&certificate, "shop.test", &["h2"]);
        assert_eq!(Http2::connect_tls(proxy.address(), &tls).await.get("/quick").await.status, 204);
    }
    let mut plain = Wire::connect(proxy.address()).await;
    plain.send("GET /quick HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let reply = plain.reply().await;
    assert_eq!((reply.status, reply.field("connection")), (400, "close"));
    plain.expect_close().await;
    let peer = plain.address().to_string();
    let entry = proxy.logged("plain HTTP", |entry| entry["peer"] == *peer).await;
    assert_eq!((&entry["status"], &entry["response_flags"]), (&400.into(), &"DPE".into()), "{entry}");
}
