//! Copies of requests that go elsewhere: what they carry, how long they live, and that nobody waits for them.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "mirrors/body.rs"]
mod body;
#[path = "mirrors/end.rs"]
mod end;

use body::{LONG, PIECE, pattern, upload};
use sluice_dsl::{
    Answer, Http1, Http2, Nobody, Origin, Recipe, Request, Script, Sluice, Speaks, Wire, digest, eventually,
    sluice,
};

/// Everything goes to the cluster `shop`, with these mirrors (a YAML list in one line) and more settings of the route.
fn routes(mirrors: &str, more: &str) -> String {
    format!(
        "- {{ name: all, action: {{ forward: {{ destinations: [{{ cluster: shop }}] }} }}, mirrors: {mirrors}{more} }}"
    )
}

/// A proxy that copies everything for the cluster `shop` to the cluster `copy`.
async fn copying(shop: &impl ToString, copy: &impl ToString) -> Sluice {
    recipe(shop, copy).start().await
}

fn recipe(shop: &impl ToString, copy: &impl ToString) -> Recipe {
    sluice!().cluster("shop", shop).cluster("copy", copy).routes(&routes("[{ cluster: copy }]", ""))
}

async fn origin(speaks: Speaks) -> Origin {
    Origin::speaking(speaks).start(|_| Answer::ok("fine")).await
}

/// What a cluster that speaks this needs to say.
fn protocol(speaks: Speaks) -> &'static str {
    if speaks == Speaks::Http2 { "protocol: http2" } else { "" }
}

/// Sends a request over a connection of its own.
async fn send(proxy: &Sluice, speaks: Speaks, request: &Request) -> u16 {
    match speaks {
        Speaks::Http1 => proxy.send(request).await.status,
        Speaks::Http2 => {
            Http2::connect(proxy.address()).await.send(request).await.expect("an answer should come").status
        }
    }
}

/// How many copies were sent whole, and how many were given up.
async fn counted(proxy: &Sluice, cluster: &str) -> (u64, u64) {
    let label = format!("cluster=\"{cluster}\"");
    let sent = proxy.stat("sluice_mirrors_sent_total", &[&label]).await;
    (sent as u64, proxy.stat("sluice_mirrors_reset_total", &[&label]).await as u64)
}

/// Waits until so many copies were given up, for this reason; any will do where it is empty.
async fn given_up(proxy: &Sluice, cluster: &str, reason: &str, count: u64) {
    let reason = if reason.is_empty() { "reason=".to_owned() } else { format!("reason=\"{reason}\"") };
    let labels = [&*format!("cluster=\"{cluster}\""), &*reason];
    proxy.stat_becomes("sluice_mirrors_reset_total", &labels, |now| now as u64 == count).await;
}

/// Waits until so many copies were sent whole.
async fn sent_whole(proxy: &Sluice, cluster: &str, count: u64) {
    let label = format!("cluster=\"{cluster}\"");
    proxy.stat_becomes("sluice_mirrors_sent_total", &[&label], |now| now as u64 == count).await;
}

const BOTH: [Speaks; 2] = [Speaks::Http1, Speaks::Http2];

// === What is copied ===

#[tokio::test]
async fn every_mirror_gets_every_request_whatever_it_and_the_others_speak() {
    for primary in BOTH {
        let (shop, one, two) =
            (origin(primary).await, origin(Speaks::Http1).await, origin(Speaks::Http2).await);
        let proxy = sluice!()
            .cluster_with("shop", &shop, protocol(primary))
            .cluster("one", &one)
            .cluster_with("two", &two, protocol(Speaks::Http2))
            .routes(&routes("[{ cluster: one }, { cluster: two }, { cluster: two }]", ""))
            .start()
            .await;
        for client in BOTH {
            let get = Request::get("/get?x=1").field("x-kept", "yes");
            let post = Request::post("/post", "some body").trailer("x-sum", "42");
            assert_eq!(send(&proxy, client, &get).await, 200);
            assert_eq!(send(&proxy, client, &post).await, 200);
        }
        for (mirror, times) in [(&one, 1), (&two, 2)] {
            let seen = mirror.saw(4 * times).await;
            let gets = seen.iter().filter(|seen| seen.method == "GET").collect::<Vec<_>>();
            let posts = seen.iter().filter(|seen| seen.method == "POST").collect::<Vec<_>>();
            assert_eq!((gets.len(), posts.len()), (2 * times, 2 * times));
            for get in gets {
                assert_eq!(
                    (&*get.target, &*get.host, get.fields.get("x-kept")),
                    ("/get?x=1", "sluice.test", Some("yes"))
                );
                assert!(get.body.is_empty());
            }
            for post in posts {
                assert_eq!((post.text(), post.trailers.get("x-sum")), ("some body", Some("42")));
            }
        }
        assert_eq!(shop.requests().len(), 4);
        assert_eq!(proxy.logged_path("/post").await["mirrors"], 3);
    }
}

#[tokio::test]
async fn a_mirror_gets_its_fraction_of_the_requests() {
    const REQUESTS: usize = 600;
    let (shop, all, none, some) = (
        Origin::saying("hello").await,
        Origin::saying("").await,
        Origin::saying("").await,
        Origin::saying("").await,
    );
    let mirrors =
        "[{ cluster: all, percent: 100 }, { cluster: none, percent: 0 }, { cluster: some, percent: 25.5 }]";
    let proxy = sluice!()
        .cluster("shop", &shop)
        .cluster("all", &all)
        .cluster("none", &none)
        .cluster("some", &some)
        .routes(&routes(mirrors, ""))
        .start()
        .await;
    let mut client = Http1::connect(proxy.address()).await;
    for _ in 0..REQUESTS {
        assert_eq!(client.get("/").await.status, 200);
    }
    eventually("every request is logged", || proxy.log().len() == REQUESTS).await;
    let copies: u64 = proxy.log().iter().filter_map(|entry| entry["mirrors"].as_u64()).sum();
    let expected = copies as usize - REQUESTS;
    // A mean of 153 and a deviation of 10.7: seven of them are 75.
    assert!(expected.abs_diff(153) <= 75, "{expected} of {REQUESTS} are not a quarter");
    all.saw(REQUESTS).await;
    some.saw(expected).await;
    sent_whole(&proxy, "some", expected as u64).await;
    assert_eq!((all.requests().len(), some.requests().len()), (REQUESTS, expected));
    assert!(none.requests().is_empty() && counted(&proxy, "none").await == (0, 0));
}

#[tokio::test]
async fn a_copy_keeps_the_host_and_has_its_own_edits_after_those_of_the_route() {
    for speaks in BOTH {
        let (shop, plain, edited) =
            (Origin::saying("hello").await, origin(speaks).await, origin(speaks).await);
        let headers = "{ remove: [x-secret], set: [{ name: x-route, value: copy }, { name: x-from, value: '%REQ(x-user)%' }], \
                       add: [{ name: x-list, value: two }] }";
        let mirrors = format!(
            "[{{ cluster: plain }}, {{ cluster: edited, host: 'shadow.test:81', headers: {headers} }}]"
        );
        let more = ", rewrite: { path: { whole: /new } }, headers: { request: { set: [{ name: x-route, value: route }] } }";
        let proxy = sluice!()
            .cluster("shop", &shop)
            .cluster_with("plain", &plain, protocol(speaks))
            .cluster_with("edited", &edited, protocol(speaks))
            .routes(&routes(&mirrors, more))
            .start()
            .await;
        let request = Request::get("/old?q")
            .host("Shop.Test:8080")
            .field("x-secret", "1")
            .field("x-user", "ann")
            .field("x-list", "one");
        assert_eq!(send(&proxy, Speaks::Http1, &request).await, 200);

        let (shop, plain, edited) = (shop.saw(1).await, plain.saw(1).await, edited.saw(1).await);
        for seen in [&shop[0], &plain[0]] {
            assert_eq!((&*seen.target, &*seen.host.to_ascii_lowercase()), ("/new?q", "shop.test:8080"));
            assert_eq!(seen.fields.all("x-route"), ["route"]);
            assert_eq!((seen.fields.get("x-secret"), seen.fields.get("x-from")), (Some("1"), None));
            assert_eq!(seen.fields.all("x-list"), ["one"]);
        }
        assert_eq!(shop[0].host, plain[0].host, "the host is kept as it is");
        let seen = &edited[0];
        assert_eq!((&*seen.target, &*seen.host), ("/new?q", "shadow.test:81"));
        assert_eq!((seen.fields.all("x-route"), seen.fields.all("x-from")), (vec!["copy"], vec!["ann"]));
        assert_eq!((seen.fields.all("x-list"), seen.fields.get("x-secret")), (vec!["one", "two"], None));
        assert!(seen.version != "HTTP/1.1" || seen.fields.all("host").len() == 1);
    }
}

#[tokio::test]
async fn a_copy_keeps_the_host_that_the_route_has_rewritten() {
    let (shop, copy) = (Origin::saying("hello").await, Origin::saying("").await);
    let proxy = sluice!()
        .cluster("shop", &shop)
        .cluster("copy", &copy)
        .routes(&routes("[{ cluster: copy }]", ", rewrite: { host: { literal: inner.test } }"))
        .start()
        .await;
    assert_eq!(proxy.get("/").await.status, 200);
    assert_eq!((&*shop.saw(1).await[0].host, &*copy.saw(1).await[0].host), ("inner.test", "inner.test"));
}

#[tokio::test]
async fn a_copy_never_carries_expect() {
    for speaks in BOTH {
        let (shop, copy) = (Origin::saying("hello").await, origin(speaks).await);
        let proxy = sluice!()
            .cluster("shop", &shop)
            .cluster_with("copy", &copy, protocol(speaks))
            .routes(&routes("[{ cluster: copy }]", ""))
            .start()
            .await;
        let mut wire = Wire::connect(proxy.address()).await;
        wire.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n").await;
        wire.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
        wire.send("later").await;
        assert_eq!(wire.reply().await.status, 200);
        let (shop, copy) = (shop.saw(1).await, copy.saw(1).await);
        assert_eq!(shop[0].fields.get("expect"), Some("100-continue"));
        assert!(!copy[0].fields.has("expect") && copy[0].text() == "later", "{:?}", copy[0]);
    }
}

#[tokio::test]
async fn an_upgrade_is_never_copied_and_one_that_is_stripped_is_not_in_the_copy() {
    let shop = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        wire.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            .await;
        wire.expect("ping").await;
        wire.send("pong").await;
        wire.read_to_close().await;
    })
    .await;
    let (other, copy) = (Origin::saying("hello").await, Origin::saying("").await);
    let proxy = sluice!()
        .cluster("shop", &shop)
        .cluster("other", &other)
        .cluster("copy", &copy)
        .routes(
            "
- { name: chat, match: [{ path: { prefix: /chat } }], action: { forward: { destinations: [{ cluster: shop }] } }, mirrors: [{ cluster: copy }] }
- { name: all, action: { forward: { destinations: [{ cluster: other }] } }, mirrors: [{ cluster: copy }] }",
        )
        .start()
        .await;
    let mut chat = Wire::connect(proxy.address()).await;
    chat.send(
        "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    assert_eq!(chat.reply().await.status, 101);
    chat.send("ping").await;
    chat.expect("pong").await;
    let stripped = Request::get("/h2c")
        .field("connection", "upgrade, http2-settings")
        .field("upgrade", "h2c")
        .field("http2-settings", "AAMAAABkAAQAAP__");
    assert_eq!(proxy.send(&stripped).await.status, 200);
    let seen = copy.saw(1).await;
    assert_eq!(seen[0].target, "/h2c", "and nothing before it");
    assert!(!seen[0].fields.has("upgrade") && !seen[0].fields.has("http2-settings"), "{:?}", seen[0]);
    chat.close().await;
    assert_eq!(proxy.logged_path("/chat").await["mirrors"], 0);
}

#[tokio::test]
async fn a_retry_is_not_copied_again() {
    // The first connection breaks with its second request, which may be sent again.
    let shop = Script::start(|mut wire, number| async move {
        for request in 0.. {
            if wire.request().await.is_none() {
                return;
            }
            if (number, request) == (0, 1) {
                return wire.reset();
            }
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    })
    .await;
    let copy = Origin::saying("").await;
    let proxy = recipe(&shop, &copy).argument("--shards=1").start().await;
    let mut client = Http1::connect(proxy.address()).await;
    for path in ["/once", "/twice", "/thrice"] {
        assert_eq!(client.send(&Request::new("PUT", path).body("hi")).await.status, 200);
    }
    assert_eq!(proxy.logged_path("/twice").await["attempts"], 2);
    sent_whole(&proxy, "copy", 3).await;
    let seen = copy.requests();
    assert!(seen.iter().all(|seen| seen.text() == "hi"));
    let mut paths: Vec<_> = seen.iter().map(|seen| &*seen.target).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/once", "/thrice", "/twice"]);
}

// === Slow and dead mirrors ===

#[tokio::test]
async fn mirrors_that_take_nothing_hold_at_most_a_mebibyte_each_and_are_then_reset() {
    const MIRRORS: usize = 8;
    let shop = Origin::speaking(Speaks::Http1).digesting().start(|_| Answer::ok("")).await;
    let stuck = Script::start(|wire, _| wire.stall()).await;
    let mirrors = format!("[{}]", ["{ cluster: copy }"; MIRRORS].join(", "));
    let proxy =
        sluice!().cluster("shop", &shop).cluster("copy", &stuck).routes(&routes(&mirrors, "")).start().await;
    let before = proxy.stat("sluice_process_resident_memory_bytes", &[]).await;
    let body = pattern(LONG / 2);
    assert_eq!(upload(&proxy, Speaks::Http1, &body).await, 200);
    assert_eq!(shop.requests()[0].digest, digest(&body));
    given_up(&proxy, "copy", "too slow", MIRRORS as u64).await;
    let grown = proxy.stat("sluice_process_resident_memory_bytes", &[]).await - before;
    assert!(before > 0.0 && grown < (MIRRORS + 16) as f64 * 1_048_576.0, "grown by {grown} bytes");
    assert_eq!(stuck.connections(), MIRRORS);
}

#[tokio::test]
async fn mirrors_of_a_shard_hold_no_more_than_its_cap() {
    let shop = Origin::speaking(Speaks::Http1).digesting().start(|_| Answer::ok("")).await;
    let stuck = Script::start(|wire, _| wire.stall()).await;
    let proxy = sluice!()
        .value("shop", &shop)
        .value("copy", &stuck)
        .config(
            "
runtime: { shards: 1, mirror_buffer_per_shard: 256KiB }
listeners: [{ name: web, address: 127.0.0.1:0, route_table: main }]
route_tables:
- name: main
  virtual_hosts:
  - name: all
    hosts: ['*']
    routes: [{ name: all, action: { forward: { destinations: [{ cluster: shop }] } }, mirrors: [{ cluster: copy }] }]
clusters:
- { name: shop, endpoints: [{ address: '${shop}' }] }
- { name: copy, endpoints: [{ address: '${copy}' }] }",
        )
        .start()
        .await;
    assert_eq!(upload(&proxy, Speaks::Http1, &pattern(LONG / 4)).await, 200);
    given_up(&proxy, "copy", "shard buffer full", 1).await;
}

#[tokio::test]
async fn a_mirror_that_never_answers_delays_nobody() {
    let shop = Origin::saying("hello").await;
    let silent = Script::start(|wire, _| wire.stall()).await;
    let proxy = copying(&shop, &silent).await;
    for speaks in BOTH {
        for _ in 0..10 {
            assert_eq!(send(&proxy, speaks, &Request::post("/", "body")).await, 200);
        }
    }
    assert_eq!((shop.requests().len(), counted(&proxy, "copy").await), (20, (0, 0)), "none is over yet");
}

#[tokio::test]
async fn a_dead_mirror_is_counted_and_fails_nobody() {
    let (shop, nobody) = (Origin::saying("hello").await, Nobody::new());
    let rude = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        wire.reset();
    })
    .await;
    let proxy = sluice!()
        .cluster("shop", &shop)
        .cluster("nobody", &nobody)
        .cluster("rude", &rude)
        .routes(&routes("[{ cluster: nobody }, { cluster: rude }]", ""))
        .start()
        .await;
    for speaks in BOTH {
        for number in 0..5 {
            let request = Request::post(&format!("/{number}"), "body");
            assert_eq!(send(&proxy, speaks, &request).await, 200);
        }
    }
    assert!(shop.requests().iter().all(|seen| seen.text() == "body"));
    given_up(&proxy, "nobody", "connect failed", 10).await;
    given_up(&proxy, "rude", "", 10).await;
    let flagged = proxy.log().iter().filter(|entry| entry["status"] != 200).count();
    assert_eq!(flagged, 0, "{:?}", proxy.log());
}

#[tokio::test]
async fn whatever_a_mirror_answers_is_discarded() {
    const HUGE: usize = 32 << 20;
    let shop = Origin::http1(|_| Answer::ok("the answer").field("x-shop", "yes")).await;
    let answers: [(&str, &str); 6] = [
        ("error", "HTTP/1.1 500 Oops\r\ncontent-length: 4\r\nset-cookie: a=b\r\n\r\noops"),
        ("interim", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
        ("broken", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc"),
        ("nonsense", "\0\u{1}\u{2}SSH-2.0-OpenSSH_9.0\r\n"),
        ("switching", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
        ("cut", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
    ];
    let huge = Script::start(|mut wire, _| async move {
        wire.read_head().await;
        wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {HUGE}\r\n\r\n")).await;
        for _ in 0..HUGE / PIECE {
            wire.send(vec![b'x'; PIECE]).await;
        }
        wire.read_to_close().await;
    })
    .await;
    let mut recipe = sluice!().cluster("shop", &shop).cluster("huge", &huge);
    let mut mirrors = vec!["{ cluster: huge }".to_owned()];
    let mut scripts = Vec::new();
    for (name, answer) in answers {
        let script = Script::start(move |mut wire, _| async move {
            wire.read_head().await;
            wire.send(answer).await;
        })
        .await;
        recipe = recipe.cluster(name, &script);
        mirrors.push(format!("{{ cluster: {name} }}"));
        scripts.push(script);
    }
    let proxy = recipe.routes(&routes(&format!("[{}]", mirrors.join(", ")), "")).start().await;
    for speaks in BOTH {
        let request = Request::get("/");
        let reply = match speaks {
            Speaks::Http1 => proxy.send(&request).await,
            Speaks::Http2 => Http2::connect(proxy.address()).await.get("/").await,
        };
        assert_eq!((reply.status, reply.text(), reply.field("x-shop")), (200, "the answer", "yes"));
        assert!(!reply.fields.has("set-cookie") && reply.interim.is_empty());
    }
    for name in ["huge", "error", "interim"] {
        sent_whole(&proxy, name, 2).await;
    }
    for name in ["broken", "nonsense", "switching", "cut"] {
        given_up(&proxy, name, "", 2).await;
    }
}
