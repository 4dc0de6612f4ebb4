//! HTTP/2 on either side, and its translation from and to HTTP/1.1.

use super::world::{Options, World, run};
use bytes::Bytes;
use h2::{Reason, RecvStream, client, server};
use http::{HeaderMap, Method, Request, Response};
use tokio::{io::AsyncWriteExt, task::spawn_local};

type Client = client::SendRequest<Bytes>;

const TO_HTTP2: Options<'_> = Options { listener: "", route: "", cluster: ", protocol: http2" };

async fn client(world: &World) -> Client {
    let (client, connection) = client::handshake(world.client().await.stream).await.unwrap();
    spawn_local(connection);
    client.ready().await.unwrap()
}

/// The next connection to the endpoint, and its first stream. The connection is served on.
async fn stream(world: &World) -> (Request<RecvStream>, server::SendResponse<Bytes>) {
    let mut builder = server::Builder::new();
    builder.enable_connect_protocol();
    let mut connection = builder.handshake(world.endpoint().await.stream).await.unwrap();
    let stream = connection.accept().await.unwrap().unwrap();
    spawn_local(async move { while let Some(Ok(_)) = connection.accept().await {} });
    stream
}

fn request(method: Method, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://a.test{path}")).body(()).unwrap()
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())])
}

async fn body(mut stream: RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.unwrap();
        stream.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend_from_slice(&piece);
    }
    (bytes, stream.trailers().await.unwrap())
}

#[test]
fn http2_clients_reach_http1_endpoints() {
    run(&Options::default(), async |world| {
        let mut client = client(&world).await;
        let mut post = request(Method::POST, "/up?q=1");
        post.headers_mut().insert("x-custom", "yes".parse().unwrap());
        post.headers_mut().append("cookie", "a=1".parse().unwrap());
        post.headers_mut().append("cookie", "b=2".parse().unwrap());
        let (response, mut sender) = client.send_request(post, false).unwrap();
        let mut endpoint = world.endpoint().await;
        let head = endpoint.head().await;
        assert!(head.starts_with("POST /up?q=1 HTTP/1.1\r\nhost: a.test\r\n"), "{head}");
        assert!(head.contains("x-custom: yes\r\n") && head.contains("cookie: a=1; b=2\r\n"), "{head}");
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        sender.send_data(Bytes::from_static(b"hello"), false).unwrap();
        endpoint.expect("5\r\nhello\r\n").await;
        sender.send_trailers(trailers()).unwrap();
        endpoint.expect("0\r\ngrpc-status: 0\r\n\r\n").await;
        endpoint.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await;
        endpoint
            .send("HTTP/1.1 201 Created\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-Kept: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n")
            .await;
        let response = response.await.unwrap();
        assert_eq!(response.status(), 201);
        assert!(response.headers().contains_key("x-kept") && !response.headers().contains_key("x-hop"));
        let (bytes, trailers) = body(response.into_body()).await;
        assert_eq!((&*bytes, &trailers.unwrap()["x-sum"]), (&b"hi"[..], &"7".parse().unwrap()));
        let line = world.reported(1).await;
        assert_eq!((line.status, line.received, line.sent, &*line.flags), (201, 5, 2, "-"));
    });
}

#[test]
fn http1_clients_reach_http2_endpoints() {
    run(&TO_HTTP2, async |world| {
        let mut near = world
            .sends("POST /up HTTP/1.1\r\nHost: a.test\r\nConnection: x-hop\r\nX-Hop: 1\r\nTE: trailers\r\ncontent-length: 5\r\n\r\nhello")
            .await;
        let (request, mut respond) = stream(&world).await;
        let (head, received) = request.into_parts();
        assert_eq!((head.method, head.uri.to_string()), (Method::POST, "http://a.test/up".to_owned()));
        assert_eq!(
            (&head.headers["content-length"], &head.headers["te"]),
            (&"5".parse().unwrap(), &"trailers".parse().unwrap())
        );
        assert!(!head.headers.contains_key("x-hop") && !head.headers.contains_key("host"));
        assert_eq!(body(received).await.0, b"hello");
        respond
            .send_informational(Response::builder().status(103).header("link", "</a>").body(()).unwrap())
            .unwrap();
        let mut sender = respond.send_response(Response::new(()), false).unwrap();
        sender.send_data(Bytes::from_static(b"hi"), false).unwrap();
        sender.send_trailers(trailers()).unwrap();
        near.expect("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await;
        let head = near.head().await;
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("transfer-encoding: chunked"),
            "{head}"
        );
        near.expect("2\r\nhi\r\n0\r\ngrpc-status: 0\r\n\r\n").await;
        // The client's connection lives on, and the endpoint's carries the next request.
        near.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(near.status().await, 200);
    });
}

#[test]
fn grpc_streams_in_both_directions_at_once() {
    run(&TO_HTTP2, async |world| {
        let mut client = client(&world).await;
        let mut call = request(Method::POST, "/pkg.Service/Chat");
        call.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        call.headers_mut().insert("te", "trailers".parse().unwrap());
        let (response, mut asking) = client.send_request(call, false).unwrap();
        let (request, mut respond) = stream(&world).await;
        assert_eq!(request.headers()["te"], "trailers");
        let mut asked = request.into_body();
        let mut answering = respond.send_response(Response::new(()), false).unwrap();
        let mut answers = response.await.unwrap().into_body();
        for round in 0..5_u8 {
            asking.send_data(Bytes::from(vec![round; 3]), false).unwrap();
            let piece = asked.data().await.unwrap().unwrap();
            asked.flow_control().release_capacity(piece.len()).unwrap();
            answering.send_data(piece, false).unwrap();
            assert_eq!(answers.data().await.unwrap().unwrap(), vec![round; 3]);
        }
        // The server ends the call first.
        answering.send_trailers(trailers()).unwrap();
        assert!(answers.data().await.is_none());
        assert_eq!(answers.trailers().await.unwrap(), Some(trailers()));
        let line = world.reported(1).await;
        assert_eq!((line.status, &*line.flags), (200, "-"));
    });
}

#[test]
fn answers_without_a_body_end_with_their_head_and_keep_their_length() {
    run(&Options::default(), async |world| {
        let mut client = client(&world).await;
        let mut endpoint = None;
        for (method, answer, length) in [
            (Method::HEAD, "200 OK\r\ncontent-length: 5", Some("5")),
            (Method::GET, "304 Not Modified\r\ncontent-length: 7", Some("7")),
            (Method::GET, "204 No Content", None),
            (Method::GET, "200 OK\r\ncontent-length: 0", Some("0")),
        ] {
            let (response, _) = client.send_request(request(method, "/"), true).unwrap();
            let endpoint = match &mut endpoint {
                Some(endpoint) => endpoint,
                none => none.insert(world.endpoint().await),
            };
            endpoint.head().await;
            endpoint.send(format!("HTTP/1.1 {answer}\r\n\r\n")).await;
            let response = response.await.unwrap();
            let declared = response.headers().get("content-length").map(|value| value.to_str().unwrap());
            assert_eq!(declared, length, "{answer}");
            assert_eq!(body(response.into_body()).await.0, b"");
        }
    });
    run(&TO_HTTP2, async |world| {
        let mut near = world.sends("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let (_, mut respond) = stream(&world).await;
        let head = Response::builder().header("content-length", "5").body(()).unwrap();
        respond.send_response(head, true).unwrap();
        let head = near.head().await;
        assert!(head.contains("content-length: 5\r\n") && !head.contains("chunked"), "{head}");
        near.send("GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(near.status().await, 200);
    });
}

#[test]
fn a_client_that_takes_no_bytes_is_cut() {
    run(&Options { listener: ", timeouts: { write_idle: 200ms }", ..Options::default() }, async |world| {
        let mut builder = client::Builder::new();
        builder.initial_window_size(1 << 30).initial_connection_window_size(1 << 30);
        let socket = world.client().await.stream;
        let (near, connection) = builder.handshake::<_, Bytes>(socket).await.unwrap();
        let mut connection = Box::pin(connection);
        let mut near: Client = tokio::select! {
            ready = near.ready() => ready.unwrap(),
            _ = &mut connection => panic!(),
        };
        let (response, _) = near.send_request(request(Method::GET, "/"), true).unwrap();
        let mut endpoint = tokio::select! {
            endpoint = world.endpoint() => endpoint,
            _ = &mut connection => panic!(),
        };
        tokio::select! {
            head = endpoint.head() => drop(head),
            _ = &mut connection => panic!(),
        }
        endpoint.send("HTTP/1.1 200 OK\r\n\r\n").await;
        tokio::select! {
            head = response => drop(head.unwrap()),
            _ = &mut connection => panic!(),
        }
        // From here on nobody reads the client's socket.
        let piece = vec![b'x'; 1 << 20];
        while endpoint.stream.write_all(&piece).await.is_ok() {}
        assert_eq!(world.reported(1).await.flags, "DC");
        crate::testing::until(|| world.shard.connections() == 0).await;
    });
}

#[test]
fn large_bodies_pass_between_http2_and_http2_whole() {
    run(&TO_HTTP2, async |world| {
        let mut client = client(&world).await;
        let (response, mut asking) = client.send_request(request(Method::POST, "/"), false).unwrap();
        let sent: Bytes = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect::<Vec<_>>().into();
        let mut rest = sent.clone();
        spawn_local(async move {
            while !rest.is_empty() {
                asking.reserve_capacity(rest.len());
                let granted = std::future::poll_fn(|cx| asking.poll_capacity(cx)).await.unwrap().unwrap();
                let piece = rest.split_to(granted.min(rest.len()));
                asking.send_data(piece, rest.is_empty()).unwrap();
            }
        });
        let (request, mut respond) = stream(&world).await;
        let mut asked = request.into_body();
        let mut answering = respond.send_response(Response::new(()), false).unwrap();
        spawn_local(async move {
            while let Some(piece) = asked.data().await {
                let mut piece = piece.unwrap();
                asked.flow_control().release_capacity(piece.len()).unwrap();
                while !piece.is_empty() {
                    answering.reserve_capacity(piece.len());
                    let granted =
                        std::future::poll_fn(|cx| answering.poll_capacity(cx)).await.unwrap().unwrap();
                    answering.send_data(piece.split_to(granted.min(piece.len())), false).unwrap();
                }
            }
            answering.send_data(Bytes::new(), true).unwrap();
        });
        assert!(body(response.await.unwrap().into_body()).await.0 == sent, "the bodies differ");
    });
}

#[test]
fn websockets_over_http2_reach_http1_endpoints() {
    run(&Options::default(), async |world| {
        let mut client = client(&world).await;
        crate::testing::until(|| client.is_extended_connect_protocol_enabled()).await;
        let mut connect = request(Method::CONNECT, "/chat");
        connect.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        connect.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
        let (response, mut sender) = client.send_request(connect, false).unwrap();
        let mut endpoint = world.endpoint().await;
        let head = endpoint.head().await;
        assert!(head.starts_with("GET /chat HTTP/1.1\r\n"), "{head}");
        for field in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-key: "] {
            assert!(head.contains(field), "{head}");
        }
        assert!(!head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
        endpoint
            .send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\nfirst")
            .await;
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("sec-websocket-accept"));
        let mut received = response.into_body();
        assert_eq!(received.data().await.unwrap().unwrap(), "first");
        sender.send_data(Bytes::from_static(b"ping"), false).unwrap();
        endpoint.expect("ping").await;
        sender.send_data(Bytes::new(), true).unwrap();
        assert_eq!(endpoint.rest().await, "");
        drop(endpoint);
        assert_eq!(body(received).await.0, b"");
        assert_eq!(world.reported(1).await.status, 200);
    });
}

#[test]
fn nothing_follows_an_upgrade_before_the_endpoint_agrees() {
    run(&Options::default(), async |world| {
        let mut client = client(&world).await;
        crate::testing::until(|| client.is_extended_connect_protocol_enabled()).await;
        for agrees in [false, true] {
            let mut connect = request(Method::CONNECT, "/chat");
            connect.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
            let (response, mut sender) = client.send_request(connect, false).unwrap();
            sender.send_data(Bytes::from_static(b"GET /smuggled HTTP/1.1\r\n\r\n"), false).unwrap();
            let mut endpoint = world.endpoint().await;
            endpoint.head().await;
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            if agrees {
                let switch =
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
                endpoint.send(switch).await;
                endpoint.expect("GET /smuggled HTTP/1.1\r\n\r\n").await;
                assert_eq!(response.await.unwrap().status(), 200);
            } else {
                endpoint.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
                assert_eq!(response.await.unwrap().status(), 403);
                assert_eq!(endpoint.rest().await, "", "what the client sent goes nowhere");
            }
        }
    });
}

#[test]
fn websockets_over_http1_reach_http2_endpoints() {
    run(&TO_HTTP2, async |world| {
        let mut near = world
            .sends("GET /chat HTTP/1.1\r\nhost: a.test\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            .await;
        let (request, mut respond) = stream(&world).await;
        assert_eq!((request.method(), request.uri().path()), (&Method::CONNECT, "/chat"));
        assert_eq!(request.extensions().get::<h2::ext::Protocol>().unwrap().as_str(), "websocket");
        assert!(!request.headers().contains_key("sec-websocket-key"));
        let mut sender = respond.send_response(Response::new(()), false).unwrap();
        let head = near.head().await;
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        for field in [
            "connection: upgrade\r\n",
            "upgrade: websocket\r\n",
            "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        ] {
            assert!(head.contains(field), "{head}");
        }
        near.send("ping").await;
        let mut asked = request.into_body();
        assert_eq!(asked.data().await.unwrap().unwrap(), "ping");
        sender.send_data(Bytes::from_static(b"pong"), true).unwrap();
        near.expect("pong").await;
        near.finish().await;
        assert_eq!(body(asked).await.0, b"");
    });
}

#[test]
fn websockets_pass_between_http2_and_http2() {
    run(&TO_HTTP2, async |world| {
        let mut client = client(&world).await;
        crate::testing::until(|| client.is_extended_connect_protocol_enabled()).await;
        let mut connect = request(Method::CONNECT, "/chat");
        connect.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (response, mut sender) = client.send_request(connect, false).unwrap();
        let (request, mut respond) = stream(&world).await;
        assert_eq!(request.extensions().get::<h2::ext::Protocol>().unwrap().as_str(), "websocket");
        let mut answering = respond.send_response(Response::new(()), false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        sender.send_data(Bytes::from_static(b"ping"), false).unwrap();
        assert_eq!(request.into_body().data().await.unwrap().unwrap(), "ping");
        answering.send_data(Bytes::from_static(b"pong"), false).unwrap();
        assert_eq!(response.into_body().data().await.unwrap().unwrap(), "pong");
    });
}

#[test]
fn a_stream_that_the_client_resets_ends_its_request_upstream() {
    run(&Options::default(), async |world| {
        let mut client = client(&world).await;
        let (_response, mut sender) = client.send_request(request(Method::POST, "/"), false).unwrap();
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        sender.send_reset(Reason::CANCEL);
        endpoint.closed().await;
        assert_eq!(world.reported(1).await.flags, "DC");
        // Others on the connection do not notice.
        let response = client.send_request(request(Method::GET, "/hello"), true).unwrap().0.await.unwrap();
        assert_eq!(response.status(), 200);
    });
}

#[test]
fn a_cut_answer_resets_the_stream() {
    run(&Options::default(), async |world| {
        let mut client = client(&world).await;
        let (response, _) = client.send_request(request(Method::GET, "/"), true).unwrap();
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
        let mut answer = response.await.unwrap().into_body();
        assert_eq!(answer.data().await.unwrap().unwrap(), "half");
        drop(endpoint);
        assert_eq!(answer.data().await.unwrap().unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
        assert_eq!(world.reported(1).await.flags, "UC");
    });
}

#[test]
fn a_refused_stream_is_sent_again_whatever_the_method() {
    run(&TO_HTTP2, async |world| {
        let mut near = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut connection = server::handshake(world.endpoint().await.stream).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        respond.send_response(Response::new(()), true).unwrap();
        near.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi").await;
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        assert_eq!(near.status().await, 200);
        respond.send_reset(Reason::REFUSED_STREAM);
        let (again, mut respond) = connection.accept().await.unwrap().unwrap();
        spawn_local(async move { while let Some(Ok(_)) = connection.accept().await {} });
        assert_eq!(body(again.into_body()).await.0, b"hi");
        respond.send_response(Response::new(()), true).unwrap();
        assert_eq!(near.status().await, 200);
        assert_eq!(world.reported(2).await.attempts, 2);
    });
}

#[test]
fn refused_heads_are_answered_and_reported() {
    run(&Options { listener: ", limits: { head: 2KiB }", ..Options::default() }, async |world| {
        let mut client = client(&world).await;
        let mut mismatch = request(Method::GET, "/");
        mismatch.headers_mut().insert("host", "b.test".parse().unwrap());
        let mut long = request(Method::GET, "/");
        long.headers_mut().insert("x", "y".repeat(3_000).parse().unwrap());
        for (number, (request, status)) in [(mismatch, 400), (long, 431)].into_iter().enumerate() {
            let response = client.send_request(request, true).unwrap().0.await.unwrap();
            assert_eq!(response.status(), status);
            let line = world.reported(number + 1).await;
            assert_eq!((line.status, &*line.flags), (status, "DPE"));
        }
        let response = client.send_request(request(Method::GET, "/hello"), true).unwrap().0.await.unwrap();
        assert_eq!(response.status(), 200, "only the streams ended");
        assert_eq!(body(response.into_body()).await.0, b"hello");
    });
}

#[test]
fn a_body_longer_than_declared_is_a_stream_error() {
    run(&Options::default(), async |world| {
        let mut client = client(&world).await;
        let mut post = request(Method::POST, "/");
        post.headers_mut().insert("content-length", "2".parse().unwrap());
        let (response, mut sender) = client.send_request(post, false).unwrap();
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        sender.send_data(Bytes::from_static(b"long"), true).unwrap();
        assert_eq!(response.await.unwrap_err().reason(), Some(Reason::PROTOCOL_ERROR));
        endpoint.closed().await;
        let line = world.reported(1).await;
        assert_eq!(
            (line.status, &*line.flags),
            (0, "DPE"),
            "the stream is gone already, so nobody is answered"
        );
    });
}

#[test]
fn listeners_of_one_protocol_refuse_the_other() {
    let only = |protocol| Options { listener: protocol, ..Options::default() };
    run(&only(", protocols: [http1]"), async |world| {
        let mut client = world.sends("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        assert_eq!(client.status().await, 505);
        client.closed().await;
        assert_eq!(world.reported(1).await.flags, "DPE");
    });
    run(&only(", protocols: [http2]"), async |world| {
        let mut near = world.sends("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(near.status().await, 505);
        near.closed().await;
        assert_eq!(world.reported(1).await.flags, "DPE");
        let mut client = client(&world).await;
        let response = client.send_request(request(Method::GET, "/hello"), true).unwrap().0.await.unwrap();
        assert_eq!(response.status(), 200);
    });
}

#[test]
fn a_client_hello_at_a_plaintext_port_is_refused_in_plaintext() {
    run(&Options::default(), async |world| {
        for bytes in [&[22][..], &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]] {
            let mut client = world.client().await;
            client.send(bytes).await;
            assert_eq!(client.status().await, 400);
            client.closed().await;
        }
        assert_eq!(world.reported(2).await.flags, "DPE");
    });
}

#[test]
fn a_drain_ends_connections_with_goaway_after_their_streams() {
    run(&Options::default(), async |world| {
        let (client, connection) = client::handshake::<_>(world.client().await.stream).await.unwrap();
        let ended = spawn_local(connection);
        let mut client: Client = client.ready().await.unwrap();
        let (response, _) = client.send_request(request(Method::GET, "/"), true).unwrap();
        let mut endpoint = world.endpoint().await;
        endpoint.head().await;
        world.shard.drain();
        endpoint.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(response.await.unwrap().status(), 200);
        ended.await.unwrap().unwrap();
    });
}
