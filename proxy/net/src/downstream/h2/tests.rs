//! HTTP/2 clients over loopback.

use super::{Accepted, FAREWELL, LINGER, Stream, serve};
use crate::{
    Shard,
    body::{Front, Sink, Source, SourceError},
    downstream::Downstream,
    fields::HeadFields,
    io::Stream as Socket,
    shard::on_time,
    testing::{Memory, listener, pair, push, read, run, until},
};
use bytes::Bytes;
use h2::{Reason, client};
use http::{HeaderMap, Method, Request};
use sluice_core::{
    head::FieldSink,
    hygiene::{Body, Refusal, Target},
};
use sluice_filter::Fields;
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::{JoinHandle, spawn_local},
};

type Client = client::SendRequest<Bytes>;
type ClientEnd = JoinHandle<Result<(), h2::Error>>;

/// A client of a connection that is served; `drive` serves its streams.
async fn connect<F: Future<Output = ()> + 'static>(
    shard: &Rc<Shard>,
    settings: &str,
    drive: impl Fn(Stream, Option<Refusal>) -> F + 'static,
) -> (Client, ClientEnd, JoinHandle<Result<(), &'static str>>) {
    let (near, far) = pair().await;
    let (shard, listener) = (Rc::clone(shard), listener(settings));
    let served = spawn_local(async move {
        let socket = Socket::Plain(far);
        let accepted = Accepted { socket, unread: Bytes::new(), tls: false, deadline: None };
        let drive = |stream, refusal| on_time(Rc::clone(&shard), drive(stream, refusal));
        serve(&shard, accepted, &listener, || shard.phase(), drive, |_| {}).await
    });
    let (client, connection) = client::handshake(near).await.unwrap();
    (client.ready().await.unwrap(), spawn_local(connection), served)
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a.test{path}")).body(()).unwrap()
}

fn post() -> Request<()> {
    Request::post("http://a.test/").body(()).unwrap()
}

/// Answers with the request's body, and its trailers.
async fn echo(mut stream: Stream, _: Option<Refusal>) {
    let head = stream.begin_head(200, Body::Unknown);
    stream.send_head(head).unwrap();
    let body = read(&mut stream).await.unwrap();
    push(&mut stream, body).await.unwrap();
    let mut trailers = HeaderMap::new();
    stream.trailers().each(&mut |name, value| {
        crate::h2::append(&mut trailers, sluice_http1::Known::of(name), name, value);
    });
    stream.finish(HeadFields::Http2(&trailers)).unwrap();
}

/// Says no.
async fn refuse(mut stream: Stream, refusal: Option<Refusal>) {
    let status = refusal.map_or(200, |refusal| refusal.status);
    let mut head = stream.begin_head(status, Body::Length(0));
    head.field(b"x-details", refusal.map_or("", |refusal| refusal.details).as_bytes());
    stream.send_head(head).unwrap();
    stream.finish(HeadFields::Empty).unwrap();
}

async fn body(mut stream: h2::RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.unwrap();
        stream.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend_from_slice(&piece);
    }
    (bytes, stream.trailers().await.unwrap())
}

#[test]
fn bodies_and_trailers_pass_in_both_directions() {
    run(async |shard, _| {
        let (mut client, _, _) = connect(&shard, "", echo).await;
        let (response, mut sender) = client.send_request(post(), false).unwrap();
        let sent = vec![b'x'; 300_000];
        let mut rest = Bytes::from(sent.clone());
        while !rest.is_empty() {
            sender.reserve_capacity(rest.len());
            let granted = poll_fn(|cx| sender.poll_capacity(cx)).await.unwrap().unwrap();
            sender.send_data(rest.split_to(granted.min(rest.len())), false).unwrap();
        }
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
        sender.send_trailers(trailers.clone()).unwrap();
        let (received, received_trailers) = body(response.await.unwrap().into_body()).await;
        assert_eq!(received.len(), sent.len());
        assert_eq!(received_trailers, Some(trailers));
    });
}

#[test]
fn a_known_end_travels_with_the_last_data() {
    run(async |shard, _| {
        let drive = async |mut stream: Stream, _| {
            let head = stream.begin_head(200, Body::Length(2));
            stream.send_head(head).unwrap();
            let body = Memory { rest: Bytes::from_static(b"hi"), foresees: true };
            assert_eq!(poll_fn(|cx| stream.poll_push(cx, &body)).await, Ok(2));
            stream.finish(HeadFields::Empty).unwrap();
        };
        let (mut client, _, _) = connect(&shard, "", drive).await;
        let response = client.send_request(get("/"), true).unwrap().0.await.unwrap();
        assert_eq!(response.headers()["content-length"], "2");
        let mut stream = response.into_body();
        assert_eq!(stream.data().await.unwrap().unwrap(), "hi");
        assert!(stream.is_end_stream());
    });
}

#[test]
fn interim_answers_come_before_the_final_one() {
    run(async |shard, _| {
        let drive = async |mut stream: Stream, _| {
            let mut hints = stream.begin_head(103, Body::None);
            hints.field(b"Link", b"</a.css>; rel=preload");
            stream.send_head(hints).unwrap();
            let mut head = stream.begin_head(204, Body::None);
            head.field(b"Connection", b"close");
            stream.send_head(head).unwrap();
        };
        let (mut client, _, _) = connect(&shard, "", drive).await;
        let (mut response, _) = client.send_request(get("/"), true).unwrap();
        let hints = poll_fn(|cx| response.poll_informational(cx)).await.unwrap().unwrap();
        assert_eq!(hints.status(), 103);
        assert_eq!(hints.headers()["link"], "</a.css>; rel=preload");
        let response = response.await.unwrap();
        assert_eq!(response.status(), 204);
        assert!(response.headers().is_empty() && response.body().is_end_stream());
    });
}

#[test]
fn credit_returns_only_for_what_was_consumed() {
    run(async |shard, _| {
        let arrived = Rc::new(Cell::new(0));
        let go = Rc::new(Cell::new(false));
        let (counted, gate) = (Rc::clone(&arrived), Rc::clone(&go));
        let drive = move |mut stream: Stream, _| {
            let (counted, gate) = (Rc::clone(&counted), Rc::clone(&gate));
            async move {
                until(|| gate.get()).await;
                counted.set(read(&mut stream).await.unwrap().len());
            }
        };
        let (mut client, _, _) = connect(&shard, "", drive).await;
        let (_response, mut sender) = client.send_request(post(), false).unwrap();
        let mut sent = 0;
        sender.reserve_capacity(1 << 20);
        // Nobody reads: one window, and no more.
        let grant = async |sender: &mut h2::SendStream<Bytes>| {
            let capacity = poll_fn(|cx| sender.poll_capacity(cx));
            tokio::time::timeout(Duration::from_millis(50), capacity).await.ok()?.unwrap().ok()
        };
        while let Some(granted) = grant(&mut sender).await {
            sent += granted;
            sender.send_data(Bytes::from(vec![0; granted]), false).unwrap();
        }
        assert_eq!(sent, crate::h2::STREAM_WINDOW as usize);
        go.set(true);
        poll_fn(|cx| sender.poll_capacity(cx)).await.unwrap().unwrap();
        sender.send_data(Bytes::new(), true).unwrap();
        until(|| arrived.get() == sent).await;
    });
}

#[test]
fn a_slow_reader_holds_a_bounded_amount() {
    run(async |shard, _| {
        let pushed = Rc::new(Cell::new(0));
        let counted = Rc::clone(&pushed);
        let drive = move |mut stream: Stream, _| {
            let counted = Rc::clone(&counted);
            async move {
                let head = stream.begin_head(200, Body::Unknown);
                stream.send_head(head).unwrap();
                let body = Memory::new(vec![0; 1 << 20]);
                while let Ok(count) = poll_fn(|cx| stream.poll_push(cx, &body)).await {
                    counted.set(counted.get() + count);
                }
            }
        };
        let (mut client, _, _) = connect(&shard, "", drive).await;
        let response = client.send_request(get("/"), true).unwrap().0.await.unwrap();
        until(|| pushed.get() >= 65_535).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(pushed.get() <= 128 * 1024, "{}", pushed.get());
        drop(response);
    });
}

#[test]
fn a_body_that_is_not_as_long_as_declared_is_malformed() {
    run(async |shard, _| {
        let outcome = Rc::new(RefCell::new(None));
        let seen = Rc::clone(&outcome);
        let drive = move |mut stream: Stream, _| {
            let seen = Rc::clone(&seen);
            async move {
                assert_eq!(stream.length(), Body::Length(5));
                *seen.borrow_mut() = Some(read(&mut stream).await);
            }
        };
        let (mut client, _, _) = connect(&shard, "", drive).await;
        for sent in ["abc", "abcdefg"] {
            let mut request = post();
            request.headers_mut().insert("content-length", "5".parse().unwrap());
            let (_response, mut sender) = client.send_request(request, false).unwrap();
            sender.send_data(Bytes::from_static(sent.as_bytes()), true).unwrap();
            until(|| outcome.borrow().is_some()).await;
            let outcome = outcome.borrow_mut().take().unwrap();
            assert!(matches!(outcome, Err(SourceError::Malformed { status: 0, .. })), "{outcome:?}");
        }
    });
}

#[test]
fn the_beginning_of_a_body_is_held_for_a_retry() {
    run(async |shard, _| {
        let drive = async |mut stream: Stream, _| {
            let once = read(&mut stream).await.unwrap();
            assert!(stream.held() && stream.rewind());
            let mut again = read(&mut stream).await.unwrap();
            assert_eq!(once, again);
            assert!(stream.rewind(), "any number of times");
            again = read(&mut stream).await.unwrap();
            let head = stream.begin_head(200, Body::Unknown);
            stream.send_head(head).unwrap();
            push(&mut stream, again).await.unwrap();
            stream.finish(HeadFields::Empty).unwrap();
        };
        let (mut client, _, _) = connect(&shard, "", drive).await;
        let (response, mut sender) = client.send_request(post(), false).unwrap();
        sender.send_data(Bytes::from_static(b"some"), false).unwrap();
        sender.send_data(Bytes::from_static(b"thing"), true).unwrap();
        assert_eq!(body(response.await.unwrap().into_body()).await.0, b"something");
    });
}

#[test]
fn a_long_body_is_not_held() {
    run(async |shard, _| {
        let drive = async |mut stream: Stream, _| {
            assert_eq!(read(&mut stream).await.unwrap().len(), 20_000);
            assert!(!stream.held() && !stream.rewind());
            refuse(stream, None).await;
        };
        let (mut client, _, _) = connect(&shard, "", drive).await;
        let (response, mut sender) = client.send_request(post(), false).unwrap();
        sender.send_data(Bytes::from(vec![0; 20_000]), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
    });
}

#[test]
fn heads_beyond_the_listeners_bounds_are_answered() {
    run(async |shard, _| {
        let settings = "limits: { head: 2KiB, target: 1KiB, header_count: 5 }";
        let (mut client, _, _) = connect(&shard, settings, refuse).await;
        let mut long = get("/");
        long.headers_mut().insert("x", "y".repeat(2_100).parse().unwrap());
        let mut many = get("/");
        for n in 0..6 {
            many.headers_mut().append("x", n.into());
        }
        let target = get(&format!("/{}", "a".repeat(1_100)));
        for (request, status) in [(get("/"), 200), (long, 431), (many, 431), (target, 414)] {
            let response = client.send_request(request, true).unwrap().0.await.unwrap();
            assert_eq!(response.status(), status, "{:?}", response.headers());
        }
    });
}

#[test]
fn an_extended_connect_shows_its_protocol_and_carries_bytes_both_ways() {
    run(async |shard, _| {
        let drive = async |mut stream: Stream, _| {
            let Target::Pseudo { scheme, authority, path, protocol } = stream.facts().target else {
                panic!()
            };
            assert_eq!(scheme.zip(authority).zip(path), Some((("http", "a.test"), "/chat")));
            assert_eq!(protocol, Some("websocket"));
            let head = stream.begin_tunnel(101);
            stream.send_head(head).unwrap();
            assert_eq!(poll_fn(|cx| stream.poll_front(cx)).await, Ok(Front::Data));
            let ping = stream.share(4);
            stream.consume(4);
            push(&mut stream, ping).await.unwrap();
            assert_eq!(read(&mut stream).await.unwrap(), b"");
            stream.finish(HeadFields::Empty).unwrap();
        };
        let (mut client, _, _) = connect(&shard, "", drive).await;
        until(|| client.is_extended_connect_protocol_enabled()).await;
        let mut request = get("/chat");
        *request.method_mut() = Method::CONNECT;
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (response, mut sender) = client.send_request(request, false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        sender.send_data(Bytes::from_static(b"ping"), false).unwrap();
        let mut answers = response.into_body();
        assert_eq!(answers.data().await.unwrap().unwrap(), "ping");
        sender.send_data(Bytes::new(), true).unwrap();
        assert_eq!(body(answers).await.0, b"");
    });
}

#[test]
fn a_request_that_is_taken_back_is_noticed() {
    run(async |shard, _| {
        let gone = Rc::new(Cell::new(0));
        let counted = Rc::clone(&gone);
        let drive = move |mut stream: Stream, _| {
            let counted = Rc::clone(&counted);
            async move {
                if stream.facts().method == "POST" {
                    let head = stream.begin_head(200, Body::Unknown);
                    // Fails where the reset was faster.
                    let _ = stream.send_head(head);
                }
                poll_fn(|cx| stream.poll_gone(cx)).await;
                counted.set(counted.get() + 1);
            }
        };
        let (mut client, _, _) = connect(&shard, "", drive).await;
        for (n, request) in [get("/"), post()].into_iter().enumerate() {
            let (_response, mut sender) = client.send_request(request, false).unwrap();
            sender.send_reset(Reason::CANCEL);
            until(|| gone.get() == n + 1).await;
        }
    });
}

#[test]
fn a_flood_of_resets_ends_the_connection() {
    run(async |shard, _| {
        let drive = async |mut stream: Stream, _| {
            poll_fn(|cx| stream.poll_gone(cx)).await;
        };
        let (client, end, _) = connect(&shard, "", drive).await;
        let mut client = Some(client);
        let mut sent = 0;
        while let Some(ready) = client.take() {
            let Ok(mut ready) = ready.ready().await else { break };
            let Ok((_response, mut sender)) = ready.send_request(get("/"), false) else { break };
            // Let it be accepted first: what is reset before that is another budget.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            sender.send_reset(Reason::CANCEL);
            sent += 1;
            client = (sent < 5_000).then_some(ready);
        }
        assert_eq!(end.await.unwrap().unwrap_err().reason(), Some(Reason::ENHANCE_YOUR_CALM));
        assert!(sent < 1_000, "{sent}");
    });
}

#[test]
fn an_idle_connection_is_ended_with_goaway() {
    run(async |shard, _| {
        let (mut client, end, served) = connect(&shard, "timeouts: { keep_alive: 100ms }", refuse).await;
        let since = Instant::now();
        let response = client.send_request(get("/"), true).unwrap().0.await.unwrap();
        assert_eq!(response.status(), 200);
        served.await.unwrap().unwrap();
        assert!(since.elapsed() >= Duration::from_millis(90));
        end.await.unwrap().unwrap();
    });
}

#[test]
fn a_drain_finishes_what_has_begun() {
    run(async |shard, _| {
        let go = Rc::new(Cell::new(false));
        let gate = Rc::clone(&go);
        let drive = move |stream: Stream, _| {
            let gate = Rc::clone(&gate);
            async move {
                until(|| gate.get()).await;
                refuse(stream, None).await;
            }
        };
        let (mut client, end, served) = connect(&shard, "", drive).await;
        let (response, _) = client.send_request(get("/"), true).unwrap();
        let mut later = client.clone();
        shard.drain();
        // GOAWAY has come when no more streams are taken.
        poll_fn(|cx| match later.poll_ready(cx) {
            Poll::Ready(Err(error)) => {
                assert_eq!(error.reason(), Some(Reason::NO_ERROR));
                Poll::Ready(())
            }
            _ => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
        go.set(true);
        assert_eq!(response.await.unwrap().status(), 200);
        served.await.unwrap().unwrap();
        end.await.unwrap().unwrap();
    });
}

#[test]
fn a_drain_leaves_a_slow_client_the_time_to_read() {
    run(async |shard, _| {
        // Each body fits what a stream may hand over before it is written, all of them together no socket.
        const STREAMS: usize = 32;
        const SIZE: usize = 60 * 1024;
        let done = Rc::new(Cell::new(0));
        let count = Rc::clone(&done);
        let drive = move |mut stream: Stream, _| {
            let count = Rc::clone(&count);
            async move {
                let head = stream.begin_head(200, Body::Unknown);
                stream.send_head(head).unwrap();
                push(&mut stream, vec![7; SIZE]).await.unwrap();
                stream.finish(HeadFields::Empty).unwrap();
                count.set(count.get() + 1);
            }
        };
        let (near, far) = pair().await;
        socket2::SockRef::from(&near).set_recv_buffer_size(16 * 1024).unwrap();
        socket2::SockRef::from(&far).set_send_buffer_size(16 * 1024).unwrap();
        let (serving, listener) = (Rc::clone(&shard), listener(""));
        let served = spawn_local(async move {
            let accepted =
                Accepted { socket: Socket::Plain(far), unread: Bytes::new(), tls: false, deadline: None };
            let drive = |stream, refusal| on_time(Rc::clone(&serving), drive(stream, refusal));
            serve(&serving, accepted, &listener, || serving.phase(), drive, |_| {}).await
        });
        let mut builder = client::Builder::new();
        builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 24);
        let (mut client, mut connection) = builder.handshake::<_, Bytes>(near).await.unwrap();
        let mut responses = Vec::new();
        for _ in 0..STREAMS {
            client = client.ready().await.unwrap();
            responses.push(client.send_request(get("/"), true).unwrap().0);
        }
        // The client sends its requests, and reads nothing.
        assert!(!poll_fn(|cx| Poll::Ready(Pin::new(&mut connection).poll(cx).is_ready())).await);
        until(|| done.get() == STREAMS).await;
        shard.drain();
        let since = Instant::now();
        until(|| since.elapsed() > FAREWELL * 5 / 4).await;
        let end = spawn_local(connection);
        for response in responses {
            assert_eq!(body(response.await.unwrap().into_body()).await.0.len(), SIZE);
        }
        drop(client);
        end.await.unwrap().unwrap();
        served.await.unwrap().unwrap();
    });
}

#[test]
fn a_client_that_never_closes_is_left_when_it_falls_silent() {
    run(async |shard, _| {
        let (mut near, far) = pair().await;
        let serving = Rc::clone(&shard);
        let served = spawn_local(async move {
            let accepted =
                Accepted { socket: Socket::Plain(far), unread: Bytes::new(), tls: false, deadline: None };
            serve(&serving, accepted, &listener(""), || serving.phase(), refuse, |_| {}).await
        });
        // Preface, SETTINGS, and a frame that is an error of the whole connection: DATA on stream 0.
        let bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        near.write_all(bytes).await.unwrap();
        let since = Instant::now();
        served.await.unwrap().unwrap();
        assert!((FAREWELL..LINGER).contains(&since.elapsed()), "{:?}", since.elapsed());
        let mut said = Vec::new();
        near.read_to_end(&mut said).await.unwrap();
        assert!(said.windows(5).any(|bytes| bytes == [8, 7, 0, 0, 0]), "a GOAWAY: {said:?}");
    });
}

#[test]
fn a_forced_end_cuts_streams() {
    run(async |shard, _| {
        let begun = Rc::new(Cell::new(false));
        let seen = Rc::clone(&begun);
        let drive = move |stream: Stream, _| {
            seen.set(true);
            async move {
                let _stream = stream;
                std::future::pending::<()>().await;
            }
        };
        let (mut client, _, served) = connect(&shard, "", drive).await;
        let (response, _) = client.send_request(get("/"), true).unwrap();
        until(|| begun.get()).await;
        shard.force();
        served.await.unwrap().unwrap();
        assert!(response.await.is_err());
    });
}

#[test]
fn a_client_that_never_finishes_its_preface_is_cut() {
    run(async |shard, _| {
        for (bytes, reason) in
            [("PRI * HTTP/2.0\r\n\r\nSM", "timed out"), ("PRI * HTTP/2.0\r\n\r\nXXXXXXXX", "http2 preface")]
        {
            let (_near, far) = pair().await;
            let accepted = Accepted {
                socket: Socket::Plain(far),
                unread: Bytes::from_static(bytes.as_bytes()),
                tls: false,
                deadline: Some(Instant::now() + Duration::from_millis(50)),
            };
            let served = serve(&shard, accepted, &listener(""), || shard.phase(), refuse, |_| {}).await;
            assert_eq!(served, Err(reason));
        }
    });
}
