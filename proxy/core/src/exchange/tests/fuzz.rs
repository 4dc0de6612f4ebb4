//! Any sequence of events: nothing panics, and every exchange can be brought to its end.

use super::bench::Bench;
use crate::exchange::{Action, ConnectFailure, Event, FailureKind, Sent, UpstreamFailure};
use crate::hygiene::{Body, Refusal, Version};
use std::time::Duration;

const ROUTES: &str = "
- name: api
  match: [{ path: { prefix: /api } }]
  action: { forward: { destinations: [{ cluster: four }, { cluster: none, weight: 1 }] } }
  timeouts: { request: 7s, idle: 3s }
  max_body: 64B
  mirrors: [{ cluster: other, percent: 50 }]
  error_pages: { statuses: [413, 503, 504], cluster: secure }
- { name: away, match: [{ path: { prefix: /away } }], action: { redirect: { scheme: https } } }
- { name: here, match: [{ path: { prefix: /here } }], action: { respond: { status: 200, body: hi } } }
- { name: rest, action: { forward: { destinations: [{ cluster: one }] } } }
";

fn operate(bench: &mut Bench, rng: &mut fastrand::Rng) -> Action {
    const DATA: [u8; 40] = [b'x'; 40];
    let trailers = vec![("grpc-status", "3")];
    let piece = &DATA[..rng.usize(..40)];
    let body =
        [Body::None, Body::Length(20), Body::Length(0), Body::Unknown, Body::Length(100)][rng.usize(..5)];
    let kind =
        [FailureKind::Closed, FailureKind::Reset, FailureKind::Unprocessed, FailureKind::Protocol("x")]
            [rng.usize(..4)];
    match rng.u8(..20) {
        0 | 1 => {
            let method = ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT"][rng.usize(..6)];
            let target =
                ["/api/x", "/away", "/here", "/", "*", "nonsense", "/a#b", "a.example:1"][rng.usize(..8)];
            bench.version = [Version::Http10, Version::Http11][rng.usize(..2)];
            bench.request(method, target, body)
        }
        2 => match rng.u8(..4) {
            0 => bench.refused(Refusal::header_timeout()),
            1 => bench.lost(),
            _ => bench.on(Event::RequestRefused(Refusal::body_timeout())),
        },
        3 | 4 => bench.on(Event::RequestBody(piece)),
        5 => bench.on(Event::RequestTrailers(&trailers)),
        6 => bench.on(Event::RequestEnd),
        7..=9 => bench.on(Event::Connected {
            reused: rng.bool(),
            version: [Version::Http11, Version::Http2][rng.usize(..2)],
        }),
        10 => bench.on(Event::ConnectFailed(
            [ConnectFailure::Refused, ConnectFailure::Tls, ConnectFailure::Overflow][rng.usize(..3)],
        )),
        11 | 12 => bench.answer([100, 101, 200, 204, 304, 503, 999][rng.usize(..7)], body),
        13 => bench.on(Event::ResponseBody(piece)),
        14 => bench.on(Event::ResponseTrailers(&trailers)),
        15 => bench.on(Event::ResponseEnd),
        16 => {
            let sent = [Sent::Nothing, Sent::Part, Sent::Whole][rng.usize(..3)];
            bench.on(Event::UpstreamFailed(UpstreamFailure {
                kind,
                sent,
                held: rng.bool(),
                answered: rng.bool(),
            }))
        }
        17 => bench.on(Event::ReplySent),
        18 => {
            bench.on([Event::Tunnel { up: 1, down: 1 }, Event::TunnelEnd, Event::DownstreamGone, Event::Cut]
                [rng.usize(..4)])
        }
        _ => {
            let time = Duration::from_millis(rng.u64(..4_000));
            bench.after(time)
        }
    }
}

#[test]
fn every_sequence_of_events_ends() {
    let mut bench = Bench::new(ROUTES);
    for seed in 0..3_000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        bench.reset();
        bench.request = vec![("host", "a.example")];
        match rng.u8(..4) {
            0 => bench.request.extend([("connection", "upgrade"), ("upgrade", "websocket")]),
            1 => bench.request.push(("content-type", "application/grpc")),
            2 => bench.request.push(("host", "twice")),
            _ => {}
        }
        for _ in 0..rng.usize(..60) {
            let action = operate(&mut bench, &mut rng);
            check(&mut bench, action, seed);
        }
        end(&mut bench, seed);
    }
}

/// What drivers rely on after an action.
fn check(bench: &mut Bench, action: Action, seed: u64) {
    match action {
        Action::Connect => assert!(bench.exchange.attempt().is_some(), "{seed}"),
        Action::Send => {
            assert!(!bench.exchange.outgoing().target.is_empty(), "{seed}");
            assert!(!bench.request_fields().is_empty(), "{seed}");
        }
        Action::RelayHead | Action::Respond | Action::Tunnel => {
            let status = bench.exchange.response_status();
            assert!(
                (200..600).contains(&status) || (status == 101 && action == Action::Tunnel),
                "{seed}: {status}"
            );
            bench.response_fields();
        }
        Action::Done | Action::Abort => {
            assert!(bench.exchange.is_done(), "{seed}");
            assert_eq!(bench.exchange.deadline(), None, "{seed}");
        }
        Action::BackOff => assert!(bench.exchange.deadline().is_some(), "{seed}"),
        Action::Wait | Action::Collect | Action::RelayInformational | Action::Illegal(_) => {}
    }
    let attempts = bench.exchange.record().attempts;
    assert!(attempts <= 5, "{seed}: attempts are bounded, not {attempts}");
}

/// Time alone, or the client's leaving, brings everything to its end.
fn end(bench: &mut Bench, seed: u64) {
    for _ in 0..20 {
        if bench.exchange.is_done() {
            return;
        }
        let Some(deadline) = bench.exchange.deadline() else { break };
        bench.now = bench.now.max(deadline);
        let action = bench.on(Event::Timer);
        check(bench, action, seed);
    }
    let action = bench.on(Event::DownstreamGone);
    assert!(bench.exchange.is_done() || matches!(action, Action::Illegal(_)), "{seed}: {:?}", bench.exchange);
}
