//! Copies whose primary is through before the client's body is: they get the rest of it nevertheless.

use super::{
    Peer,
    mirrors::{OK, mirrored, mirrored_with, next},
    world::{Log, Options, World},
};
use crate::testing::until;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tokio::{net::TcpListener, task::spawn_local};

const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello";

/// A client that has sent this much of a request, the primary and the copy.
async fn begun(world: &World, mirror: &TcpListener, request: &str) -> (Peer, Peer, Peer) {
    let client = world.sends(request).await;
    let mut endpoint = world.endpoint().await;
    endpoint.head().await;
    let mut copy = next(mirror).await;
    copy.head().await;
    (client, endpoint, copy)
}

async fn is_sent(log: &Log) {
    until(|| log.count("Mirror") > 0).await;
    assert_eq!((log.count("MirrorSent"), log.count("MirrorReset")), (1, 0));
}

async fn is_reset(log: &Log) {
    until(|| log.count("Mirror") > 0).await;
    assert_eq!((log.count("MirrorSent"), log.count("MirrorReset")), (0, 1));
}

#[test]
fn what_follows_an_early_answer_reaches_the_copy_and_the_connection_lives_on() {
    mirrored("", "", async |world, mirror| {
        let (mut client, mut endpoint, mut copy) = begun(&world, &mirror, POST).await;
        endpoint.send(OK).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 200") && !head.contains("connection: close"), "{head}");
        assert_eq!(world.reported(1).await.status, 200, "nobody waits for the body");
        endpoint.closed().await;
        client.send("world").await;
        copy.expect("helloworld").await;
        copy.send(OK).await;
        is_sent(&world.log).await;
        client.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.status().await, 200);
    });
}

#[test]
fn a_copy_gets_the_whole_body_although_the_primary_fails() {
    mirrored("", "", async |world, mirror| {
        let (mut client, mut endpoint, mut copy) = begun(&world, &mirror, POST).await;
        endpoint.expect("hello").await;
        drop(endpoint);
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 503") && !head.contains("connection: close"), "{head}");
        client.send("world").await;
        copy.expect("helloworld").await;
        copy.send(OK).await;
        is_sent(&world.log).await;
    });
}

#[test]
fn a_copy_goes_on_when_the_primary_runs_out_of_time() {
    let options = Options { route: ", timeouts: { request: 50ms }", ..Options::default() };
    mirrored_with(&options, "", "", async |world, mirror| {
        let (mut client, _endpoint, mut copy) = begun(&world, &mirror, POST).await;
        assert_eq!(client.status().await, 504);
        client.send("world").await;
        copy.expect("helloworld").await;
        copy.send(OK).await;
        is_sent(&world.log).await;
    });
}

#[test]
fn a_copy_goes_on_after_a_retry_that_failed_and_gets_nothing_twice() {
    mirrored("", "", async |world, mirror| {
        let put = POST.replace("POST", "PUT");
        let (mut client, mut endpoint, mut copy) = begun(&world, &mirror, &format!("{put}world")).await;
        endpoint.expect("helloworld").await;
        endpoint.send(OK).await;
        copy.expect("helloworld").await;
        copy.send(OK).await;
        assert_eq!(client.status().await, 200);
        is_sent(&world.log).await;
        // The next request rides the same connection, which breaks; so does the one that is made in its place.
        client.send(&put).await;
        copy.head().await;
        endpoint.head().await;
        endpoint.expect("hello").await;
        drop(endpoint);
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.expect("hello").await;
        drop(endpoint);
        assert_eq!(client.status().await, 503);
        client.send("world").await;
        copy.expect("helloworld").await;
        copy.send(OK).await;
        until(|| world.log.count("MirrorSent") == 2).await;
    });
}

#[test]
fn a_long_body_goes_on_to_the_copy_alone() {
    const LENGTH: usize = 16 << 20;
    mirrored("", "", async |world, mirror| {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n");
        let (mut client, mut endpoint, mut copy) = begun(&world, &mirror, &head).await;
        let sending = spawn_local(async move {
            let piece = vec![b'x'; 1 << 16];
            for _ in 0..LENGTH / piece.len() {
                client.send(&piece).await;
            }
            client
        });
        endpoint.skip(1 << 20).await;
        endpoint.send("HTTP/1.1 413 Enough\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
        drop(endpoint);
        copy.skip(LENGTH).await;
        copy.send(OK).await;
        assert_eq!(sending.await.unwrap().status().await, 413);
        is_sent(&world.log).await;
    });
}

#[test]
fn a_client_that_leaves_after_an_early_answer_resets_the_copy() {
    mirrored("", "", async |world, mirror| {
        let (mut client, mut endpoint, mut copy) = begun(&world, &mirror, POST).await;
        endpoint.send(OK).await;
        assert_eq!(client.status().await, 200);
        drop(client);
        copy.closed().await;
        is_reset(&world.log).await;
    });
}

#[test]
fn a_client_that_falls_silent_after_an_early_answer_resets_the_copy() {
    let options = Options { listener: ", timeouts: { body_idle: 100ms }", ..Options::default() };
    mirrored_with(&options, "", "", async |world, mirror| {
        let (mut client, mut endpoint, mut copy) = begun(&world, &mirror, POST).await;
        endpoint.send(OK).await;
        assert_eq!(client.status().await, 200);
        copy.closed().await;
        client.closed().await;
        is_reset(&world.log).await;
    });
}

#[test]
fn a_body_that_grows_too_long_after_an_early_answer_resets_the_copy() {
    let options = Options { route: ", max_body: 8B", ..Options::default() };
    mirrored_with(&options, "", "", async |world, mirror| {
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
        let (mut client, mut endpoint, mut copy) = begun(&world, &mirror, head).await;
        endpoint.send(OK).await;
        assert_eq!(client.status().await, 200);
        client.send("5\r\nworld\r\n").await;
        copy.closed().await;
        is_reset(&world.log).await;
    });
}

#[test]
fn a_body_that_is_refused_resets_the_copy() {
    let options = Options { route: ", max_body: 8B", ..Options::default() };
    mirrored_with(&options, "", "", async |world, mirror| {
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
        let (mut client, _endpoint, mut copy) = begun(&world, &mirror, head).await;
        client.send("5\r\nworld\r\n").await;
        assert_eq!(client.status().await, 413);
        copy.closed().await;
        is_reset(&world.log).await;
    });
}

#[test]
fn without_a_living_copy_an_early_answer_ends_the_connection() {
    mirrored("", "", async |world, mirror| {
        let long = POST.replace("10", "100000");
        let (mut client, mut endpoint, copy) = begun(&world, &mirror, &long).await;
        drop(copy);
        is_reset(&world.log).await;
        endpoint.send(OK).await;
        let head = client.head().await;
        assert!(head.contains("connection: close\r\n"), "{head}");
    });
}

#[test]
fn an_http2_client_is_read_on_for_the_copy_and_not_reset() {
    mirrored("", "", async |world, mirror| {
        let (client, connection) = h2::client::handshake(world.client().await.stream).await.unwrap();
        spawn_local(connection);
        let mut client = client.ready().await.unwrap();
        let request = Request::post("http://a.test/").body(()).unwrap();
        let (response, mut sender) = client.send_request(request, false).unwrap();
        sender.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        let mut copy = next(&mirror).await;
        copy.head().await;
        endpoint.send(OK).await;
        let mut response: Response<_> = response.await.unwrap();
        assert_eq!(response.body_mut().data().await.unwrap().unwrap(), "", "the answer is over");
        assert!(response.body().is_end_stream());
        endpoint.closed().await;
        sender.send_data(Bytes::from_static(b"world"), false).unwrap();
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())]);
        sender.send_trailers(trailers).unwrap();
        copy.expect("5\r\nhello\r\n5\r\nworld\r\n0\r\nx-sum: 7\r\n\r\n").await;
        copy.send(OK).await;
        is_sent(&world.log).await;
    });
}

#[test]
fn an_http2_client_that_was_not_told_to_go_on_is_not_waited_for() {
    mirrored("", "", async |world, mirror| {
        let (client, connection) = h2::client::handshake(world.client().await.stream).await.unwrap();
        spawn_local(connection);
        let mut client = client.ready().await.unwrap();
        let request = Request::post("http://a.test/").header("expect", "100-continue").body(()).unwrap();
        let (response, _sender) = client.send_request(request, false).unwrap();
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        let mut copy = next(&mirror).await;
        copy.head().await;
        endpoint.send(OK).await;
        assert_eq!(response.await.unwrap().status(), 200);
        copy.closed().await;
        is_reset(&world.log).await;
    });
}

#[test]
fn trailers_reach_a_copy_over_http1_and_http2() {
    const CHUNKED: &str =
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n";
    mirrored("", "", async |world, mirror| {
        let (_client, mut endpoint, mut copy) = begun(&world, &mirror, CHUNKED).await;
        endpoint.expect("2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n").await;
        copy.expect("2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n").await;
        copy.send(OK).await;
        is_sent(&world.log).await;
    });
    mirrored("", ", protocol: http2", async |world, mirror| {
        let _client = world.sends(CHUNKED).await;
        let mut connection = h2::server::handshake(next(&mirror).await.stream).await.unwrap();
        let (request, _respond) = connection.accept().await.unwrap().unwrap();
        spawn_local(async move { while let Some(Ok(_)) = connection.accept().await {} });
        let mut body = request.into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "hi");
        assert_eq!(body.trailers().await.unwrap().unwrap()["x-sum"], "7");
    });
}

#[test]
fn a_collected_body_reaches_primary_and_copy_also_where_the_primary_fails() {
    let options = Options { route: ", filters: [{ fault: {} }]", ..Options::default() };
    mirrored_with(&options, "", "", async |world, mirror| {
        let (mut client, mut endpoint, mut copy) = begun(&world, &mirror, &format!("{POST}world")).await;
        endpoint.expect("helloworld").await;
        copy.expect("helloworld").await;
        copy.send(OK).await;
        endpoint.send(OK).await;
        assert_eq!(client.status().await, 200);
        is_sent(&world.log).await;
    });
    mirrored_with(&options, "", "", async |world, mirror| {
        const LENGTH: usize = 6 << 20;
        let mut client = world.client().await;
        let sending = spawn_local(async move {
            client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n")).await;
            client.send(vec![b'x'; LENGTH]).await;
            client
        });
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        let mut copy = next(&mirror).await;
        copy.head().await;
        endpoint.skip(1 << 20).await;
        drop(endpoint);
        copy.skip(LENGTH).await;
        copy.send(OK).await;
        assert_eq!(sending.await.unwrap().status().await, 503);
        is_sent(&world.log).await;
    });
}
