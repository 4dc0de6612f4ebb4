//! The body of a copy: whole, and while the primary gets it.

use crate::{copying, counted, protocol, routes, sent_whole};
use sluice_dsl::{Answer, Http2, Origin, Request, Script, Sluice, Speaks, Wire, digest, sluice, within};
use std::sync::Arc;
use tokio::sync::{Mutex, Notify};

/// A script whose end of the connection waits for a signal between two halves of a body.
async fn halfway(heard: &Arc<Notify>) -> Script {
    let heard = Arc::clone(heard);
    Script::start(move |mut wire, _| {
        let heard = Arc::clone(&heard);
        async move {
            wire.read_head().await;
            wire.expect("hello").await;
            heard.notify_one();
            wire.expect("world").await;
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            wire.read_to_close().await;
        }
    })
    .await
}

#[tokio::test]
async fn the_body_is_streamed_to_the_mirror_while_the_primary_gets_it() {
    let (first, second) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (shop, copy) = (halfway(&first).await, halfway(&second).await);
    let proxy = copying(&shop, &copy).await;
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello").await;
    within("half of the body at both", async { tokio::join!(first.notified(), second.notified()) }).await;
    wire.send("world").await;
    assert_eq!(wire.reply().await.status, 200);
    sent_whole(&proxy, "copy", 1).await;
}

pub(crate) const PIECE: usize = 256 * 1024;
pub(crate) const LONG: usize = 64 << 20;

/// Bytes that do not repeat where buffers end.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

pub(crate) async fn upload(proxy: &Sluice, speaks: Speaks, body: &[u8]) -> u16 {
    match speaks {
        Speaks::Http1 => {
            let mut wire = Wire::connect(proxy.address()).await;
            wire.send(format!("POST /long HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len()))
                .await;
            for piece in body.chunks(PIECE) {
                wire.send(piece).await;
            }
            wire.reply().await.status
        }
        Speaks::Http2 => {
            let client = Http2::connect(proxy.address()).await;
            let (reply, mut stream) =
                client.open(&Request::new("POST", "/long"), false).await.expect("a stream");
            for (number, piece) in body.chunks(PIECE).enumerate() {
                Http2::upload(&mut stream, piece, (number + 1) * PIECE >= body.len()).await;
            }
            Http2::take(reply).await.expect("an answer should come").status
        }
    }
}

/// A mirror whose machine is too busy to run it is a slow one: long bodies go one at a time.
static LONG_BODIES: Mutex<()> = Mutex::const_new(());

async fn a_long_body_arrives_intact(client: Speaks, primary: Speaks, mirror: Speaks) {
    let _alone = LONG_BODIES.lock().await;
    let shop = Origin::speaking(primary).digesting().start(|_| Answer::ok("")).await;
    let copy = Origin::speaking(mirror).digesting().start(|_| Answer::ok("")).await;
    let proxy = sluice!()
        .cluster_with("shop", &shop, protocol(primary))
        .cluster_with("copy", &copy, protocol(mirror))
        .routes(&routes("[{ cluster: copy }]", ""))
        .start()
        .await;
    let body = pattern(LONG);
    assert_eq!(upload(&proxy, client, &body).await, 200);
    let wanted = (LONG, digest(&body));
    for origin in [&shop, &copy] {
        let seen = &origin.saw(1).await[0];
        assert_eq!((seen.length, seen.digest), wanted);
    }
    sent_whole(&proxy, "copy", 1).await;
    assert_eq!(counted(&proxy, "copy").await, (1, 0));
}

#[tokio::test]
async fn a_healthy_mirror_gets_64_mib_intact_over_http1() {
    a_long_body_arrives_intact(Speaks::Http1, Speaks::Http1, Speaks::Http1).await;
}

#[tokio::test]
async fn a_healthy_mirror_gets_64_mib_intact_over_http2() {
    a_long_body_arrives_intact(Speaks::Http2, Speaks::Http2, Speaks::Http2).await;
}

#[tokio::test]
async fn a_healthy_mirror_gets_64_mib_intact_from_http2_to_http1() {
    a_long_body_arrives_intact(Speaks::Http2, Speaks::Http1, Speaks::Http1).await;
}
