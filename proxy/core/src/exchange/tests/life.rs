//! Requests that go well, and what is tried again when they do not.

use super::bench::Bench;
use crate::exchange::{Action, ConnectFailure, Event, FailureKind, Reuse, Sent, UpstreamFailure};
use crate::flags::ResponseFlags;
use crate::hygiene::{Body, Version};
use std::collections::HashSet;
use std::time::Duration;

const ONE: &str = "- { name: r, action: { forward: { destinations: [{ cluster: one }] } } }";
const FOUR: &str = "- { name: r, action: { forward: { destinations: [{ cluster: four }] } } }";

fn failed(kind: FailureKind, sent: Sent, held: bool) -> Event<'static> {
    Event::UpstreamFailed(UpstreamFailure { kind, sent, held, answered: false })
}

#[test]
fn a_request_and_its_answer() {
    let mut bench = Bench::new(ONE);
    assert_eq!(bench.request("POST", "/p?q", Body::Length(5)), Action::Connect);
    assert_eq!((bench.port(), bench.exchange.attempt().expect("an attempt").number), (1001, 1));
    assert_eq!(bench.connected(false), Action::Send);
    assert!(bench.exchange.is_first_send());
    let outgoing = bench.exchange.outgoing();
    assert_eq!((outgoing.method, outgoing.target, outgoing.authority), ("POST", "/p?q", "a.example"));
    assert_eq!(bench.exchange.request_body(), Body::Length(5));
    assert_eq!(bench.on(Event::RequestBody(b"hello")), Action::Wait);
    assert_eq!(bench.on(Event::RequestEnd), Action::Wait);
    bench.now += Duration::from_millis(20);
    bench.response = vec![("content-type", "text/plain")];
    assert_eq!(bench.answer(201, Body::Length(3)), Action::RelayHead);
    assert_eq!((bench.exchange.response_status(), bench.exchange.response_body()), (201, Body::Length(3)));
    assert_eq!(bench.response_fields(), ["content-type: text/plain"]);
    assert_eq!(bench.on(Event::ResponseBody(b"abc")), Action::Wait);
    bench.now += Duration::from_millis(10);
    assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
    assert!(bench.exchange.upstream_reusable() && bench.exchange.downstream_reusable());
    let record = bench.exchange.record();
    assert_eq!((record.status, record.details, record.flags), (201, "via_upstream", ResponseFlags::NONE));
    assert_eq!((record.bytes_received, record.bytes_sent, record.attempts), (5, 3, 1));
    assert_eq!((&*record.method, &*record.path, &*record.authority), ("POST", "/p?q", "a.example"));
    assert_eq!(
        (record.route(), record.virtual_host(), record.cluster(), record.listener()),
        ("r", "any", "one", "web")
    );
    assert_eq!(record.response_started, Some(Duration::from_millis(20)));
    assert_eq!(record.duration, Duration::from_millis(30));
    assert_eq!(record.request_id().len(), 36);
    assert_eq!(bench.exchange.deadline(), None);
}

#[test]
fn the_next_request_starts_clean() {
    let mut bench = Bench::new(ONE);
    for _ in 0..3 {
        bench.sent("GET");
        assert_eq!(bench.answer(200, Body::None), Action::RelayHead);
        assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
        let record = bench.exchange.record();
        assert_eq!((&*record.method, record.attempts, record.bytes_sent), ("GET", 1, 0));
        bench.reset();
    }
}

#[test]
fn interim_answers_pass_through() {
    let mut bench = Bench::new(ONE);
    assert_eq!(bench.request("PUT", "/", Body::Length(1)), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.answer(100, Body::None), Action::RelayInformational);
    assert_eq!(bench.answer(103, Body::None), Action::RelayInformational);
    assert_eq!(bench.answer(200, Body::None), Action::RelayHead);

    let mut bench = Bench::new(ONE);
    bench.version = Version::Http10;
    bench.sent("GET");
    assert_eq!(bench.answer(103, Body::None), Action::Wait, "HTTP/1.0 clients take none");
}

#[test]
fn a_refused_connect_tries_other_endpoints_but_not_all() {
    let mut bench = Bench::new(FOUR);
    let mut action = bench.request("POST", "/", Body::Unknown);
    let mut ports = HashSet::new();
    for _ in 0..3 {
        assert_eq!(action, Action::Connect);
        assert!(ports.insert(bench.port()), "another one each time");
        action = bench.on(Event::ConnectFailed(ConnectFailure::Refused));
    }
    let flags = ResponseFlags::UPSTREAM_CONNECT_FAILURE.union(ResponseFlags::RETRIES_EXHAUSTED);
    let body = "upstream connect error or disconnect/reset before headers. reset reason: connection failure";
    bench.replied(action, 503, flags, body);
    assert_eq!(bench.exchange.record().attempts, 3);
    assert_eq!(bench.exchange.record().failure, Some("connection_failure"));
    assert!(!bench.exchange.downstream_reusable(), "the body was not read");
}

#[test]
fn a_connection_that_died_while_idle_costs_no_request() {
    let mut bench = Bench::new(ONE);
    assert_eq!(bench.get("/"), Action::Connect);
    assert_eq!(bench.exchange.attempt().expect("an attempt").reuse, Reuse::Any);
    assert_eq!(bench.connected(true), Action::Send);
    assert_eq!(bench.on(failed(FailureKind::Closed, Sent::Whole, true)), Action::Connect);
    let attempt = bench.exchange.attempt().expect("an attempt");
    assert_eq!((attempt.reuse, attempt.endpoint.address.port(), attempt.number), (Reuse::Fresh, 1001, 2));
    assert_eq!(bench.connected(false), Action::Send);
    assert!(!bench.exchange.is_first_send(), "mirrors are not started again");
    assert_eq!(bench.answer(200, Body::None), Action::RelayHead);
}

#[test]
fn what_must_not_be_repeated_is_not() {
    for (method, body, kind, sent, held, again) in [
        ("POST", Body::Length(1), FailureKind::Closed, Sent::Part, true, false),
        ("POST", Body::Length(1), FailureKind::Closed, Sent::Nothing, true, true),
        ("POST", Body::Length(1), FailureKind::Closed, Sent::Nothing, false, false),
        ("POST", Body::Length(1), FailureKind::Unprocessed, Sent::Whole, true, true),
        ("PUT", Body::Length(1), FailureKind::Reset, Sent::Whole, true, true),
        ("PUT", Body::Length(1), FailureKind::Reset, Sent::Whole, false, false),
        ("GET", Body::None, FailureKind::Closed, Sent::Whole, false, true),
        ("GET", Body::None, FailureKind::Protocol("bad chunk"), Sent::Whole, true, false),
        ("LOCK", Body::None, FailureKind::Closed, Sent::Whole, true, false),
    ] {
        let mut bench = Bench::new(FOUR);
        assert_eq!(bench.request(method, "/", body), Action::Connect);
        let first = bench.port();
        let reuse = bench.exchange.attempt().expect("an attempt").reuse;
        let expected = if matches!(method, "GET" | "PUT") {
            Reuse::Any
        } else {
            Reuse::IdleLessThan(Duration::from_secs(1))
        };
        assert_eq!(reuse, expected, "{method}");
        assert_eq!(bench.connected(false), Action::Send);
        let action = bench.on(failed(kind, sent, held));
        let action = bench.resumed(action);
        assert_eq!(action == Action::Connect, again, "{method} {kind:?} {sent:?} held: {held}");
        if again {
            assert_ne!(bench.port(), first, "a fresh connection failed, so another endpoint is asked");
        }
    }
}

#[test]
fn a_refused_stream_is_offered_again_where_nobody_else_is_left() {
    let mut bench = Bench::new(ONE);
    assert_eq!(bench.request("POST", "/", Body::Length(1)), Action::Connect);
    for attempt in 1..3 {
        assert_eq!(bench.connected(false), Action::Send);
        let refused = failed(FailureKind::Unprocessed, Sent::Whole, true);
        let action = bench.on(refused);
        assert_eq!(bench.resumed(action), Action::Connect, "after attempt {attempt}");
        assert_eq!((bench.port(), bench.exchange.attempt().expect("an attempt").number), (1001, attempt + 1));
    }
    assert_eq!(bench.connected(false), Action::Send);
    let action = bench.on(failed(FailureKind::Unprocessed, Sent::Whole, true));
    let flags = ResponseFlags::UPSTREAM_RESET.union(ResponseFlags::RETRIES_EXHAUSTED);
    let body = "upstream connect error or disconnect/reset before headers. reset reason: remote refused stream reset";
    bench.replied(action, 503, flags, body);
}

#[test]
fn nothing_is_repeated_once_an_answer_has_begun() {
    let mut bench = Bench::new(FOUR);
    bench.sent("GET");
    assert_eq!(bench.answer(103, Body::None), Action::RelayInformational);
    assert_eq!(bench.on(failed(FailureKind::Closed, Sent::Whole, true)), Action::Respond);

    let mut bench = Bench::new(FOUR);
    bench.sent("GET");
    let half_a_head =
        UpstreamFailure { kind: FailureKind::Closed, sent: Sent::Whole, held: true, answered: true };
    assert_eq!(bench.on(Event::UpstreamFailed(half_a_head)), Action::Respond);

    let mut bench = Bench::new(FOUR);
    bench.sent("GET");
    assert_eq!(bench.answer(200, Body::Length(9)), Action::RelayHead);
    assert_eq!(bench.on(failed(FailureKind::Closed, Sent::Whole, true)), Action::Abort);
    assert_eq!(bench.exchange.record().flags, ResponseFlags::UPSTREAM_CLOSED);
    assert!(!bench.exchange.upstream_reusable() && !bench.exchange.downstream_reusable());
}

#[test]
fn an_early_answer_ends_the_exchange_but_keeps_no_connection() {
    let mut bench = Bench::new(ONE);
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.on(Event::RequestBody(b"some")), Action::Wait);
    assert_eq!(bench.answer(401, Body::Length(0)), Action::RelayHead);
    assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
    assert!(!bench.exchange.request_ended());
    assert!(!bench.exchange.upstream_reusable() && !bench.exchange.downstream_reusable());
}

#[test]
fn bodies_are_as_long_as_declared() {
    let mut bench = Bench::new(ONE);
    bench.sent("GET");
    assert_eq!(bench.answer(200, Body::Length(3)), Action::RelayHead);
    assert_eq!(bench.on(Event::ResponseBody(b"ab")), Action::Wait);
    assert_eq!(bench.on(Event::ResponseEnd), Action::Abort);
    assert_eq!(bench.exchange.record().flags, ResponseFlags::UPSTREAM_PROTOCOL_ERROR);
    assert!(!bench.exchange.upstream_reusable());

    let mut bench = Bench::new(ONE);
    assert_eq!(bench.request("POST", "/", Body::Length(3)), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.on(Event::RequestBody(b"ab")), Action::Wait);
    let action = bench.on(Event::RequestEnd);
    bench.replied(action, 400, ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR, "Bad Request");
    assert!(!bench.exchange.downstream_reusable());
}

#[test]
fn answers_without_body_have_none() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let mut bench = Bench::new(ONE);
        bench.sent(method);
        bench.response = vec![("content-length", "5")];
        assert_eq!(bench.answer(status, Body::Length(5)), Action::RelayHead);
        assert_eq!(bench.exchange.response_body(), Body::None);
        let kept = if status == 204 { vec![] } else { vec!["content-length: 5"] };
        assert_eq!(bench.response_fields(), kept, "{method} {status}");
        assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
    }
}

#[test]
fn events_that_do_not_fit_change_nothing() {
    let mut bench = Bench::new(ONE);
    assert!(matches!(bench.on(Event::ResponseEnd), Action::Illegal(_)));
    assert!(matches!(bench.on(Event::RequestEnd), Action::Illegal(_)));
    assert!(matches!(bench.on(Event::DownstreamGone), Action::Illegal(_)));
    assert_eq!(bench.get("/"), Action::Connect);
    assert!(matches!(bench.get("/"), Action::Illegal(_)));
    assert!(matches!(bench.answer(200, Body::None), Action::Illegal(_)));
    assert!(matches!(bench.on(Event::ReplySent), Action::Illegal(_)));
    assert!(matches!(bench.on(Event::TunnelEnd), Action::Illegal(_)));
    assert_eq!(bench.connected(false), Action::Send);
    assert!(matches!(bench.connected(false), Action::Illegal(_)));
    assert_eq!(bench.answer(200, Body::None), Action::RelayHead);
    assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
    assert_eq!(bench.on(Event::ResponseEnd), Action::Wait, "after the end events are on their way");
}
