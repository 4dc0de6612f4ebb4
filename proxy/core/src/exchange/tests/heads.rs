//! What is written up, down and to mirrors.

use super::bench::{Bench, Nothing};
use crate::exchange::{Action, ConnectFailure, Event, FailureKind, Sent, UpstreamFailure};
use crate::hygiene::{Body, Version};

#[test]
fn edits_of_destination_and_route_apply_in_both_directions() {
    let mut bench = Bench::new(
        "
- name: r
  action:
    forward:
      destinations:
      - cluster: one
        headers:
          request: { set: [{ name: x-level, value: destination }], add: [{ name: x-both, value: d }] }
          response: { set: [{ name: x-level, value: destination }] }
  headers:
    request: { remove: [x-gone], set: [{ name: x-level, value: route }, { name: x-user, value: \"%REQ(x-name)%\" }, { name: x-empty, value: \"%REQ(x-none)%\" }], add: [{ name: x-both, value: r }] }
    response: { remove: [x-up], add: [{ name: x-route, value: \"%ROUTE_NAME%/%RESPONSE_CODE%/%RESP(x-up)%\" }] }
",
    );
    bench.request.extend([("x-gone", "1"), ("x-name", "jo"), ("x-empty", "stays")]);
    bench.sent("GET");
    let fields = bench.request_fields();
    for expected in ["x-name: jo", "x-empty: stays", "x-both: d", "x-level: route", "x-user: jo", "x-both: r"]
    {
        assert!(fields.contains(&expected.to_owned()), "{expected} in {fields:?}");
    }
    assert!(
        !fields.iter().any(|field| field.starts_with("x-gone") || field == "x-level: destination"),
        "{fields:?}"
    );
    bench.response = vec![("x-up", "up")];
    assert_eq!(bench.answer(200, Body::None), Action::RelayHead);
    assert_eq!(bench.response_fields(), ["x-level: destination", "x-route: r/200/up"]);
}

#[test]
fn a_field_with_an_underscore_that_servers_do_not_get_decides_nothing() {
    let routes = "
- name: asked
  match: [{ headers: [{ name: x_canary, value: { exact: always } }] }]
  action: { respond: { status: 418 } }
- name: others
  action: { respond: { status: 200 } }
  headers: { response: { set: [{ name: x-told, value: \"[%REQ(x_canary)%]\" }] } }
";
    for (policy, status) in [("allow", 418), ("drop", 200)] {
        let mut bench = Bench::with(&format!("  headers: {{ underscores: {policy} }}"), routes, Nothing);
        bench.request.push(("x_canary", "always"));
        assert_eq!(bench.get("/"), Action::Respond);
        assert_eq!(bench.exchange.response_status(), status, "{policy}");
        assert_eq!(bench.response_fields().contains(&"x-told: []".to_owned()), policy == "drop");
    }
}

#[test]
fn local_replies_after_routing_are_edited() {
    let mut bench = Bench::new(
        "
- name: r
  action: { forward: { destinations: [{ cluster: one }] } }
  headers: { response: { set: [{ name: x-edited, value: \"%RESPONSE_FLAGS%\" }], remove: [content-type] } }
",
    );
    assert_eq!(bench.get("/"), Action::Connect);
    assert_eq!(bench.on(Event::ConnectFailed(ConnectFailure::Refused)), Action::Respond);
    assert_eq!(bench.response_fields(), ["date: now", "x-edited: UF"]);
}

#[test]
fn redirects_and_direct_responses() {
    let mut bench = Bench::with(
        "  headers: { server: sluice }",
        "
- name: away
  match: [{ path: { exact: /old } }]
  action: { redirect: { scheme: https, path: { whole: /new }, code: 308 } }
  headers: { response: { set: [{ name: x-edited, value: \"1\" }] } }
- name: here
  action: { respond: { status: 418, body: short, content_type: text/html } }
",
        Nothing,
    );
    assert_eq!(bench.get("/old?q=1"), Action::Respond);
    assert_eq!((bench.exchange.response_status(), bench.exchange.response_body()), (308, Body::Length(0)));
    assert_eq!(
        bench.response_fields(),
        ["location: https://a.example/new?q=1", "server: sluice", "date: now", "x-edited: 1"]
    );
    assert_eq!(bench.on(Event::ReplySent), Action::Done);
    assert!(bench.exchange.downstream_reusable());
    bench.reset();
    assert_eq!(bench.get("/"), Action::Respond);
    assert_eq!(bench.response_fields(), ["content-type: text/html", "server: sluice", "date: now"]);
    assert_eq!((bench.exchange.response_status(), &**bench.exchange.reply_body()), (418, &b"short"[..]));
    bench.reset();
    assert_eq!(bench.request("HEAD", "/", Body::None), Action::Respond);
    assert_eq!((bench.exchange.response_body(), bench.exchange.reply_body().len()), (Body::None, 0));
}

#[test]
fn path_and_host_are_rewritten_and_the_original_is_told() {
    let mut bench = Bench::new(
        "
- name: r
  match: [{ path: { prefix: /api } }]
  action: { forward: { destinations: [{ cluster: one }] } }
  rewrite: { path: { prefix: /v2 }, host: { literal: inner.test } }
",
    );
    assert_eq!(bench.get("/api/x/../y?q=%41"), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    let outgoing = bench.exchange.outgoing();
    assert_eq!((outgoing.target, outgoing.authority), ("/v2/y?q=%41", "inner.test"));
    let fields = bench.request_fields();
    assert!(fields.contains(&"x-envoy-original-path: /api/x/../y?q=%41".to_owned()), "{fields:?}");
    assert!(fields.contains(&"x-forwarded-host: a.example".to_owned()), "{fields:?}");
}

#[test]
fn the_upstream_gets_the_matched_path_or_the_received_one() {
    let route = "- { name: r, action: { forward: { destinations: [{ cluster: one }] } } }";
    for (upstream, target) in [("normalized", "/b?x"), ("received", "/a/../b?x")] {
        let mut bench = Bench::with(&format!("  path: {{ upstream: {upstream} }}"), route, Nothing);
        assert_eq!(bench.get("/a/../b?x"), Action::Connect);
        assert_eq!(bench.exchange.outgoing().target, target);
    }
}

#[test]
fn request_ids_are_kept_from_whom_they_may_be() {
    let route = "- { name: r, action: { forward: { destinations: [{ cluster: one }] } } }";
    for (listener, kept) in [
        ("", false),
        ("  request_id: keep", true),
        ("  forwarded: { trusted: [192.0.2.0/24] }", true),
        ("  request_id: \"off\"", true),
    ] {
        let mut bench = Bench::with(listener, route, Nothing);
        bench.request.push(("X-Request-Id", "theirs"));
        bench.sent("GET");
        let fields = bench.request_fields();
        let id = fields
            .iter()
            .find_map(|field| field.to_ascii_lowercase().strip_prefix("x-request-id: ").map(str::to_owned));
        assert_eq!(id.as_deref() == Some("theirs"), kept, "{listener} {fields:?}");
    }
}

#[test]
fn a_client_without_host_is_sent_on_with_one() {
    let mut bench = Bench::new("- { name: r, action: { forward: { destinations: [{ cluster: one }] } } }");
    bench.version = Version::Http10;
    bench.request.clear();
    assert_eq!(bench.get("/"), Action::Respond, "only a virtual host for all names fits");
}

#[test]
fn a_copy_asks_for_what_the_request_does_or_the_client_did_or_the_mirror_says() {
    let mut bench = Bench::new(
        "
- name: r
  match: [{ path: { prefix: /shop } }]
  action: { forward: { destinations: [{ cluster: one }] } }
  rewrite: { path: { prefix: /in } }
  mirrors: [{ cluster: other }, { cluster: other, target: received }, { cluster: other, target: { whole: '/m?x=1' } }]
",
    );
    assert_eq!(bench.request("GET", "/shop/a?b=c", Body::None), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    let targets = [0, 1, 2].map(|index| bench.exchange.mirror_outgoing(index).target);
    assert_eq!(targets, ["/in/a?b=c", "/shop/a?b=c", "/m?x=1"]);
}

#[test]
fn mirrors_are_sampled_once_and_carry_their_own_edits() {
    let mut bench = Bench::new(
        "
- name: r
  action: { forward: { destinations: [{ cluster: four }] } }
  headers: { request: { set: [{ name: x-route, value: \"1\" }] } }
  mirrors:
  - { cluster: other, host: shadow.test, headers: { add: [{ name: x-shadow, value: \"1\" }] } }
  - { cluster: other, percent: 0 }
  - { cluster: one }
",
    );
    bench.request.extend([("expect", "100-continue")]);
    assert_eq!(bench.request("PUT", "/m", Body::Length(1)), Action::Connect);
    assert_eq!(bench.on(Event::ConnectFailed(ConnectFailure::Refused)), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert!(bench.exchange.is_first_send());
    let mirrors = bench.exchange.mirrors();
    assert_eq!(mirrors.iter().map(|copy| &*copy.cluster().name).collect::<Vec<_>>(), ["other", "one"]);
    assert_eq!(mirrors[0].endpoint().expect("an endpoint").address.port(), 3001);
    assert_eq!(bench.exchange.mirror_outgoing(0).authority, "shadow.test");
    assert_eq!(bench.exchange.mirror_outgoing(1).authority, "a.example");
    let fields = bench.mirror_fields(0);
    assert!(
        fields.contains(&"x-shadow: 1".to_owned()) && fields.contains(&"x-route: 1".to_owned()),
        "{fields:?}"
    );
    assert!(!fields.iter().any(|field| field.starts_with("expect")), "{fields:?}");
    assert!(bench.request_fields().contains(&"expect: 100-continue".to_owned()));
    assert_eq!(bench.exchange.record().mirrors, 2);
}

#[test]
fn the_scheme_is_that_of_the_way_to_each_upstream() {
    for (cluster, mirror, schemes) in
        [("one", "secure", ("http", "https")), ("secure", "one", ("https", "http"))]
    {
        let mut bench = Bench::new(&format!(
            "- {{ name: r, action: {{ forward: {{ destinations: [{{ cluster: {cluster} }}] }} }}, mirrors: [{{ cluster: {mirror} }}] }}"
        ));
        bench.sent("GET");
        let exchange = &bench.exchange;
        assert_eq!((exchange.outgoing().scheme, exchange.mirror_outgoing(0).scheme), schemes);
        let fields = bench.request_fields();
        assert!(fields.contains(&"x-forwarded-proto: http".to_owned()), "how the client came: {fields:?}");
    }
}

const MIRRORED: &str = "
- name: r
  action: { forward: { destinations: [{ cluster: one }] } }
  max_body: 8B
  mirrors: [{ cluster: other }]
";

#[test]
fn copies_outlive_an_early_answer_and_a_failed_primary() {
    let mut bench = Bench::new(MIRRORED);
    for answered in [true, false] {
        assert_eq!(bench.request("POST", "/m", Body::Length(8)), Action::Connect);
        assert!(!bench.exchange.copies_go_on(), "none was started");
        assert_eq!(bench.connected(false), Action::Send);
        assert_eq!(bench.on(Event::RequestBody(b"half")), Action::Wait);
        if answered {
            assert_eq!(bench.answer(200, Body::None), Action::RelayHead);
            assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
        } else {
            let (kind, sent) = (FailureKind::Reset, Sent::Part);
            let failure = UpstreamFailure { kind, sent, held: false, answered: false };
            assert_eq!(bench.on(Event::UpstreamFailed(failure)), Action::Respond);
            assert!(bench.exchange.downstream_reusable(), "the rest of the body is read");
            assert_eq!(bench.on(Event::ReplySent), Action::Done);
        }
        assert!(bench.exchange.copies_go_on());
        assert_eq!(bench.exchange.max_body(), Some(8));
        bench.reset();
        assert!(!bench.exchange.copies_go_on());
    }
}

#[test]
fn copies_end_with_a_body_that_is_refused_or_that_the_client_gives_up() {
    let mut bench = Bench::new(MIRRORED);
    for gone in [true, false] {
        assert_eq!(bench.request("POST", "/m", Body::Unknown), Action::Connect);
        assert_eq!(bench.connected(false), Action::Send);
        let (event, action) = if gone {
            (Event::DownstreamGone, Action::Done)
        } else {
            (Event::RequestBody(b"too long!"), Action::Respond)
        };
        assert_eq!(bench.on(event), action);
        assert!(!bench.exchange.copies_go_on() && !bench.exchange.downstream_reusable());
        bench.reset();
    }
}

#[test]
fn a_port_that_is_mapped_is_told_as_clients_know_it() {
    let route =
        "- name: r\n  match: [{ port: 80 }]\n  action: { forward: { destinations: [{ cluster: one }] } }";
    let mut bench = Bench::with("  public_port: 80", route, Nothing);
    bench.sent("GET");
    assert!(bench.request_fields().contains(&"x-forwarded-port: 80".to_owned()));
}

#[test]
fn the_host_that_a_trusted_proxy_names_counts_upwards_and_in_redirects() {
    let routes = "- name: away\n  match: [{ path: { exact: /away } }]\n  action: { redirect: { scheme: https } }\n\
                  - name: r\n  action: { forward: { destinations: [{ cluster: one }] } }";
    let listener = "  forwarded: { trusted: [192.0.2.0/24], fields: nginx }";
    let mut bench = Bench::with(listener, routes, Nothing);
    bench.request.extend([("x-forwarded-host", "www.example"), ("x-forwarded-for", "203.0.113.5")]);
    bench.sent("GET");
    assert_eq!(bench.exchange.outgoing().authority, "www.example");
    let fields = bench.request_fields();
    for wanted in ["x-real-ip: 203.0.113.5", "x-forwarded-host: www.example"] {
        assert!(fields.iter().any(|field| field == wanted), "{fields:?}");
    }
    bench.reset();
    assert_eq!(bench.get("/away"), Action::Respond);
    assert!(bench.response_fields().contains(&"location: https://www.example/away".to_owned()));
}
