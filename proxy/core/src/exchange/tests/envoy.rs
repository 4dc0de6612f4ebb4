//! What Envoy says and heeds where Istio sets it up.

use super::bench::{Bench, Nothing};
use crate::exchange::{Action, ConnectFailure, Event};
use crate::hygiene::Body;
use std::time::Duration;

const ROUTE: &str = "
- name: r
  action: { forward: { destinations: [{ cluster: four }] } }
  timeouts: { request: 10s }
  retry: { attempts: 1 }
";

/// A listener that believes its peer, or not.
fn bench(trusted: bool, envoy: bool) -> Bench {
    let peer = if trusted { "192.0.2.7/32" } else { "198.51.100.0/24" };
    let listener = format!("  headers: {{ envoy: {envoy} }}\n  forwarded: {{ trusted: [{peer}] }}");
    Bench::with(&listener, ROUTE, Nothing)
}

#[test]
fn a_peer_that_is_believed_says_how_long_a_request_may_take() {
    for (trusted, envoy, said, wanted) in [
        (true, true, "250", Some(250)),
        (true, true, "0", None),
        (true, true, "2.5", Some(10_000)),
        (true, true, "99999999999999999999", Some(10_000)),
        (false, true, "250", Some(10_000)),
        (true, false, "250", Some(10_000)),
    ] {
        let mut bench = bench(trusted, envoy);
        bench.request.push(("x-envoy-upstream-rq-timeout-ms", said));
        bench.sent("GET");
        let deadline = bench.exchange.deadline().map(|deadline| deadline.duration_since(bench.now));
        // Without a bound, only silence ends it.
        let wanted = wanted.map_or(Duration::from_secs(300), Duration::from_millis);
        assert_eq!(deadline, Some(wanted), "trusted: {trusted}, envoy: {envoy}, {said}");
    }
}

#[test]
fn a_peer_that_is_believed_says_how_often_a_request_is_tried_again() {
    for (trusted, said, tries) in [(true, "3", 4), (true, "0", 1), (true, "many", 2), (false, "3", 2)] {
        let mut bench = bench(trusted, true);
        bench.request.push(("x-envoy-max-retries", said));
        let mut action = bench.get("/");
        let mut made = 0;
        while action == Action::Connect {
            made += 1;
            action = bench.on(Event::ConnectFailed(ConnectFailure::Refused));
        }
        assert_eq!((action, made), (Action::Respond, tries), "trusted: {trusted}, {said}");
    }
}

#[test]
fn servers_are_told_which_try_it_is_and_clients_how_long_it_took() {
    let mut bench = bench(false, true);
    assert_eq!(bench.get("/"), Action::Connect);
    assert_eq!(bench.on(Event::ConnectFailed(ConnectFailure::Refused)), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert!(bench.request_fields().contains(&"x-envoy-attempt-count: 2".to_owned()));
    bench.now += Duration::from_millis(34);
    assert_eq!(bench.answer(200, Body::None), Action::RelayHead);
    assert_eq!(bench.response_fields(), ["x-envoy-upstream-service-time: 34"]);
}

#[test]
fn the_client_is_the_one_that_the_outermost_trusted_hop_saw() {
    const SAID: &str = "6.6.6.6, 203.0.113.4, 10.0.0.1";
    for (hops, said, client) in [
        (0, SAID, "192.0.2.7"),
        (1, SAID, "10.0.0.1"),
        (2, SAID, "203.0.113.4"),
        (3, SAID, "6.6.6.6"),
        (4, SAID, "192.0.2.7"),
        (2, "junk, 10.0.0.1", "192.0.2.7"),
        (1, "[2001:db8::1]:99", "2001:db8::1"),
    ] {
        let listener = format!("  forwarded: {{ fields: envoy, trusted_hops: {hops} }}");
        let mut bench = Bench::with(&listener, ROUTE, Nothing);
        bench.request.extend([
            ("x-forwarded-for", said),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-envoy-internal", "true"),
        ]);
        bench.sent("GET");
        let record = bench.exchange.record();
        assert_eq!(record.client.ip().to_string(), client, "{hops} hops: {said}");
        let scheme = if client == "192.0.2.7" { "http" } else { "https" };
        assert_eq!(record.scheme, scheme, "{hops} hops: {said}");
        let fields = bench.request_fields();
        for wanted in [
            format!("x-forwarded-for: {said}, 192.0.2.7"),
            format!("x-envoy-external-address: {client}"),
            "x-forwarded-host: a.example".to_owned(),
        ] {
            assert!(fields.contains(&wanted), "{wanted} in {fields:?}");
        }
        assert!(!fields.iter().any(|field| field.contains("internal")), "{fields:?}");
    }
}
