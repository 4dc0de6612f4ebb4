//! Canaries: by header, by cookie, by position and by weight, and clients that stay where they are.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

use sluice_dsl::{Certificate, Http1, Http2, Origin, Recipe, Reply, Request, Sluice, TlsClient, sluice};

/// The main origin, and the canary.
struct Shop {
    main: Origin,
    canary: Origin,
}

impl Shop {
    async fn open() -> Self {
        Self { main: Origin::saying("main").await, canary: Origin::saying("canary").await }
    }

    /// A proxy with this `forward` action.
    fn recipe(&self, forward: &str) -> Recipe {
        sluice!().cluster("main", &self.main).cluster("canary", &self.canary).routes(&routes(forward))
    }

    async fn behind(&self, forward: &str) -> Sluice {
        self.recipe(forward).start().await
    }
}

/// One route with this `forward` action, a flow mapping without its braces.
fn routes(forward: &str) -> String {
    format!("- {{ name: all, action: {{ forward: {{ destinations: [{{ cluster: main }}], {forward} }} }} }}")
}

/// A client of either version.
enum Client {
    One(Box<Http1>),
    Two(Http2),
}

impl Client {
    async fn both(proxy: &Sluice) -> [Self; 2] {
        let one = Http1::connect(proxy.address()).await;
        [Self::One(Box::new(one)), Self::Two(Http2::connect(proxy.address()).await)]
    }

    async fn send(&mut self, fields: &[(&str, &str)]) -> Reply {
        let request =
            fields.iter().fold(Request::get("/"), |request, (name, value)| request.field(name, value));
        match self {
            Self::One(client) => client.send(&request).await,
            Self::Two(client) => client.send(&request).await.expect("an answer should come"),
        }
    }

    /// Who answers.
    async fn side(&mut self, fields: &[(&str, &str)]) -> String {
        self.send(fields).await.text().to_owned()
    }
}

/// How many of so many requests the canary gets.
async fn on_canary(proxy: &Sluice, requests: usize) -> usize {
    let mut client = Http1::connect(proxy.address()).await;
    let mut count = 0;
    for _ in 0..requests {
        count += usize::from(client.get("/").await.text() == "canary");
    }
    count
}

// === Weight ===

#[tokio::test]
async fn a_canary_gets_its_weight_over_any_total() {
    let shop = Shop::open().await;
    let mut proxy = shop.behind("canaries: [{ cluster: canary }]").await;
    // Bounds are seven standard deviations of 600 draws.
    for (forward, mean, bound) in [
        ("canary_total: 3, canaries: [{ cluster: canary, weight: 1 }]", 200, 81),
        ("canary_total: 1000, canaries: [{ cluster: canary, weight: 250 }]", 150, 75),
        ("canaries: [{ cluster: canary, weight: 50 }]", 300, 86),
        ("canaries: [{ cluster: canary, weight: 0 }]", 0, 0),
        ("canaries: [{ cluster: canary, weight: 100 }]", 600, 0),
        ("canary_total: 7, canaries: [{ cluster: canary, weight: 7 }]", 600, 0),
    ] {
        proxy.reload_routes(&routes(forward)).await;
        let count = on_canary(&proxy, 600).await;
        assert!(count.abs_diff(mean) <= bound, "{forward}: {count} of 600");
    }
}

#[tokio::test]
async fn weighted_destinations_share_by_any_sum_without_a_canary() {
    let shop = Shop::open().await;
    let proxy = shop
        .recipe("")
        .routes(
            "- { name: all, action: { forward: { destinations: [{ cluster: main, weight: 5 }, { cluster: canary, weight: 2 }] } } }",
        )
        .start()
        .await;
    let count = on_canary(&proxy, 700).await;
    assert!(count.abs_diff(200) <= 84, "{count} of 700");
}

// === Header and cookie ===

/// Whom requests with these fields reach, over both versions.
async fn expect_sides(proxy: &Sluice, cases: &[(&[(&str, &str)], &str)]) {
    for mut client in Client::both(proxy).await {
        for (fields, wanted) in cases {
            assert_eq!(client.side(fields).await, *wanted, "{fields:?}");
        }
    }
}

#[tokio::test]
async fn a_header_decides_by_its_rule() {
    let shop = Shop::open().await;
    let mut proxy = shop.behind("canaries: [{ cluster: canary, header: { name: x-canary } }]").await;
    expect_sides(
        &proxy,
        &[
            (&[], "main"),
            (&[("x-canary", "always")], "canary"),
            (&[("x-canary", "never")], "main"),
            (&[("x-canary", "maybe")], "main"),
            (&[("x-canary", "Always")], "main"),
        ],
    )
    .await;
    let header = |rule: &str| {
        routes(&format!("canaries: [{{ cluster: canary, header: {{ name: X-Canary, rule: {rule} }} }}]"))
    };
    proxy.reload_routes(&header("present")).await;
    expect_sides(
        &proxy,
        &[(&[], "main"), (&[("x-canary", "")], "canary"), (&[("x-canary", "never")], "canary")],
    )
    .await;
    proxy.reload_routes(&header("{ value: de }")).await;
    expect_sides(
        &proxy,
        &[
            (&[("x-canary", "de")], "canary"),
            (&[("x-canary", "deu")], "main"),
            (&[("x-canary", "always")], "main"),
        ],
    )
    .await;
    proxy.reload_routes(&header("{ regex: '^(de|at)-' }")).await;
    expect_sides(&proxy, &[(&[("x-canary", "at-1")], "canary"), (&[("x-canary", "ch-at-1")], "main")]).await;
}

#[tokio::test]
async fn header_comes_before_cookie_and_cookie_before_weight() {
    let shop = Shop::open().await;
    let canary = |weight| {
        format!(
            "canaries: [{{ cluster: canary, weight: {weight}, header: {{ name: x-canary }}, cookie: try }}]"
        )
    };
    let mut proxy = shop.behind(&canary(0)).await;
    expect_sides(
        &proxy,
        &[
            (&[], "main"),
            (&[("cookie", "try=always")], "canary"),
            (&[("cookie", "a=b; try=always; c=d")], "canary"),
            (&[("cookie", "nottry=always")], "main"),
            (&[("cookie", "try=alwaysnot")], "main"),
            (&[("x-canary", "always"), ("cookie", "try=never")], "canary"),
            (&[("x-canary", "never"), ("cookie", "try=always")], "main"),
            (&[("x-canary", "maybe"), ("cookie", "try=always")], "canary"),
        ],
    )
    .await;
    proxy.reload_routes(&routes(&canary(100))).await;
    expect_sides(
        &proxy,
        &[
            (&[], "canary"),
            (&[("cookie", "try=never")], "main"),
            (&[("x-canary", "never")], "main"),
            (&[("cookie", "try=maybe")], "canary"),
        ],
    )
    .await;
}

#[tokio::test]
async fn header_and_cookie_come_before_the_position() {
    let shop = Shop::open().await;
    let forward = |weight| {
        format!(
            "sticky: {{ hash: {{ header: x-user }} }}, \
             canaries: [{{ cluster: canary, weight: {weight}, header: {{ name: x-canary }}, cookie: try }}]"
        )
    };
    let mut proxy = shop.behind(&forward(100)).await;
    expect_sides(
        &proxy,
        &[
            (&[("x-user", "ann")], "canary"),
            (&[("x-user", "ann"), ("x-canary", "never")], "main"),
            (&[("x-user", "ann"), ("cookie", "try=never")], "main"),
        ],
    )
    .await;
    proxy.reload_routes(&routes(&forward(0))).await;
    expect_sides(
        &proxy,
        &[
            (&[("x-user", "ann")], "main"),
            (&[("x-user", "ann"), ("x-canary", "always")], "canary"),
            (&[("x-user", "ann"), ("cookie", "try=always")], "canary"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_cookie_is_found_wherever_it_is_among_the_cookie_fields() {
    let shop = Shop::open().await;
    let proxy = shop.behind("canaries: [{ cluster: canary, cookie: try }]").await;
    // HTTP/2 clients send crumbs (RFC 9113 section 8.2.3).
    let client = Http2::connect(proxy.address()).await;
    for crumbs in
        [["a=b", "try=always", "c=d"], ["try=always", "a=b", "c=d"], ["a=b", "c=d; e=f", "try=always"]]
    {
        let request = crumbs.iter().fold(Request::get("/"), |request, crumb| request.field("cookie", crumb));
        let reply = client.send(&request).await.expect("an answer should come");
        assert_eq!(reply.text(), "canary", "{crumbs:?}");
    }
    let seen = shop.canary.saw(3).await;
    assert_eq!(seen[0].fields.all("cookie"), ["a=b; try=always; c=d"], "joined again for HTTP/1.1");
}

// === Sticky by hash ===

const CLIENTS: usize = 300;

/// The side of each of many clients that a header tells apart; the same at each time of asking.
async fn sides(proxy: &Sluice) -> Vec<bool> {
    let mut client = Http1::connect(proxy.address()).await;
    let mut sides = Vec::with_capacity(CLIENTS);
    for number in 0..CLIENTS {
        let request = Request::get("/").field("x-user", &format!("user-{number}"));
        sides.push(client.send(&request).await.text() == "canary");
    }
    sides
}

fn count(sides: &[bool]) -> usize {
    sides.iter().filter(|side| **side).count()
}

#[tokio::test]
async fn raising_the_weight_moves_nobody_back_and_zero_or_removal_releases_all() {
    let shop = Shop::open().await;
    let forward =
        |canaries: &str| routes(&format!("sticky: {{ hash: {{ header: x-user }} }}, canaries: {canaries}"));
    let weight = |weight| forward(&format!("[{{ cluster: canary, weight: {weight} }}]"));
    let mut proxy = shop.recipe("").routes(&weight(10)).start().await;
    let ten = sides(&proxy).await;
    assert_eq!(sides(&proxy).await, ten, "everybody stays");
    // 30 of 300, with a deviation of 5.2.
    assert!(count(&ten).abs_diff(30) <= 29, "{}", count(&ten));

    let mut before = ten.clone();
    for more in [20, 60, 100] {
        proxy.reload_routes(&weight(more)).await;
        let after = sides(&proxy).await;
        assert!(
            before.iter().zip(&after).all(|(before, after)| *after || !before),
            "{more}: somebody moved back"
        );
        assert!(count(&after) > count(&before), "{more}: {} {}", count(&before), count(&after));
        before = after;
    }
    assert_eq!(count(&before), CLIENTS, "100 takes all");

    proxy.reload_routes(&weight(0)).await;
    assert_eq!(count(&sides(&proxy).await), 0, "0 releases all");
    proxy.reload_routes(&weight(10)).await;
    assert_eq!(sides(&proxy).await, ten, "the position is the client's, not the configuration's");
    proxy.reload_routes(&forward("[]")).await;
    assert_eq!(count(&sides(&proxy).await), 0, "a removed canary releases all");
}

#[tokio::test]
async fn two_processes_agree_on_the_hash_of_a_client() {
    let shop = Shop::open().await;
    let forward = "sticky: { hash: { header: x-user } }, canaries: [{ cluster: canary, weight: 40 }]";
    let (one, two) = (shop.behind(forward).await, shop.behind(forward).await);
    assert_eq!(sides(&one).await, sides(&two).await);
}

#[tokio::test]
async fn a_hash_can_be_of_a_header_a_cookie_a_query_parameter_or_the_source_address() {
    let shop = Shop::open().await;
    let mut proxy = shop.recipe("").listener("forwarded: { trusted: [127.0.0.1] }").start().await;
    for key in ["{ header: x-user }", "{ cookie: user }", "{ query: user }", "source_ip"] {
        let canaries = "canaries: [{ cluster: canary, weight: 50 }]";
        proxy.reload_routes(&routes(&format!("sticky: {{ hash: {key} }}, {canaries}"))).await;
        let (mut one, two) = (Http1::connect(proxy.address()).await, Http2::connect(proxy.address()).await);
        let mut canary = 0;
        for number in 0..60 {
            let request = Request::get(&format!("/?user={number}"))
                .field("x-user", &number.to_string())
                .field("cookie", "other=1")
                .field("cookie", &format!("user={number}"))
                .field("x-forwarded-for", &format!("192.0.2.{number}"));
            let over_http2 = two.send(&request).await.expect("an answer should come").text().to_owned();
            // HTTP/1.1 clients send one field.
            let request = Request::get(&format!("/?user={number}"))
                .field("x-user", &number.to_string())
                .field("cookie", &format!("other=1; user={number}"))
                .field("x-forwarded-for", &format!("192.0.2.{number}"));
            assert_eq!(one.send(&request).await.text(), over_http2, "{key} {number}");
            canary += usize::from(over_http2 == "canary");
        }
        assert!((5..=55).contains(&canary), "{key}: {canary} of 60");
    }
}

// === Sticky by cookie ===

const KEY: &str = "file: side.key";

/// A proxy that keeps positions in the cookie `side`, signed with this key; `${weight}` is the canary's.
fn keeping(shop: &Shop, key: &str, weight: u32) -> Recipe {
    sluice!()
        .value("main", &shop.main)
        .value("canary", &shop.canary)
        .file("side.key", key)
        .config(&config(weight, ""))
}

fn config(weight: u32, listener: &str) -> String {
    format!(
        "
listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main{listener} }}]
route_tables:
- name: main
  virtual_hosts:
  - name: all
    hosts: ['*']
    routes:
    - name: all
      action:
        forward:
          destinations: [{{ cluster: main }}]
          canaries: [{{ cluster: canary, weight: {weight} }}]
          sticky: {{ cookie: {{ name: side, key: signing, ttl: 1h, path: /shop }} }}
clusters:
- {{ name: main, endpoints: [{{ address: '${{main}}' }}] }}
- {{ name: canary, endpoints: [{{ address: '${{canary}}' }}] }}
secrets:
- {{ name: signing, kind: {{ key: {{ {KEY} }} }} }}
"
    )
}

const ONE_KEY: &str = "a key that is long enough to sign with";
const OTHER_KEY: &str = "another key that is also long enough";

/// The `name=value` of the cookie that an answer sets.
fn set_cookie(reply: &Reply) -> Option<&str> {
    let cookies = reply.fields.all("set-cookie");
    assert!(cookies.len() <= 1, "{cookies:?}");
    cookies.first()?.split(';').next()
}

#[tokio::test]
async fn a_signed_cookie_keeps_a_client_through_reloads_and_in_every_replica() {
    let shop = Shop::open().await;
    let (mut one, two) =
        (keeping(&shop, ONE_KEY, 10).start().await, keeping(&shop, ONE_KEY, 10).start().await);
    let mut clients = Vec::new();
    let mut connection = Http1::connect(one.address()).await;
    for _ in 0..CLIENTS {
        let reply = connection.get("/").await;
        let cookie = set_cookie(&reply).expect("a new client gets a cookie").to_owned();
        clients.push((cookie, reply.text() == "canary"));
    }
    let drawn = clients.iter().filter(|(_, canary)| *canary).count();
    assert!(drawn.abs_diff(30) <= 29, "{drawn}");
    for proxy in [&one, &two] {
        for mut client in Client::both(proxy).await {
            for (cookie, canary) in clients.iter().step_by(5) {
                let reply = client.send(&[("cookie", cookie)]).await;
                assert_eq!((reply.text() == "canary", set_cookie(&reply)), (*canary, None));
            }
        }
    }
    for weight in [20, 100, 0] {
        one.reload(&config(weight, "")).await;
        let mut connection = Http1::connect(one.address()).await;
        let mut moved = 0;
        for (cookie, canary) in &mut clients {
            let reply = connection.send(&Request::get("/").field("cookie", cookie)).await;
            let now = reply.text() == "canary";
            assert!(now || !*canary || weight == 0, "{weight}: somebody moved back");
            moved += usize::from(now != *canary);
            *canary = now;
            assert_eq!(set_cookie(&reply), None, "the position stays");
        }
        assert!(moved > 0, "{weight}");
        let wanted = match weight {
            100 => CLIENTS,
            0 => 0,
            _ => continue,
        };
        assert_eq!(clients.iter().filter(|(_, canary)| *canary).count(), wanted, "{weight}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_forged_damaged_or_signed_by_another_key_is_replaced() {
    let shop = Shop::open().await;
    let proxy = keeping(&shop, ONE_KEY, 50).start().await;
    let stranger = keeping(&shop, OTHER_KEY, 50).start().await;
    let foreign = set_cookie(&stranger.get("/").await).expect("a cookie").to_owned();
    let own = set_cookie(&proxy.get("/").await).expect("a cookie").to_owned();
    let mut damaged = own.clone();
    let last = damaged.pop();
    damaged.push(if last == Some('A') { 'B' } else { 'A' });
    let mut shifted = own.clone().into_bytes();
    shifted["side=".len()] ^= 1;
    let shifted = String::from_utf8(shifted).expect("ASCII");
    let cut = own[..own.len() - 4].to_owned();
    let long = format!("{own}AAAA");
    for cookie in [
        &*foreign,
        &*damaged,
        &*shifted,
        &*cut,
        &*long,
        "side=",
        "side=always",
        "side=%00",
        "side=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        for mut client in Client::both(&proxy).await {
            let reply = client.send(&[("cookie", cookie)]).await;
            let fresh = set_cookie(&reply).unwrap_or_else(|| panic!("{cookie} was believed")).to_owned();
            assert_ne!(fresh, cookie);
            let again = client.send(&[("cookie", &fresh)]).await;
            assert_eq!((again.text(), set_cookie(&again)), (reply.text(), None), "{cookie}");
        }
    }
    // The good one is believed, also in crumbs.
    let client = Http2::connect(proxy.address()).await;
    let request = Request::get("/").field("cookie", "a=b").field("cookie", &own).field("cookie", "c=d");
    assert_eq!(set_cookie(&client.send(&request).await.expect("an answer should come")), None);
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_other_sites_and_plaintext() {
    let shop = Shop::open().await;
    let certificate = Certificate::of(&["shop.test"]);
    let tls = ", tls: { certificates: [web] }";
    let secret =
        "- { name: web, kind: { tls: { certificate: { file: web.pem }, key: { file: web.key } } } }\n";
    let plain = keeping(&shop, ONE_KEY, 50).start().await;
    let secured = keeping(&shop, ONE_KEY, 50)
        .certificate("web", &certificate)
        .config(&(config(50, tls) + secret))
        .start()
        .await;
    let attributes = |reply: &Reply| {
        let cookie = reply.field("set-cookie").to_owned();
        let mut attributes: Vec<_> = cookie.split("; ").skip(1).map(str::to_owned).collect();
        attributes.sort_unstable();
        attributes
    };
    let expected = ["HttpOnly", "Max-Age=3600", "Path=/shop", "SameSite=Lax"];
    assert_eq!(attributes(&plain.get("/").await), expected);
    let h1 = TlsClient::trusting(&certificate, "shop.test", &["http/1.1"]);
    let h2 = TlsClient::trusting(&certificate, "shop.test", &["h2"]);
    let mut secure = expected.to_vec();
    secure.push("Secure");
    let request = Request::get("/").host("shop.test");
    let reply = Http1::connect_tls(secured.address(), &h1).await.send(&request).await;
    assert_eq!(attributes(&reply), secure);
    let reply = Http2::connect_tls(secured.address(), &h2).await.send(&request).await;
    assert_eq!(attributes(&reply.expect("an answer should come")), secure);
}
