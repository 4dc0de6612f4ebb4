//! WebSockets, other upgrades and CONNECT: tunnels through one proxy and through two, in both versions of HTTP.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use h2::{RecvStream, SendStream, client::ResponseFuture};
use sluice_dsl::{Answer, Http1, Http2, Origin, Request, Script, Sluice, Wire, sluice, within};
use std::{future::poll_fn, net::SocketAddr};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        self, Message,
        handshake::server::{ErrorResponse, Request as Handshake, Response},
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

type WebSocket = WebSocketStream<Box<dyn Socket>>;

/// A server that says everything back, over HTTP/1.1 or HTTP/2; at `/refuse` it answers 403.
struct Echo {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Echo {
    async fn http1() -> Self {
        Self::start(async |socket| {
            #[allow(clippy::result_large_err, reason = "the signature is the library's")]
            let check = |request: &Handshake, mut response: Response| {
                if request.uri().path() == "/refuse" {
                    let mut refusal = ErrorResponse::new(Some("not here".to_owned()));
                    *refusal.status_mut() = http::StatusCode::FORBIDDEN;
                    return Err(refusal);
                }
                if let Some(protocol) = request.headers().get("sec-websocket-protocol") {
                    response.headers_mut().insert("sec-websocket-protocol", protocol.clone());
                }
                Ok(response)
            };
            if let Ok(mut socket) = accept_hdr_async(socket, check).await {
                echo(&mut socket).await;
            }
        })
        .await
    }

    async fn http2() -> Self {
        Self::start(async |socket| {
            let mut builder = h2::server::Builder::new();
            let Ok(mut connection) = builder.enable_connect_protocol().handshake::<_, Bytes>(socket).await
            else {
                return;
            };
            let mut streams = JoinSet::new();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let refused = request.uri().path() == "/refuse";
                let protocol = request.extensions().get::<h2::ext::Protocol>().map(h2::ext::Protocol::as_str);
                assert_eq!(protocol, Some("websocket"));
                let mut response = http::Response::builder().status(if refused { 403 } else { 200 });
                if let Some(protocol) = request.headers().get("sec-websocket-protocol") {
                    response = response.header("sec-websocket-protocol", protocol);
                }
                let response = response.body(()).expect("a response");
                let Ok(mut out) = respond.send_response(response, false) else { continue };
                if refused {
                    let _ = out.send_data(Bytes::from_static(b"not here"), true);
                    continue;
                }
                streams.spawn(async move {
                    let stream = over_http2(request.into_body(), out);
                    echo(&mut WebSocketStream::from_raw_socket(stream, Role::Server, None).await).await;
                });
            }
        })
        .await
    }

    async fn start<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                connections.spawn(serve(socket));
            }
        });
        Self { address, task }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) {
    // Pings and the close handshake are answered by the library while it reads.
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// The bytes of a stream as a socket.
fn over_http2(mut from: RecvStream, mut to: SendStream<Bytes>) -> DuplexStream {
    let (near, far) = duplex(64 * 1024);
    let (mut read, mut write) = split(far);
    tokio::spawn(async move {
        while let Some(Ok(data)) = from.data().await {
            let _ = from.flow_control().release_capacity(data.len());
            if write.write_all(&data).await.is_err() {
                return;
            }
        }
        let _ = write.shutdown().await;
    });
    tokio::spawn(async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = read.read(&mut buffer).await {
            let mut piece = Bytes::copy_from_slice(&buffer[..count]);
            while !piece.is_empty() {
                to.reserve_capacity(piece.len());
                let Some(Ok(room)) = poll_fn(|cx| to.poll_capacity(cx)).await else { return };
                if to.send_data(piece.split_to(room.min(piece.len())), false).is_err() {
                    return;
                }
            }
        }
        let _ = to.send_data(Bytes::new(), true);
    });
    near
}

/// A client over HTTP/1.1.
async fn over_http1(address: SocketAddr, path: &str) -> Result<WebSocket, tungstenite::Error> {
    let socket: Box<dyn Socket> = Box::new(TcpStream::connect(address).await.expect("the proxy listens"));
    within("the handshake", client_async(format!("ws://sluice.test{path}"), socket))
        .await
        .map(|(socket, _)| socket)
}

/// A client over HTTP/2, with the answer's head. The connection lives as long as `client`.
async fn extended(client: &Http2, path: &str) -> (ResponseFuture, SendStream<Bytes>) {
    let request = Request::extended("websocket", path).field("sec-websocket-version", "13");
    client.open(&request, false).await.expect("a stream")
}

async fn next(socket: &mut WebSocket) -> Message {
    within("a message", socket.next()).await.expect("an open socket").expect("a message")
}

/// Everything that a WebSocket carries.
async fn converse(mut socket: WebSocket, way: &str) {
    let large: Vec<u8> = (0..3_000_000u32).map(|byte| byte as u8).collect();
    for message in [
        Message::text("hello"),
        Message::binary(vec![0, 1, 2, 255]),
        Message::text(""),
        Message::binary(large),
        Message::text("after it"),
    ] {
        let (mut sink, mut stream) = socket.split();
        // Both at once, for neither side need hold a large message.
        let send = async { sink.send(message.clone()).await.expect("an open socket") };
        let receive =
            async { within("the echo", stream.next()).await.expect("an open socket").expect("a message") };
        let ((), back) = tokio::join!(send, receive);
        assert!(back == message, "{way}: {} bytes came back", back.len());
        socket = sink.reunite(stream).expect("two halves of one");
    }
    socket.send(Message::Ping(Bytes::from_static(b"are you there"))).await.expect("an open socket");
    assert_eq!(next(&mut socket).await, Message::Pong(Bytes::from_static(b"are you there")), "{way}");
    let frame = CloseFrame { code: CloseCode::Away, reason: "done".into() };
    socket.close(Some(frame.clone())).await.expect("an open socket");
    assert_eq!(next(&mut socket).await, Message::Close(Some(frame)), "{way}");
    let end = within("the end of the connection", socket.next()).await;
    assert!(end.is_none(), "{way}: {end:?}");
}

async fn in_front_of(upstream: SocketAddr, http2: bool) -> Sluice {
    let protocol = if http2 { "protocol: http2" } else { "" };
    sluice!().cluster_with("echo", &upstream, protocol).forwarding_to("echo").start().await
}

#[tokio::test]
async fn websockets_pass_between_both_versions_and_through_two_proxies() {
    let (one, two) = (Echo::http1().await, Echo::http2().await);
    let (to_one, to_two) = (in_front_of(one.address, false).await, in_front_of(two.address, true).await);
    let hop = in_front_of(to_one.address(), false).await;
    let changing_hop = in_front_of(to_two.address(), false).await;
    let http2_hop = in_front_of(to_one.address(), true).await;
    for (way, proxy) in [
        ("http1", &to_one),
        ("http2", &to_two),
        ("http1, http1", &hop),
        ("http1, http2", &changing_hop),
        ("http2, http1", &http2_hop),
    ] {
        let socket = over_http1(proxy.address(), "/chat").await.expect("a WebSocket");
        converse(socket, &format!("http1 to {way}")).await;
        assert_eq!(proxy.logged_path("/chat").await["status"], 101, "{way}");

        let client = Http2::connect(proxy.address()).await;
        let (reply, to) = extended(&client, "/extended").await;
        let reply = within("the answer", reply).await.expect("an answer");
        assert_eq!(reply.status(), 200, "http2 to {way}");
        assert!(!reply.headers().contains_key("sec-websocket-accept"), "{:?}", reply.headers());
        let stream: Box<dyn Socket> = Box::new(over_http2(reply.into_body(), to));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        converse(socket, &format!("http2 to {way}")).await;
        assert_eq!(proxy.logged_path("/extended").await["status"], 200, "{way}");
    }
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_answer() {
    let (one, two) = (Echo::http1().await, Echo::http2().await);
    for (upstream, http2) in [(one.address, false), (two.address, true)] {
        let proxy = in_front_of(upstream, http2).await;
        match over_http1(proxy.address(), "/refuse").await {
            Err(tungstenite::Error::Http(answer)) => {
                assert_eq!(answer.status(), 403);
                // The library does not undo the framing.
                let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default());
                assert!(body.contains("not here"), "{body}");
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("a WebSocket where none was allowed"),
        }
        let client = Http2::connect(proxy.address()).await;
        let (reply, _to) = extended(&client, "/refuse").await;
        let reply = Http2::take(reply).await.expect("an answer");
        assert_eq!((reply.status, reply.text()), (403, "not here"));
    }
}

#[tokio::test]
async fn subprotocols_are_negotiated_end_to_end() {
    let (one, two) = (Echo::http1().await, Echo::http2().await);
    for (upstream, http2) in [(one.address, false), (two.address, true)] {
        let proxy = in_front_of(upstream, http2).await;
        let mut client = Http1::connect(proxy.address()).await;
        let request = Request::get("/")
            .field("connection", "keep-alive, Upgrade")
            .field("upgrade", "WebSocket")
            .field("sec-websocket-version", "13")
            .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .field("sec-websocket-protocol", "chat.v2");
        let reply = client.send(&request).await;
        assert_eq!((reply.status, reply.field("sec-websocket-protocol")), (101, "chat.v2"));
        assert_eq!(reply.field("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(reply.field("connection").eq_ignore_ascii_case("upgrade"), "{reply:?}");
        assert!(reply.field("upgrade").eq_ignore_ascii_case("websocket"), "{reply:?}");
    }
}

// === Other upgrades, and CONNECT ===

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: lines/2\r\n\r\n";

async fn upgraded(proxy: &Sluice) -> Wire {
    let mut client = Wire::connect(proxy.address()).await;
    client
        .send("GET /lines HTTP/1.1\r\nhost: sluice.test\r\nconnection: upgrade\r\nupgrade: lines/2\r\n\r\n")
        .await;
    let head = client.read_head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client
}

#[tokio::test]
async fn other_protocols_are_tunnelled_and_each_side_ends_by_itself() {
    let mut upstream = Script::start(|mut wire, _| async move {
        let head = wire.read_head().await;
        assert!(head.contains("upgrade: lines/2\r\n") && head.contains("connection: upgrade\r\n"), "{head}");
        wire.send([SWITCHED, "first\n"].concat()).await;
        wire.expect("second\n").await;
        // The client has ended its side; ours goes on.
        wire.expect_close().await;
        wire.send("third\n").await;
    })
    .await;
    let proxy = sluice!().in_front_of(&upstream).await;
    let mut client = upgraded(&proxy).await;
    client.expect("first\n").await;
    client.send("second\n").await;
    client.finish().await;
    client.expect("third\n").await;
    client.expect_close().await;
    upstream.finished().await;
    let entry = proxy.logged_path("/lines").await;
    assert_eq!(
        (&entry["status"], &entry["bytes_received"], &entry["bytes_sent"]),
        (&101.into(), &7.into(), &12.into())
    );
}

#[tokio::test]
async fn a_tunnel_ends_when_either_side_breaks_off() {
    let mut upstream = Script::start(|mut wire, number| async move {
        wire.read_head().await;
        wire.send([SWITCHED, "first\n"].concat()).await;
        if number == 2 {
            return wire.expect_close().await;
        }
        wire.expect("go\n").await;
        if number == 0 { wire.reset() } else { wire.close().await }
    })
    .await;
    let proxy = sluice!().argument("--shards=1").in_front_of(&upstream).await;
    for ending in 0..3 {
        let mut client = upgraded(&proxy).await;
        client.expect("first\n").await;
        if ending == 2 {
            client.reset();
        } else {
            client.send("go\n").await;
            client.expect_close().await;
        }
        upstream.finished().await;
    }
    proxy.stat_becomes("sluice_connections_open", &[], |active| active == 0.0).await;
}

#[tokio::test]
async fn an_upgrade_to_h2c_is_taken_out_and_the_request_served() {
    let origin = Origin::saying("over HTTP/1.1").await;
    let proxy = sluice!().in_front_of(&origin).await;
    let mut client = Http1::connect(proxy.address()).await;
    let request = Request::get("/")
        .field("connection", "Upgrade, HTTP2-Settings")
        .field("upgrade", "h2c")
        .field("http2-settings", "AAMAAABkAAQAAP__");
    for _ in 0..2 {
        let reply = client.send(&request).await;
        assert_eq!((reply.status, reply.text()), (200, "over HTTP/1.1"));
    }
    for name in ["upgrade", "http2-settings"] {
        assert!(!origin.requests()[0].fields.has(name), "{:?}", origin.requests()[0]);
    }
}

#[tokio::test]
async fn doubtful_upgrades_are_refused_and_unlisted_ones_taken_out() {
    let origin = Origin::http1(|seen| Answer::ok(format!("{}", seen.fields.has("upgrade")))).await;
    let proxy = sluice!().in_front_of(&origin).await;
    for (fields, status) in [
        ("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 1\r\n\r\nx", 400),
        ("connection: upgrade\r\nupgrade: websocket\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("connection: upgrade\r\nupgrade: websocket, lines/2\r\n\r\n", 400),
        ("connection: upgrade\r\nupgrade: websocket\r\nupgrade: lines/2\r\n\r\n", 400),
        ("upgrade: websocket\r\n\r\n", 200),
    ] {
        let mut client = Wire::connect(proxy.address()).await;
        client.send(format!("GET / HTTP/1.1\r\nhost: sluice.test\r\n{fields}")).await;
        let reply = client.reply().await;
        assert_eq!(reply.status, status, "{fields:?}");
        if status == 200 {
            assert_eq!(reply.text(), "false");
        }
    }
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test]
async fn connect_is_a_tunnel_once_the_upstream_agrees() {
    let mut upstream = Script::start(|mut wire, _| async move {
        let head = wire.read_head().await;
        assert!(head.starts_with("CONNECT db.test:5432 HTTP/1.1\r\nhost: db.test:5432\r\n"), "{head}");
        if head.contains("x-refuse") {
            wire.send("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 2\r\n\r\nno").await;
        } else {
            wire.send("HTTP/1.1 200 Connected\r\n\r\nwelcome").await;
            wire.expect("query").await;
            wire.send("rows").await;
        }
    })
    .await;
    let proxy = sluice!().in_front_of(&upstream).await;
    let connect = Request::new("CONNECT", "db.test:5432").host("db.test:5432");

    let mut client = Http1::connect(proxy.address()).await;
    assert_eq!(client.send(&connect).await.status, 200);
    let mut wire = client.into_wire();
    wire.expect("welcome").await;
    wire.send("query").await;
    wire.expect("rows").await;
    wire.expect_close().await;
    drop(wire);
    upstream.finished().await;

    let client = Http2::connect(proxy.address()).await;
    let (reply, mut to) = client.open(&connect, false).await.expect("a stream");
    let mut from = within("the answer", reply).await.expect("an answer").into_body();
    to.send_data(Bytes::from_static(b"query"), false).expect("the stream is open");
    let mut received = Vec::new();
    while let Some(data) = within("the upstream's bytes", from.data()).await {
        received.extend_from_slice(&data.expect("data"));
    }
    assert_eq!(received, b"welcomerows");
    upstream.finished().await;

    let refused = proxy.send(&connect.clone().field("x-refuse", "1")).await;
    assert_eq!((refused.status, refused.text()), (407, "no"));
    upstream.finished().await;
    let with_body = proxy.send(&connect.field("content-length", "1").body("x")).await;
    assert_eq!(with_body.status, 400);
}

#[tokio::test]
async fn tunnels_survive_a_reload() {
    let (old, two) = (Echo::http1().await, Echo::http2().await);
    let new = Origin::saying("new").await;
    let mut proxy = sluice!()
        .cluster("old", &old.address)
        .cluster_with("two", &two.address, "protocol: http2")
        .cluster("new", &new)
        .routes(
            "
- { name: two, match: [{ path: { prefix: /two } }], action: { forward: { destinations: [{ cluster: two }] } } }
- { name: old, action: { forward: { destinations: [{ cluster: old }] } } }",
        )
        .start()
        .await;
    let mut sockets = Vec::new();
    for path in ["/old", "/two"] {
        sockets.push(over_http1(proxy.address(), path).await.expect("a WebSocket"));
    }
    proxy.change(|recipe| recipe.forwarding_to("new")).await;
    assert_eq!(proxy.get("/old").await.text(), "new");
    for socket in sockets {
        converse(socket, "after a reload").await;
    }
}
