//! The admin endpoint: what it shows, what it changes, whom it answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::float_cmp, reason = "counters are whole numbers")]

use sluice_dsl::{Certificate, Http1, Http2, Nobody, Origin, Request, Sluice, Wire, cli, sluice, within};
use std::collections::{BTreeMap, BTreeSet};

const PAGES: [&str; 8] =
    ["/ready", "/healthz", "/stats", "/metrics", "/config_dump", "/clusters", "/listeners", "/logging"];

// --- Numbers.

/// One sample: its name, its labels and its value.
type Sample = (String, BTreeMap<String, String>, f64);

/// Reads a page in the Prometheus text format, version 0.0.4, and panics where it breaks a rule: each family has one HELP and
/// one TYPE line before its samples, stays together, and has no two samples with the same labels; histograms are
/// cumulative and end with `+Inf`, which is the count.
fn parse(page: &str) -> Vec<Sample> {
    assert!(page.ends_with('\n'), "the last line has an end");
    let (mut samples, mut known): (Vec<Sample>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
    let (mut family, mut kind) = (String::new(), String::new());
    let mut helped = None;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("help has a text");
            assert!(!help.is_empty() && known.insert(name.to_owned()), "{name} comes once: {line}");
            helped = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, type_) = rest.split_once(' ').expect("a type");
            assert_eq!(helped.take().as_deref(), Some(name), "TYPE follows HELP");
            assert!(["counter", "gauge", "histogram"].contains(&type_), "{line}");
            (family, kind) = (name.to_owned(), type_.to_owned());
        } else {
            let sample = sample(line);
            let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(
                suffixes.iter().any(|suffix| sample.0 == format!("{family}{suffix}")),
                "{line} is not of {family}"
            );
            assert_eq!(kind == "counter", family.ends_with("_total"), "{family} is a {kind}");
            assert!(
                !samples.iter().any(|(name, labels, _)| (name, labels) == (&sample.0, &sample.1)),
                "twice: {line}"
            );
            samples.push(sample);
        }
    }
    for (name, labels, value) in &samples {
        let Some(family) = name.strip_suffix("_count") else { continue };
        let buckets: Vec<(&str, f64)> = samples
            .iter()
            .filter(|(name, of, _)| {
                let mut of = of.clone();
                of.remove("le");
                *name == format!("{family}_bucket") && of == *labels
            })
            .map(|(_, of, count)| (of["le"].as_str(), *count))
            .collect();
        assert_eq!(buckets.last(), Some(&("+Inf", *value)), "{name}{labels:?}");
        assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name}{labels:?}: {buckets:?}");
        let bounds: Vec<f64> = buckets.iter().map(|(bound, _)| bound.parse().unwrap()).collect();
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{name}{labels:?}: {bounds:?}");
    }
    samples
}

fn sample(line: &str) -> Sample {
    let name_end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(name_end);
    let plain = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && text.starts_with(|first: char| first.is_ascii_lowercase())
    };
    assert!(plain(name) && name.starts_with("sluice_"), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inside.split_once("=\"").unwrap_or_else(|| panic!("a label: {line}"));
            assert!(plain(label), "{line}");
            let mut value = String::new();
            let mut characters = after.chars();
            loop {
                match characters.next().unwrap_or_else(|| panic!("an open label: {line}")) {
                    '"' => break,
                    '\\' => match characters.next() {
                        Some('n') => value.push('\n'),
                        Some(escaped @ ('\\' | '"')) => value.push(escaped),
                        other => panic!("\\{other:?} in {line}"),
                    },
                    other => value.push(other),
                }
            }
            assert!(labels.insert(label.to_owned(), value).is_none(), "{label} twice: {line}");
            inside = characters.as_str();
            match inside.strip_prefix(',') {
                Some(more) => inside = more,
                None => break,
            }
        }
        rest = inside.strip_prefix('}').unwrap_or_else(|| panic!("labels end: {line}"));
    }
    let value = rest.strip_prefix(' ').and_then(|value| value.parse().ok());
    (name.to_owned(), labels, value.unwrap_or_else(|| panic!("a number: {line}")))
}

async fn numbers(proxy: &Sluice) -> Vec<Sample> {
    let page = proxy.admin("/metrics").await;
    assert_eq!(page.field("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    parse(page.text())
}

fn sum(samples: &[Sample], name: &str, wanted: &[(&str, &str)]) -> f64 {
    samples
        .iter()
        .filter(|(of, labels, _)| {
            of == name && wanted.iter().all(|(label, value)| labels.get(*label).is_some_and(|is| is == value))
        })
        .map(|(_, _, value)| value)
        .sum()
}

#[tokio::test]
async fn metrics_keep_to_the_format_and_count_what_happens() {
    let shop = Origin::saying("hello").await;
    let proxy = sluice!()
        .cluster("shop", &shop)
        .cluster("nobody", &Nobody::new())
        .routes(
            r#"
- { name: shop, match: [{ path: { exact: /shop } }], action: { forward: { destinations: [{ cluster: shop }] } } }
- { name: nobody, match: [{ path: { exact: /nobody } }], action: { forward: { destinations: [{ cluster: nobody }] } } }
- { name: 'odd "name" \', match: [{ path: { exact: /odd } }], action: { respond: { status: 302, body: "moved" } } }"#,
        )
        .argument("--shards=1")
        .start()
        .await;
    let before = numbers(&proxy).await;
    assert_eq!(sum(&before, "sluice_requests_total", &[]), 0.0);

    let mut client = Http1::connect(proxy.address()).await;
    for _ in 0..3 {
        assert_eq!(client.send(&Request::post("/shop", "tea")).await.status, 200);
    }
    assert_eq!(client.get("/nobody").await.status, 503);
    assert_eq!(client.get("/odd").await.status, 302);
    assert_eq!(client.get("/nowhere").await.status, 404);
    assert_eq!(Http2::connect(proxy.address()).await.get("/shop").await.status, 200);
    let mut wire = Wire::connect(proxy.address()).await;
    wire.send("GET / HTTP/1.1\r\n\r\n").await;
    wire.read_to_close().await;
    proxy.stat_becomes("sluice_requests_total", &[], |count| count == 8.0).await;
    // Their ends are counted a moment after their answers.
    proxy.stat_becomes("sluice_connections_open", &[], |open| open == 1.0).await;

    let after = numbers(&proxy).await;
    let to = |route: &'static str| [("route", route), ("listener", "web"), ("virtual_host", "all")];
    for (name, labels, value) in [
        ("sluice_requests_total", &[("class", "2xx"), ("route", "shop"), ("cluster", "shop")][..], 4.0),
        ("sluice_requests_total", &to("shop"), 4.0),
        ("sluice_requests_total", &[("class", "5xx"), ("cluster", "nobody")], 1.0),
        ("sluice_requests_total", &[("class", "3xx"), ("route", "odd \"name\" \\")], 1.0),
        ("sluice_requests_total", &[("class", "4xx")], 2.0),
        ("sluice_request_flags_total", &[("flag", "UF")], 1.0),
        ("sluice_request_flags_total", &[("flag", "NR")], 1.0),
        ("sluice_request_flags_total", &[("flag", "DPE")], 1.0),
        ("sluice_request_body_bytes_total", &[("route", "shop")], 9.0),
        ("sluice_response_body_bytes_total", &[("route", "shop")], 20.0),
        ("sluice_connections_total", &[("listener", "web")], 3.0),
        ("sluice_request_duration_seconds_count", &[("listener", "web")], 8.0),
        ("sluice_upstream_connections_total", &[("cluster", "shop")], 1.0),
        ("sluice_upstream_connections_open", &[("cluster", "shop")], 1.0),
        ("sluice_upstream_pool_hits_total", &[("cluster", "shop")], 3.0),
        ("sluice_upstream_response_seconds_count", &[("cluster", "shop")], 4.0),
        ("sluice_refusals_total", &[("listener", "web")], 1.0),
        ("sluice_access_log_lines_total", &[], 8.0),
        ("sluice_access_log_dropped_total", &[], 0.0),
        ("sluice_shards", &[], 1.0),
        ("sluice_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
    ] {
        assert_eq!(sum(&after, name, labels), value, "{name}{labels:?}");
    }
    assert!(sum(&after, "sluice_upstream_connect_failures_total", &[("cluster", "nobody")]) >= 1.0);
    assert!(sum(&after, "sluice_process_open_fds", &[]) > 3.0);
    assert!(sum(&after, "sluice_process_resident_memory_bytes", &[]) > 1e6);
}

#[tokio::test]
async fn stats_are_the_same_numbers_line_by_line() {
    let proxy = sluice!().in_front_of(&Nobody::new()).await;
    let stats = proxy.admin("/stats").await;
    for line in stats.text().lines() {
        let (name, value) = line.rsplit_once(": ").unwrap_or_else(|| panic!("{line}"));
        assert!(name.starts_with("sluice_") && value.parse::<f64>().is_ok(), "{line}");
    }
    let names = |text: &str, separator: &str| -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.rsplit_once(separator).unwrap().0.to_owned()).collect()
    };
    assert_eq!(names(stats.text(), ": "), names(proxy.admin("/metrics").await.text(), " "));
}

// --- Pages.

#[tokio::test]
async fn pages_say_what_is() {
    let shop = Origin::saying("hello").await;
    let proxy = sluice!().in_front_of(&shop).await;
    assert_eq!(proxy.get("/").await.status, 200);
    assert_eq!(proxy.admin("/ready").await.text(), "ready\n");
    assert_eq!(proxy.admin("/healthz").await.text(), "ok\n");

    let listeners = proxy.admin("/listeners").await.json();
    assert_eq!(
        (&listeners[0]["name"], &listeners[0]["address"]),
        (&"web".into(), &proxy.address().to_string().into())
    );

    let clusters = async { proxy.admin("/clusters").await.json() };
    let clusters = clusters.await;
    let endpoint = &clusters[0]["endpoints"][0];
    assert_eq!((&clusters[0]["name"], &clusters[0]["connections"]), (&"origin".into(), &1.into()));
    assert_eq!(
        (&endpoint["address"], &endpoint["requests"], &endpoint["errors"]),
        (&shop.to_string().into(), &1.into(), &0.into()),
        "{clusters}"
    );

    let dump = proxy.admin("/config_dump").await.json();
    assert!(dump["version"].is_u64() && dump["last_error"].is_null(), "{dump}");
    assert_eq!(dump["config"]["route_tables"][0]["virtual_hosts"][0]["routes"][0]["name"], "all", "{dump}");
    for path in PAGES {
        let page = proxy.admin(path).await;
        assert_eq!((page.status, page.field("cache-control")), (200, "no-store"), "{path}");
        assert_eq!(page.field("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn an_unknown_page_lists_the_known_ones() {
    let proxy = sluice!().in_front_of(&Nobody::new()).await;
    let missing = proxy.admin("/nothing").await;
    let home = proxy.admin("/").await;
    assert_eq!((missing.status, home.status), (404, 200));
    for path in PAGES.iter().chain(&["/drain"]) {
        let entry = format!(" {path} ");
        assert!(missing.text().contains(&entry) && home.text().contains(&entry), "{path}");
    }
}

#[tokio::test]
async fn secrets_are_shown_nowhere() {
    let certificate = Certificate::of(&["shop.test"]);
    let inline =
        |text: &str| text.lines().fold("|\n".to_owned(), |all, line| all + "            " + line + "\n");
    let key = "0123456789abcdef-do-not-show-this";
    let config = format!(
        "listeners: [{{ name: web, address: 127.0.0.1:0, route_table: main, tls: {{ certificates: [shop] }} }}]
route_tables: [{{ name: main }}]
secrets:
  - name: shop
    kind:
      tls:
        certificate: {{ file: shop.pem }}
        key:
          inline: {}
  - name: sticky
    kind: {{ key: {{ inline: {key} }} }}
",
        inline(&certificate.key_pem).trim_end()
    );
    let mut proxy = sluice!().file("shop.pem", &certificate.chain_pem).config(&config).start().await;
    let secret_lines: Vec<&str> =
        certificate.key_pem.lines().filter(|line| !line.starts_with("-----")).collect();
    for path in PAGES {
        let page = proxy.admin(path).await;
        assert!(!page.text().contains(key), "{path}");
        assert!(secret_lines.iter().all(|line| !page.text().contains(line)), "{path}");
    }
    let dump = proxy.admin("/config_dump").await.json();
    assert_eq!(dump["config"]["secrets"][1]["name"], "sticky", "but their names are: {dump}");

    // Nor when a reload goes wrong beside them.
    proxy.write_config(&config.replace("kind: { key:", "kind: { kee:"));
    let why = proxy.refused().await;
    assert!(!why.contains(key) && secret_lines.iter().all(|line| !why.contains(line)), "{why}");
    let said = proxy.process().said();
    assert!(!said.contains(key) && secret_lines.iter().all(|line| !said.contains(line)), "{said}");
}

#[tokio::test]
async fn log_levels_change_while_it_runs() {
    let proxy = sluice!().in_front_of(&Nobody::new()).await;
    assert_eq!(proxy.admin_post("/logging?level=warn").await.text(), "warn\n");
    let changed = proxy.admin_post("/logging?sluice_proxy::dns=debug").await;
    assert!(
        changed.text().contains("sluice_proxy::dns=debug") && changed.text().contains("warn"),
        "{}",
        changed.text()
    );
    assert_eq!(proxy.admin("/logging").await.text(), changed.text());
    for bad in ["/logging", "/logging?level", "/logging?level=%%%="] {
        assert_eq!(proxy.admin_post(bad).await.status, 400, "{bad}");
    }
    assert_eq!(proxy.admin("/logging").await.text(), changed.text(), "a bad one changes nothing");
}

// --- Who is answered.

#[tokio::test]
async fn changes_are_made_with_post_only() {
    let mut proxy = sluice!().in_front_of(&Nobody::new()).await;
    let ask = async |method: &str, path: &str| {
        let host = proxy.admin_address().to_string();
        Http1::connect(proxy.admin_address()).await.send(&Request::new(method, path).host(&host)).await
    };
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let reply = ask(method, "/drain").await;
        assert_eq!((reply.status, reply.field("allow")), (405, "POST"), "{method}");
    }
    for path in PAGES {
        let reply = ask("DELETE", path).await;
        assert_eq!(reply.status, 405, "{path}");
        if path != "/logging" {
            let reply = ask("POST", path).await;
            assert_eq!((reply.status, reply.field("allow")), (405, "GET, HEAD"), "{path}");
        }
    }
    assert_eq!(proxy.admin("/ready").await.status, 200);
    assert!(proxy.process().is_running());
}

#[tokio::test]
async fn names_that_were_rebound_and_foreign_pages_get_nothing() {
    let proxy = sluice!()
        .top("admin", "{ address: \"127.0.0.1:0\", allowed_hosts: [sluice.internal] }")
        .in_front_of(&Nobody::new())
        .await;
    let admin = proxy.admin_address();
    let ask = async |request: Request| Http1::connect(admin).await.send(&request).await.status;
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:15000", "user@localhost"] {
        for path in PAGES {
            assert_eq!(ask(Request::get(path).host(host)).await, 403, "{host} {path}");
        }
        assert_eq!(ask(Request::post("/drain", "").host(host)).await, 403, "{host}");
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]:15000", "sluice.internal"] {
        assert_eq!(ask(Request::get("/ready").host(host)).await, 200, "{host}");
    }
    let foreign = Request::post("/drain", "").host("localhost").field("origin", "http://evil.example");
    assert_eq!(ask(foreign).await, 403);
    let own = Request::get("/ready").host("localhost").field("origin", "http://localhost");
    assert_eq!(ask(own).await, 200);
    assert_eq!(ask(Request::get("/ready").no_host()).await, 400);
}

#[tokio::test]
async fn the_address_is_loopback_unless_it_is_written_otherwise() {
    let schema: serde_json::Value = serde_json::from_str(&cli!().run(["schema"]).await.stdout).unwrap();
    assert!(schema.to_string().contains("\"127.0.0.1:15000\""), "the default");
    let proxy = sluice!().in_front_of(&Nobody::new()).await;
    assert!(proxy.admin_address().ip().is_loopback());
}

#[tokio::test]
async fn huge_and_slow_clients_are_bounded_and_others_are_answered() {
    let proxy = sluice!().in_front_of(&Nobody::new()).await;
    let admin = proxy.admin_address();
    let mut huge = Wire::connect(admin).await;
    let _ = huge
        .try_send(format!("GET /ready HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(100_000)))
        .await;
    let answer = huge.read_to_close().await;
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );

    let body = Request::new("GET", "/ready").host("localhost").body(vec![b'x'; 100_000]);
    let reply = Http1::connect(admin).await.send(&body).await;
    assert_eq!((reply.status, reply.field("connection")), (413, "close"));

    // More than are served at a time, none of which ever says a whole request.
    let mut slow = Vec::new();
    for _ in 0..80 {
        let mut wire = Wire::connect(admin).await;
        wire.send("GET /ready HTTP/1.1\r\nho").await;
        slow.push(wire);
    }
    // Their time for a head runs out; then it is the turn of whoever waited.
    within("an answer behind the slow ones", async {
        assert_eq!(proxy.admin("/ready").await.status, 200);
    })
    .await;
    let mut first = slow.swap_remove(0);
    let said = first.read_to_close().await;
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&said));
}
