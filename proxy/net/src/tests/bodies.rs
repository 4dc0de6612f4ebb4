//! Bodies in both directions, with backpressure.

use super::world::{Options, run};
use crate::testing::until;

#[test]
fn counted_and_chunked_requests_arrive_as_they_were_framed() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello").await;
        let mut endpoint = world.endpoint().await;
        assert!(endpoint.head().await.contains("content-length: 5\r\n"));
        endpoint.expect("hello").await;
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(client.status().await, 200);
        client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n").await;
        assert!(endpoint.head().await.contains("transfer-encoding: chunked\r\n"));
        endpoint.expect("2\r\nhe\r\n").await;
        client.send("3\r\nllo\r\n0\r\nx-sum: 9\r\n\r\n").await;
        endpoint.expect("3\r\nllo\r\n0\r\nx-sum: 9\r\n\r\n").await;
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(client.status().await, 200);
        assert_eq!(world.reported(2).await.received, 5);
    });
}

#[test]
fn chunked_answers_keep_their_trailers_and_leave_in_one_piece() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint
            .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n")
            .await;
        assert!(client.head().await.contains("transfer-encoding: chunked\r\n"));
        client.expect("5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n").await;
        assert_eq!(world.reported(1).await.sent, 5);
    });
}

#[test]
fn an_answer_that_ends_with_its_connection_is_chunked_for_the_client() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\n\r\nall of it").await;
        drop(endpoint);
        assert!(client.head().await.contains("transfer-encoding: chunked\r\n"));
        client.expect("9\r\nall of it\r\n0\r\n\r\n").await;
        client.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.status().await, 200);
    });
}

#[test]
fn http10_clients_get_unknown_lengths_until_the_end_of_the_connection() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await;
        let text = client.rest().await;
        assert!(text.contains("connection: close\r\n") && text.ends_with("\r\n\r\nabc"), "{text}");
        assert!(!text.contains("transfer-encoding"), "{text}");
    });
}

#[test]
fn large_bodies_arrive_whole_in_both_directions() {
    run(&Options::default(), async |world| {
        let body: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
        for chunked in [false, true] {
            let framing = |length: usize| {
                if chunked {
                    format!("transfer-encoding: chunked\r\n\r\n{length:x}\r\n")
                } else {
                    format!("content-length: {length}\r\n\r\n")
                }
            };
            let end = if chunked { "\r\n0\r\n\r\n" } else { "" };
            let mut client = world.client().await;
            let mut endpoint = {
                let head =
                    format!("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{}", framing(body.len()));
                client.send(head).await;
                world.endpoint().await
            };
            endpoint.head().await;
            let (mut sending, received) = (client, body.clone());
            let upload = async {
                sending.send(&received).await;
                sending.send(end).await;
                sending
            };
            let read = async {
                let bytes =
                    if chunked { dechunk(&mut endpoint).await } else { endpoint.take(body.len()).await };
                (endpoint, bytes)
            };
            let (mut client, (mut endpoint, bytes)) = tokio::join!(upload, read);
            assert!(bytes == body, "the request's body differs");
            let answer = async {
                endpoint.send(format!("HTTP/1.1 200 OK\r\n{}", framing(body.len()))).await;
                endpoint.send(&body).await;
                endpoint.send(end).await;
            };
            let read = async {
                client.head().await;
                if chunked { dechunk(&mut client).await } else { client.take(body.len()).await }
            };
            let ((), bytes) = tokio::join!(answer, read);
            assert!(bytes == body, "the answer's body differs");
        }
    });
}

/// A chunked body without trailers.
async fn dechunk(peer: &mut super::Peer) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        while !line.ends_with("\r\n") {
            line.push(char::from(peer.take(1).await[0]));
        }
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
        body.extend(peer.take(length).await);
        peer.expect("\r\n").await;
        if length == 0 {
            return body;
        }
    }
}

#[test]
fn a_client_that_does_not_read_stops_the_endpoint() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        client.head().await;
        let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
        let mut sent = 0;
        // The sockets' own buffers take a few megabytes; then nothing moves any more.
        while let Ok(()) =
            tokio::time::timeout(std::time::Duration::from_millis(300), endpoint.send(&chunk)).await
        {
            sent += chunk.len();
            assert!(sent < 64 << 20, "nobody holds the endpoint back");
        }
    });
}

#[test]
fn an_early_answer_arrives_while_the_request_is_still_being_sent() {
    run(&Options::default(), async |world| {
        let mut client =
            world.sends("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.expect("1\r\na\r\n").await;
        endpoint.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nA\r\n").await;
        client.head().await;
        client.expect("1\r\nA\r\n").await;
        client.send("1\r\nb\r\n").await;
        endpoint.expect("1\r\nb\r\n").await;
        endpoint.send("1\r\nB\r\n0\r\n\r\n").await;
        client.expect("1\r\nB\r\n0\r\n\r\n").await;
        // The answer is over and the request is not: neither connection can be used again.
        endpoint.closed().await;
        client.closed().await;
    });
}

#[test]
fn the_rest_of_a_short_request_is_read_after_an_early_answer() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
        assert!(!client.head().await.contains("connection: close"));
        client.send("0123456789GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.status().await, 200);
        endpoint.closed().await;
    });
}

#[test]
fn a_long_request_that_was_answered_early_ends_its_connection() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
        assert!(client.head().await.contains("connection: close"));
        // What the client still sends does not take the answer back.
        client.send(vec![b'x'; 100_000]).await;
        client.expect("no").await;
        client.closed().await;
    });
}

#[test]
fn the_clients_body_waits_for_the_endpoints_100() {
    run(&Options::default(), async |world| {
        let mut client = world
            .sends("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            .await;
        let mut endpoint = world.endpoint().await;
        assert!(endpoint.head().await.contains("expect: 100-continue\r\n"));
        endpoint.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.send("ok").await;
        endpoint.expect("ok").await;
        endpoint.send("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await;
        assert!(!client.head().await.contains("connection: close"));
    });
}

#[test]
fn a_refusal_in_place_of_100_closes_because_nobody_knows_what_follows() {
    run(&Options::default(), async |world| {
        let mut client = world
            .sends("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            .await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n").await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 417") && head.contains("connection: close"), "{head}");
        client.closed().await;
    });
}

#[test]
fn interim_answers_are_passed_on() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await;
        client.expect("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await;
        endpoint.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(client.status().await, 102);
        assert_eq!(client.status().await, 200);
    });
}

#[test]
fn bodies_that_break_their_framing_are_refused_and_reported() {
    run(&Options::default(), async |world| {
        let mut client = world
            .sends("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\nZZ\r\n")
            .await;
        let text = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 400") && text.contains("connection: close\r\n"), "{text}");
        let line = world.reported(1).await;
        assert_eq!((line.status, &*line.flags, &*line.details), (400, "DPE", "http1.chunk_size"));
    });
}

#[test]
fn a_body_beyond_the_routes_limit_is_refused() {
    run(&Options { route: ", max_body: 4B", ..Options::default() }, async |world| {
        let mut client = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello").await;
        assert_eq!(client.status().await, 413);
        let mut client = world
            .sends("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            .await;
        assert_eq!(client.status().await, 413);
        client.closed().await;
    });
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    run(&Options::default(), async |world| {
        let client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        client.reset();
        endpoint.closed().await;
        assert_eq!(world.reported(1).await.flags, "DC");
        let mut client = world.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        client.finish().await;
        endpoint.closed().await;
        assert_eq!(world.reported(2).await.flags, "DC");
    });
}

#[test]
fn a_client_that_ended_its_side_still_gets_its_answer() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.finish().await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        assert!(client.rest().await.ends_with("\r\n\r\nhi"));
    });
}

#[test]
fn a_client_that_ended_its_side_and_then_leaves_is_noticed() {
    run(&Options::default(), async |world| {
        let mut client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        client.finish().await;
        // The shard has seen that end when it serves somebody who came later.
        assert_eq!(world.sends("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await.status().await, 200);
        client.reset();
        endpoint.closed().await;
        assert_eq!(world.reported(2).await.flags, "DC");
        until(|| world.shard.connections() == 0).await;
    });
}
