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
        ("invalid_answer", reset(FailureKind::Protocol("bad head"))),
    ];
    for (named, _) in events {
        for (name, event) in events {
            let mut bench = bench("four", &format!("{{ on: [{named}] }}"));
            assert_eq!(bench.get("/"), Action::Connect);
            if name != "connect_failure" {
                assert_eq!(bench.connected(false), Action::Send);
            }
            let expected = if name == named { Action::Connect } else { Action::Respond };
            let action = bench.on(event);
            assert_eq!(bench.resumed(action), expected, "{name} where {named} is tried again");
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
    let action = bench.answer(503, Body::Length(9));
    assert_eq!(bench.resumed(action), Action::Connect);
    assert_ne!(bench.port(), first);
    assert_eq!(bench.connected(true), Action::Send);
    let action = bench.answer(503, Body::None);
    assert_eq!(bench.resumed(action), Action::Connect);
    assert_eq!(bench.connected(true), Action::Send);
    assert_eq!(bench.answer(503, Body::None), Action::RelayHead, "that was the last try");
    let record = bench.exchange.record();
    assert_eq!((record.status, record.attempts), (503, 3));
    assert_eq!(record.flags, ResponseFlags::RETRIES_EXHAUSTED);

    let mut bench = self::bench("one", "{ on: [{ status: 503 }] }");
    bench.sent("GET");
    let action = bench.answer(503, Body::None);
    assert_eq!(bench.resumed(action), Action::Connect, "nobody else is left");
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
            action = bench.resumed(action);
        }
        assert_eq!((action, made), (Action::Respond, tries), "same_endpoint: {same_endpoint}");
    }

    let mut bench = bench("four", "{ attempts: 5, same_endpoint: true }");
    let mut action = bench.get("/");
    let mut ports = Vec::new();
    while action == Action::Connect {
        ports.push(bench.port());
        action = bench.on(Event::ConnectFailed(ConnectFailure::Refused));
        action = bench.resumed(action);
    }
    let first_four: HashSet<u16> = ports.iter().copied().take(4).collect();
    assert_eq!((ports.len(), first_four.len()), (6, 4), "others come first: {ports:?}");

    // What may have been acted on is not sent again, to whomever.
    for (method, again) in [("POST", Action::Respond), ("GET", Action::Connect)] {
        let mut bench = self::bench("one", "{ same_endpoint: true }");
        bench.sent(method);
        let action = bench.on(reset(FailureKind::Reset));
        assert_eq!(bench.resumed(action), again, "{method}");
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
        assert_eq!(bench.resumed(action) == Action::Connect, again, "{kind} {status}");
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
                bench.resumed(action) == Action::Connect,
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

#[test]
fn what_was_sent_is_sent_again_after_a_pause_that_grows() {
    let mut longest = [Duration::ZERO; 3];
    let mut bench = bench("four", "{ attempts: 3, back_off: { base: 100ms, max: 250ms } }");
    for _ in 0..200 {
        bench.reset();
        bench.sent("GET");
        for longest in &mut longest {
            let began = bench.now;
            let action = bench.on(reset(FailureKind::Reset));
            assert_eq!(bench.resumed(action), Action::Connect);
            *longest = (*longest).max(bench.now - began);
            assert_eq!(bench.connected(false), Action::Send);
        }
        assert_eq!(bench.answer(200, Body::None), Action::RelayHead);
        assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
        // What failed is forgotten.
        bench.now += Duration::from_secs(400);
    }
    for (longest, bound) in longest.into_iter().zip([100, 200, 250]) {
        let bound = Duration::from_millis(bound);
        assert!(longest <= bound && longest > bound * 9 / 10, "{longest:?} of {bound:?}");
    }
    let mut bench = self::bench("four", "{ back_off: { base: 0, max: 0 } }");
    bench.sent("GET");
    assert_eq!(bench.on(reset(FailureKind::Reset)), Action::Connect, "nginx pauses never");
}

#[test]
fn the_client_may_leave_and_the_request_may_end_in_a_pause() {
    let long = "{ back_off: { base: 60s, max: 60s } }\n  timeouts: { request: 5s }";
    let mut bench = bench("four", long);
    bench.sent("GET");
    assert_eq!(bench.on(reset(FailureKind::Reset)), Action::BackOff);
    assert_eq!(bench.on(Event::DownstreamGone), Action::Done);
    bench.reset();
    bench.sent("GET");
    assert_eq!(bench.on(reset(FailureKind::Reset)), Action::BackOff);
    let end = bench.now + Duration::from_secs(5);
    assert!(bench.exchange.deadline().is_some_and(|deadline| deadline <= end));
    let action = bench.after(Duration::from_secs(5));
    assert!(matches!(action, Action::Respond | Action::Connect), "{action:?}");
}

#[test]
fn a_try_has_a_time_of_its_own_which_begins_when_the_request_is_complete() {
    let retry = "{ attempts: 1, per_try_timeout: 2s, back_off: { base: 0, max: 0 } }";
    let mut bench = bench("four", retry);
    bench.sent("GET");
    let first = bench.port();
    assert_eq!(bench.after(Duration::from_millis(1_999)), Action::Wait);
    assert_eq!(bench.after(Duration::from_millis(1)), Action::Connect);
    assert_ne!(bench.port(), first);
    assert_eq!(bench.connected(false), Action::Send);
    let action = bench.after(Duration::from_secs(2));
    let flags = ResponseFlags::UPSTREAM_TIMEOUT.union(ResponseFlags::RETRIES_EXHAUSTED);
    bench.replied(action, 504, flags, "upstream request timeout");

    let mut bench = self::bench("four", "{ per_try_timeout: 2s, on: [reset] }");
    assert_eq!(bench.request("PUT", "/", Body::Length(1)), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.after(Duration::from_secs(3)), Action::Wait, "the client is slow, not the endpoint");
    assert_eq!(bench.on(Event::RequestBody(b"x")), Action::Wait);
    assert_eq!(bench.on(Event::RequestEnd), Action::Wait);
    assert_eq!(bench.after(Duration::from_millis(1_999)), Action::Wait);
    let action = bench.after(Duration::from_millis(1));
    bench.replied(action, 504, ResponseFlags::UPSTREAM_TIMEOUT, "upstream request timeout");
    assert_eq!(bench.exchange.record().details, "upstream_per_try_timeout");
}

#[test]
fn a_body_that_is_gone_is_not_sent_again_after_a_time_out() {
    for (held, again) in [(true, true), (false, false)] {
        let mut bench = bench("four", "{ per_try_timeout: 1s, back_off: { base: 0, max: 0 } }");
        assert_eq!(bench.request("PUT", "/", Body::Length(1)), Action::Connect);
        assert_eq!(bench.connected(false), Action::Send);
        assert_eq!(bench.on(Event::RequestBody(b"x")), Action::Wait);
        assert_eq!(bench.on(Event::RequestEnd), Action::Wait);
        bench.exchange.request_held(held);
        assert_eq!(bench.after(Duration::from_secs(1)) == Action::Connect, again, "held: {held}");
    }
}

#[test]
fn an_endpoint_that_falls_silent_is_replaced_by_another_one() {
    for (on, again) in [("timeout", true), ("reset", false)] {
        let retry = format!("{{ on: [{on}], back_off: {{ base: 0, max: 0 }} }}\n  timeouts: {{ idle: 2s }}");
        let mut bench = bench("four", &retry);
        bench.sent("GET");
        assert_eq!(bench.after(Duration::from_secs(2)) == Action::Connect, again, "{on}");
    }
}

#[test]
fn reset_before_request_means_unsent() {
    for (sent, again) in [(Sent::Nothing, true), (Sent::Part, false), (Sent::Whole, false)] {
        let mut bench = bench("four", "{ on: [reset_before_request] }");
        bench.sent("GET");
        let failure = UpstreamFailure { kind: FailureKind::Reset, sent, held: true, answered: false };
        let action = bench.on(Event::UpstreamFailed(failure));
        assert_eq!(bench.resumed(action) == Action::Connect, again, "{sent:?}");
    }
}

/// Whatever clients ask, however fast: what they ask, a fifth, and the few retries that are always allowed.
#[test]
fn a_cluster_that_fails_altogether_is_sent_a_fifth_more_at_most() {
    for (event, retry) in [
        (reset(FailureKind::Reset), "{ attempts: 5 }"),
        (
            Event::ResponseHead {
                facts: ResponseFacts { version: Version::Http11, status: 503, body: Body::None },
                held: true,
            },
            "{ attempts: 5, on: [{ status: 503 }] }",
        ),
    ] {
        let mut bench = bench("four", retry);
        let (mut requests, mut sent) = (0, 0);
        let end = bench.now + Duration::from_secs(9);
        while bench.now < end && requests < 1_000 {
            requests += 1;
            bench.now += Duration::from_millis(1);
            let mut action = bench.get("/");
            while action == Action::Connect {
                assert_eq!(bench.connected(false), Action::Send);
                sent += 1;
                let failed = bench.on(event);
                action = bench.resumed(failed);
            }
            let _ = bench.on(Event::DownstreamGone);
            bench.reset();
        }
        assert!(requests > 20 && sent * 5 <= requests * 6 + 15, "{sent} for {requests}");
    }
}

#[test]
fn connects_that_fail_cost_nothing_of_the_budget() {
    let mut bench = bench("four", "{ attempts: 1 }");
    for _ in 0..50 {
        assert_eq!(bench.get("/"), Action::Connect);
        assert_eq!(bench.on(Event::ConnectFailed(ConnectFailure::Refused)), Action::Connect);
        assert_eq!(bench.connected(false), Action::Send);
        assert_eq!(bench.answer(200, Body::None), Action::RelayHead);
        let _ = bench.on(Event::DownstreamGone);
        bench.reset();
    }
}

#[test]
fn an_endpoint_that_never_answers_is_left_out_and_its_requests_go_to_the_others() {
    let mut bench = bench("four", "{ attempts: 1 }");
    let mut bad = 0;
    for _ in 0..40 {
        let mut action = bench.get("/");
        while action == Action::Connect && bench.port() == 2002 {
            bad += 1;
            action = bench.on(Event::ConnectFailed(ConnectFailure::Refused));
        }
        assert_eq!(action, Action::Connect);
        assert_eq!(bench.connected(false), Action::Send);
        assert_eq!(bench.answer(200, Body::None), Action::RelayHead);
        assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
        bench.reset();
    }
    assert_eq!(bad, 3);
}

#[test]
fn more_requests_than_a_cluster_may_have_are_refused_at_once() {
    let limited = "- { name: limited, endpoints: [{ address: 127.0.0.1:5001 }], limits: { requests: 1 } }\n\
        - { name: narrow, endpoints: [{ address: 127.0.0.1:5001 }], endpoint_limits: { requests: 1 } }\n";
    for cluster in ["limited", "narrow"] {
        let route =
            format!("- {{ name: r, action: {{ forward: {{ destinations: [{{ cluster: {cluster} }}] }} }} }}");
        let mut bench = Bench::with_more("", &route, super::bench::Nothing, limited);
        assert_eq!(bench.get("/"), Action::Connect);
        let mut other = crate::exchange::Exchange::new(bench.now);
        std::mem::swap(&mut bench.exchange, &mut other);
        let action = bench.get("/");
        let text = "upstream connect error or disconnect/reset before headers. reset reason: overflow";
        bench.replied(action, 503, ResponseFlags::OVERFLOW, text);
        std::mem::swap(&mut bench.exchange, &mut other);
        assert_eq!(bench.on(Event::DownstreamGone), Action::Done);
        bench.reset();
        assert_eq!(bench.get("/"), Action::Connect, "there is room again in {cluster}");
    }
}

#[test]
fn more_requests_than_may_be_tried_again_keep_what_came_of_them() {
    let limited = "- { name: limited, endpoints: [{ address: 127.0.0.1:5001 }, { address: 127.0.0.1:5002 }], limits: { retries: 1 } }\n";
    let route = "- { name: r, action: { forward: { destinations: [{ cluster: limited }] } } }";
    let mut bench = Bench::with_more("", route, super::bench::Nothing, limited);
    bench.sent("GET");
    let action = bench.on(reset(FailureKind::Reset));
    assert_eq!(bench.resumed(action), Action::Connect);
    let mut other = crate::exchange::Exchange::new(bench.now);
    std::mem::swap(&mut bench.exchange, &mut other);
    bench.sent("GET");
    let action = bench.on(reset(FailureKind::Reset));
    let text = "upstream connect error or disconnect/reset before headers. reset reason: remote reset";
    bench.replied(action, 503, ResponseFlags::UPSTREAM_RESET.union(ResponseFlags::OVERFLOW), text);
    std::mem::swap(&mut bench.exchange, &mut other);
    assert_eq!(bench.on(Event::DownstreamGone), Action::Done);
    bench.reset();
    bench.sent("GET");
    let action = bench.on(reset(FailureKind::Reset));
    assert_eq!(bench.resumed(action), Action::Connect, "there is room again");
}

#[test]
fn a_post_whose_connection_was_closed_under_our_hands_is_502() {
    let mut bench = bench("four", "{}");
    assert_eq!(bench.request("POST", "/", Body::Length(1)), Action::Connect);
    assert_eq!(bench.connected(true), Action::Send);
    let action = bench.on(reset(FailureKind::Closed));
    let text =
        "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
    bench.replied(action, 502, ResponseFlags::UPSTREAM_CLOSED, text);
}
