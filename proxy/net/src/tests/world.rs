//! A shard with a listener, and the peers on both sides of it.

use crate::{
    ConnectionInfo, Event, Generation, ListenerState, Observer, RequestSummary, Shard, ShardOptions, testing,
};
use sluice_core::snapshot::{ChainCompiler, Snapshot, compile};
use sluice_filter::{Chain, ChainState, Filter, Filters, Phase, PhaseMask, RequestContext, Verdict};
use sluice_tls::TlsContext;
use std::{cell::RefCell, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, LocalOptions},
    task::spawn_local,
};

/// A shard that serves a listener, and an endpoint that its routes name.
pub(super) struct World {
    pub(super) shard: Rc<Shard>,
    pub(super) listener: Arc<ListenerState>,
    pub(super) log: Rc<Log>,
    address: SocketAddr,
    endpoint: TcpListener,
}

/// What the shard reported.
#[derive(Default)]
pub(super) struct Log {
    requests: RefCell<Vec<Line>>,
    events: RefCell<Vec<String>>,
}

/// A finished request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) status: u16,
    pub(super) flags: String,
    pub(super) details: String,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) attempts: u32,
}

/// A scripted end of a connection.
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

/// Runs a test with `listener` as more lines of the listener and `more` as more lines of the route and its cluster.
/// Nothing takes longer than the bound.
pub(super) fn run(options: &Options<'_>, test: impl AsyncFnOnce(World)) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let world = World::new(options).await;
        tokio::time::timeout(Duration::from_secs(20), test(world)).await.expect("the test hangs");
    });
}

/// What differs from test to test, in flow YAML that follows other keys: `, key: value`.
#[derive(Default)]
pub(super) struct Options<'a> {
    pub(super) listener: &'a str,
    pub(super) route: &'a str,
    pub(super) cluster: &'a str,
}

impl World {
    async fn new(options: &Options<'_>) -> Self {
        let endpoint = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let accept = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, upstream) = (accept.local_addr().unwrap(), endpoint.local_addr().unwrap());
        let Options { listener, route, cluster } = options;
        let config = format!(
            "listeners: [{{ name: web, address: '127.0.0.1:0', route_table: main{listener} }}]
route_tables: [{{ name: main, virtual_hosts: [{{ name: all, hosts: ['*'], routes: [
  {{ name: hello, match: [{{ path: {{ exact: /hello }} }}], action: {{ respond: {{ status: 200, body: hello }} }} }},
  {{ name: one, action: {{ forward: {{ destinations: [{{ cluster: one }}] }} }}{route} }}] }}] }}]
clusters: [{{ name: one, endpoints: [{{ address: '{upstream}' }}]{cluster} }}]
"
        );
        let log = Rc::new(Log::default());
        let shard = Shard::new(ShardOptions {
            generation: generation(&config, None),
            observer: Rc::clone(&log) as Rc<dyn Observer>,
            seed: 7,
            number: 0,
            mirror_buffer: 4 << 20,
            hostname: "shard.test".into(),
        });
        let listener = ListenerState::new("web".into());
        let (serving, state) = (Rc::clone(&shard), Arc::clone(&listener));
        spawn_local(async move {
            while let Ok((stream, peer)) = accept.accept().await {
                serving.serve(stream.into_std().unwrap(), peer, &state);
            }
        });
        Self { shard, listener, log, address, endpoint }
    }

    /// Where the endpoint listens.
    pub(super) fn upstream(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }

    /// A client.
    pub(super) async fn client(&self) -> Peer {
        Peer::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// A client that has sent something.
    pub(super) async fn sends(&self, text: &str) -> Peer {
        let mut client = self.client().await;
        client.send(text).await;
        client
    }

    /// The next connection to the endpoint.
    pub(super) async fn endpoint(&self) -> Peer {
        Peer::new(self.endpoint.accept().await.unwrap().0)
    }

    pub(super) fn endpoint_address(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }

    /// Refuses connections from now on.
    pub(super) fn close_endpoint(&mut self) {
        let other = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        other.set_nonblocking(true).unwrap();
        self.endpoint = TcpListener::from_std(other).unwrap();
    }

    /// Waits until so many requests were reported; the last one.
    pub(super) async fn reported(&self, count: usize) -> Line {
        testing::until(|| self.log.requests.borrow().len() >= count).await;
        self.log.requests.borrow()[count - 1].clone()
    }
}

impl Log {
    /// How many events begin so.
    pub(super) fn count(&self, name: &str) -> usize {
        self.events.borrow().iter().filter(|event| event.starts_with(name)).count()
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.borrow().len()
    }
}

impl Peer {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next head, its empty line included.
    pub(super) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                return String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
            }
            assert_ne!(self.more().await, 0, "ended after {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// The status of the next head.
    pub(super) async fn status(&mut self) -> u16 {
        self.head().await[9..12].parse().unwrap()
    }

    /// So many bytes.
    pub(super) async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert_ne!(self.more().await, 0, "ended after {:?}", String::from_utf8_lossy(&self.read));
        }
        self.read.drain(..count).collect()
    }

    /// Reads so many bytes and keeps none.
    pub(super) async fn skip(&mut self, mut count: usize) {
        while count > 0 {
            if self.read.is_empty() {
                assert_ne!(self.more().await, 0, "ended before {count} bytes");
            }
            let some = self.read.len().min(count);
            self.read.drain(..some);
            count -= some;
        }
    }

    /// Exactly this.
    pub(super) async fn expect(&mut self, text: &str) {
        let taken = self.take(text.len()).await;
        assert_eq!(String::from_utf8_lossy(&taken), text);
    }

    /// Everything up to the end of the stream, which must be an orderly one.
    pub(super) async fn rest(&mut self) -> String {
        while self.more().await > 0 {}
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    /// Waits until the other side has closed or reset.
    pub(super) async fn closed(&mut self) {
        while !matches!(self.stream.read_buf(&mut self.read).await, Ok(0) | Err(_)) {}
    }

    /// Ends the sending direction.
    pub(super) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Closes with a reset.
    pub(super) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    async fn more(&mut self) -> usize {
        self.stream.read_buf(&mut self.read).await.unwrap()
    }
}

impl Observer for Log {
    fn connection_opened(&self, _: &ConnectionInfo) {}
    fn connection_closed(&self, _: &ConnectionInfo, _: Duration) {}
    fn request_finished(&self, request: &RequestSummary<'_>) {
        let record = request.record;
        self.requests.borrow_mut().push(Line {
            status: record.status,
            flags: record.flags.to_string(),
            details: record.details.to_owned(),
            received: record.bytes_received,
            sent: record.bytes_sent,
            attempts: record.attempts,
        });
    }
    fn count(&self, event: Event<'_>) {
        self.events.borrow_mut().push(format!("{event:?}"));
    }
}

/// Routes with any filter at all have the request's body collected before it is sent on.
#[derive(Clone)]
struct Collecting;

impl ChainCompiler for Collecting {
    fn compile(&self, filters: &[sluice_model::spec::Filter]) -> Option<Arc<dyn Chain>> {
        (!filters.is_empty()).then(|| Arc::new(Self) as Arc<dyn Chain>)
    }
}

impl Chain for Collecting {
    fn phases(&self) -> PhaseMask {
        Filter::phases(self)
    }
    fn open(&self) -> Box<dyn ChainState> {
        Box::new(Filters::new(vec![self.clone()]))
    }
}

impl Filter for Collecting {
    fn phases(&self) -> PhaseMask {
        PhaseMask::NONE.with(Phase::RequestHead)
    }
    fn on_request_head(&mut self, _: &mut RequestContext<'_>) -> Verdict {
        Verdict::Buffer(8 << 20)
    }
}

/// The configuration, compiled.
pub(super) fn generation(config: &str, old: Option<&Snapshot>) -> Generation {
    let source = sluice_model::Source::new("test", config);
    let loaded = sluice_model::load(&source, &sluice_model::NoFiles).unwrap();
    let snapshot = Arc::new(compile(old, &loaded.config, &Collecting));
    Generation { snapshot, tls: Arc::new(TlsContext::build(&loaded.config, None).unwrap()) }
}
