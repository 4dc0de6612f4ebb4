//! Two hundred versions in ten seconds, while requests, streams and tunnels go on: nobody notices.

use super::{failures, reloads};
use bytes::Bytes;
use sluice_dsl::{Http1, Http2, Origin, Request, Script, Wire, eventually, sluice, within};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

/// Versions, and the shortest time between two.
const RELOADS: usize = 200;
const PACE: Duration = Duration::from_millis(50);

/// Lets both ends of a long stream go on in step: one piece after the other, for as long as the test lasts.
#[derive(Clone)]
struct Steps(Arc<Semaphore>);

impl Steps {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    fn allow(&self) {
        self.0.add_permits(1);
    }

    /// Waits for the next step; false when there is none any more.
    async fn next(&self) -> bool {
        self.0.acquire().await.is_ok_and(|permit| {
            permit.forget();
            true
        })
    }

    fn end(&self) {
        self.0.close();
    }
}

/// An origin whose requests last as long as somebody wants: `/download`, `/upload/1`, `/upload/2`, and tunnels.
async fn long_lived(download: Steps, uploads: [Steps; 2]) -> Script {
    Script::start(move |mut wire, _| {
        let (download, uploads) = (download.clone(), uploads.clone());
        async move {
            let head = wire.read_head().await;
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            if target == "/download" {
                wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
                let mut number = 0;
                while download.next().await {
                    wire.send(format!("8\r\n{number:08}\r\n")).await;
                    number += 1;
                }
                wire.send("0\r\n\r\n").await;
            } else if let Some(which) = target.strip_prefix("/upload/") {
                let steps = &uploads[which.parse::<usize>().unwrap() - 1];
                let mut number = 0;
                loop {
                    steps.allow();
                    let line = wire.read_until("\r\n").await;
                    if line == b"0\r\n" {
                        break;
                    }
                    wire.expect(format!("{number:08}\r\n")).await;
                    number += 1;
                }
                wire.expect("\r\n").await;
                let text = number.to_string();
                wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())).await;
            } else {
                wire.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
                    .await;
                loop {
                    let word = wire.read(8).await;
                    if word == b"the end." {
                        return wire.close().await;
                    }
                    wire.send(word).await;
                }
            }
        }
    })
    .await
}

/// What a client needs to know.
#[derive(Clone)]
struct Scene {
    address: SocketAddr,
    stop: watch::Receiver<bool>,
    answered: Arc<AtomicUsize>,
    /// Streams of which the origin has seen something.
    begun: Arc<AtomicUsize>,
}

impl Scene {
    fn goes_on(&self) -> bool {
        !*self.stop.borrow()
    }

    fn check(&self, reply: &sluice_dsl::Reply) {
        assert!(reply.status == 200 && ["one", "two"].contains(&reply.text()), "{reply:?}");
        self.answered.fetch_add(1, Ordering::SeqCst);
    }

    async fn keep_alive(self) {
        let mut client = Http1::connect(self.address).await;
        while self.goes_on() {
            self.check(&client.get("/").await);
        }
    }

    async fn connect_each_time(self) {
        while self.goes_on() {
            let request = Request::get("/").field("connection", "close");
            self.check(&Http1::connect(self.address).await.send(&request).await);
        }
    }

    async fn http2(self) {
        let client = Http2::connect(self.address).await;
        let (get, post) = (Request::get("/"), Request::post("/", "a body"));
        while self.goes_on() {
            let (one, other) = tokio::join!(client.send(&get), client.send(&post));
            self.check(&one.expect("no stream should be lost"));
            self.check(&other.expect("no stream should be lost"));
        }
    }

    async fn download(self, steps: Steps) {
        let mut wire = Wire::connect(self.address).await;
        wire.send("GET /download HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let head = wire.read_head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut number = 0;
        while self.goes_on() {
            steps.allow();
            wire.expect(format!("8\r\n{number:08}\r\n")).await;
            number += 1;
        }
        steps.end();
        wire.expect("0\r\n\r\n").await;
        assert!(number > RELOADS, "{number} pieces");
    }

    async fn upload(self, steps: Steps) {
        let mut wire = Wire::connect(self.address).await;
        wire.send("POST /upload/1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let mut number = 0;
        while self.goes_on() {
            steps.next().await;
            self.begun.fetch_add(usize::from(number == 0), Ordering::SeqCst);
            wire.send(format!("8\r\n{number:08}\r\n")).await;
            number += 1;
        }
        wire.send("0\r\n\r\n").await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.text()), (200, number.to_string().as_str()));
    }

    async fn upload_http2(self, steps: Steps) {
        let client = Http2::connect(self.address).await;
        let (reply, mut body) = client.open(&Request::new("POST", "/upload/2"), false).await.unwrap();
        let mut number = 0;
        while self.goes_on() {
            steps.next().await;
            self.begun.fetch_add(usize::from(number == 0), Ordering::SeqCst);
            body.send_data(Bytes::from(format!("{number:08}")), false).unwrap();
            number += 1;
        }
        body.send_data(Bytes::new(), true).unwrap();
        let reply = Http2::take(reply).await.expect("the stream should not be reset");
        assert_eq!((reply.status, reply.text()), (200, number.to_string().as_str()));
    }

    async fn tunnel(self) {
        let mut wire = Wire::connect(self.address).await;
        wire.send("GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await;
        let head = wire.read_head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut number = 0;
        while self.goes_on() {
            let word = format!("{number:08}");
            wire.send(&word).await;
            wire.expect(&word).await;
            number += 1;
        }
        wire.send("the end.").await;
        wire.expect_close().await;
    }
}

/// The configuration of a version: weights, routes, clusters, endpoints and listeners change in different rhythms. Every
/// second one has no route and no cluster for the long streams.
fn version(number: usize) -> String {
    let with = |condition: bool, text: &str| if condition { text.to_owned() } else { String::new() };
    let long = number.is_multiple_of(2);
    format!(
        "listeners:
  - {{ name: web, address: 127.0.0.1:0, route_table: main }}
{other}route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: [\"*\"]
        routes:
{streams}{extra}          - name: split-{number}
            action: {{ forward: {{ destinations: [{{ cluster: one, weight: {weight} }}, {{ cluster: two, weight: {rest} }}] }} }}
clusters:
  - {{ name: one, endpoints: [{{ address: \"${{one}}\" }}], connect_timeout: {connect}s }}
  - {{ name: two, endpoints: [{endpoints}] }}
{stream_cluster}",
        other = with(number % 3 == 1, "  - { name: other, address: 127.0.0.1:0, route_table: main }\n"),
        streams = with(
            long,
            &["download", "upload", "tunnel"]
                .map(|name| {
                    format!(
                        "          - {{ name: {name}, match: [{{ path: {{ prefix: /{name} }} }}], \
                         action: {{ forward: {{ destinations: [{{ cluster: streams }}] }} }} }}\n"
                    )
                })
                .concat()
        ),
        extra = with(
            number % 4 < 2,
            &format!(
                "          - {{ name: extra, match: [{{ path: {{ exact: /extra-{number} }} }}], \
                 action: {{ respond: {{ status: 204 }} }} }}\n"
            )
        ),
        weight = number % 10,
        rest = 10 - number % 10,
        connect = 1 + number % 5,
        endpoints = match number % 3 {
            0 => "{ address: \"${two}\" }",
            1 => "{ address: \"${two}\", weight: 3 }, { address: \"${also_two}\" }",
            _ => "{ address: \"${also_two}\" }",
        },
        stream_cluster = with(long, "  - { name: streams, endpoints: [{ address: \"${streams}\" }] }\n"),
    )
}

#[tokio::test]
async fn a_reload_every_50_ms_under_load_loses_nothing() {
    let (one, two, also_two) =
        tokio::join!(Origin::saying("one"), Origin::saying("two"), Origin::saying("two"));
    let (download, uploads) = (Steps::new(), [Steps::new(), Steps::new()]);
    let streams = long_lived(download.clone(), uploads.clone()).await;
    let mut proxy = sluice!()
        .value("one", &one)
        .value("two", &two)
        .value("also_two", &also_two)
        .value("streams", &streams.address())
        .config(&version(0))
        .start()
        .await;
    let (stopping, stop) = watch::channel(false);
    let scene = Scene { address: proxy.address(), stop, answered: Arc::default(), begun: Arc::default() };
    let mut clients = JoinSet::new();
    clients.spawn(scene.clone().download(download));
    clients.spawn(scene.clone().upload(uploads[0].clone()));
    clients.spawn(scene.clone().upload_http2(uploads[1].clone()));
    clients.spawn(scene.clone().tunnel());
    eventually("the long streams", || scene.begun.load(Ordering::SeqCst) == 4).await;
    for _ in 0..4 {
        clients.spawn(scene.clone().keep_alive());
        clients.spawn(scene.clone().http2());
    }
    clients.spawn(scene.clone().connect_each_time());

    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1..=RELOADS {
        pace.tick().await;
        proxy.change(|recipe| recipe.config(&version(number))).await;
    }
    let _ = stopping.send(true);
    while let Some(client) = within("the end of a client", clients.join_next()).await {
        client.expect("a client should lose nothing");
    }
    assert!(reloads(&proxy).await >= RELOADS as f64, "every version has been in force");
    assert_eq!(failures(&proxy).await, 0.0);
    let answered = scene.answered.load(Ordering::SeqCst);
    assert!(answered > RELOADS * 10, "only {answered} requests");
    let seen = one.requests().len() + two.requests().len() + also_two.requests().len();
    assert_eq!(seen, answered, "each request was asked once and answered once");
    assert_eq!(proxy.stat("sluice_requests_total", &["class=\"5xx\""]).await, 0.0);
    assert_eq!(streams.connections(), 4, "the long streams have stayed where they were");
}
