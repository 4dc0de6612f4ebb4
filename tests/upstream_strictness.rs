//! What upstreams send is held to the same strictness: 502 with its flag, and a connection in doubt is never used again.

use serde_json::Value;
use sluice_dsl::{Frames, Http1, Request, Script, Sluice, Wire, sluice};

/// Plays one answer on every connection, and gives what a GET gets, the flags, the details and the reason in the log, and
/// how many connections two requests needed.
async fn played(answer: &'static str) -> (u16, String, String, String, usize) {
    let upstream = Script::start(move |mut wire, _| async move {
        while wire.request().await.is_some() {
            let _ = wire.try_send(answer).await;
        }
    })
    .await;
    let proxy = sluice!().argument("--shards=1").in_front_of(&upstream).await;
    let status = proxy.get("/one").await.status;
    let entry = proxy.logged_path("/one").await;
    let _ = proxy.get("/two").await;
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    (status, text("response_flags"), text("details"), text("upstream_failure"), upstream.connections())
}

#[tokio::test]
async fn an_answer_that_two_readers_could_read_differently_is_a_502() {
    for (answer, reason) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            "http1.repeated_content_length",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "http1.conflicting_framing",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", "http1.content_length"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "http1.unsupported_transfer_encoding",
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "http1.transfer_encoding_in_http10",
        ),
        ("HTTP/1.1 20 OK\r\n\r\n", "http1.status_line"),
        ("HTTP/1.1 2x0 OK\r\n\r\n", "http1.status_line"),
        ("HTTP/2.0 200 OK\r\n\r\n", "http1.unsupported_version"),
        ("ICY 200 OK\r\n\r\n", "http1.status_line"),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "http1.bare_lf"),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "http1.obs_fold"),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "http1.field_name"),
        ("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", "http1.field_value"),
        ("HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\nx", "http1.unexpected_body"),
        ("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "http1.unexpected_upgrade"),
    ] {
        let (status, flags, details, why, connections) = played(answer).await;
        assert_eq!((status, &*flags, &*details), (502, "UPE", "upstream_protocol_error"), "{answer:?}");
        assert_eq!(why, reason, "{answer:?}");
        assert_eq!(connections, 2, "its connection was used again: {answer:?}");
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_end_its_connection_and_never_answer_somebody_else() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        "HTTP/1.1 304 Not Modified\r\n\r\npoison",
    ] {
        let (status, flags, _, _, connections) = played(answer).await;
        assert!((200..400).contains(&status) && flags.is_empty(), "{answer:?}: {status} {flags}");
        assert_eq!(connections, 2, "its connection was used again: {answer:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_talks_without_end_before_its_answer_is_a_502() {
    let flood = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        while wire.try_send("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n").await.is_ok() {}
    })
    .await;
    let proxy = sluice!().in_front_of(&flood).await;
    let reply = proxy.get("/flood").await;
    assert_eq!((reply.status, reply.interim.len()), (502, 100));
    assert_eq!(proxy.logged_path("/flood").await["response_flags"], "UPE");

    let endless = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        let _ = wire.try_send("HTTP/1.1 200 OK\r\n").await;
        while wire.try_send("x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n").await.is_ok() {}
    })
    .await;
    let proxy = sluice!().in_front_of(&endless).await;
    assert_eq!(proxy.get("/endless").await.status, 502);
    assert_eq!(proxy.logged_path("/endless").await["response_flags"], "UPE");
}

#[tokio::test]
async fn what_comes_on_an_idle_connection_is_nobodys_answer() {
    let upstream = Script::start(|mut wire, number| async move {
        while wire.request().await.is_some() {
            let body = format!("from {number}");
            wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
            if number == 0 {
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison").await;
            }
        }
    })
    .await;
    let proxy = sluice!().argument("--shards=1").in_front_of(&upstream).await;
    let mut client = Http1::connect(proxy.address()).await;
    assert_eq!(client.get("/one").await.text(), "from 0");
    assert_eq!(client.get("/two").await.text(), "from 1");
    assert_eq!(client.get("/three").await.text(), "from 1", "a clean one is used again");
}

/// An upstream that sends these bytes for an answer and closes.
async fn closing_after(answer: String) -> Script {
    Script::start(move |mut wire, _| {
        let answer = answer.clone();
        async move {
            if wire.request().await.is_some() {
                let _ = wire.try_send(answer).await;
                wire.close().await;
            }
        }
    })
    .await
}

/// What an HTTP/1.1 client gets for a GET until its connection ends, and the log's entry.
async fn read_all(proxy: &Sluice) -> (String, Value) {
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET /all HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let got = String::from_utf8_lossy(&wire.read_to_close().await).into_owned();
    (got, proxy.logged_path("/all").await)
}

#[tokio::test]
async fn an_upstream_that_leaves_before_the_end_of_its_head_is_a_503() {
    for answer in
        ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\n"]
    {
        let upstream = closing_after(answer.to_owned()).await;
        let proxy = sluice!().in_front_of(&upstream).await;
        let (got, entry) = read_all(&proxy).await;
        let head = got.rfind("HTTP/1.1 ").map_or("", |at| &got[at..]);
        assert!(head.starts_with("HTTP/1.1 503 "), "{answer:?}: {got:?}");
        assert_eq!((&entry["status"], &entry["response_flags"]), (&503.into(), &"UC".into()), "{entry}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_its_framing_or_ends_too_soon_is_cut_for_the_client_too() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
    let long = format!("1;{}\r\n", "x".repeat(100_000));
    for (head, rest, flags, reason) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hi", "UC", ""),
        (chunked, "", "UC", ""),
        (chunked, "5\r\nhal", "UC", ""),
        (chunked, "0\r\n", "UC", ""),
        (chunked, "x\r\n", "UPE", "http1.chunk_size"),
        (chunked, "2\r\nhiho", "UPE", "http1.chunk_end"),
        (chunked, "2\nhi\n", "UPE", "http1.bare_lf"),
        (chunked, "ffffffffffffffffff\r\n", "UPE", "http1.chunk_size"),
        (chunked, &*long, "UPE", "http1.chunk_extension_too_large"),
    ] {
        let upstream = closing_after(format!("{head}{rest}")).await;
        let proxy = sluice!().argument("--shards=1").in_front_of(&upstream).await;
        let (got, entry) = read_all(&proxy).await;
        assert!(got.starts_with("HTTP/1.1 200 ") && !got.ends_with("0\r\n\r\n"), "a whole answer: {got:?}");
        assert_eq!((&entry["status"], &entry["response_flags"]), (&200.into(), &flags.into()), "{entry}");
        assert_eq!(entry["upstream_failure"].as_str().unwrap_or_default(), reason, "{entry}");
    }
}

#[tokio::test]
async fn a_body_in_answer_to_head_is_nobodys_answer() {
    let upstream = Script::start(|mut wire, _| async move {
        while wire.request().await.is_some() {
            let _ = wire.try_send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison").await;
        }
    })
    .await;
    let proxy = sluice!().argument("--shards=1").in_front_of(&upstream).await;
    let mut client = Http1::connect(proxy.address()).await;
    for number in 1..=3 {
        let reply = client.send(&Request::new("HEAD", "/")).await;
        assert_eq!((reply.status, reply.body.len()), (200, 0));
        assert_eq!(upstream.connections(), number, "its connection was used again");
    }
}

/// Plays these frames in answer to the first request of each connection.
async fn played_http2(frames: Vec<u8>) -> (String, Value) {
    let upstream = Script::start(move |mut wire, _| {
        let frames = frames.clone();
        async move {
            wire.expect(Frames::PREFACE).await;
            wire.send(Frames::encode(Frames::SETTINGS, 0, 0, &[])).await;
            while let Some(header) = wire.read_some(9).await {
                let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
                wire.read_some(length).await;
                if header[3] == Frames::HEADERS {
                    let _ = wire.try_send(&frames).await;
                }
            }
        }
    })
    .await;
    let proxy =
        sluice!().cluster_with("origin", &upstream, "protocol: http2").forwarding_to("origin").start().await;
    read_all(&proxy).await
}

#[tokio::test]
async fn an_http2_answer_that_breaks_the_rules_is_a_502() {
    let head =
        |fields: &[(&str, &str)], flags| Frames::encode(Frames::HEADERS, flags, 1, &Frames::block(fields));
    for fields in [
        &[][..],
        &[("x", "y")],
        &[(":status", "abc")],
        &[(":status", "20")],
        &[(":status", "200"), (":status", "200")],
        &[("x", "y"), (":status", "200")],
        &[(":status", "200"), ("X-Upper", "y")],
        &[(":status", "200"), ("connection", "close")],
        &[(":status", "200"), ("transfer-encoding", "chunked")],
        &[(":status", "200"), ("x", " y")],
        &[(":status", "200"), ("x", "y ")],
        &[(":status", "200"), ("x", "a\r\nb: c")],
        &[(":status", "200"), ("x y", "z")],
        &[(":status", "200"), ("content-length", "1"), ("content-length", "2")],
        &[(":status", "200"), ("content-length", "-1")],
    ] {
        let (got, entry) = played_http2(head(fields, 5)).await;
        assert!(got.starts_with("HTTP/1.1 502 "), "{fields:?}: {got:?}");
        assert_eq!((&entry["status"], &entry["response_flags"]), (&502.into(), &"UPE".into()), "{entry}");
        let spaced = fields.iter().any(|(_, value)| value.trim() != *value);
        let reason = if spaced { "http2_field_value" } else { "http2_protocol_error" };
        assert_eq!(entry["upstream_failure"], reason, "{entry}");
    }
    let counted = head(&[(":status", "200"), ("content-length", "5")], 4);
    for body in ["hi", "hello you"] {
        let frames = [counted.clone(), Frames::encode(Frames::DATA, 1, 1, body.as_bytes())].concat();
        let (got, entry) = played_http2(frames).await;
        assert!(got.ends_with("\r\n\r\n"), "part of a wrong body: {got:?}");
        assert_eq!((&entry["status"], &entry["response_flags"]), (&200.into(), &"UPE".into()), "{entry}");
        assert_eq!(entry["upstream_failure"], "http2_protocol_error", "{entry}");
    }
    // Nobody has asked for another protocol, and HTTP/2 has no 101 at all.
    let (got, entry) = played_http2(head(&[(":status", "101")], 5)).await;
    assert!(got.starts_with("HTTP/1.1 502 "), "{got:?}");
    assert_eq!(entry["details"], "upstream_unasked_upgrade", "{entry}");
}
