//! An exchange under test: a configuration, a connection, heads, and a clock that moves when told.

use crate::exchange::{Action, Connection, Context, Event, Exchange, ShardState};
use crate::flags::ResponseFlags;
use crate::hygiene::{Body, Refusal, RequestFacts, ResponseFacts, Target, Version};
use crate::snapshot::{ChainCompiler, Listener, Snapshot, compile};
use sluice_filter::{Chain, ChainState, Filter, Filters, PhaseMask};
use sluice_model::{NoFiles, Source, load, spec};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

pub(super) type Head = Vec<(&'static str, &'static str)>;

pub(super) struct Bench {
    pub(super) exchange: Exchange,
    pub(super) now: Instant,
    snapshot: Snapshot,
    listener: Arc<Listener>,
    connection: Connection,
    shard: ShardState,
    pub(super) request: Head,
    pub(super) response: Head,
    pub(super) version: Version,
}

const CLUSTERS: &str = "
clusters:
- { name: one, endpoints: [{ address: 127.0.0.1:1001 }], connect_timeout: 1s }
- { name: four, endpoints: [{ address: 127.0.0.1:2001 }, { address: 127.0.0.1:2002 }, { address: 127.0.0.1:2003 }, { address: 127.0.0.1:2004 }] }
- { name: none, endpoints: [] }
- { name: other, endpoints: [{ address: 127.0.0.1:3001 }] }
- { name: secure, endpoints: [{ address: 127.0.0.1:4001 }], tls: {} }
";

/// A filter that a test scripts; a route of the configuration asks for it by having any filter at all.
pub(super) trait Scripted: Filter + Clone + Send + Sync + 'static {}
impl<F: Filter + Clone + Send + Sync + 'static> Scripted for F {}

struct Script<F>(F);

impl<F: Scripted> Chain for Script<F> {
    fn phases(&self) -> PhaseMask {
        self.0.phases()
    }
    fn open(&self) -> Box<dyn ChainState> {
        Box::new(Filters::new(vec![self.0.clone()]))
    }
}

impl<F: Scripted> ChainCompiler for Script<F> {
    fn compile(&self, filters: &[spec::Filter]) -> Option<Arc<dyn Chain>> {
        (!filters.is_empty()).then(|| Arc::new(Script(self.0.clone())) as Arc<dyn Chain>)
    }
}

/// Does nothing, and is never asked.
#[derive(Clone)]
pub(super) struct Nothing;

impl Filter for Nothing {
    fn phases(&self) -> PhaseMask {
        PhaseMask::NONE
    }
}

impl Bench {
    /// The routes of the only virtual host, as YAML list items.
    pub(super) fn new(routes: &str) -> Self {
        Self::with("", routes, Nothing)
    }

    /// Also settings of the listener, and a filter.
    pub(super) fn with(listener: &str, routes: &str, filter: impl Scripted) -> Self {
        Self::with_more(listener, routes, filter, "")
    }

    /// Also more of the configuration.
    pub(super) fn with_more(listener: &str, routes: &str, filter: impl Scripted, more: &str) -> Self {
        let mut indented = String::new();
        for line in routes.trim().lines() {
            indented.push_str("    ");
            indented.push_str(line);
            indented.push('\n');
        }
        let text = format!(
            "listeners:\n- name: web\n  address: 127.0.0.1:8080\n  route_table: all\n{listener}\nroute_tables:\n- name: all\n  \
             virtual_hosts:\n  - name: any\n    hosts: [\"*.example\"]\n    order: explicit\n    routes:\n{indented}{CLUSTERS}{more}"
        );
        let loaded = load(&Source::new("test.yaml", &*text), &NoFiles);
        let loaded = loaded.unwrap_or_else(|diagnostics| panic!("{diagnostics}\n{text}"));
        let snapshot = compile(None, &loaded.config, &Script(filter));
        let listener = Arc::clone(snapshot.listener("web").expect("the listener"));
        let now = Instant::now();
        let peer = "192.0.2.7:5000".parse().expect("an address");
        let local = "127.0.0.1:8080".parse().expect("an address");
        Self {
            exchange: Exchange::new(now),
            now,
            snapshot,
            listener,
            connection: Connection::new(1, peer, local, false, None, None),
            shard: ShardState::new(1, "box".into()),
            request: vec![("host", "a.example")],
            response: Vec::new(),
            version: Version::Http11,
        }
    }

    /// The handshake picked the TLS scope of this name.
    pub(super) fn in_scope(mut self, name: &str) -> Self {
        self.connection.scope = Some(name.into());
        self
    }

    pub(super) fn on(&mut self, event: Event<'_>) -> Action {
        let mut cx = Context {
            snapshot: &self.snapshot,
            listener: &self.listener,
            connection: &self.connection,
            request: &self.request,
            response: &self.response,
            shard: &mut self.shard,
        };
        self.exchange.on(self.now, event, &mut cx)
    }

    pub(super) fn request(&mut self, method: &str, target: &str, body: Body) -> Action {
        let target = Target::Line(target);
        let facts = RequestFacts { version: self.version, method, target, body };
        self.on(Event::RequestHead { facts, wall: SystemTime::UNIX_EPOCH })
    }

    pub(super) fn get(&mut self, target: &str) -> Action {
        self.request("GET", target, Body::None)
    }

    /// The codec refuses a head of which it has read the request line.
    pub(super) fn refused(&mut self, refusal: Refusal) -> Action {
        self.on(Event::HeadRefused { facts: half(), refusal, wall: SystemTime::UNIX_EPOCH })
    }

    /// The client leaves in the middle of a head.
    pub(super) fn lost(&mut self) -> Action {
        let refusal = Refusal::incomplete_head();
        self.on(Event::HeadLost { facts: half(), refusal, wall: SystemTime::UNIX_EPOCH })
    }

    pub(super) fn connected(&mut self, reused: bool) -> Action {
        self.on(Event::Connected { reused, version: Version::Http11 })
    }

    pub(super) fn answer(&mut self, status: u16, body: Body) -> Action {
        let facts = ResponseFacts { version: Version::Http11, status, body };
        self.on(Event::ResponseHead { facts, held: true })
    }

    /// A request without body up to the point where it has been sent.
    pub(super) fn sent(&mut self, method: &str) {
        assert_eq!(self.request(method, "/", Body::None), Action::Connect);
        assert_eq!(self.connected(false), Action::Send);
    }

    pub(super) fn after(&mut self, time: Duration) -> Action {
        self.now += time;
        self.on(Event::Timer)
    }

    /// What comes of a failure when the pause after it, if there is one, is over.
    pub(super) fn resumed(&mut self, mut action: Action) -> Action {
        while action == Action::BackOff {
            self.now = self.exchange.deadline().expect("a pause has an end");
            action = self.on(Event::Timer);
        }
        action
    }

    pub(super) fn reset(&mut self) {
        self.exchange.reset(self.now);
        self.response.clear();
    }

    pub(super) fn port(&self) -> u16 {
        self.exchange.attempt().expect("an attempt").endpoint.address.port()
    }

    pub(super) fn request_fields(&mut self) -> Vec<String> {
        let mut out: Vec<(String, String)> = Vec::new();
        let cx = Context {
            snapshot: &self.snapshot,
            listener: &self.listener,
            connection: &self.connection,
            request: &self.request,
            response: &self.response,
            shard: &mut self.shard,
        };
        self.exchange.write_request_fields(&cx, &mut out);
        lines(out)
    }

    pub(super) fn mirror_fields(&mut self, index: usize) -> Vec<String> {
        let mut out: Vec<(String, String)> = Vec::new();
        let cx = Context {
            snapshot: &self.snapshot,
            listener: &self.listener,
            connection: &self.connection,
            request: &self.request,
            response: &self.response,
            shard: &mut self.shard,
        };
        self.exchange.write_mirror_fields(index, &cx, &mut out);
        lines(out)
    }

    pub(super) fn response_fields(&mut self) -> Vec<String> {
        let mut out: Vec<(String, String)> = Vec::new();
        let cx = Context {
            snapshot: &self.snapshot,
            listener: &self.listener,
            connection: &self.connection,
            request: &self.request,
            response: &self.response,
            shard: &mut self.shard,
        };
        self.exchange.write_response_fields(&cx, "now", &mut out);
        lines(out)
    }

    /// The local reply is what it should be, is sent, and ends the exchange.
    pub(super) fn replied(&mut self, action: Action, status: u16, flags: ResponseFlags, body: &str) {
        assert_eq!(action, Action::Respond);
        assert_eq!(self.exchange.response_status(), status);
        assert_eq!(self.exchange.reply_body(), body.as_bytes());
        assert_eq!(self.exchange.record().flags, flags);
        assert_eq!(self.on(Event::ReplySent), Action::Done);
        assert_eq!(self.exchange.record().status, status);
        assert_eq!(self.exchange.record().bytes_sent, body.len() as u64);
        assert!(!self.exchange.record().details.is_empty());
    }
}

/// What is known of a head that was not read whole.
fn half() -> RequestFacts<'static> {
    RequestFacts { version: Version::Http11, method: "PUT", target: Target::Line("/half"), body: Body::None }
}

fn lines(fields: Vec<(String, String)>) -> Vec<String> {
    fields.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
}
