//! Another configuration while it runs: what comes into force, what is refused, and that nobody notices otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::float_cmp, reason = "counters are whole numbers")]

use bytes::Bytes;
use sluice_dsl::{
    Http1, Http2, Nobody, Origin, Request, Script, Signal, Sluice, Wire, eventually, sluice, within,
};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
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

/// Reloads in the test under load, and the shortest time between two.
const RELOADS: usize = 200;
const PACE: Duration = Duration::from_millis(50);

/// A configuration that answers everything with this text.
fn saying(text: &str) -> String {
    format!(
        "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}]
route_tables:
  - name: main
    virtual_hosts:
      - {{ name: all, hosts: [\"*\"], routes: [{{ name: hello, action: {{ respond: {{ status: 200, body: {text} }} }} }}] }}
"
    )
}

async fn answers(proxy: &Sluice, text: &str) {
    let served = async { while proxy.get("/").await.text() != text {} };
    within(format!("the proxy answers {text:?}"), served).await;
}

async fn reloads(proxy: &Sluice) -> f64 {
    proxy.stat("sluice_config_reloads_total", &[]).await
}

async fn failures(proxy: &Sluice) -> f64 {
    proxy.stat("sluice_config_reload_failures_total", &[]).await
}

// --- Under load.

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

// --- What is kept.

#[tokio::test]
async fn connections_to_upstreams_and_the_turns_of_endpoints_are_kept() {
    let (one, two) = tokio::join!(Origin::saying("one"), Origin::saying("two"));
    let config = |number: usize| {
        format!(
            "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}]
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: [\"*\"]
        routes: [{{ name: route-{number}, action: {{ forward: {{ destinations: [{{ cluster: both }}] }} }} }}]
clusters:
  - {{ name: both, endpoints: [{{ address: \"${{one}}\" }}, {{ address: \"${{two}}\" }}] }}
  - {{ name: other-{number}, endpoints: [{{ address: \"${{one}}\" }}] }}
"
        )
    };
    let mut proxy = sluice!()
        .value("one", &one)
        .value("two", &two)
        .config(&config(0))
        .argument("--shards=1")
        .start()
        .await;
    let mut client = Http1::connect(proxy.address()).await;
    let mut texts = Vec::new();
    for number in 1..=10 {
        texts.push(client.get("/").await.text().to_owned());
        proxy.reload(&config(number)).await;
    }
    assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "they take turns: {texts:?}");
    assert_eq!((one.connections(), two.connections()), (1, 1));
    assert_eq!(proxy.logged("the last", |entry| entry["route"] == "route-9").await["status"], 200);
}

#[tokio::test]
async fn an_answer_under_way_comes_from_the_configuration_of_its_request() {
    let (go, wait) = watch::channel(false);
    let slow = Script::start(move |mut wire, _| {
        let mut wait = wait.clone();
        async move {
            wire.read_head().await;
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhal").await;
            let _ = wait.wait_for(|go| *go).await;
            wire.send("ves").await;
            wire.stall().await;
        }
    });
    let slow = slow.await;
    let mut proxy = sluice!().in_front_of(&slow.address()).await;
    let mut client = Wire::connect(proxy.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.read_until("hal").await;
    proxy.reload(&saying("later")).await;
    let _ = go.send(true);
    client.expect("ves").await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.reply().await.text(), "later");
}

// --- How a file may change.

#[tokio::test]
async fn a_swapped_kubernetes_volume_is_followed() {
    let proxy = sluice!().config(&saying("zero")).start().await;
    let folder = proxy.folder().to_owned();
    let volume = |version: &str, text: &str| {
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("proxy.yaml"), proxy.render(&saying(text))).unwrap();
        symlink(version, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    volume("..one", "one");
    symlink("..data/proxy.yaml", folder.join("link")).unwrap();
    fs::rename(folder.join("link"), folder.join("proxy.yaml")).unwrap();
    answers(&proxy, "one").await;
    for (before, version, text) in [("..one", "..two", "two"), ("..two", "..three", "three")] {
        volume(version, text);
        // The kubelet takes the old one away at once.
        fs::remove_dir_all(folder.join(before)).unwrap();
        answers(&proxy, text).await;
    }
    assert_eq!(failures(&proxy).await, 0.0);
}

#[tokio::test]
async fn files_may_be_renamed_over_and_written_in_place() {
    let proxy = sluice!().config(&saying("zero")).start().await;
    let file = proxy.folder().join("proxy.yaml");
    fs::rename(&file, proxy.folder().join("proxy.yaml~")).unwrap();
    fs::write(&file, proxy.render(&saying("one"))).unwrap();
    answers(&proxy, "one").await;
    fs::write(&file, proxy.render(&saying("two"))).unwrap();
    answers(&proxy, "two").await;
    fs::write(proxy.folder().join(".swap"), proxy.render(&saying("three"))).unwrap();
    fs::rename(proxy.folder().join(".swap"), &file).unwrap();
    answers(&proxy, "three").await;
}

#[tokio::test]
async fn a_half_written_file_does_no_harm() {
    let proxy = sluice!().config(&saying("zero")).start().await;
    let file = proxy.folder().join("proxy.yaml");
    let text = proxy.render(&saying("whole"));
    let (half, _) = text.split_at(text.find("hosts:").unwrap());
    fs::write(&file, half).unwrap();
    let why = proxy.refused().await;
    assert!(why.contains("proxy.yaml:"), "{why}");
    assert_eq!(proxy.get("/").await.text(), "zero");
    fs::write(&file, &text).unwrap();
    answers(&proxy, "whole").await;
    assert!(proxy.admin("/config_dump").await.json()["last_error"].is_null());
}

#[tokio::test]
async fn sighup_reads_the_file_again_even_if_it_is_the_same() {
    let proxy = sluice!().config(&saying("same")).start().await;
    for number in 1..=3 {
        let before = reloads(&proxy).await;
        proxy.signal(Signal::HUP);
        proxy.stat_becomes("sluice_config_reloads_total", &[], |now| now > before).await;
        assert_eq!(proxy.get("/").await.text(), "same", "{number}");
    }
}

// --- What is refused.

#[tokio::test]
async fn a_bad_file_is_reported_with_every_mistake_and_ignored() {
    let mut proxy = sluice!().config(&saying("good")).start().await;
    proxy.write_config(&saying("bad").replace("status: 200", "status: 99").replace("hosts:", "hosst:"));
    let why = proxy.refused().await;
    assert!(why.contains("`99` is not a final status code") && why.contains("hosst"), "{why}");
    assert_eq!(failures(&proxy).await, 1.0);
    proxy.process().says("the changed configuration is not used, the last good one stays in force").await;
    proxy.process().says("`99` is not a final status code").await;
    assert_eq!((proxy.get("/").await.text(), reloads(&proxy).await), ("good", 0.0));
    assert_eq!(proxy.admin("/ready").await.status, 200);
    proxy.reload(&saying("better")).await;
    assert_eq!(proxy.get("/").await.text(), "better");
}

#[tokio::test]
async fn a_file_that_vanishes_or_cannot_be_read_leaves_the_last_good_state() {
    let mut proxy = sluice!().config(&saying("good")).start().await;
    let file = proxy.folder().join("proxy.yaml");
    fs::remove_file(&file).unwrap();
    let why = proxy.refused().await;
    assert!(why.contains("cannot read the configuration proxy.yaml: No such file"), "{why}");
    assert_eq!(proxy.get("/").await.text(), "good");
    fs::write(&file, proxy.render(&saying("again"))).unwrap();
    answers(&proxy, "again").await;

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    proxy.process().says("cannot read the configuration proxy.yaml: not a regular file").await;
    assert_eq!(proxy.get("/").await.text(), "again");
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"listeners: \xff\xfe").unwrap();
    proxy.process().says("cannot read the configuration proxy.yaml: invalid utf-8").await;
    assert_eq!(proxy.get("/").await.text(), "again");
    fs::write(&file, proxy.render(&saying("last"))).unwrap();
    answers(&proxy, "last").await;
}

#[tokio::test]
async fn a_folder_that_is_replaced_whole_is_followed() {
    let cli = sluice_dsl::cli!();
    let text = |word: &str| format!("admin: {{ address: \"127.0.0.1:0\" }}\n{}", saying(word));
    for (folder, word) in [("conf", "one"), ("next", "two")] {
        fs::create_dir(cli.folder().join(folder)).unwrap();
        fs::write(cli.folder().join(folder).join("proxy.yaml"), text(word)).unwrap();
    }
    let mut process = cli.start(["run", "conf/proxy.yaml"]);
    let line = process.says("listener web on ").await;
    let address: SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
    fs::rename(cli.folder().join("conf"), cli.folder().join("old")).unwrap();
    fs::rename(cli.folder().join("next"), cli.folder().join("conf")).unwrap();
    let served = async { while Http1::connect(address).await.get("/").await.text() != "two" {} };
    within("the other folder", served).await;
}

// --- Listeners.

fn listeners(list: &str) -> String {
    saying("hello").replace("listeners: [{ name: web, address: 127.0.0.1:0, route_table: main }]", list)
}

#[tokio::test]
async fn listeners_come_go_and_move() {
    let (place, other) = (Nobody::new(), Nobody::new());
    let (first, second) = (place.address(), other.address());
    drop((place, other));
    let web = |more: &str| {
        listeners(&format!("listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}{more}]"))
    };
    let at =
        |address: SocketAddr| web(&format!(", {{ name: more, address: \"{address}\", route_table: main }}"));
    let mut proxy = sluice!().config(&web("")).start().await;
    let mut steady = Http1::connect(proxy.address()).await;
    let home = proxy.address();

    proxy.reload(&at(first)).await;
    let mut client = Http1::connect(first).await;
    assert_eq!(client.get("/").await.text(), "hello");

    proxy.reload(&at(second)).await;
    assert_eq!(Http1::connect(second).await.get("/").await.text(), "hello");
    let closed = async { while Wire::connect_if_open(first).await.is_some() {} };
    within("the old address is closed", closed).await;
    // A connection of the old address is told with its next answer, or closed when it stays quiet.
    client.wire().expect_close().await;

    proxy.reload(&web("")).await;
    let closed = async { while Wire::connect_if_open(second).await.is_some() {} };
    within("the removed listener is closed", closed).await;
    assert_eq!(proxy.address(), home);
    assert_eq!(steady.get("/").await.text(), "hello", "the other listener has noticed nothing");
}

#[tokio::test]
async fn a_taken_port_refuses_the_whole_reload_and_frees_nothing() {
    let taken = Origin::saying("somebody else").await;
    let mut proxy = sluice!().config(&saying("good")).start().await;
    let list = format!(
        "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}, {{ name: more, address: \"{taken}\", route_table: main }}]"
    );
    proxy.write_config(&listeners(&list));
    let why = proxy.refused().await;
    assert!(why.contains(&format!("listener `more` cannot listen on {taken}")), "{why}");
    assert!(why.contains("another process holds it"), "{why}");
    assert_eq!(proxy.get("/").await.text(), "good");

    // Free again, it is taken with the next attempt.
    let address = taken.stop().await;
    proxy.signal(Signal::HUP);
    let served = async {
        loop {
            if let Some(mut client) = Http1::connect_if_open(address).await {
                return client.get("/").await.text().to_owned();
            }
        }
    };
    assert_eq!(within("the port is served", served).await, "hello");
}

#[tokio::test]
async fn what_only_a_restart_can_change_is_said() {
    let mut proxy = sluice!().config(&saying("good")).start().await;
    proxy.reload(&format!("{}runtime: {{ shards: 3 }}\n", saying("good"))).await;
    let needs = proxy.admin("/config_dump").await.json()["needs_restart"].to_string();
    assert!(needs.contains("shards"), "{needs}");
    assert_eq!(proxy.stat("sluice_shards", &[]).await, 2.0);
}
