//! Filters in every phase.

use super::bench::Bench;
use crate::exchange::{Action, Event};
use crate::flags::ResponseFlags as Flags;
use crate::hygiene::Body;
use sluice_filter::{
    BodyContext, BodyVerdict, Filter, LocalResponse, LogContext, Op, OpResult, Phase, PhaseMask,
    RequestContext, ResponseContext, TrailersContext, Verdict,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ROUTE: &str = "
- name: r
  action: { forward: { destinations: [{ cluster: one }] } }
  timeouts: { request: 5s }
  headers: { request: { set: [{ name: x-order, value: route }] }, response: { set: [{ name: x-edited, value: \"yes\" }] } }
  filters: [{ fault: { abort: { status: { http: 500 } } } }]
";

/// Writes down when it runs, and decides as told.
#[derive(Clone, Default)]
struct Witness {
    seen: Arc<Mutex<Vec<String>>>,
    sleep: bool,
    buffer: Option<usize>,
    respond_in: Option<Phase>,
    fault: bool,
}

impl Witness {
    fn note(&self, text: String) {
        self.seen.lock().expect("not poisoned").push(text);
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").clone()
    }

    fn response(&self) -> LocalResponse {
        LocalResponse {
            status: 403,
            fields: vec![("x-filter".into(), "1".into())],
            body: "denied".into(),
            details: "witness",
            fault: self.fault,
            ..LocalResponse::default()
        }
    }

    fn verdict(&self, phase: Phase) -> BodyVerdict {
        if self.respond_in == Some(phase) {
            BodyVerdict::Respond(Box::new(self.response()))
        } else {
            BodyVerdict::Continue
        }
    }
}

impl Filter for Witness {
    fn phases(&self) -> PhaseMask {
        use Phase::{
            Log, RequestBody, RequestHead, RequestTrailers, ResponseBody, ResponseHead, ResponseTrailers,
        };
        [RequestHead, RequestBody, RequestTrailers, ResponseHead, ResponseBody, ResponseTrailers, Log]
            .into_iter()
            .collect()
    }
    fn on_request_head(&mut self, cx: &mut RequestContext<'_>) -> Verdict {
        self.note(format!("head {} {}", cx.method, cx.path));
        cx.edits.set("x-filter", b"was here").expect("a field");
        cx.edits.set("x-order", b"filter").expect("a field");
        if self.respond_in == Some(Phase::RequestHead) {
            return Verdict::Respond(Box::new(self.response()));
        }
        if self.sleep {
            return Verdict::Pause(Op::Sleep(Duration::from_secs(9)));
        }
        self.buffer.map_or(Verdict::Continue, Verdict::Buffer)
    }
    fn on_op(&mut self, _: &mut RequestContext<'_>, result: OpResult) -> Verdict {
        self.note(format!("op {result:?}"));
        Verdict::Continue
    }
    fn on_request_body(&mut self, cx: &mut BodyContext<'_>) -> BodyVerdict {
        self.note(format!("request {} {}", String::from_utf8_lossy(cx.data), cx.end));
        self.verdict(Phase::RequestBody)
    }
    fn on_request_trailers(&mut self, cx: &mut TrailersContext<'_>) -> BodyVerdict {
        self.note(format!("request trailers {}", cx.fields.count()));
        BodyVerdict::Continue
    }
    fn on_response_head(&mut self, cx: &mut ResponseContext<'_>) -> BodyVerdict {
        self.note(format!("answer {}", cx.status));
        cx.edits.override_status(299);
        self.verdict(Phase::ResponseHead)
    }
    fn on_response_body(&mut self, cx: &mut BodyContext<'_>) -> BodyVerdict {
        self.note(format!("response {} {}", String::from_utf8_lossy(cx.data), cx.end));
        self.verdict(Phase::ResponseBody)
    }
    fn on_response_trailers(&mut self, cx: &mut TrailersContext<'_>) -> BodyVerdict {
        self.note(format!("response trailers {}", cx.fields.count()));
        BodyVerdict::Continue
    }
    fn on_log(&mut self, cx: &LogContext<'_>) {
        self.note(format!("log {} {} {}", cx.status, cx.bytes_received, cx.bytes_sent));
    }
}

#[test]
fn every_phase_runs_in_its_time() {
    let witness = Witness::default();
    let mut bench = Bench::with("", ROUTE, witness.clone());
    assert_eq!(bench.request("POST", "/p", Body::Unknown), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    let fields = bench.request_fields();
    assert!(fields.contains(&"x-filter: was here".to_owned()), "{fields:?}");
    assert!(
        fields.contains(&"x-order: route".to_owned()),
        "the route's edits come after those of its filters: {fields:?}"
    );
    let trailers = vec![("t", "1")];
    for (event, action) in [
        (Event::RequestBody(b"ab"), Action::Wait),
        (Event::RequestTrailers(&trailers), Action::Wait),
        (Event::RequestEnd, Action::Wait),
    ] {
        assert_eq!(bench.on(event), action);
    }
    assert_eq!(bench.answer(200, Body::Unknown), Action::RelayHead);
    assert_eq!(bench.exchange.response_status(), 299);
    for (event, action) in [
        (Event::ResponseBody(b"cd"), Action::Wait),
        (Event::ResponseTrailers(&trailers), Action::Wait),
        (Event::ResponseEnd, Action::Done),
    ] {
        assert_eq!(bench.on(event), action);
    }
    assert_eq!(
        witness.seen(),
        [
            "head POST /p",
            "request ab false",
            "request trailers 1",
            "request  true",
            "answer 200",
            "response cd false",
            "response trailers 1",
            "response  true",
            "log 299 2 2"
        ]
    );
}

#[test]
fn a_pause_holds_the_request_and_its_timeouts() {
    let witness = Witness { sleep: true, ..Witness::default() };
    let mut bench = Bench::with("", ROUTE, witness.clone());
    assert_eq!(bench.get("/"), Action::Wait);
    assert_eq!(bench.exchange.deadline(), Some(bench.now + Duration::from_secs(9)));
    assert_eq!(bench.after(Duration::from_secs(8)), Action::Wait);
    assert_eq!(bench.after(Duration::from_secs(1)), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.after(Duration::from_millis(4_999)), Action::Wait);
    let action = bench.after(Duration::from_millis(1));
    bench.replied(
        action,
        504,
        Flags::UPSTREAM_TIMEOUT.union(Flags::DELAY_INJECTED),
        "upstream request timeout",
    );
    assert_eq!(witness.seen(), ["head GET /", "op Slept", "log 504 0 24"]);
}

#[test]
fn a_client_that_leaves_during_a_pause_is_logged() {
    let witness = Witness { sleep: true, ..Witness::default() };
    let mut bench = Bench::with("", ROUTE, witness.clone());
    assert_eq!(bench.get("/"), Action::Wait);
    assert_eq!(bench.on(Event::DownstreamGone), Action::Done);
    assert_eq!(witness.seen(), ["head GET /", "log 0 0 0"]);
}

#[test]
fn a_collected_body_is_seen_and_sent_in_one_piece() {
    let witness = Witness { buffer: Some(8), ..Witness::default() };
    let mut bench = Bench::with("", ROUTE, witness.clone());
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Collect);
    assert_eq!(bench.on(Event::RequestBody(b"abcd")), Action::Wait);
    assert_eq!(bench.on(Event::RequestBody(b"efgh")), Action::Wait);
    assert_eq!(bench.on(Event::RequestEnd), Action::Connect);
    assert_eq!(bench.connected(false), Action::Send);
    assert_eq!(bench.exchange.request_body(), Body::Length(8));
    assert_eq!(bench.exchange.collected(), Some(&b"abcdefgh"[..]));
    assert_eq!(witness.seen(), ["head POST /", "request abcdefgh true"]);

    let mut bench = Bench::with("", ROUTE, witness);
    assert_eq!(bench.request("POST", "/", Body::Unknown), Action::Collect);
    let action = bench.on(Event::RequestBody(b"123456789"));
    bench.replied(action, 413, Flags::DOWNSTREAM_PROTOCOL_ERROR, "Content Too Large");
}

#[test]
fn a_filter_answers_in_the_upstreams_place() {
    for phase in [Phase::RequestHead, Phase::RequestBody, Phase::ResponseHead] {
        let witness = Witness { respond_in: Some(phase), ..Witness::default() };
        let mut bench = Bench::with("", ROUTE, witness);
        let mut action = bench.request("POST", "/", Body::Unknown);
        if phase != Phase::RequestHead {
            assert_eq!(bench.connected(false), Action::Send);
            action = bench.on(Event::RequestBody(b"x"));
        }
        if phase == Phase::ResponseHead {
            action = bench.answer(200, Body::None);
        }
        assert_eq!(action, Action::Respond, "{phase:?}");
        assert_eq!(
            bench.response_fields(),
            ["x-filter: 1", "content-type: text/plain", "date: now", "x-edited: yes"],
            "the route's edits apply to answers made after routing"
        );
        bench.replied(action, 403, Flags::NONE, "denied");
    }
    let witness = Witness { respond_in: Some(Phase::ResponseBody), ..Witness::default() };
    let mut bench = Bench::with("", ROUTE, witness);
    bench.sent("GET");
    assert_eq!(bench.answer(200, Body::Unknown), Action::RelayHead);
    assert_eq!(bench.on(Event::ResponseBody(b"x")), Action::Abort, "an answer that has begun is cut");
}

#[test]
fn an_injected_fault_is_flagged_and_not_edited() {
    let witness = Witness { respond_in: Some(Phase::RequestHead), fault: true, ..Witness::default() };
    let mut bench = Bench::with("", ROUTE, witness);
    let action = bench.get("/");
    assert_eq!(bench.response_fields(), ["x-filter: 1", "content-type: text/plain", "date: now"]);
    bench.replied(action, 403, Flags::FAULT_INJECTED, "denied");
}
