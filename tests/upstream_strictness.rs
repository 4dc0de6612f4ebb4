//! What upstreams send is held to the same strictness: 502 with its flag, and a connection in doubt is never used again.

use sluice_dsl::{Http1, Script, sluice};

/// Plays one answer on every connection, and gives what a GET gets, the flags and the details in the log, and how many
/// connections two requests needed.
async fn played(answer: &'static str) -> (u16, String, String, usize) {
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
    (status, text("response_flags"), text("details"), upstream.connections())
}

#[tokio::test]
async fn an_answer_that_two_readers_could_read_differently_is_a_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
        "HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ] {
        let (status, flags, logged, connections) = played(answer).await;
        assert_eq!((status, &*flags, &*logged), (502, "UPE", "upstream_protocol_error"), "{answer:?}");
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
        let (status, flags, _, connections) = played(answer).await;
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
