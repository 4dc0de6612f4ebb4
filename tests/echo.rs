//! `sluice echo`: a small server that answers with what it saw.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use sluice_dsl::{Cli, Http1, Http2, Process, Request, Signal, cli};
use std::net::SocketAddr;

async fn echo(cli: &Cli) -> (Process, SocketAddr) {
    let mut process = cli.start(["echo", "--name=shop", "--version=v2", "--listen=127.0.0.1:0", "--log"]);
    let line = process.says("sluice: shop v2 on ").await;
    (process, line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn it_says_who_it_is_and_what_it_saw() {
    let cli = cli!();
    let (mut process, address) = echo(&cli).await;
    let request = Request::post("/cart?x=1", "tea").field("X-User", "ann");
    let reply = Http1::connect(address).await.send(&request).await;
    assert_eq!(reply.status, 200);
    assert!(reply.text().starts_with("shop v2\nPOST /cart?x=1 HTTP/1.1\n"), "{}", reply.text());
    assert!(reply.text().contains("x-user: ann\n"), "{}", reply.text());
    assert!(reply.text().contains("(3 bytes of body"), "{}", reply.text());
    assert_eq!((reply.field("x-echo-name"), reply.field("x-echo-version")), ("shop", "v2"));
    process.says("shop v2 saw POST /cart?x=1 HTTP/1.1 with 3 bytes of body").await;
}

#[tokio::test]
async fn it_speaks_json_to_those_who_accept_it() {
    let cli = cli!();
    let (_process, address) = echo(&cli).await;
    let request =
        Request::get("/cart?x=1").field("accept", "application/json").field("a", "1").field("a", "2");
    let seen = Http1::connect(address).await.send(&request).await.json();
    assert_eq!(
        (&seen["name"], &seen["version"], &seen["path"]),
        (&"shop".into(), &"v2".into(), &"/cart".into())
    );
    assert_eq!((&seen["query"], &seen["headers"]["a"]), (&"x=1".into(), &"1, 2".into()));
}

#[tokio::test]
async fn it_speaks_http2_by_prior_knowledge() {
    let cli = cli!();
    let (_process, address) = echo(&cli).await;
    let reply = Http2::connect(address).await.get("/").await;
    assert!(reply.text().contains("GET / HTTP/2"), "{}", reply.text());
}

#[tokio::test]
async fn it_does_what_the_query_asks_for() {
    let cli = cli!();
    let (_process, address) = echo(&cli).await;
    let mut client = Http1::connect(address).await;
    assert_eq!(client.get("/?status=503").await.status, 503);
    assert_eq!(client.get("/?status=204").await.body, b"");
    assert_eq!(client.get("/?delay=10ms").await.status, 200);
    assert_eq!(client.get("/?size=1MiB").await.body.len(), 1 << 20);
    let refused = client.get("/?size=9GiB").await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("at most 1GiB"), "{}", refused.text());
}

#[tokio::test]
async fn it_ends_on_sigterm() {
    let cli = cli!();
    let (mut process, _) = echo(&cli).await;
    process.signal(Signal::TERM);
    assert_eq!(process.ended().await, 0);
}

#[tokio::test]
async fn a_taken_port_is_code_3() {
    let cli = cli!();
    let (_process, address) = echo(&cli).await;
    let output = cli.run(["echo", "--listen", &address.to_string()]).await;
    assert_eq!(output.code, 3);
    assert!(output.stderr.contains(&address.to_string()), "{}", output.stderr);
}
