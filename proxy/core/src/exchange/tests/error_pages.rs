//! Pages in the place of errors.

use super::bench::Bench;
use crate::exchange::{Action, ConnectFailure, Event};
use crate::flags::ResponseFlags;
use crate::hygiene::{Body, ResponseFacts, Version};
use std::time::Duration;

const PAGES: &str = "{ statuses: [404, 413, 503, 504], cluster: other, headers: { set: [{ name: x-code, value: '%RESPONSE_CODE%' }, \
                     { name: x-original-uri, value: '%REQ(:PATH)%' }] } }";

fn bench(cluster: &str, more: &str) -> Bench {
    Bench::new(&format!(
        "- name: r\n  action: {{ forward: {{ destinations: [{{ cluster: {cluster} }}] }} }}\n  error_pages: {PAGES}\n{more}"
    ))
}

/// The page is asked for, and it is all that goes up.
fn asked_for(bench: &mut Bench, action: Action, method: &str) {
    assert_eq!(action, Action::Connect);
    assert!(bench.exchange.is_error_page());
    assert_eq!(bench.port(), 3001);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!((bench.exchange.outgoing().method, bench.exchange.request_body()), (method, Body::None));
}

#[test]
fn an_error_of_a_server_is_replaced_by_a_page_with_its_own_status() {
    let mut bench = bench("one", "  rewrite: { path: { whole: /deep }, host: { literal: inside } }");
    assert_eq!(bench.request("GET", "/shop?x=1", Body::None), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.exchange.outgoing().target, "/deep?x=1");
    let action = bench.answer(404, Body::Length(9));
    asked_for(&mut bench, action, "GET");
    let outgoing = bench.exchange.outgoing();
    assert_eq!((outgoing.target, outgoing.authority), ("/?x=1", "a.example"), "nothing is rewritten");
    let fields = bench.request_fields();
    for wanted in ["x-code: 404", "x-original-uri: /shop?x=1"] {
        assert!(fields.iter().any(|field| field == wanted), "{fields:?}");
    }
    assert_eq!(bench.answer(200, Body::Length(4)), Action::RelayHead);
    assert_eq!(bench.on(Event::ResponseBody(b"page")), Action::Wait);
    assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
    assert!(bench.exchange.upstream_reusable() && bench.exchange.downstream_reusable());
    let record = bench.exchange.record();
    assert_eq!((record.status, record.details, record.cluster()), (200, "error_page", "one"));
    assert_eq!((record.endpoint.map(|endpoint| endpoint.port()), record.attempts), (Some(1001), 1));

    let mut bench = self::bench("one", "");
    bench.sent("GET");
    assert_eq!(bench.answer(500, Body::None), Action::RelayHead, "nobody asked for that one");
}

#[test]
fn errors_of_the_proxy_itself_are_replaced_and_keep_their_flags() {
    let mut none = bench("none", "  mirrors: [{ cluster: one }]");
    let action = none.get("/");
    asked_for(&mut none, action, "GET");
    assert!(none.exchange.mirrors().is_empty(), "nobody was asked, so there is nothing to copy");
    assert_eq!(none.answer(503, Body::None), Action::RelayHead);
    assert_eq!(none.exchange.record().flags, ResponseFlags::NO_HEALTHY_UPSTREAM);

    let mut slow = bench("one", "  timeouts: { request: 7s }");
    slow.sent("GET");
    let action = slow.after(Duration::from_secs(7));
    asked_for(&mut slow, action, "GET");
    assert_eq!(slow.after(Duration::from_secs(6)), Action::Wait, "the page has a time of its own");
    assert_eq!(slow.answer(504, Body::None), Action::RelayHead);
    assert_eq!(slow.exchange.record().flags, ResponseFlags::UPSTREAM_TIMEOUT);

    let mut direct =
        Bench::new(&format!("- name: r\n  action: {{ respond: {{ status: 503 }} }}\n  error_pages: {PAGES}"));
    let action = direct.get("/");
    asked_for(&mut direct, action, "GET");
}

#[test]
fn the_errors_of_servers_pass_where_only_our_own_are_replaced() {
    let only = PAGES.replace("cluster: other", "cluster: other, of: proxy");
    let route = |cluster: &str| {
        format!(
            "- name: r\n  action: {{ forward: {{ destinations: [{{ cluster: {cluster} }}] }} }}\n  error_pages: {only}"
        )
    };
    let mut bench = Bench::new(&route("one"));
    bench.sent("GET");
    assert_eq!(bench.answer(503, Body::None), Action::RelayHead);
    let mut bench = Bench::new(&route("none"));
    let action = bench.get("/");
    asked_for(&mut bench, action, "GET");
}

#[test]
fn a_body_goes_to_no_page_and_its_rest_ends_the_connection() {
    let mut bench = bench("one", "");
    assert_eq!(bench.request("POST", "/", Body::Length(5)), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.on(Event::RequestBody(b"he")), Action::Wait);
    let facts = ResponseFacts { version: Version::Http11, status: 503, body: Body::None };
    let action = bench.on(Event::ResponseHead { facts, held: false });
    asked_for(&mut bench, action, "POST");
    assert_eq!(bench.answer(503, Body::None), Action::RelayHead);
    assert!(!bench.exchange.downstream_reusable());
    assert_eq!(bench.on(Event::ResponseEnd), Action::Done);

    let mut bench = self::bench("one", "  max_body: 4B");
    let action = bench.request("POST", "/", Body::Length(5));
    asked_for(&mut bench, action, "POST");
    assert_eq!(bench.answer(413, Body::None), Action::RelayHead);
    assert!(!bench.exchange.downstream_reusable());
}

#[test]
fn a_page_is_never_replaced_and_one_that_cannot_be_had_leaves_the_status_alone() {
    let mut bench = bench("one", "");
    bench.sent("GET");
    let action = bench.answer(404, Body::None);
    asked_for(&mut bench, action, "GET");
    assert_eq!(bench.answer(404, Body::None), Action::RelayHead, "a page may have such a status itself");

    let mut bench = self::bench("one", "");
    bench.sent("GET");
    assert_eq!(bench.answer(404, Body::Length(4)), Action::Connect);
    let action = bench.on(Event::ConnectFailed(ConnectFailure::Refused));
    bench.replied(action, 404, ResponseFlags::UPSTREAM_CONNECT_FAILURE, "");

    let none = PAGES.replace("cluster: other", "cluster: none");
    let mut bench = Bench::new(&format!(
        "- name: r\n  action: {{ forward: {{ destinations: [{{ cluster: one }}] }} }}\n  error_pages: {none}"
    ));
    bench.sent("GET");
    assert_eq!(bench.answer(404, Body::Length(4)), Action::RelayHead, "there is nobody to ask for a page");
}

#[test]
fn calls_and_other_protocols_keep_their_errors() {
    let mut bench = bench("one", "");
    bench.request.push(("content-type", "application/grpc"));
    bench.sent("POST");
    assert_eq!(bench.answer(503, Body::None), Action::RelayHead);

    let mut bench = self::bench("one", "");
    bench.request.extend([("connection", "upgrade"), ("upgrade", "websocket")]);
    bench.sent("GET");
    assert_eq!(bench.answer(404, Body::None), Action::RelayHead);
}

#[test]
fn an_error_is_tried_elsewhere_before_a_page_takes_its_place() {
    let mut bench = bench("four", "  retry: { attempts: 1, on: [{ status: 503 }] }");
    bench.sent("GET");
    let action = bench.answer(503, Body::None);
    assert_eq!(bench.resumed(action), Action::Connect);
    assert!(!bench.exchange.is_error_page());
    assert_eq!(bench.connected(false), Action::Send);
    let action = bench.answer(503, Body::None);
    asked_for(&mut bench, action, "GET");
}
