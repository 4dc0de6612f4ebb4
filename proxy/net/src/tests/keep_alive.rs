//! One connection, many requests.

use super::world::{Options, run};

const GET: &str = "GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nX-Case: Kept\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Answer: yes\r\n\r\nhi";

#[test]
fn requests_of_one_client_share_a_connection_to_the_endpoint() {
    run(&Options::default(), async |world| {
        let mut client = world.client().await;
        client.send(GET).await;
        let mut endpoint = world.endpoint().await;
        for round in 1..=3 {
            let head = endpoint.head().await;
            assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\nhost: a.test\r\n"), "{head}");
            assert!(head.contains("X-Case: Kept\r\n"), "{head}");
            assert!(!head.to_lowercase().contains("\r\nconnection:"), "{head}");
            endpoint.send(OK).await;
            let head = client.head().await;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("X-Answer: yes\r\n"), "{head}");
            client.expect("hi").await;
            assert_eq!(world.reported(round).await.details, "via_upstream");
            if round < 3 {
                client.send(GET).await;
            }
        }
        assert_eq!((world.log.count("PoolMiss"), world.log.count("PoolHit")), (1, 2));
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    run(&Options::default(), async |world| {
        let mut client = world.sends(&format!("{GET}GET /two HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        let mut endpoint = world.endpoint().await;
        assert!(endpoint.head().await.starts_with("GET /a?b=c "));
        endpoint.send(OK).await;
        assert!(endpoint.head().await.starts_with("GET /two "));
        endpoint.send("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(client.status().await, 200);
        client.expect("hi").await;
        assert_eq!(client.status().await, 404);
    });
}

#[test]
fn the_client_decides_that_the_connection_ends() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let text = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nhello"), "{text}");
        assert!(text.contains("connection: close\r\n"), "{text}");
    });
}

#[test]
fn http10_closes_unless_it_asks_to_stay() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET /hello HTTP/1.0\r\nhost: a\r\n\r\n").await;
        assert!(client.rest().await.contains("connection: close\r\n"));
        let mut client =
            world.sends("GET /hello HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n").await;
        assert!(client.head().await.contains("connection: keep-alive\r\n"));
        client.expect("hello").await;
        client.send("GET /hello HTTP/1.0\r\nhost: a\r\n\r\n").await;
        assert!(client.rest().await.ends_with("hello"));
    });
}

#[test]
fn the_listener_bounds_the_requests_of_a_connection() {
    let options = Options { listener: ", limits: { requests_per_connection: 2 }", ..Options::default() };
    run(&options, async |world| {
        let mut client = world.sends("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(!client.head().await.contains("connection: close"));
        client.expect("hello").await;
        client.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(client.rest().await.contains("connection: close"));
    });
}

#[test]
fn connections_beyond_the_listeners_limit_are_closed_at_once() {
    let options = Options { listener: ", limits: { connections: 1 }", ..Options::default() };
    run(&options, async |world| {
        let mut first = world.sends("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(first.status().await, 200);
        let mut second = world.client().await;
        second.closed().await;
        assert_eq!(world.log.count("ConnectionRefused"), 1);
    });
}

#[test]
fn head_answers_have_a_length_and_no_body() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("HEAD /x HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
        let head = client.head().await.to_lowercase();
        assert_eq!(head.matches("content-length: 1000\r\n").count(), 1, "{head}");
        client.send("HEAD /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(client.head().await.starts_with("HTTP/1.1 200"));
        client.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(client.head().await.contains("content-length: 5\r\n"));
        client.expect("hello").await;
    });
}

#[test]
fn statuses_without_a_body_have_no_framing() {
    run(&Options::default(), async |world| {
        let mut client = world.client().await;
        let mut endpoint = None;
        for status in ["204 No Content", "304 Not Modified"] {
            client.send(GET).await;
            if endpoint.is_none() {
                endpoint = Some(world.endpoint().await);
            }
            let endpoint = endpoint.as_mut().unwrap();
            endpoint.head().await;
            endpoint.send(format!("HTTP/1.1 {status}\r\n\r\n")).await;
            let head = client.head().await;
            assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
        }
    });
}
