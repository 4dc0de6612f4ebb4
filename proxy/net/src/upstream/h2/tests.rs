//! HTTP/2 endpoints over loopback.

use super::{Opened, Stream};
use crate::{
    Shard,
    body::{Sink, Source, SourceError},
    fields::HeadFields,
    testing::{Counts, push, read, run, until},
    upstream::{Identity, RequestLine, Seeker, UpstreamStream},
};
use bytes::Bytes;
use h2::{Reason, RecvStream, server, server::SendResponse};
use http::{HeaderMap, Request, Response};
use sluice_core::{
    exchange::{ConnectFailure, FailureKind},
    hygiene::Body,
    pool::Reuse,
};
use sluice_filter::Fields;
use sluice_model::spec::{ClusterProtocol, KeepAlive};
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};
use tokio::{net::TcpListener, task::spawn_local};

const ANY: Reuse = Reuse::Any;

/// A server whose connections are counted; `serve` gets every request.
async fn server<F: Future<Output = ()> + 'static>(
    builder: server::Builder,
    serve: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + 'static,
) -> (SocketAddr, Rc<Cell<usize>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Rc::new(Cell::new(0));
    let counted = Rc::clone(&connections);
    let serve = Rc::new(serve);
    spawn_local(async move {
        while let Ok((socket, _)) = listener.accept().await {
            counted.set(counted.get() + 1);
            let (builder, serve) = (builder.clone(), Rc::clone(&serve));
            spawn_local(async move {
                let Ok(mut connection) = builder.handshake::<_, Bytes>(socket).await else { return };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    if request.uri().path() == "/goaway" {
                        connection.graceful_shutdown();
                    }
                    spawn_local(serve(request, respond));
                }
            });
        }
    });
    (address, connections)
}

/// Answers 200 with the request's method and target, and its body.
async fn echo(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let line = format!("{} {}", request.method(), request.uri());
    let response = Response::builder().header("x-line", line).body(()).unwrap();
    let mut sender = respond.send_response(response, false).unwrap();
    let mut body = request.into_body();
    while let Some(Ok(piece)) = body.data().await {
        body.flow_control().release_capacity(piece.len()).unwrap();
        sender.send_data(piece, false).unwrap();
    }
    match body.trailers().await {
        Ok(Some(trailers)) => sender.send_trailers(trailers).unwrap(),
        _ => sender.send_data(Bytes::new(), true).unwrap(),
    }
}

fn identity(address: SocketAddr) -> Rc<Identity> {
    Rc::new(Identity { cluster: "c".into(), address, protocol: ClusterProtocol::Http2, tls: None })
}

/// Somebody who looks for a connection of a cluster without limits.
fn seeker(identity: &Identity) -> Seeker {
    let address = identity.address;
    let text = format!("clusters: [{{ name: c, protocol: http2, endpoints: [{{ address: '{address}' }}] }}]");
    let loaded =
        sluice_model::load(&sluice_model::Source::new("test.yaml", text), &sluice_model::NoFiles).unwrap();
    let snapshot = sluice_core::snapshot::compile(None, &loaded.config, &sluice_core::snapshot::NoChains);
    let cluster = snapshot.cluster_named("c").unwrap();
    Seeker::new(cluster, &cluster.endpoints.endpoints()[0])
}

async fn open_with(
    shard: &Rc<Shard>,
    identity: &Rc<Identity>,
    keep_alive: &KeepAlive,
    reuse: Reuse,
) -> Result<(Box<Stream>, bool), ConnectFailure> {
    shard.timers.look_at_clock();
    match shard.sessions.open(shard, identity, keep_alive, reuse, &seeker(identity)).await? {
        Opened::Http2 { stream, reused } => Ok((stream, reused)),
        Opened::Http1(..) => panic!("HTTP/1"),
    }
}

async fn open(shard: &Rc<Shard>, identity: &Rc<Identity>) -> (Box<Stream>, bool) {
    open_with(shard, identity, &KeepAlive::default(), ANY).await.unwrap()
}

const LINE: RequestLine<'_> =
    RequestLine { method: "GET", scheme: "http", authority: "a.test", target: "/x?y", protocol: None };

fn send(stream: &mut Stream, line: &RequestLine<'_>, body: Body) {
    let head = stream.begin_head(line, body);
    stream.send_head(head).unwrap();
}

async fn status(stream: &mut Stream) -> Result<u16, FailureKind> {
    poll_fn(|cx| stream.poll_head(cx)).await.map(|facts| facts.status)
}

/// A whole request without a body, and the whole answer.
async fn get(shard: &Rc<Shard>, identity: &Rc<Identity>) -> bool {
    let (mut stream, reused) = open(shard, identity).await;
    send(&mut stream, &LINE, Body::None);
    assert_eq!(status(&mut stream).await, Ok(200));
    assert_eq!(read(&mut *stream).await.unwrap(), b"");
    reused
}

#[test]
fn requests_share_a_connection_and_carry_bodies_and_trailers() {
    run(async |shard, counts: Rc<Counts>| {
        let (address, connections) = server(server::Builder::new(), echo).await;
        let identity = identity(address);
        assert!(!get(&shard, &identity).await);
        let (mut stream, reused) = open(&shard, &identity).await;
        assert!(reused && !stream.started());
        send(&mut stream, &RequestLine { method: "POST", ..LINE }, Body::Unknown);
        assert!(stream.started());
        assert_eq!(status(&mut stream).await, Ok(200));
        assert_eq!(stream.fields().first("x-line"), Some(&b"POST http://a.test/x?y"[..]));
        push(&mut *stream, vec![b'z'; 10_000]).await.unwrap();
        let trailers = HeaderMap::from_iter([
            ("grpc-status".parse().unwrap(), "0".parse().unwrap()),
            ("connection".parse().unwrap(), "close".parse().unwrap()),
        ]);
        stream.finish(HeadFields::Http2(&trailers)).unwrap();
        assert_eq!(read(&mut *stream).await.unwrap().len(), 10_000);
        assert_eq!(stream.trailers().first("grpc-status"), Some(&b"0"[..]));
        assert_eq!(stream.trailers().count(), 1, "what HTTP/2 forbids is left out");
        assert_eq!((connections.get(), counts.of("PoolMiss"), counts.of("PoolHit")), (1, 1, 1));
    });
}

#[test]
fn requests_that_come_together_wait_for_one_connection() {
    run(async |shard, _| {
        let (address, connections) = server(server::Builder::new(), echo).await;
        let identity = identity(address);
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (shard, identity) = (Rc::clone(&shard), Rc::clone(&identity));
                spawn_local(async move { get(&shard, &identity).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(connections.get(), 1);
    });
}

#[test]
fn more_streams_than_the_peer_allows_take_more_connections() {
    run(async |shard, _| {
        let mut builder = server::Builder::new();
        builder.max_concurrent_streams(2);
        let (address, connections) = server(builder, echo).await;
        let identity = identity(address);
        // The peer's settings are known once it has answered.
        get(&shard, &identity).await;
        let mut streams = Vec::new();
        for _ in 0..5 {
            let (mut stream, _) = open(&shard, &identity).await;
            send(&mut stream, &LINE, Body::Unknown);
            assert_eq!(status(&mut stream).await, Ok(200));
            streams.push(stream);
        }
        assert_eq!(connections.get(), 3);
        drop(streams);
    });
}

#[test]
fn a_failed_connection_fails_everybody_who_waited_for_it() {
    run(async |shard, counts: Rc<Counts>| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let identity = identity(listener.local_addr().unwrap());
        drop(listener);
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (shard, identity) = (Rc::clone(&shard), Rc::clone(&identity));
                spawn_local(
                    async move { open_with(&shard, &identity, &KeepAlive::default(), ANY).await.is_err() },
                )
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap());
        }
        assert_eq!(counts.of("ConnectFailed"), 1);
        assert!(open_with(&shard, &identity, &KeepAlive::default(), ANY).await.is_err());
        assert_eq!(counts.of("ConnectFailed"), 2, "the next request tries again");
    });
}

#[test]
fn whoever_waits_goes_on_when_the_connecting_request_is_given_up() {
    run(async |shard, _| {
        let (address, connections) = server(server::Builder::new(), echo).await;
        let identity = identity(address);
        let given_up = {
            let (shard, identity) = (Rc::clone(&shard), Rc::clone(&identity));
            spawn_local(async move { get(&shard, &identity).await })
        };
        tokio::task::yield_now().await;
        given_up.abort();
        get(&shard, &identity).await;
        assert!(connections.get() <= 2);
    });
}

#[test]
fn refused_streams_and_goaway_are_safe_to_send_again() {
    run(async |shard, _| {
        let refuse =
            async |request: Request<RecvStream>, mut respond: SendResponse<Bytes>| match request.uri().path()
            {
                "/refused" => respond.send_reset(Reason::REFUSED_STREAM),
                "/reset" => respond.send_reset(Reason::INTERNAL_ERROR),
                _ => echo(request, respond).await,
            };
        let (address, connections) = server(server::Builder::new(), refuse).await;
        let identity = identity(address);
        for (target, kind) in [("/refused", FailureKind::Unprocessed), ("/reset", FailureKind::Reset)] {
            let (mut stream, _) = open(&shard, &identity).await;
            send(&mut stream, &RequestLine { target, ..LINE }, Body::None);
            assert_eq!(status(&mut stream).await, Err(kind));
        }
        let (mut last, _) = open(&shard, &identity).await;
        send(&mut last, &RequestLine { target: "/goaway", ..LINE }, Body::None);
        assert_eq!(status(&mut last).await, Ok(200));
        assert_eq!(read(&mut *last).await.unwrap(), b"", "what had begun is finished");
        drop(last);
        let before = connections.get();
        let mut again = false;
        while !again {
            get(&shard, &identity).await;
            again = connections.get() > before;
        }
    });
}

#[test]
fn a_cut_in_the_middle_of_an_answer_is_told() {
    run(async |shard, _| {
        let cut = async |_: Request<RecvStream>, mut respond: SendResponse<Bytes>| {
            let mut sender = respond.send_response(Response::new(()), false).unwrap();
            sender.send_data(Bytes::from_static(b"part"), false).unwrap();
            sender.send_reset(Reason::INTERNAL_ERROR);
        };
        let (address, _) = server(server::Builder::new(), cut).await;
        let (mut stream, _) = open(&shard, &identity(address)).await;
        send(&mut stream, &LINE, Body::None);
        let outcome = match status(&mut stream).await {
            Ok(_) => read(&mut *stream).await,
            Err(_) => Err(SourceError::Reset),
        };
        assert_eq!(outcome, Err(SourceError::Reset));
    });
}

#[test]
fn who_speaks_something_else_breaks_the_protocol() {
    run(async |shard, _| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn_local(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut socket, answer).await.unwrap();
            // Open until the other side has read it.
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut Vec::new()).await;
        });
        let (mut stream, _) = open(&shard, &identity(address)).await;
        send(&mut stream, &LINE, Body::None);
        assert!(matches!(status(&mut stream).await, Err(FailureKind::Protocol(_))));
    });
}

#[test]
fn what_must_not_be_sent_twice_pings_a_connection_that_was_idle() {
    run(async |shard, counts: Rc<Counts>| {
        let (address, connections) = server(server::Builder::new(), echo).await;
        let identity = identity(address);
        get(&shard, &identity).await;
        let (stream, reused) =
            open_with(&shard, &identity, &KeepAlive::default(), Reuse::IdleLessThan(Duration::ZERO))
                .await
                .unwrap();
        assert!(reused);
        drop(stream);
        assert_eq!((connections.get(), counts.of("PoolMiss")), (1, 1));
    });
}

#[test]
fn a_connection_that_does_not_answer_pings_is_replaced() {
    run(async |shard, _| {
        // Speaks HTTP/2 once, then falls silent without closing.
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let silent = Rc::new(Cell::new(false));
        let fallen = Rc::clone(&silent);
        spawn_local(async move {
            let mut kept = Vec::new();
            while let Ok((socket, _)) = listener.accept().await {
                let mut connection = server::handshake(socket).await.unwrap();
                let Some(Ok((request, respond))) = connection.accept().await else { continue };
                let answered = spawn_local(echo(request, respond));
                while !answered.is_finished() {
                    let one = connection.accept();
                    let _ = tokio::time::timeout(Duration::from_millis(5), one).await;
                }
                let _ = tokio::time::timeout(Duration::from_millis(20), connection.accept()).await;
                kept.push(connection);
                fallen.set(true);
            }
        });
        let identity = identity(address);
        get(&shard, &identity).await;
        until(|| silent.get()).await;
        let keep_alive = KeepAlive::default();
        let opened = open_with(&shard, &identity, &keep_alive, Reuse::IdleLessThan(Duration::ZERO));
        let (_, reused) = opened.await.unwrap();
        assert!(!reused);
    });
}

#[test]
fn worn_idle_and_unwanted_connections_end() {
    run(async |shard, counts: Rc<Counts>| {
        let (address, connections) = server(server::Builder::new(), echo).await;
        let identity = identity(address);
        let worn = KeepAlive { max_requests: 2, ..KeepAlive::default() };
        for _ in 0..3 {
            let (mut stream, _) = open_with(&shard, &identity, &worn, ANY).await.unwrap();
            send(&mut stream, &LINE, Body::None);
            assert_eq!(status(&mut stream).await, Ok(200));
        }
        assert_eq!(connections.get(), 2);
        until(|| counts.of("UpstreamClosed") == 1).await;
        shard.sessions.sweep(shard.now());
        assert_eq!(shard.sessions.len(), 1);
        shard.sessions.sweep(shard.now() + Duration::from_secs(61));
        assert_eq!(shard.sessions.len(), 0);
        until(|| counts.of("UpstreamClosed") == 2).await;
        get(&shard, &identity).await;
        drop(identity);
        shard.sessions.sweep(shard.now());
        assert_eq!(shard.sessions.len(), 0, "nobody can ask for it any more");
        until(|| counts.of("UpstreamClosed") == 3).await;
        let identity = super::tests::identity(address);
        let none = KeepAlive { max_idle: 0, ..KeepAlive::default() };
        let (stream, _) = open_with(&shard, &identity, &none, ANY).await.unwrap();
        drop(stream);
        shard.sessions.sweep(shard.now());
        assert_eq!(shard.sessions.len(), 0);
    });
}

#[test]
fn extended_connect_needs_the_peers_consent() {
    run(async |shard, _| {
        let websocket = RequestLine { method: "GET", target: "/chat", protocol: Some("websocket"), ..LINE };
        let fresh = async |address| {
            open_with(&shard, &identity(address), &KeepAlive::default(), Reuse::Fresh).await.unwrap()
        };
        let (address, _) = server(server::Builder::new(), echo).await;
        let (mut stream, _) = fresh(address).await;
        let head = stream.begin_head(&websocket, Body::None);
        assert!(stream.send_head(head).is_err() && !stream.started());
        assert_eq!(status(&mut stream).await, Err(FailureKind::Protocol("extended_connect_not_enabled")));

        let mut builder = server::Builder::new();
        builder.enable_connect_protocol();
        let (address, _) = server(builder, echo).await;
        let (mut stream, _) = fresh(address).await;
        send(&mut stream, &websocket, Body::None);
        assert_eq!(status(&mut stream).await, Ok(200));
        stream.begin_tunnel();
        push(&mut *stream, "ping").await.unwrap();
        stream.finish(HeadFields::Empty).unwrap();
        assert_eq!(read(&mut *stream).await.unwrap(), b"ping");
        assert_eq!(stream.fields().first("x-line"), Some(&b"CONNECT http://a.test/chat"[..]));
    });
}

#[test]
fn targets_that_uris_cannot_have_are_encoded() {
    run(async |shard, _| {
        let (address, _) = server(server::Builder::new(), echo).await;
        let (mut stream, _) = open(&shard, &identity(address)).await;
        send(&mut stream, &RequestLine { target: "/a<b>`^?c", ..LINE }, Body::None);
        assert_eq!(status(&mut stream).await, Ok(200));
        let line = stream.fields().first("x-line").unwrap().to_owned();
        assert_eq!(String::from_utf8(line).unwrap(), "GET http://a.test/a%3Cb%3E%60%5E?c");
    });
}
