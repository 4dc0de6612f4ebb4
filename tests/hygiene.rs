//! The hygiene table as byte transcripts: what a client sends, what it gets, what the log says, what the upstream sees.
//!
//! Each row of [`TABLE`] has at least one transcript ([`rows::of`]). What the HTTP/1 codec refuses by itself is not in the
//! table; its transcripts are in [`smuggling`] and here.

#![allow(clippy::panic, reason = "a test that cannot go on fails")]

#[path = "hygiene/rows.rs"]
mod rows;
#[path = "hygiene/scene.rs"]
mod scene;
#[path = "hygiene/smuggling.rs"]
mod smuggling;

use rows::{H2, of, pseudo};
use scene::{LISTENERS, Scene, show};
use sluice_core::hygiene::{Rule, TABLE};
use sluice_dsl::{Frames, Origin, Outcome, Script, Wire, sluice};

#[tokio::test]
async fn every_row_of_the_table_does_to_bytes_what_it_says() {
    let scene = Scene::new().await;
    for row in TABLE {
        let transcripts = of(row.rule);
        assert!(!transcripts.is_empty() || row.rule == Rule::Misdirected, "{:?} has no transcript", row.rule);
        for transcript in &transcripts {
            scene.play(row.rule, transcript).await;
        }
    }
}

#[tokio::test]
async fn bodies_that_break_their_framing_end_the_connection_and_the_upstreams() {
    let chunked = "POST /scripted HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = "x".repeat(2_000);
    let extensions = format!("1;{}\r\nx\r\n", "e".repeat(1_000)).repeat(20);
    let trailers = "t: v\r\n".repeat(101);
    let bodies = [
        ("x\r\n", 400, "http1.chunk_size"),
        ("\r\n", 400, "http1.chunk_size"),
        ("-1\r\n", 400, "http1.chunk_size"),
        ("0x1\r\nx\r\n", 400, "http1.chunk_size"),
        (" 1\r\nx\r\n", 400, "http1.chunk_size"),
        ("1 \r\nx\r\n", 400, "http1.chunk_size"),
        ("10000000000000000\r\n", 400, "http1.chunk_size"),
        ("1\nx\n", 400, "http1.bare_lf"),
        ("1\rx", 400, "http1.bare_cr"),
        ("1\r\nxy\r\n", 400, "http1.chunk_end"),
        ("1\r\nx\n0\r\n", 400, "http1.chunk_end"),
        ("1;a\0\r\nx\r\n", 400, "http1.chunk_extension"),
        ("1;a\nx\r\n", 400, "http1.bare_lf"),
        (&format!("1;{long}\r\nx\r\n"), 400, "http1.chunk_extension_too_large"),
        (&extensions, 400, "http1.chunk_extension_too_large"),
        ("0\r\nt : v\r\n\r\n", 400, "http1.field_name"),
        ("0\r\n t: v\r\n\r\n", 400, "http1.obs_fold"),
        (&format!("0\r\n{trailers}\r\n"), 431, "http1.trailers_too_large"),
        (&format!("0\r\nt: {}\r\n\r\n", "v".repeat(20_000)), 431, "http1.trailers_too_large"),
    ];
    // It answers only what has ended well.
    let upstream = Script::start(|mut wire, _| async move {
        assert!(!String::from_utf8_lossy(&wire.read_to_close().await).ends_with("\r\n0\r\n\r\n"));
    });
    let (mut upstream, origin) = (upstream.await, Origin::saying("hello").await);
    let recipe = sluice!().value("origin", &origin).value("scripted", &upstream);
    let proxy = recipe.config(LISTENERS).start().await;
    for (body, status, details) in bodies {
        let mut wire = Wire::connect(proxy.listener("web")).await;
        let _ = wire.try_send(format!("{chunked}{body}GET /after HTTP/1.1\r\nHost: a.example\r\n\r\n")).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.field("connection")), (status, "close"), "{}", show(body));
        wire.expect_close().await;
        let peer = wire.address().to_string();
        let entry = proxy.logged(&show(body), |entry| entry["peer"] == *peer).await;
        assert_eq!(
            (&entry["details"], &entry["response_flags"]),
            (&details.into(), &"DPE".into()),
            "{entry}"
        );
        upstream.finished().await;
    }
    assert!(origin.requests().is_empty());
}

#[tokio::test]
async fn sizes_and_times_have_bounds_with_a_status_each() {
    let scene = Scene::new().await;
    let long = "x".repeat(2_000);
    let get =
        |target: &str, fields: &str| format!("GET /{target} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
    for (bytes, status, details) in [
        (get(&long[..200], ""), 414, "http1.target_too_long"),
        (get("x", &format!("x: {long}\r\n")), 431, "http1.head_too_large"),
        (get("x", &"x: y\r\n".repeat(8)), 431, "http1.too_many_fields"),
        (format!("{} / HTTP/1.1\r\nHost: a.example\r\n\r\n", &long[..65]), 501, "http1.method_too_long"),
    ] {
        scene.refused("strict", &bytes, status, details).await;
    }
    for (bytes, details) in [
        ("GET /slow HTTP/1.1\r\nHost", "request_header_timeout"),
        ("POST /scripted HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n1", "request_body_timeout"),
    ] {
        let mut wire = Wire::connect(scene.proxy.listener("strict")).await;
        wire.send(bytes).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.field("connection")), (408, "close"));
        wire.expect_close().await;
        let entry = scene.entry(&wire, |_| true, bytes).await;
        assert_eq!((&entry["details"], &entry["response_flags"]), (&details.into(), &"SI".into()), "{entry}");
        assert_eq!(entry["path"].as_str(), bytes.split(' ').nth(1), "{entry}");
    }
    for (fields, status, details) in [
        (
            pseudo(
                "GET",
                "http",
                "a.example",
                "/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/",
            ),
            414,
            "target_too_long",
        ),
        ([&H2[..], &[("a", "b"); 9]].concat(), 431, "too_many_fields"),
    ] {
        let mut frames = Frames::connect(scene.proxy.listener("strict")).await;
        frames.head(1, &fields, true).await;
        assert_eq!(frames.outcome(1).await, Outcome::Status(status));
        let entry = scene.entry(frames.wire(), |_| true, details).await;
        assert_eq!((&entry["details"], &entry["method"]), (&details.into(), &"GET".into()), "{entry}");
    }
    // The codec holds no more than that, and answers by itself.
    let mut frames = Frames::connect(scene.proxy.listener("strict")).await;
    frames.head(1, &[H2.to_vec(), vec![("a", "b"); 600]].concat(), true).await;
    assert_eq!(frames.outcome(1).await, Outcome::Status(431));
    let entry =
        scene.entry(frames.wire(), |entry| entry["details"] == "http2_head_too_large", "by the codec").await;
    assert_eq!((&entry["status"], &entry["response_flags"]), (&431.into(), &"DPE".into()));
}

#[tokio::test]
async fn the_http2_preface_is_no_request_of_an_http1_connection() {
    let scene = Scene::new().await;
    let mut wire = Wire::connect(scene.proxy.listener("web")).await;
    wire.send("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    assert_eq!(wire.reply().await.status, 200);
    wire.send(Frames::PREFACE).await;
    assert_eq!(wire.reply().await.status, 505);
    wire.expect_close().await;
    scene.entry(&wire, |entry| entry["status"] == 505, "the preface").await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_head_is_in_the_log() {
    let scene = Scene::new().await;
    let mut wire = Wire::connect(scene.proxy.listener("web")).await;
    wire.send("GET /half HTTP/1.1\r\nHost: a.ex").await;
    wire.finish().await;
    wire.expect_close().await;
    let entry = scene.proxy.logged_path("/half").await;
    assert_eq!(
        (&entry["status"], &entry["response_flags"], &entry["method"]),
        (&0.into(), &"DC".into(), &"GET".into())
    );
    // One that has begun nothing is not.
    let mut wire = Wire::connect(scene.proxy.listener("web")).await;
    wire.send("\r\n").await;
    wire.finish().await;
    wire.expect_close().await;
    scene.proxy.get("/x").await;
    scene.proxy.logged_path("/x").await;
    assert_eq!(scene.proxy.log().len(), 2);
}
