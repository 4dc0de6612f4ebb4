//! Whoever is slow meets a bound.

use super::world::{Options, run};
use std::time::{Duration, Instant};

#[test]
fn a_slow_head_gets_408() {
    run(&Options { listener: ", timeouts: { header: 100ms }", ..Options::default() }, async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost").await;
        let text = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("connection: close\r\n"), "{text}");
        let line = world.reported(1).await;
        assert_eq!((line.status, &*line.details), (408, "request_header_timeout"));
    });
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let timeouts = ", timeouts: { keep_alive: 200ms, handshake: 200ms }";
    run(&Options { listener: timeouts, ..Options::default() }, async |world| {
        let mut silent = world.client().await;
        assert_eq!(silent.rest().await, "");
        let mut client = world.sends("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.head().await;
        client.expect("hello").await;
        let since = Instant::now();
        assert_eq!(client.rest().await, "");
        assert!(since.elapsed() >= Duration::from_millis(180));
        assert_eq!(world.log.requests(), 1);
    });
}

#[test]
fn a_slow_body_gets_408() {
    run(&Options { listener: ", timeouts: { body_idle: 100ms }", ..Options::default() }, async |world| {
        let mut client = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        assert_eq!(client.status().await, 408);
        assert_eq!(world.reported(1).await.details, "request_body_timeout");
        endpoint.closed().await;
        client.closed().await;
    });
}

#[test]
fn a_client_that_waits_for_100_is_not_slow() {
    run(&Options { listener: ", timeouts: { body_idle: 50ms }", ..Options::default() }, async |world| {
        let mut client = world
            .sends("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            .await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        // Somebody who came later and is slow was not waited for any longer: the bound has passed for both.
        let mut slow = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").await;
        assert_eq!(slow.status().await, 408);
        endpoint.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        assert_eq!(client.status().await, 100);
        client.send("ok").await;
        endpoint.expect("ok").await;
    });
}

#[test]
fn a_slow_reader_is_cut() {
    run(&Options { listener: ", timeouts: { write_idle: 150ms }", ..Options::default() }, async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n").await;
        client.head().await;
        let chunk = vec![b'x'; 1 << 20];
        let sending = async {
            use tokio::io::AsyncWriteExt;
            while endpoint.stream.write_all(&chunk).await.is_ok() {}
        };
        sending.await;
        assert_eq!(world.reported(1).await.flags, "DC");
    });
}

#[test]
fn the_routes_request_timeout_is_504_or_a_cut() {
    run(&Options { route: ", timeouts: { request: 100ms }", ..Options::default() }, async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        assert_eq!(client.status().await, 504);
        endpoint.closed().await;
        let line = world.reported(1).await;
        assert_eq!((line.status, &*line.flags), (504, "UT"));
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
        assert_eq!(client.status().await, 200);
        client.expect("half").await;
        client.closed().await;
        assert_eq!(world.reported(2).await.flags, "UT");
    });
}

#[test]
fn the_routes_idle_timeout_is_504() {
    run(&Options { route: ", timeouts: { idle: 100ms }", ..Options::default() }, async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        assert_eq!(client.status().await, 504);
        assert_eq!(world.reported(1).await.flags, "SI");
    });
}

#[test]
fn an_endpoint_that_takes_nothing_of_a_request_meets_the_routes_send_timeout() {
    run(&Options { route: ", timeouts: { send: 100ms }", ..Options::default() }, async |world| {
        let mut client = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        let (mut read, mut write) = client.stream.split();
        let sending = async {
            use tokio::io::AsyncWriteExt;
            let chunk = vec![b'x'; 1 << 20];
            while write.write_all(&chunk).await.is_ok() {}
            // The connection may be over before its answer is read.
            std::future::pending::<()>().await;
        };
        let reading = async {
            use tokio::io::AsyncReadExt;
            let mut status = [0; 12];
            read.read_exact(&mut status).await.unwrap();
            assert_eq!(&status, b"HTTP/1.1 504");
        };
        tokio::select! {
            () = sending => {}
            () = reading => {}
        }
        let line = world.reported(1).await;
        assert_eq!((line.status, &*line.flags, &*line.details), (504, "SI", "request_send_timeout"));
    });
}
