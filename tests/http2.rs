//! HTTP/1.1 and HTTP/2 on either side, in plaintext and over TLS, in every combination.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

use bytes::Bytes;
use futures_util::future::join_all;
use h2::Reason;
use sluice_dsl::{
    Answer, Certificate, Http1, Http2, Origin, Reply, Request, Script, Seen, Sluice, Speaks, Streams,
    TlsClient, Wire, eventually, sluice, within,
};
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

// === The matrix ===

/// One proxy that listens in plaintext and over TLS, and an origin for each way to speak to it, at `/` and its name.
struct Matrix {
    proxy: Sluice,
    certificate: Certificate,
    origins: Vec<(&'static str, Speaks, bool, Origin)>,
}

const MATRIX: &str = r#"
listeners:
  - { name: plain, address: "127.0.0.1:0", route_table: main }
  - { name: secure, address: "127.0.0.1:0", route_table: main, tls: { certificates: [shop] } }
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: ["*"]
        routes:
          - { name: one, match: [{ path: { prefix: /one } }], action: { forward: { destinations: [{ cluster: one }] } } }
          - { name: two, match: [{ path: { prefix: /two } }], action: { forward: { destinations: [{ cluster: two }] } } }
          - { name: one-tls, match: [{ path: { prefix: /one-tls } }], action: { forward: { destinations: [{ cluster: one-tls }] } } }
          - { name: two-tls, match: [{ path: { prefix: /two-tls } }], action: { forward: { destinations: [{ cluster: two-tls }] } } }
clusters:
  - { name: one, endpoints: [{ address: "${one}" }] }
  - { name: two, endpoints: [{ address: "${two}" }], protocol: http2 }
  - { name: one-tls, endpoints: [{ address: "${one-tls}" }], tls: { server_name: shop.test, verify: { ca: shop-ca } } }
  - { name: two-tls, endpoints: [{ address: "${two-tls}" }], tls: { server_name: shop.test, verify: { ca: shop-ca } }, protocol: http2 }
secrets:
  - { name: shop, kind: { tls: { certificate: { file: shop.pem }, key: { file: shop.key } } } }
  - { name: shop-ca, kind: { ca: { file: shop.ca } } }
"#;

impl Matrix {
    async fn start(handler: impl Fn(&Seen) -> Answer + Clone + Send + Sync + 'static) -> Self {
        let certificate = Certificate::of(&["shop.test"]);
        let mut recipe = sluice!().certificate("shop", &certificate).config(MATRIX);
        let mut origins = Vec::new();
        for (name, speaks, tls) in [
            ("one", Speaks::Http1, false),
            ("two", Speaks::Http2, false),
            ("one-tls", Speaks::Http1, true),
            ("two-tls", Speaks::Http2, true),
        ] {
            let origin = Origin::speaking(speaks);
            let origin = if tls { origin.tls(&certificate) } else { origin };
            let origin = origin.start(handler.clone()).await;
            recipe = recipe.value(name, &origin);
            origins.push((name, speaks, tls, origin));
        }
        Self { proxy: recipe.start().await, certificate, origins }
    }

    /// A connection of each kind.
    async fn clients(&self) -> Vec<(&'static str, Client)> {
        let (plain, secure) = (self.proxy.listener("plain"), self.proxy.listener("secure"));
        let tls = |alpn: &[&str]| TlsClient::trusting(&self.certificate, "shop.test", alpn);
        vec![
            ("http1", Client::Http1(Http1::connect(plain).await)),
            ("h2c", Client::Http2(Http2::connect(plain).await)),
            ("http1 over tls", Client::Http1(Http1::connect_tls(secure, &tls(&["http/1.1"])).await)),
            ("h2 over tls", Client::Http2(Http2::connect_tls(secure, &tls(&["h2", "http/1.1"])).await)),
        ]
    }
}

enum Client {
    Http1(Http1),
    Http2(Http2),
}

impl Client {
    async fn send(&mut self, request: &Request) -> Reply {
        match self {
            Self::Http1(client) => client.send(request).await,
            Self::Http2(client) => client.send(request).await.expect("an answer should come"),
        }
    }
}

#[tokio::test]
async fn bodies_and_trailers_pass_both_ways_between_all_protocols() {
    let matrix = Matrix::start(|seen| {
        Answer::ok(seen.body.iter().rev().copied().collect::<Vec<u8>>())
            .field("x-shop", "open")
            .trailer("x-down", "2")
            .trailer("x-forwarded-for", "6.6.6.6")
    })
    .await;
    let body: Vec<u8> = (0..700_001u32).map(|byte| (byte / 7) as u8).collect();
    let reversed: Vec<u8> = body.iter().rev().copied().collect();
    for (client_name, mut client) in matrix.clients().await {
        for (name, speaks, tls, origin) in &matrix.origins {
            let pair = format!("{client_name} to {name}");
            let request = Request::post(&format!("/{name}?of=1"), body.clone())
                .trailer("x-up", "1")
                .trailer("x-forwarded-for", "6.6.6.6");
            let reply = client.send(&request).await;
            assert_eq!((reply.status, reply.field("x-shop")), (200, "open"), "{pair}");
            assert!(reply.body == reversed, "{pair}: {} bytes came back", reply.body.len());
            assert_eq!(reply.trailers.get("x-down"), Some("2"), "{pair}");
            assert_eq!(reply.trailers.len(), 1, "a head's field stays out of trailers, {pair}: {reply:?}");

            let seen = origin.requests().pop().expect("a request");
            assert!(seen.body == body, "{pair}: {} bytes arrived", seen.body.len());
            assert_eq!(seen.trailers.get("x-up"), Some("1"), "{pair}");
            assert_eq!(seen.trailers.len(), 1, "a head's field stays out of trailers, {pair}");
            let (version, scheme) = match (speaks, tls) {
                (Speaks::Http1, _) => ("HTTP/1.1", ""),
                (Speaks::Http2, false) => ("HTTP/2", "http"),
                (Speaks::Http2, true) => ("HTTP/2", "https"),
            };
            assert_eq!((seen.version.as_str(), seen.scheme.as_str()), (version, scheme), "{pair}");
            assert_eq!(
                (seen.target.as_str(), seen.host.as_str()),
                (&*format!("/{name}?of=1"), "sluice.test")
            );
            let came = if client_name.ends_with("tls") { "https" } else { "http" };
            assert_eq!(seen.fields.get("x-forwarded-proto"), Some(came), "{pair}");
        }
    }
}

#[tokio::test]
async fn answers_that_have_no_body_have_none_in_all_protocols() {
    let matrix = Matrix::start(|seen| match (seen.method.as_str(), seen.target.rsplit('/').next()) {
        ("HEAD", _) => Answer::status(200).field("content-length", "12345"),
        (_, Some("204")) => Answer::status(204),
        (_, Some("304")) => Answer::status(304).field("etag", "\"v1\""),
        _ => Answer::ok("the next answer is where it should be"),
    })
    .await;
    for (client_name, mut client) in matrix.clients().await {
        for (name, ..) in &matrix.origins {
            let pair = format!("{client_name} to {name}");
            let head = client.send(&Request::new("HEAD", &format!("/{name}"))).await;
            assert_eq!(
                (head.status, head.field("content-length"), head.body.len()),
                (200, "12345", 0),
                "{pair}"
            );
            let none = client.send(&Request::get(&format!("/{name}/204"))).await;
            assert_eq!(
                (none.status, none.fields.has("content-length"), none.body.len()),
                (204, false, 0),
                "{pair}"
            );
            let same = client.send(&Request::get(&format!("/{name}/304"))).await;
            assert_eq!((same.status, same.field("etag"), same.body.len()), (304, "\"v1\"", 0), "{pair}");
            let next = client.send(&Request::get(&format!("/{name}/"))).await;
            assert_eq!(next.text(), "the next answer is where it should be", "{pair}");
        }
    }
}

#[tokio::test]
async fn interim_answers_pass_between_all_protocols() {
    let matrix =
        Matrix::start(|_| Answer::ok("page").interim(103, &[("link", "</a.css>; rel=preload")])).await;
    for (client_name, mut client) in matrix.clients().await {
        for (name, ..) in &matrix.origins {
            let reply = client.send(&Request::get(&format!("/{name}"))).await;
            let pair = format!("{client_name} to {name}: {reply:?}");
            assert_eq!((reply.status, reply.text()), (200, "page"), "{pair}");
            assert_eq!(reply.interim.iter().map(|head| head.status).collect::<Vec<_>>(), [103], "{pair}");
            assert_eq!(reply.interim[0].fields.get("link"), Some("</a.css>; rel=preload"), "{pair}");
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_for_100_gets_the_upstreams_between_all_protocols() {
    let matrix = Matrix::start(|seen| Answer::ok(seen.body.clone())).await;
    for (client_name, client) in matrix.clients().await {
        let mut client = client;
        for (name, _, _, origin) in &matrix.origins {
            let pair = format!("{client_name} to {name}");
            let request = Request::post(&format!("/{name}"), "").field("expect", "100-continue");
            let reply = match &mut client {
                Client::Http1(client) => {
                    let wire = client.wire();
                    wire.send(format!(
                        "POST /{name} HTTP/1.1\r\nhost: sluice.test\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n"
                    ))
                    .await;
                    assert_eq!(
                        wire.read_head().await.split("\r\n").next(),
                        Some("HTTP/1.1 100 Continue"),
                        "{pair}"
                    );
                    wire.send("body").await;
                    wire.reply().await
                }
                Client::Http2(client) => {
                    let (mut reply, mut body) = client.open(&request, false).await.expect("a stream");
                    let interim =
                        Http2::interim(&mut reply).await.expect("an answer").expect("an interim one");
                    assert_eq!(interim.status, 100, "{pair}");
                    body.send_data(Bytes::from_static(b"body"), true).expect("the stream is open");
                    Http2::take(reply).await.expect("an answer")
                }
            };
            assert_eq!((reply.status, reply.text()), (200, "body"), "{pair}");
            let seen = origin.requests().pop().expect("a request");
            assert_eq!((seen.text(), seen.fields.get("expect")), ("body", Some("100-continue")), "{pair}");
        }
    }
}

// === Streams ===

async fn in_front_of(upstream: &Streams) -> Sluice {
    sluice!()
        .cluster_with("origin", upstream, "protocol: http2")
        .forwarding_to("origin")
        .argument("--shards=1")
        .start()
        .await
}

fn status(status: u16) -> http::Response<()> {
    http::Response::builder().status(status).body(()).expect("a response")
}

#[tokio::test]
async fn no_100_is_made_up_when_the_upstream_refuses_a_body_unseen() {
    let mut two = Streams::start().await;
    let to_two = in_front_of(&two).await;
    let one = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        wire.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
        wire.read_to_close().await;
    })
    .await;
    let to_one = sluice!().in_front_of(&one).await;
    let upload = Request::post("/", "").field("expect", "100-continue").field("content-length", "4");
    for proxy in [&to_one, &to_two] {
        let refused = async {
            if proxy.address() == to_two.address() {
                let (_, mut respond) = two.next().await;
                respond.send_response(status(403), true).expect("the stream is open");
            }
        };
        let ask = async { Http1::connect(proxy.address()).await.send(&upload).await };
        let (reply, ()) = tokio::join!(ask, refused);
        assert_eq!((reply.status, reply.interim.len()), (403, 0));

        let client = Http2::connect(proxy.address()).await;
        let (mut reply, _body) = client.open(&upload, false).await.expect("a stream");
        if proxy.address() == to_two.address() {
            let (_, mut respond) = two.next().await;
            respond.send_response(status(403), true).expect("the stream is open");
        }
        assert_eq!(Http2::interim(&mut reply).await.expect("an answer"), None);
        assert_eq!(Http2::take(reply).await.expect("an answer").status, 403);
    }
}

#[tokio::test]
async fn hundreds_of_streams_share_a_connection_and_stay_apart() {
    let matrix = Matrix::start(|seen| Answer::ok([b"you said ", &*seen.body].concat())).await;
    for (client_name, client) in matrix.clients().await {
        let Client::Http2(client) = client else { continue };
        for (name, speaks, _, origin) in &matrix.origins {
            let (client, target) = (&client, &format!("/{name}"));
            let replies = join_all((0..300).map(|number| async move {
                let body = format!("{number} ").repeat(number * 10);
                (client.send(&Request::post(target, body.clone())).await.expect("an answer"), body)
            }));
            for (reply, body) in replies.await {
                assert!(reply.text() == format!("you said {body}"), "{client_name} to {name}: {reply:?}");
            }
            if *speaks == Speaks::Http2 {
                assert!(origin.connections() <= 4, "{name}: {} connections", origin.connections());
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_its_client_resets_ends_upstream_and_no_other_does() {
    let mut two = Streams::start().await;
    let proxy = in_front_of(&two).await;
    let client = Http2::connect(proxy.address()).await;
    let (kept, _) = client.open(&Request::get("/kept"), true).await.expect("a stream");
    let (_, mut respond_kept) = two.next().await;
    let (_, mut body) = client.open(&Request::post("/reset", ""), false).await.expect("a stream");
    let (_request, mut respond) = two.next().await;
    body.send_reset(Reason::CANCEL);
    let reason = within("the reset", poll_fn(|cx| respond.poll_reset(cx))).await.expect("a reset");
    assert_eq!(reason, Reason::CANCEL);
    respond_kept.send_response(status(204), true).expect("the other stream is open");
    assert_eq!(Http2::take(kept).await.expect("an answer").status, 204);
    assert_eq!(two.connections(), 1);

    let mut one = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        wire.read_to_close().await;
    })
    .await;
    let proxy = sluice!().in_front_of(&one).await;
    let client = Http2::connect(proxy.address()).await;
    let (_reply, mut body) = client.open(&Request::post("/reset", ""), false).await.expect("a stream");
    eventually("the request at the upstream", || one.connections() == 1).await;
    body.send_reset(Reason::CANCEL);
    one.finished().await;
    assert_eq!(proxy.logged_path("/reset").await["response_flags"], "DC");
}

#[tokio::test]
async fn an_answer_that_the_upstream_breaks_off_is_broken_off_for_its_client() {
    let go = Arc::new(Notify::new());
    let told = go.clone();
    let one = Script::start(move |mut wire, _| {
        let told = told.clone();
        async move {
            wire.read_head().await;
            wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\nhalf of it\r\n").await;
            told.notified().await;
            wire.reset();
        }
    })
    .await;
    is_broken_off(&sluice!().in_front_of(&one).await, async || None, &go).await;

    let mut two = Streams::start().await;
    let proxy = in_front_of(&two).await;
    let half = async || {
        let (_, mut respond) = two.next().await;
        let mut body = respond.send_response(status(200), false).expect("the stream is open");
        body.send_data(Bytes::from_static(b"half of it"), false).expect("the stream is open");
        Some(body)
    };
    is_broken_off(&proxy, half, &go).await;
}

/// `half` answers, if somebody has to; the rest does not come.
async fn is_broken_off(
    proxy: &Sluice,
    mut half: impl AsyncFnMut() -> Option<h2::SendStream<Bytes>>,
    go: &Notify,
) {
    let break_off = |body: Option<h2::SendStream<Bytes>>| match body {
        Some(mut body) => body.send_reset(Reason::INTERNAL_ERROR),
        None => go.notify_one(),
    };
    let client = Http2::connect(proxy.address()).await;
    let (reply, _) = client.open(&Request::get("/"), true).await.expect("a stream");
    let body = half().await;
    let mut stream = within("the head", reply).await.expect("an answer").into_body();
    assert_eq!(within("half of the body", stream.data()).await.expect("data").expect("data"), "half of it");
    break_off(body);
    let end = within("the end", stream.data()).await.expect("no ordinary end").expect_err("no more data");
    assert!(end.is_reset(), "{end}");

    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET / HTTP/1.1\r\nhost: sluice.test\r\n\r\n").await;
    let body = half().await;
    assert!(wire.read_head().await.starts_with("HTTP/1.1 200 "));
    wire.read_until("half of it").await;
    break_off(body);
    let rest = wire.read_to_close().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the end of a whole answer: {}", rest.escape_ascii());
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_with_its_body() {
    let refusals = Arc::new(AtomicUsize::new(0));
    let counted = refusals.clone();
    let origin = Origin::http2(move |seen| {
        if seen.body == b"always" || counted.fetch_add(1, Ordering::SeqCst) < 2 {
            Answer::reset(Reason::REFUSED_STREAM.into())
        } else {
            Answer::ok(seen.body.clone())
        }
    })
    .await;
    let proxy =
        sluice!().cluster_with("origin", &origin, "protocol: http2").forwarding_to("origin").start().await;
    let reply = proxy.send(&Request::post("/", "refused twice")).await;
    assert_eq!((reply.status, reply.text()), (200, "refused twice"));
    assert_eq!(origin.requests().len(), 3);

    let reply = proxy.send(&Request::post("/always", "always")).await;
    assert_eq!(reply.status, 503);
    let entry = proxy.logged_path("/always").await;
    assert_eq!(entry["response_flags"], "UR,URX", "{entry}");
    assert!(origin.requests().len() <= 3 + 4, "{} attempts", origin.requests().len() - 3);
}

#[tokio::test]
async fn any_other_reset_is_not_sent_again_unless_the_method_allows_it() {
    let origin = Origin::http2(|_| Answer::reset(Reason::INTERNAL_ERROR.into())).await;
    let proxy =
        sluice!().cluster_with("origin", &origin, "protocol: http2").forwarding_to("origin").start().await;
    assert_eq!(proxy.send(&Request::post("/", "once")).await.status, 503);
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test]
async fn an_upstream_that_says_goaway_costs_no_request() {
    let origin = Origin::http2(|seen| Answer::ok(seen.body.clone()).close()).await;
    let proxy =
        sluice!().cluster_with("origin", &origin, "protocol: http2").forwarding_to("origin").start().await;
    let client = &Http2::connect(proxy.address()).await;
    for _ in 0..10 {
        let replies = join_all((0..10).map(|number| async move {
            client.send(&Request::post("/", format!("{number}"))).await.expect("an answer")
        }));
        for (number, reply) in replies.await.into_iter().enumerate() {
            assert_eq!((reply.status, reply.text()), (200, &*format!("{number}")));
        }
    }
    assert!(origin.connections() >= 2, "a connection that said goodbye takes no new stream");
}
