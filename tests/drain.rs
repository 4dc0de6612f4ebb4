//! The end of a process: what clients see of a drain, and what ends it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use sluice_dsl::{
    Answer, Http1, Http2, Origin, Request, Script, Signal, Sluice, Wire, eventually, sluice, within,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Clients of each kind in the tests under load.
const CLIENTS: usize = 16;

/// Asks on one connection until it is told to close it, then on another, until connections are refused. Whatever else
/// happens to a request fails the test.
async fn ask_until_refused(address: SocketAddr, request: Request, answered: Arc<AtomicUsize>) {
    while let Some(mut client) = Http1::connect_if_open(address).await {
        loop {
            let reply = client.send(&request).await;
            assert_eq!((reply.status, reply.text()), (200, "hello"));
            answered.fetch_add(1, Ordering::SeqCst);
            if reply.field("connection") == "close" {
                client.wire().expect_close().await;
                break;
            }
        }
    }
}

/// Asks on one connection until no more streams are taken; says how many were answered.
async fn ask_until_goaway(address: SocketAddr, answered: Arc<AtomicUsize>) {
    let client = Http2::connect(address).await;
    loop {
        match client.send(&Request::get("/")).await {
            Ok(reply) => {
                assert_eq!((reply.status, reply.text()), (200, "hello"));
                answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                assert!(error.is_go_away() && error.reason().map(u32::from) == Some(0), "{error}");
                return;
            }
        }
    }
}

async fn all(mut clients: JoinSet<()>) {
    while let Some(client) = within("the end of the clients", clients.join_next()).await {
        client.expect("a client should lose nothing");
    }
}

#[tokio::test]
async fn sigterm_under_load_loses_no_request() {
    for accept in ["reuseport", "handoff"] {
        let shop = Origin::saying("hello").await;
        let runtime = format!("{{ shards: 2, accept: {accept}, drain_timeout: 20s }}");
        let mut proxy = sluice!().top("runtime", &runtime).in_front_of(&shop).await;
        let answered = Arc::<AtomicUsize>::default();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let once = Request::get("/").field("connection", "close");
            clients.spawn(ask_until_refused(proxy.address(), Request::get("/"), answered.clone()));
            clients.spawn(ask_until_refused(proxy.address(), once, answered.clone()));
            clients.spawn(ask_until_goaway(proxy.address(), answered.clone()));
        }
        eventually("some load", || answered.load(Ordering::SeqCst) > 1_000).await;
        proxy.signal(Signal::TERM);
        all(clients).await;
        assert_eq!(proxy.ended().await, 0, "{accept}");
        assert_eq!(shop.requests().len(), answered.load(Ordering::SeqCst), "each was asked once ({accept})");
    }
}

/// An origin that answers `hello` when it is told to.
struct Slow {
    script: Script,
    arrived: Arc<AtomicUsize>,
    go: watch::Sender<bool>,
}

impl Slow {
    async fn start() -> Self {
        let (go, wait) = watch::channel(false);
        let arrived = Arc::<AtomicUsize>::default();
        let counter = arrived.clone();
        let script = Script::start(move |mut wire, _| {
            let (mut wait, counter) = (wait.clone(), counter.clone());
            async move {
                while wire.request().await.is_some() {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let _ = wait.wait_for(|go| *go).await;
                    wire.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
                }
            }
        });
        Self { script: script.await, arrived, go }
    }

    async fn has(&self, requests: usize) {
        eventually("requests at the origin", || self.arrived.load(Ordering::SeqCst) >= requests).await;
    }

    fn answer(&self) {
        let _ = self.go.send(true);
    }
}

impl std::fmt::Display for Slow {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.script.address().fmt(out)
    }
}

async fn is_refused(proxy: &Sluice) {
    let address = proxy.address();
    let closed = async { while Wire::connect_if_open(address).await.is_some() {} };
    within("connections are refused", closed).await;
}

#[tokio::test]
async fn what_is_under_way_is_finished_over_both_versions() {
    let slow = Slow::start().await;
    let mut proxy = sluice!().in_front_of(&slow).await;
    let mut one = Wire::connect(proxy.address()).await;
    one.send("GET /one HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let two = Http2::connect(proxy.address()).await;
    let (reply, _) = two.open(&Request::get("/two"), true).await.unwrap();
    slow.has(2).await;

    proxy.signal(Signal::TERM);
    is_refused(&proxy).await;
    let goaway = within("GOAWAY", async {
        loop {
            match two.open(&Request::get("/late"), true).await {
                // It was taken before the client knew.
                Ok((late, _)) => drop(late),
                Err(error) => return error,
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(goaway.await.is_go_away());
    slow.answer();
    let reply = Http2::take(reply).await.unwrap();
    assert_eq!((reply.status, reply.text()), (200, "hello"));
    let reply = one.reply().await;
    assert_eq!((reply.status, reply.text(), reply.field("connection")), (200, "hello", "close"));
    one.expect_close().await;
    assert_eq!(proxy.ended().await, 0);
}

#[tokio::test]
async fn a_request_that_was_sent_before_the_signal_was_seen_is_answered() {
    let shop = Origin::saying("hello").await;
    let mut proxy = sluice!().in_front_of(&shop).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Http1::connect(proxy.address()).await;
        assert_eq!(client.get("/").await.status, 200);
        clients.push(client);
    }
    proxy.signal(Signal::TERM);
    for client in &mut clients {
        // They have been quiet for a moment only, so the proxy expects them to go on.
        let reply = client.get("/").await;
        assert_eq!((reply.status, reply.field("connection")), (200, "close"));
    }
    assert_eq!(proxy.ended().await, 0);
}

#[tokio::test]
async fn connections_that_stay_quiet_are_closed_in_order() {
    let shop = Origin::saying("hello").await;
    let mut proxy = sluice!().in_front_of(&shop).await;
    let mut asked = Http1::connect(proxy.address()).await;
    assert_eq!(asked.get("/").await.status, 200);
    let mut silent = Wire::connect(proxy.address()).await;
    proxy.signal(Signal::TERM);
    asked.wire().expect_close().await;
    silent.expect_close().await;
    assert_eq!(proxy.ended().await, 0);
}

/// A connection that has become a tunnel to an origin which echoes.
async fn tunnel(proxy: &Sluice) -> Wire {
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
    let head = wire.read_head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    wire
}

async fn echo() -> Script {
    Script::start(|mut wire, _| async move {
        wire.read_head().await;
        wire.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            .await;
        loop {
            let word = wire.read(4).await;
            wire.send(word).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_tunnel_goes_on_until_the_deadline_which_cuts_it_with_code_5() {
    let echo = echo().await;
    let runtime = "{ shards: 2, drain_timeout: 3s }";
    let mut proxy = sluice!().top("runtime", runtime).in_front_of(&echo.address()).await;
    let mut tunnel = tunnel(&proxy).await;
    proxy.signal(Signal::TERM);
    is_refused(&proxy).await;
    tunnel.send("ping").await;
    tunnel.expect("ping").await;
    tunnel.expect_close().await;
    assert_eq!(proxy.ended().await, 5);
    proxy.process().says("the drain deadline has come; what is left is cut").await;
}

#[tokio::test]
async fn a_tunnel_that_ends_by_itself_ends_the_drain_with_code_0() {
    let echo = echo().await;
    let mut proxy = sluice!().in_front_of(&echo.address()).await;
    let mut tunnel = tunnel(&proxy).await;
    proxy.signal(Signal::TERM);
    is_refused(&proxy).await;
    tunnel.send("last").await;
    tunnel.expect("last").await;
    tunnel.close().await;
    assert_eq!(proxy.ended().await, 0);
}

#[tokio::test]
async fn a_second_signal_ends_at_once_with_its_number() {
    for (first, second, code) in [(Signal::TERM, Signal::TERM, 143), (Signal::TERM, Signal::INT, 130)] {
        let slow = Slow::start().await;
        let mut proxy = sluice!().top("runtime", "{ shards: 2, drain_timeout: 1h }").in_front_of(&slow).await;
        let mut client = Wire::connect(proxy.address()).await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        slow.has(1).await;
        proxy.signal(first);
        is_refused(&proxy).await;
        assert!(proxy.process().is_running());
        proxy.signal(second);
        client.expect_close().await;
        assert_eq!(proxy.ended().await, code);
    }
}

#[tokio::test]
async fn the_deadline_cuts_requests_and_the_log_says_so() {
    let slow = Slow::start().await;
    let mut proxy = sluice!().top("runtime", "{ shards: 2, drain_timeout: 200ms }").in_front_of(&slow).await;
    let mut client = Wire::connect(proxy.address()).await;
    client.send("GET /cut HTTP/1.1\r\nhost: a\r\n\r\n").await;
    slow.has(1).await;
    proxy.signal(Signal::TERM);
    client.expect_close().await;
    assert_eq!(proxy.ended().await, 5);
    let entry = proxy.logged_path("/cut").await;
    assert_eq!(entry["response_flags"], "LR", "{entry}");
}

#[tokio::test]
async fn post_drain_is_like_sigterm_and_readiness_goes_first() {
    let shop = Origin::http1(|_| Answer::ok("hello")).await;
    let mut proxy = sluice!()
        .top("runtime", "{ shards: 2, drain_grace: 1s, drain_timeout: 5s }")
        .in_front_of(&shop)
        .await;
    assert_eq!(proxy.admin("/ready").await.status, 200);
    assert_eq!(proxy.admin_post("/drain").await.status, 202);
    let ready = proxy.admin("/ready").await;
    assert_eq!((ready.status, ready.text()), (503, "not ready: draining\n"));
    // Whoever has not seen that yet is still served.
    let client: JoinHandle<()> =
        tokio::spawn(ask_until_refused(proxy.address(), Request::get("/"), Arc::default()));
    // After a preStop hook SIGTERM is the first signal.
    proxy.signal(Signal::TERM);
    within("the end of the client", client).await.unwrap();
    assert_eq!(proxy.ended().await, 0);
    assert!(!shop.requests().is_empty());
}

#[tokio::test]
async fn a_reload_does_not_disturb_a_drain() {
    let slow = Slow::start().await;
    let mut proxy = sluice!().in_front_of(&slow).await;
    let mut client = Wire::connect(proxy.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    slow.has(1).await;
    proxy.signal(Signal::TERM);
    is_refused(&proxy).await;
    proxy.write_config("listeners: 5");
    proxy.signal(Signal::HUP);
    slow.answer();
    assert_eq!(client.reply().await.text(), "hello");
    assert_eq!(proxy.ended().await, 0);
}
