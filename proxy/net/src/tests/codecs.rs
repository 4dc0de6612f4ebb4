//! HTTP/2 on either side, or on both.

use super::world::{Options, World, run};
use crate::testing::until;
use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use std::future::poll_fn;
use tokio::task::spawn_local;

const HTTP2: &str = ", protocol: http2";

fn trailers(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), value.parse().unwrap())])
}

/// Everything that comes on a stream.
async fn body(stream: &mut RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.unwrap();
        stream.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend_from_slice(&piece);
    }
    (bytes, stream.trailers().await.unwrap())
}

/// Sends as fast as the other side takes it.
async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes) {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let granted = poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
        stream.send_data(bytes.split_to(granted.min(bytes.len())), false).unwrap();
    }
}

/// An endpoint that sends every body back, and its trailers.
async fn echo(world: &World) {
    let mut connection = world.http2_endpoint().await;
    spawn_local(async move {
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            spawn_local(async move {
                let mut received = request.into_body();
                let mut stream = respond.send_response(Response::new(()), false).unwrap();
                while let Some(Ok(piece)) = received.data().await {
                    received.flow_control().release_capacity(piece.len()).unwrap();
                    send(&mut stream, piece).await;
                }
                match received.trailers().await.unwrap() {
                    Some(trailers) => stream.send_trailers(trailers).unwrap(),
                    None => stream.send_data(Bytes::new(), true).unwrap(),
                }
            });
        }
    });
}

fn post(path: &str) -> Request<()> {
    Request::post(format!("http://a.test{path}")).body(()).unwrap()
}

#[test]
fn an_http2_client_reaches_an_http1_endpoint() {
    run(&Options::default(), async |world| {
        let mut client = world.http2().await;
        let (response, mut stream) = client.send_request(post("/up"), false).unwrap();
        send(&mut stream, Bytes::from_static(b"hello")).await;
        let mut endpoint = world.endpoint().await;
        let head = endpoint.head().await;
        assert!(head.starts_with("POST /up HTTP/1.1\r\nhost: a.test\r\n"), "{head}");
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        endpoint.expect("5\r\nhello\r\n").await;
        stream.send_trailers(trailers("7")).unwrap();
        endpoint.expect("0\r\ngrpc-status: 7\r\n\r\n").await;
        endpoint
            .send("HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\ngrpc-status: 3\r\n\r\n")
            .await;
        let mut response = response.await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(body(response.body_mut()).await, (b"hi".to_vec(), Some(trailers("3"))));
        // The connection is kept.
        let (_, _) = client.send_request(post("/again"), true).unwrap();
        assert!(endpoint.head().await.starts_with("POST /again "));
    });
}

#[test]
fn an_http1_client_reaches_an_http2_endpoint() {
    run(&Options { cluster: HTTP2, ..Options::default() }, async |world| {
        let mut client = world
            .sends("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\ngrpc-status: 5\r\n\r\n")
            .await;
        echo(&world).await;
        assert!(client.head().await.contains("transfer-encoding: chunked\r\n"));
        client.expect("2\r\nhi\r\n0\r\ngrpc-status: 5\r\n\r\n").await;
    });
}

#[test]
fn large_bodies_pass_between_http2_and_http2() {
    run(&Options { cluster: HTTP2, ..Options::default() }, async |world| {
        let mut client = world.http2().await;
        let (response, mut stream) = client.send_request(post("/"), false).unwrap();
        spawn_local(async move {
            send(&mut stream, Bytes::from(vec![b'x'; 1_000_000])).await;
            stream.send_trailers(trailers("0")).unwrap();
        });
        echo(&world).await;
        let mut response = response.await.unwrap();
        let (bytes, end) = body(response.body_mut()).await;
        assert_eq!((bytes.len(), end), (1_000_000, Some(trailers("0"))));
        let line = world.reported(1).await;
        assert_eq!((line.received, line.sent), (1_000_000, 1_000_000));
    });
}

#[test]
fn streams_talk_in_both_directions_at_once() {
    run(&Options { cluster: HTTP2, ..Options::default() }, async |world| {
        let mut client = world.http2().await;
        let (response, mut stream) = client.send_request(post("/"), false).unwrap();
        echo(&world).await;
        let mut response = response.await.unwrap();
        for word in [b"one".as_slice(), b"two", b"three"] {
            send(&mut stream, Bytes::from_static(word)).await;
            assert_eq!(response.body_mut().data().await.unwrap().unwrap(), word);
        }
        stream.send_data(Bytes::new(), true).unwrap();
        assert_eq!(body(response.body_mut()).await, (Vec::new(), None));
    });
}

#[test]
fn streams_of_many_clients_share_one_connection() {
    run(&Options { cluster: HTTP2, ..Options::default() }, async |world| {
        let mut answers = Vec::new();
        for _ in 0..3 {
            let mut client = world.http2().await;
            answers.push(client.send_request(post("/"), true).unwrap().0);
        }
        echo(&world).await;
        for answer in answers {
            assert_eq!(answer.await.unwrap().status(), 200);
        }
        assert_eq!(world.log.count("PoolMiss"), 1);
    });
}

#[test]
fn a_stream_that_its_client_resets_is_reset_at_the_endpoint() {
    run(&Options::default(), async |world| {
        let mut client = world.http2().await;
        let (response, mut stream) = client.send_request(post("/"), false).unwrap();
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
        endpoint.closed().await;
        assert_eq!(world.reported(1).await.flags, "DC");
    });
}

#[test]
fn an_http1_client_that_leaves_resets_the_endpoints_stream() {
    run(&Options { cluster: HTTP2, ..Options::default() }, async |world| {
        let client = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut connection = world.http2_endpoint().await;
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        client.reset();
        let reset = spawn_local(async move { poll_fn(|cx| respond.poll_reset(cx)).await });
        tokio::select! {
            reset = reset => assert_eq!(reset.unwrap().unwrap(), h2::Reason::CANCEL),
            next = connection.accept() => panic!("{next:?}"),
        }
    });
}

#[test]
fn websockets_pass_between_the_versions() {
    run(&Options { cluster: HTTP2, ..Options::default() }, async |world| {
        let mut client = world
            .sends(
                "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
            )
            .await;
        let mut connection = world.http2_endpoint().await;
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        assert_eq!(request.method(), Method::CONNECT);
        assert_eq!(request.extensions().get::<h2::ext::Protocol>().unwrap().as_str(), "websocket");
        spawn_local(async move { while connection.accept().await.is_some() {} });
        let mut received = request.into_body();
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        client.send("up").await;
        assert_eq!(received.data().await.unwrap().unwrap(), "up");
        send(&mut stream, Bytes::from_static(b"down")).await;
        client.expect("down").await;
        stream.send_data(Bytes::new(), true).unwrap();
        client.finish().await;
        assert_eq!(client.rest().await, "");
        assert_eq!(world.reported(1).await.status, 101);
    });
}

#[test]
fn an_http2_client_opens_a_websocket_at_an_http1_endpoint() {
    run(&Options::default(), async |world| {
        let mut client = world.http2().await;
        until(|| client.is_extended_connect_protocol_enabled()).await;
        let mut request = Request::builder().method(Method::CONNECT).uri("http://a.test/chat").body(()).unwrap();
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (response, mut stream) = client.send_request(request, false).unwrap();
        let mut endpoint = world.endpoint().await;
        let head = endpoint.head().await;
        assert!(head.starts_with("GET /chat HTTP/1.1\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
        assert!(head.contains("sec-websocket-key: "), "{head}");
        endpoint
            .send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello")
            .await;
        let mut response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.body_mut().data().await.unwrap().unwrap(), "hello");
        send(&mut stream, Bytes::from_static(b"hi")).await;
        endpoint.expect("hi").await;
        stream.send_data(Bytes::new(), true).unwrap();
        assert_eq!(endpoint.rest().await, "");
        drop(endpoint);
        assert_eq!(body(response.body_mut()).await.0, b"");
    });
}

#[test]
fn a_drain_says_goaway_and_finishes_streams() {
    run(&Options::default(), async |world| {
        let mut client = world.http2().await;
        let (response, _) = client.send_request(post("/"), true).unwrap();
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        world.shard.drain();
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        let mut response = response.await.unwrap();
        assert_eq!(body(response.body_mut()).await.0, b"hi");
        until(|| world.shard.connections() == 0).await;
    });
}
