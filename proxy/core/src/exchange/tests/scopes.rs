//! Requests and the TLS scope of their connection.

use super::bench::{Bench, Nothing};
use crate::exchange::{Action, Event};
use crate::flags::ResponseFlags;
use crate::hygiene::Body;

const ROUTES: &str = "
- { name: r, action: { forward: { destinations: [{ cluster: one }] } } }
";

const SECRET: &str = "
secrets:
- name: web
  kind:
    tls:
      certificate: { inline: \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\" }
      key: { inline: \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\" }
";

/// A listener with scopes for a.example and b.example and, where it has certificates of its own, a default one.
fn bench(own: &str) -> Bench {
    let tls = format!(
        "  tls:
    certificates: [{own}]
    scopes:
    - {{ name: a, server_names: [a.example], certificates: [web] }}
    - {{ name: b, server_names: [b.example, \"*.b.example\"], certificates: [web] }}"
    );
    Bench::with_more(&tls, ROUTES, Nothing, SECRET)
}

fn ask(bench: &mut Bench, host: &'static str) -> Action {
    bench.reset();
    bench.request = vec![("host", host)];
    bench.get("/")
}

fn assert_misdirected(bench: &mut Bench, host: &'static str) {
    let action = ask(bench, host);
    bench.replied(action, 421, ResponseFlags::DOWNSTREAM_PROTOCOL_ERROR, "Misdirected Request");
    assert_eq!(bench.exchange.record().details, "misdirected_request");
    assert!(bench.exchange.downstream_reusable(), "the connection serves other hosts");
}

#[test]
fn a_host_of_another_scope_is_misdirected_and_the_connection_lives_on() {
    let mut bench = bench("web").in_scope("b");
    assert_misdirected(&mut bench, "a.example");
    assert_misdirected(&mut bench, "A.Example.:443");
    assert_misdirected(&mut bench, "default.example");
    assert_eq!(ask(&mut bench, "b.example"), Action::Connect);
    assert_eq!(ask(&mut bench, "x.y.b.example:443"), Action::Connect);
}

#[test]
fn the_default_scope_serves_what_no_other_has() {
    let mut bench = bench("web");
    assert_misdirected(&mut bench, "a.example");
    assert_eq!(ask(&mut bench, "other.example"), Action::Connect);
}

#[test]
fn a_host_of_nobody_is_served_where_it_came_in() {
    let mut bench = bench("").in_scope("a");
    assert_eq!(ask(&mut bench, "other.example"), Action::Connect);
    assert_misdirected(&mut bench, "b.example");
}

#[test]
fn a_connection_whose_scope_is_gone_serves_nothing() {
    assert_misdirected(&mut bench("web").in_scope("gone"), "a.example");
    assert_misdirected(&mut bench(""), "a.example");
    assert_misdirected(&mut Bench::new(ROUTES).in_scope("gone"), "a.example");
}

#[test]
fn a_misdirected_body_is_not_waited_for() {
    let mut bench = bench("web").in_scope("b");
    assert_eq!(bench.request("POST", "/", Body::Length(5)), Action::Respond);
    assert_eq!(bench.on(Event::ReplySent), Action::Done);
    assert!(!bench.exchange.downstream_reusable(), "nobody reads the rest");
}
