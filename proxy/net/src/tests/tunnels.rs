//! Connections that change their protocol.

use super::world::{Options, run};
use std::time::{Duration, Instant};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-key: x\r\nsec-websocket-version: 13\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

#[test]
fn an_upgrade_becomes_a_tunnel_and_both_sides_end_it_separately() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(UPGRADE).await;
        let mut endpoint = world.endpoint().await;
        let head = endpoint.head().await;
        assert!(
            head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"),
            "{head}"
        );
        endpoint.send(format!("{SWITCH}first words")).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(
            head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"),
            "{head}"
        );
        client.expect("first words").await;
        client.send("up").await;
        endpoint.expect("up").await;
        client.finish().await;
        assert_eq!(endpoint.rest().await, "");
        endpoint.send("still talking").await;
        client.expect("still talking").await;
        drop(endpoint);
        client.closed().await;
        let line = world.reported(1).await;
        assert_eq!((line.status, line.received, line.sent), (101, 2, 24));
    });
}

#[test]
fn an_upgrade_that_is_declined_is_an_ordinary_answer() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(UPGRADE).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno").await;
        assert_eq!(client.status().await, 200);
        client.expect("no").await;
        client.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.status().await, 200);
    });
}

#[test]
fn a_silent_tunnel_is_cut() {
    run(&Options { route: ", timeouts: { idle: 100ms }", ..Options::default() }, async |world| {
        let mut client = world.sends(UPGRADE).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(SWITCH).await;
        assert_eq!(client.status().await, 101);
        client.send("x").await;
        endpoint.expect("x").await;
        let since = Instant::now();
        client.closed().await;
        assert!(since.elapsed() >= Duration::from_millis(90));
        endpoint.closed().await;
        assert_eq!(world.reported(1).await.flags, "SI");
    });
}

#[test]
fn large_amounts_pass_a_tunnel() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(UPGRADE).await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send(SWITCH).await;
        client.head().await;
        let bytes = vec![b'x'; 2_000_000];
        let (down, up) = (bytes.clone(), bytes.clone());
        let client_side = async {
            client.send(&up).await;
            client.take(down.len()).await
        };
        let endpoint_side = async {
            let taken = endpoint.take(up.len()).await;
            endpoint.send(&down).await;
            taken
        };
        let (received, taken) = tokio::join!(client_side, endpoint_side);
        assert!(received == bytes && taken == bytes);
    });
}

#[test]
fn connect_becomes_a_tunnel_once_the_endpoint_agrees() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\nearly").await;
        let mut endpoint = world.endpoint().await;
        assert!(endpoint.head().await.starts_with("CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n"));
        endpoint.send("HTTP/1.1 200 Connection Established\r\n\r\n").await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 200 ") && !head.contains("content-length"), "{head}");
        endpoint.expect("early").await;
        endpoint.send("late").await;
        client.expect("late").await;
        client.finish().await;
        assert_eq!(endpoint.rest().await, "");
        endpoint.finish().await;
        assert_eq!(client.rest().await, "");
        assert_eq!(world.reported(1).await.status, 200);
    });
}

#[test]
fn a_declined_connect_is_an_ordinary_answer_that_ends_the_connection() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
        assert_eq!(client.status().await, 403);
        client.expect("no").await;
    });
}
