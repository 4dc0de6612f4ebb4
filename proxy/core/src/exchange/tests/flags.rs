//! How each flag comes about, in virtual time.

use super::bench::{Bench, Nothing};
use crate::exchange::{Action, ConnectFailure, Event, FailureKind, Sent, UpstreamFailure};
use crate::flags::ResponseFlags as Flags;
use crate::hygiene::{Body, Refusal, RequestFacts, Target, Version};
use std::time::{Duration, SystemTime};

const RESET: &str = "upstream connect error or disconnect/reset before headers. reset reason: ";

fn forward(cluster: &str) -> Bench {
    Bench::new(&format!(
        "- {{ name: r, action: {{ forward: {{ destinations: [{{ cluster: {cluster} }}] }} }} }}"
    ))
}

fn limited(rest: &str) -> Bench {
    Bench::new(&format!(
        "- name: r\n  action: {{ forward: {{ destinations: [{{ cluster: one }}] }} }}\n  {rest}"
    ))
}

fn broken(kind: FailureKind) -> Event<'static> {
    Event::UpstreamFailed(UpstreamFailure { kind, sent: Sent::Whole, held: true, answered: false })
}

#[test]
fn nr_where_no_host_or_route_fits() {
    let mut bench = forward("one");
    bench.request = vec![("host", "elsewhere.test")];
    let action = bench.get("/");
    bench.replied(action, 404, Flags::NO_ROUTE, "");
    assert_eq!(bench.exchange.record().details, "route_not_found");
    let mut bench = Bench::new(
        "- { name: r, match: [{ path: { exact: /only } }], action: { forward: { destinations: [{ cluster: one }] } } }",
    );
    let action = bench.get("/other");
    bench.replied(action, 404, Flags::NO_ROUTE, "");
}

#[test]
fn uh_where_nobody_serves_the_cluster() {
    let mut bench = forward("none");
    let action = bench.get("/");
    bench.replied(action, 503, Flags::NO_HEALTHY_UPSTREAM, "no healthy upstream");
    assert_eq!(bench.exchange.record().cluster(), "none");
}

#[test]
fn uf_where_nobody_can_be_reached() {
    for (failure, reason) in
        [(ConnectFailure::Refused, "connection failure"), (ConnectFailure::Tls, "connection failure (TLS)")]
    {
        let mut bench = forward("one");
        assert_eq!(bench.get("/"), Action::Connect);
        let action = bench.on(Event::ConnectFailed(failure));
        bench.replied(action, 503, Flags::UPSTREAM_CONNECT_FAILURE, &format!("{RESET}{reason}"));
    }
    let mut bench = forward("one");
    assert_eq!(bench.get("/"), Action::Connect);
    assert_eq!(bench.exchange.deadline(), Some(bench.now + Duration::from_secs(1)));
    assert_eq!(bench.after(Duration::from_millis(999)), Action::Wait);
    let action = bench.after(Duration::from_millis(1));
    bench.replied(action, 503, Flags::UPSTREAM_CONNECT_FAILURE, &format!("{RESET}connection timeout"));
}

#[test]
fn uo_where_a_bound_is_reached() {
    let mut bench = forward("one");
    assert_eq!(bench.get("/"), Action::Connect);
    let action = bench.on(Event::ConnectFailed(ConnectFailure::Overflow));
    bench.replied(action, 503, Flags::OVERFLOW, &format!("{RESET}overflow"));
}

#[test]
fn uc_ur_and_upe_where_the_upstream_breaks() {
    for (kind, status, flag, reason) in [
        (FailureKind::Closed, 503, Flags::UPSTREAM_CLOSED, "connection termination"),
        (FailureKind::Reset, 503, Flags::UPSTREAM_RESET, "remote reset"),
        (FailureKind::Protocol("bad chunk"), 502, Flags::UPSTREAM_PROTOCOL_ERROR, "protocol error"),
    ] {
        let mut bench = forward("one");
        bench.sent("POST");
        let action = bench.on(broken(kind));
        bench.replied(action, status, flag, &format!("{RESET}{reason}"));

        let mut bench = forward("one");
        bench.sent("GET");
        assert_eq!(bench.answer(200, Body::Unknown), Action::RelayHead);
        assert_eq!(bench.on(broken(kind)), Action::Abort);
        assert_eq!((bench.exchange.record().flags, bench.exchange.record().status), (flag, 200));
    }
    let mut bench = forward("one");
    bench.sent("GET");
    let action = bench.answer(700, Body::None);
    bench.replied(action, 502, Flags::UPSTREAM_PROTOCOL_ERROR, &format!("{RESET}protocol error"));
    let mut bench = forward("one");
    bench.sent("GET");
    let action = bench.answer(101, Body::None);
    bench.replied(action, 502, Flags::UPSTREAM_PROTOCOL_ERROR, &format!("{RESET}protocol error"));
    assert_eq!(bench.exchange.record().details, "upstream_unasked_upgrade");
}

#[test]
fn ut_counts_over_all_attempts() {
    let mut bench = limited("timeouts: { request: 3s }");
    assert_eq!(bench.get("/"), Action::Connect);
    bench.now += Duration::from_millis(900);
    assert_eq!(bench.connected(true), Action::Send);
    bench.now += Duration::from_secs(1);
    assert_eq!(bench.on(broken(FailureKind::Closed)), Action::Connect);
    bench.now += Duration::from_millis(900);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.after(Duration::from_millis(199)), Action::Wait);
    let action = bench.after(Duration::from_millis(1));
    bench.replied(action, 504, Flags::UPSTREAM_TIMEOUT, "upstream request timeout");

    let mut bench = limited("timeouts: { request: 3s }");
    bench.sent("GET");
    assert_eq!(bench.answer(200, Body::Unknown), Action::RelayHead);
    assert_eq!(bench.after(Duration::from_secs(3)), Action::Abort);
    assert_eq!(bench.exchange.record().flags, Flags::UPSTREAM_TIMEOUT);
}

#[test]
fn si_where_nobody_sends_a_byte() {
    let mut bench = limited("timeouts: { idle: 2s }");
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    bench.now += Duration::from_millis(1_900);
    assert_eq!(bench.on(Event::RequestBody(b"x")), Action::Wait);
    assert_eq!(bench.after(Duration::from_millis(1_999)), Action::Wait);
    let action = bench.after(Duration::from_millis(1));
    bench.replied(action, 504, Flags::IDLE_TIMEOUT, "stream timeout");

    let mut bench = limited("timeouts: { idle: 2s }");
    bench.sent("GET");
    assert_eq!(bench.answer(200, Body::Unknown), Action::RelayHead);
    for _ in 0..5 {
        assert_eq!(bench.after(Duration::from_millis(1_900)), Action::Wait);
        assert_eq!(bench.on(Event::ResponseBody(b"x")), Action::Wait);
    }
    assert_eq!(bench.after(Duration::from_secs(2)), Action::Abort);
    assert_eq!(bench.exchange.record().flags, Flags::IDLE_TIMEOUT);
}

#[test]
fn si_where_the_endpoint_takes_nothing_for_longer_than_it_may_and_silence_does_not_count_meanwhile() {
    let mut bench = limited("timeouts: { idle: 2s, send: 5s }");
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.on(Event::RequestBody(b"x")), Action::Wait);
    let blocked = bench.now;
    bench.exchange.request_blocked(bench.now, Some(blocked));
    assert_eq!(bench.after(Duration::from_millis(4_999)), Action::Wait);
    // It takes some, and has its whole patience again.
    bench.exchange.request_blocked(bench.now, None);
    assert_eq!(bench.after(Duration::from_millis(1_999)), Action::Wait);
    let blocked = bench.now;
    bench.exchange.request_blocked(bench.now, Some(blocked));
    assert_eq!(bench.after(Duration::from_millis(4_999)), Action::Wait);
    let action = bench.after(Duration::from_millis(1));
    bench.replied(action, 504, Flags::IDLE_TIMEOUT, "stream timeout");
    assert_eq!(bench.exchange.record().details, "request_send_timeout");

    let mut bench = limited("timeouts: { idle: 2s }");
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    let blocked = bench.now;
    bench.exchange.request_blocked(bench.now, Some(blocked));
    let action = bench.after(Duration::from_secs(2));
    bench.replied(action, 504, Flags::IDLE_TIMEOUT, "stream timeout");
    assert_eq!(bench.exchange.record().details, "stream_idle_timeout");
}

#[test]
fn si_and_408_where_the_client_is_too_slow() {
    let mut bench = forward("one");
    let action = bench.refused(Refusal::header_timeout());
    bench.replied(action, 408, Flags::IDLE_TIMEOUT, "Request Timeout");
    assert!(!bench.exchange.downstream_reusable());

    let mut bench = forward("one");
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    let action = bench.on(Event::RequestRefused(Refusal::body_timeout()));
    bench.replied(action, 408, Flags::IDLE_TIMEOUT, "Request Timeout");
}

#[test]
fn dpe_and_no_status_where_the_codec_has_ended_the_request_by_itself() {
    let mut bench = forward("one");
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.on(Event::RequestRefused(Refusal::codec(0, "its fault"))), Action::Abort);
    let record = bench.exchange.record();
    assert_eq!((record.status, record.flags), (0, Flags::DOWNSTREAM_PROTOCOL_ERROR));
    assert_eq!((record.details, record.termination), ("its fault", Some("its fault")));
}

#[test]
fn dc_where_the_client_leaves_in_the_middle_of_a_head() {
    let mut bench = forward("one");
    assert_eq!(bench.lost(), Action::Done);
    let record = bench.exchange.record();
    assert_eq!((record.status, record.flags, &*record.path), (0, Flags::DOWNSTREAM_GONE, "/half"));
    assert!(!bench.exchange.downstream_reusable());
}

#[test]
fn dpe_where_the_client_breaks_the_rules() {
    let mut bench = forward("one");
    let action = bench.refused(Refusal::codec(431, "too many header fields"));
    bench.replied(action, 431, Flags::DOWNSTREAM_PROTOCOL_ERROR, "Request Header Fields Too Large");
    let record = bench.exchange.record();
    assert_eq!((record.details, &*record.method, &*record.path), ("too many header fields", "PUT", "/half"));

    // What is known of the head is told even where its codec refuses it.
    let mut bench = forward("one");
    let target = Target::Pseudo { scheme: None, authority: None, path: Some("/long"), protocol: None };
    let facts = RequestFacts { version: Version::Http2, method: "PUT", target, body: Body::Unknown };
    let refusal = Refusal::codec(414, "target_too_long");
    let action = bench.on(Event::HeadRefused { facts, refusal, wall: SystemTime::UNIX_EPOCH });
    bench.replied(action, 414, Flags::DOWNSTREAM_PROTOCOL_ERROR, "URI Too Long");
    let record = bench.exchange.record();
    assert_eq!((record.version, &*record.method, &*record.path), (Version::Http2, "PUT", "/long"));

    let mut bench = forward("one");
    bench.request.push(("Host", "b.example"));
    let action = bench.get("/x");
    bench.replied(action, 400, Flags::DOWNSTREAM_PROTOCOL_ERROR, "Bad Request");
    assert_eq!((bench.exchange.record().details, &*bench.exchange.record().path), ("host_repeated", "/x"));
    assert!(!bench.exchange.downstream_reusable());

    let mut bench = Bench::with(
        "  path: { normalize: base }",
        "- { name: r, action: { forward: { destinations: [{ cluster: one }] } } }",
        Nothing,
    );
    let action = bench.get("/a%00");
    bench.replied(action, 400, Flags::DOWNSTREAM_PROTOCOL_ERROR, "Bad Request");
}

#[test]
fn bodies_beyond_the_limit_are_refused_as_soon_as_it_is_known() {
    let mut bench = limited("max_body: 4B");
    let action = bench.request("POST", "/", Body::Length(5));
    bench.replied(action, 413, Flags::DOWNSTREAM_PROTOCOL_ERROR, "Content Too Large");

    let mut bench = limited("max_body: 4B");
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.on(Event::RequestBody(b"1234")), Action::Wait);
    let action = bench.on(Event::RequestBody(b"5"));
    bench.replied(action, 413, Flags::DOWNSTREAM_PROTOCOL_ERROR, "Content Too Large");

    let mut bench = limited("max_body: 4B");
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.answer(200, Body::Unknown), Action::RelayHead);
    assert_eq!(bench.on(Event::RequestBody(b"12345")), Action::Abort, "the answer has begun, so it is cut");
}

#[test]
fn dc_where_the_client_leaves() {
    let mut bench = forward("one");
    bench.sent("GET");
    assert_eq!(bench.on(Event::DownstreamGone), Action::Done);
    let record = bench.exchange.record();
    assert_eq!((record.status, record.flags), (0, Flags::DOWNSTREAM_GONE));
    assert_eq!(record.details, "downstream_remote_disconnect");
    assert!(!bench.exchange.upstream_reusable());
}

#[test]
fn grpc_is_answered_in_its_own_words() {
    let mut bench = forward("none");
    bench.request.push(("content-type", "application/grpc+proto"));
    let action = bench.request("POST", "/pkg.Service/Method", Body::Unknown);
    assert_eq!(action, Action::Respond);
    assert_eq!(bench.exchange.response_status(), 200);
    assert_eq!(
        bench.response_fields(),
        [
            "content-type: application/grpc",
            "grpc-status: 14",
            "grpc-message: no healthy upstream",
            "date: now"
        ]
    );
    assert_eq!(bench.exchange.record().grpc_status, Some(14));
    assert_eq!(bench.exchange.response_body(), Body::None, "trailers only");
    assert_eq!(bench.exchange.record().flags, Flags::NO_HEALTHY_UPSTREAM);
    let mut bench = limited("timeouts: { request: 1s }");
    bench.request.push(("content-type", "application/grpc"));
    bench.sent("POST");
    assert_eq!(bench.after(Duration::from_secs(1)), Action::Respond);
    assert_eq!(bench.exchange.record().grpc_status, Some(4), "DEADLINE_EXCEEDED");
}

#[test]
fn the_status_of_a_grpc_call_is_recorded() {
    let mut bench = forward("one");
    bench.sent("POST");
    assert_eq!(bench.answer(200, Body::Unknown), Action::RelayHead);
    let trailers = vec![("grpc-status", "5")];
    assert_eq!(bench.on(Event::ResponseTrailers(&trailers)), Action::Wait);
    assert_eq!(bench.on(Event::ResponseEnd), Action::Done);
    assert_eq!(bench.exchange.record().grpc_status, Some(5));
}

#[test]
fn lr_where_a_drain_has_lasted_its_time() {
    let mut bench = forward("one");
    bench.sent("GET");
    assert_eq!(bench.on(Event::Cut), Action::Abort);
    assert_eq!((bench.exchange.record().status, bench.exchange.record().flags), (0, Flags::LOCAL_RESET));
    assert_eq!(bench.exchange.record().termination, Some("drain_deadline"));
}
