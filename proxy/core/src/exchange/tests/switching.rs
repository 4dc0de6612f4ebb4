//! Requests for another protocol, within and between versions of HTTP.

use super::bench::Bench;
use crate::exchange::{Action, Event};
use crate::flags::ResponseFlags as Flags;
use crate::hygiene::{Body, RequestFacts, ResponseFacts, Target, Version};
use std::time::{Duration, SystemTime};

const ROUTE: &str = "
- name: r
  action: { forward: { destinations: [{ cluster: one }] } }
  timeouts: { request: 5s, idle: 60s }
  mirrors: [{ cluster: other }]
";

fn upgrading() -> Bench {
    let mut bench = Bench::new(ROUTE);
    bench.request.extend([
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ]);
    assert_eq!(bench.get("/chat"), Action::Connect);
    bench
}

fn extended() -> Bench {
    let mut bench = Bench::new(ROUTE);
    bench.version = Version::Http2;
    bench.request = vec![("sec-websocket-version", "13")];
    let facts = RequestFacts {
        version: Version::Http2,
        method: "CONNECT",
        target: Target::Pseudo {
            scheme: Some("http"),
            authority: Some("a.example"),
            path: Some("/chat"),
            protocol: Some("websocket"),
        },
        body: Body::Unknown,
    };
    assert_eq!(bench.on(Event::RequestHead { facts, wall: SystemTime::UNIX_EPOCH }), Action::Connect);
    bench
}

fn connect(bench: &mut Bench, version: Version) {
    assert_eq!(bench.on(Event::Connected { reused: false, version }), Action::Send);
}

fn answer(bench: &mut Bench, version: Version, status: u16) -> Action {
    bench.on(Event::ResponseHead { facts: ResponseFacts { version, status, body: Body::None }, held: true })
}

fn has(fields: &[String], prefix: &str) -> bool {
    fields.iter().any(|field| field.starts_with(prefix))
}

#[test]
fn an_upgrade_over_http1() {
    let mut bench = upgrading();
    connect(&mut bench, Version::Http11);
    let outgoing = bench.exchange.outgoing();
    assert_eq!((outgoing.method, outgoing.protocol), ("GET", Some("websocket")));
    let fields = bench.request_fields();
    assert!(
        has(&fields, "sec-websocket-key: dGhl") && !has(&fields, "upgrade") && !has(&fields, "connection"),
        "{fields:?}"
    );
    assert!(bench.exchange.mirrors().is_empty(), "upgrades are not mirrored");
    bench.response =
        vec![("upgrade", "WebSocket"), ("connection", "upgrade"), ("sec-websocket-accept", "theirs")];
    assert_eq!(answer(&mut bench, Version::Http11, 101), Action::Tunnel);
    assert_eq!(bench.exchange.response_status(), 101);
    assert_eq!(bench.response_fields(), ["sec-websocket-accept: theirs", "upgrade: websocket"]);
    for _ in 0..20 {
        assert_eq!(bench.after(Duration::from_secs(50)), Action::Wait, "the request timeout does not apply");
        assert_eq!(bench.on(Event::Tunnel { up: 2, down: 3 }), Action::Wait);
    }
    assert_eq!(bench.on(Event::TunnelEnd), Action::Done);
    let record = bench.exchange.record();
    assert_eq!(
        (record.status, record.bytes_received, record.bytes_sent, record.upgraded),
        (101, 40, 60, true)
    );
    assert!(!bench.exchange.downstream_reusable() && !bench.exchange.upstream_reusable());
}

#[test]
fn an_idle_tunnel_is_cut() {
    let mut bench = upgrading();
    connect(&mut bench, Version::Http11);
    bench.response = vec![("upgrade", "websocket")];
    assert_eq!(answer(&mut bench, Version::Http11, 101), Action::Tunnel);
    assert_eq!(bench.after(Duration::from_mins(1)), Action::Abort);
    assert_eq!(bench.exchange.record().flags, Flags::IDLE_TIMEOUT);
}

#[test]
fn an_upgrade_that_is_refused_is_an_ordinary_answer() {
    let mut bench = upgrading();
    connect(&mut bench, Version::Http11);
    assert_eq!(answer(&mut bench, Version::Http11, 403), Action::RelayHead);
    assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
}

#[test]
fn an_upgrade_to_something_else_is_refused() {
    let mut bench = upgrading();
    connect(&mut bench, Version::Http11);
    bench.response = vec![("upgrade", "h2c")];
    assert_eq!(answer(&mut bench, Version::Http11, 101), Action::Respond);
    assert_eq!(
        (bench.exchange.record().status, bench.exchange.record().flags),
        (502, Flags::UPSTREAM_PROTOCOL_ERROR)
    );
}

#[test]
fn an_upgrade_becomes_an_extended_connect() {
    let mut bench = upgrading();
    connect(&mut bench, Version::Http2);
    let outgoing = bench.exchange.outgoing();
    assert_eq!(
        (outgoing.method, outgoing.target, outgoing.protocol),
        ("CONNECT", "/chat", Some("websocket"))
    );
    let fields = bench.request_fields();
    assert!(!has(&fields, "sec-websocket-key") && has(&fields, "sec-websocket-version"), "{fields:?}");
    assert_eq!(answer(&mut bench, Version::Http2, 200), Action::Tunnel);
    assert_eq!(bench.exchange.response_status(), 101);
    assert_eq!(
        bench.response_fields(),
        ["upgrade: websocket", "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
    );
}

#[test]
fn the_name_of_the_protocol_is_the_registered_one_where_case_may_count() {
    for (version, name) in [(Version::Http11, "WebSocket"), (Version::Http2, "websocket")] {
        let mut bench = Bench::new(ROUTE);
        bench.request.extend([("connection", "Upgrade"), ("upgrade", "WebSocket")]);
        assert_eq!(bench.get("/chat"), Action::Connect);
        connect(&mut bench, version);
        assert_eq!(bench.exchange.outgoing().protocol, Some(name));
    }
}

#[test]
fn an_extended_connect_becomes_an_upgrade() {
    let mut bench = extended();
    connect(&mut bench, Version::Http11);
    let outgoing = bench.exchange.outgoing();
    assert_eq!((outgoing.method, outgoing.target, outgoing.protocol), ("GET", "/chat", Some("websocket")));
    assert!(has(&bench.request_fields(), "sec-websocket-key: "));
    bench.response =
        vec![("upgrade", "websocket"), ("sec-websocket-accept", "x"), ("sec-websocket-protocol", "chat")];
    assert_eq!(answer(&mut bench, Version::Http11, 101), Action::Tunnel);
    assert_eq!(bench.exchange.response_status(), 200);
    assert_eq!(bench.response_fields(), ["sec-websocket-protocol: chat"]);
}

#[test]
fn a_plain_answer_does_not_look_like_a_tunnel() {
    let mut bench = extended();
    connect(&mut bench, Version::Http11);
    assert_eq!(answer(&mut bench, Version::Http11, 200), Action::Respond);
    assert_eq!(bench.exchange.record().details, "upstream_answer_to_connect");
    let mut bench = extended();
    connect(&mut bench, Version::Http11);
    assert_eq!(answer(&mut bench, Version::Http11, 404), Action::RelayHead);
}

#[test]
fn an_extended_connect_over_http2() {
    let mut bench = extended();
    connect(&mut bench, Version::Http2);
    assert_eq!(bench.exchange.outgoing().method, "CONNECT");
    assert!(!has(&bench.request_fields(), "sec-websocket-key"));
    assert_eq!(answer(&mut bench, Version::Http2, 200), Action::Tunnel);
    assert_eq!(bench.exchange.response_status(), 200);
}
