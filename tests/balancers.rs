//! How a cluster chooses among its endpoints, besides in turn.

use sluice_dsl::{Http1, Nobody, Origin, Request, Script, Sluice, Wire, eventually, sluice};
use std::collections::BTreeSet;

/// A configuration with these endpoints and this balancer.
fn config(endpoints: &[String], balancer: &str) -> String {
    let endpoints: Vec<String> =
        endpoints.iter().map(|address| format!("{{ address: '{address}' }}")).collect();
    format!(
        "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main }}]
route_tables:
  - name: main
    virtual_hosts:
      - name: all
        hosts: [\"*\"]
        routes: [{{ name: all, action: {{ forward: {{ destinations: [{{ cluster: all }}] }} }} }}]
clusters: [{{ name: all, endpoints: [{}], balancer: {balancer} }}]
",
        endpoints.join(", ")
    )
}

async fn balancing(endpoints: &[String], balancer: &str) -> Sluice {
    sluice!().config(&config(endpoints, balancer)).start().await
}

async fn origins(count: usize) -> Vec<Origin> {
    let mut origins = Vec::new();
    for number in 0..count {
        origins.push(Origin::saying(&number.to_string()).await);
    }
    origins
}

fn addresses(origins: &[Origin]) -> Vec<String> {
    origins.iter().map(ToString::to_string).collect()
}

/// Who answers each of these requests.
async fn answers(proxy: &Sluice, requests: &[Request]) -> Vec<String> {
    let mut answers = Vec::new();
    for request in requests {
        let reply = Http1::connect(proxy.address()).await.send(request).await;
        assert_eq!(reply.status, 200);
        answers.push(reply.text().to_owned());
    }
    answers
}

fn distinct(answers: &[String]) -> usize {
    answers.iter().collect::<BTreeSet<_>>().len()
}

#[tokio::test]
async fn the_same_key_goes_to_the_same_endpoint_in_every_shard_and_process() {
    let origins = origins(4).await;
    let mut endpoints = addresses(&origins);
    let requests = |of: &str| -> Vec<Request> {
        let request = |user: usize| match of {
            "{ header: x-user }" => Request::get("/").field("x-user", &format!("u{user}")),
            "{ query: user }" => Request::get(&format!("/?a=b&user=u{user}")),
            "{ cookie: { name: user } }" => Request::get("/").field("cookie", &format!("a=b; user=u{user}")),
            _ => Request::get("/").field("x-one", "a").field("x-two", &format!("{user}")),
        };
        (0..24).map(request).collect()
    };
    let keys = [
        "{ header: x-user }",
        "{ query: user }",
        "{ cookie: { name: user } }",
        "{ template: '%REQ(x-one)%-%REQ(x-two)%' }",
    ];
    for balancer in ["ring_hash", "maglev"] {
        let mut first = Vec::new();
        for key in keys {
            let balancer = format!("{{ {balancer}: {{ key: {key} }} }}");
            let proxy = balancing(&endpoints, &balancer).await;
            let requests = requests(key);
            let asked = answers(&proxy, &requests).await;
            assert_eq!(distinct(&asked), 4, "24 keys for {balancer}: {asked:?}");
            assert_eq!(answers(&proxy, &requests).await, asked, "{balancer}");
            if first.is_empty() {
                first = asked;
            } else if !key.contains("template") {
                assert_eq!(asked, first, "the same keys, wherever they stand");
            }
            endpoints.rotate_left(1);
        }
    }
}

#[tokio::test]
async fn a_client_is_known_by_its_address() {
    let origins = origins(3).await;
    for balancer in ["{ ring_hash: { key: source_ip } }", "{ maglev: { key: source_ip, table_size: 101 } }"] {
        let proxy = balancing(&addresses(&origins), balancer).await;
        let requests = vec![Request::get("/"); 12];
        assert_eq!(distinct(&answers(&proxy, &requests).await), 1, "{balancer}");
    }
}

#[tokio::test]
async fn a_request_without_a_key_goes_anywhere() {
    let origins = origins(2).await;
    for balancer in ["random", "{ ring_hash: { key: { header: x-user } } }", "{ least_request: {} }"] {
        let proxy = balancing(&addresses(&origins), balancer).await;
        let requests = vec![Request::get("/").field("x-user", ""); 40];
        assert_eq!(distinct(&answers(&proxy, &requests).await), 2, "{balancer}");
    }
}

#[tokio::test]
async fn a_client_that_sends_no_cookie_is_given_one_that_keeps_it_at_its_endpoint() {
    let origins = origins(3).await;
    let make = "{ ttl: 1h, path: /shop, attributes: [{ name: SameSite, value: Lax }] }";
    let balancer = format!("{{ ring_hash: {{ key: {{ cookie: {{ name: at, make: {make} }} }} }} }}");
    let proxy = balancing(&addresses(&origins), &balancer).await;
    let mut values = BTreeSet::new();
    for _ in 0..8 {
        let reply = proxy.get("/shop").await;
        let set = reply.field("set-cookie").to_owned();
        let (pair, attributes) = set.split_once("; ").expect("a cookie with attributes");
        assert_eq!(attributes, "Path=/shop; Max-Age=3600; HttpOnly; SameSite=Lax");
        let known = Request::get("/shop").field("cookie", pair);
        for _ in 0..4 {
            let again = proxy.send(&known).await;
            assert_eq!(again.text(), reply.text(), "{pair}");
            assert_eq!(again.field("set-cookie"), "", "it has one");
        }
        values.insert(pair.to_owned());
    }
    assert_eq!(values.len(), 8, "no two clients get the same: {values:?}");
}

#[tokio::test]
async fn a_key_whose_endpoint_is_dead_goes_to_another_one_and_no_other_key_moves() {
    let origins = origins(3).await;
    let dead = Nobody::new();
    let requests: Vec<Request> =
        (0..24).map(|user| Request::get("/").field("x-user", &format!("u{user}"))).collect();
    for balancer in ["ring_hash", "maglev"] {
        let balancer = format!("{{ {balancer}: {{ key: {{ header: x-user }} }} }}");
        let mut endpoints = addresses(&origins);
        endpoints.push(dead.to_string());
        let with = answers(&balancing(&endpoints, &balancer).await, &requests).await;
        let again = answers(&balancing(&endpoints, &balancer).await, &requests).await;
        assert_eq!(with, again, "{balancer}: what takes over is the same everywhere, too");
    }
}

#[tokio::test]
async fn an_endpoint_with_a_request_that_does_not_end_gets_no_others() {
    let stuck = Script::start(|mut wire, _| async move { while wire.request().await.is_some() {} }).await;
    let good = Origin::saying("good").await;
    // So many lots that both endpoints are among them.
    let balancer = "{ least_request: { choices: 32 } }";
    let mut proxy = balancing(&[stuck.to_string()], balancer).await;
    // More than one: the request before may still be counted when its answer is here.
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut wire = Wire::connect(proxy.address()).await;
        wire.send("GET / HTTP/1.1\r\nhost: sluice.test\r\n\r\n").await;
        waiting.push(wire);
    }
    eventually("all of them are at the endpoint", || stuck.connections() == 3).await;
    proxy.reload(&config(&[good.to_string(), stuck.to_string()], balancer)).await;
    for _ in 0..30 {
        assert_eq!(proxy.get("/").await.text(), "good", "who stays keeps its load");
    }
    assert_eq!(stuck.connections(), 3);
}

#[tokio::test]
async fn an_endpoint_that_fails_fast_looks_slow() {
    let good = Origin::saying("good").await;
    let failing = Script::start(|mut wire, _| async move {
        while wire.request().await.is_some() {
            wire.send("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").await;
        }
    })
    .await;
    let proxy = balancing(&[failing.to_string(), good.to_string()], "{ peak_ewma: { decay: 1m } }").await;
    let mut failed = 0;
    for _ in 0..60 {
        failed += usize::from(proxy.get("/").await.status == 500);
    }
    // Nothing was known of it once, in each shard at most; the lots fall on it alone once in thirty times.
    assert!((1..15).contains(&failed), "{failed} of 60");
}
