//! What a route says is tried again.

use super::bench::Bench;
use crate::exchange::{Action, ConnectFailure, Event, FailureKind, Sent, UpstreamFailure};
use crate::flags::ResponseFlags;
use crate::hygiene::{Body, ResponseFacts, Version};
use std::collections::HashSet;
use std::time::Duration;

fn bench(cluster: &str, retry: &str) -> Bench {
    Bench::new(&format!(
        "- name: r\n  action: {{ forward: {{ destinations: [{{ cluster: {cluster} }}] }} }}\n  retry: {retry}"
    ))
}

fn reset(kind: FailureKind) -> Event<'static> {
    Event::UpstreamFailed(UpstreamFailure { kind, sent: Sent::Whole, held: true, answered: false })
}

#[test]
fn a_route_says_how_often() {
    for (attempts, tries) in [(0, 1), (1, 2), (3, 4), (9, 4)] {
        let mut bench = bench("four", &format!("{{ attempts: {attempts} }}"));
        let mut action = bench.get("/");
        let mut ports = HashSet::new();
        while action == Action::Connect {
            assert!(ports.insert(bench.port()), "another one each time");
            action = bench.on(Event::ConnectFailed(ConnectFailure::Refused));
        }
        assert_eq!((action, ports.len()), (Action::Respond, tries), "attempts: {attempts}");
    }
}

#[test]
fn only_what_the_route_names_is_tried_again() {
    let events = [
        ("connect_failure", Event::ConnectFailed(ConnectFailure::Refused)),
        ("refused_stream", reset(FailureKind::Unprocessed)),
        ("reset", reset(FailureKind::Reset)),
    ];
    for (named, _) in events {
        for (name, event) in events {
            let mut bench = bench("four", &format!("{{ on: [{named}] }}"));
            assert_eq!(bench.get("/"), Action::Connect);
            if name != "connect_failure" {
                assert_eq!(bench.connected(false), Action::Send);
            }
            let expected = if name == named { Action::Connect } else { Action::Respond };
            assert_eq!(bench.on(event), expected, "{name} where {named} is tried again");
        }
    }
}

#[test]
fn a_connection_that_died_while_idle_is_replaced_whatever_the_route_says() {
    let mut bench = bench("one", "{ attempts: 0 }");
    assert_eq!(bench.get("/"), Action::Connect);
    assert_eq!(bench.connected(true), Action::Send);
    assert_eq!(bench.on(reset(FailureKind::Closed)), Action::Connect);
}

#[test]
fn a_rejected_answer_is_tried_elsewhere_and_the_last_one_counts() {
    let mut bench = bench("four", "{ attempts: 2, on: [{ status: 503 }] }");
    bench.sent("GET");
    let first = bench.port();
    assert_eq!(bench.answer(503, Body::Length(9)), Action::Connect);
    assert_ne!(bench.port(), first);
    assert_eq!(bench.connected(true), Action::Send);
    assert_eq!(bench.answer(503, Body::None), Action::Connect);
    assert_eq!(bench.connected(true), Action::Send);
    assert_eq!(bench.answer(503, Body::None), Action::RelayHead, "that was the last try");
    let record = bench.exchange.record();
    assert_eq!((record.status, record.attempts), (503, 3));
    assert_eq!(record.flags, ResponseFlags::RETRIES_EXHAUSTED);

    let mut bench = self::bench("one", "{ on: [{ status: 503 }] }");
    bench.sent("GET");
    assert_eq!(bench.answer(503, Body::None), Action::Connect, "nobody else is left");
    assert_eq!(bench.connected(true), Action::Send);
    assert_eq!(bench.answer(502, Body::None), Action::RelayHead, "another status");
    assert_eq!(bench.exchange.record().flags, ResponseFlags::NONE);
}

#[test]
fn the_only_endpoint_is_asked_again_where_the_route_says_so() {
    for (same_endpoint, tries) in [(false, 1), (true, 3)] {
        let mut bench = bench("one", &format!("{{ attempts: 2, same_endpoint: {same_endpoint} }}"));
        let mut action = bench.get("/");
        let mut made = 0;
        while action == Action::Connect {
            assert_eq!(bench.port(), 1001);
            made += 1;
            action = bench.on(Event::ConnectFailed(ConnectFailure::Refused));
        }
        assert_eq!((action, made), (Action::Respond, tries), "same_endpoint: {same_endpoint}");
    }

    let mut bench = bench("four", "{ attempts: 5, same_endpoint: true }");
    let mut action = bench.get("/");
    let mut ports = Vec::new();
    while action == Action::Connect {
        ports.push(bench.port());
        action = bench.on(Event::ConnectFailed(ConnectFailure::Refused));
    }
    let first_four: HashSet<u16> = ports.iter().copied().take(4).collect();
    assert_eq!((ports.len(), first_four.len()), (6, 4), "others come first: {ports:?}");

    // What may have been acted on is not sent again, to whomever.
    for (method, again) in [("POST", Action::Respond), ("GET", Action::Connect)] {
        let mut bench = self::bench("one", "{ same_endpoint: true }");
        bench.sent(method);
        assert_eq!(bench.on(reset(FailureKind::Reset)), again, "{method}");
    }
}

#[test]
fn a_grpc_status_in_the_head_is_tried_again() {
    for (kind, status, again) in
        [("application/grpc", "14", true), ("application/grpc", "5", false), ("text/plain", "14", false)]
    {
        let mut bench = bench("four", "{ on: [{ grpc: 14 }, { grpc: 1 }], non_idempotent: true }");
        bench.request.push(("content-type", kind));
        bench.sent("POST");
        bench.response = vec![("grpc-status", status)];
        let action = bench.answer(200, Body::None);
        assert_eq!(action == Action::Connect, again, "{kind} {status}");
    }
}

#[test]
fn what_may_have_been_acted_on_is_repeated_only_where_the_route_allows_it_and_the_body_is_held() {
    for (method, body, allowed, held, again) in [
        ("POST", Body::Length(1), "false", true, false),
        ("POST", Body::Length(1), "true", true, true),
        ("POST", Body::Length(1), "true", false, false),
        ("PUT", Body::Length(1), "false", true, true),
        ("PUT", Body::Length(1), "false", false, false),
        ("GET", Body::None, "false", false, true),
    ] {
        let mut bench =
            bench("four", &format!("{{ on: [reset, {{ status: 500 }}], non_idempotent: {allowed} }}"));
        for answered in [true, false] {
            bench.reset();
            assert_eq!(bench.request(method, "/", body), Action::Connect);
            assert_eq!(bench.connected(false), Action::Send);
            let action = if answered {
                let facts = ResponseFacts { version: Version::Http11, status: 500, body: Body::None };
                bench.on(Event::ResponseHead { facts, held })
            } else {
                let kind = FailureKind::Reset;
                bench.on(Event::UpstreamFailed(UpstreamFailure {
                    kind,
                    sent: Sent::Whole,
                    held,
                    answered: false,
                }))
            };
            assert_eq!(
                action == Action::Connect,
                again,
                "{method} {allowed} held: {held} answered: {answered}"
            );
        }
    }
}

#[test]
fn nothing_is_tried_again_after_an_interim_answer() {
    let mut bench = bench("four", "{ on: [{ status: 503 }] }");
    bench.sent("GET");
    assert_eq!(bench.answer(103, Body::None), Action::RelayInformational);
    assert_eq!(bench.answer(503, Body::None), Action::RelayHead);
}

#[test]
fn no_try_begins_after_the_time_that_the_route_gives_them() {
    let mut bench = bench("four", "{ attempts: 3, within: 5s }");
    assert_eq!(bench.get("/"), Action::Connect);
    bench.now += Duration::from_secs(4);
    assert_eq!(bench.on(Event::ConnectFailed(ConnectFailure::Refused)), Action::Connect);
    bench.now += Duration::from_secs(1);
    assert_eq!(bench.on(Event::ConnectFailed(ConnectFailure::Refused)), Action::Respond);
}
