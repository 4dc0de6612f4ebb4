//! What the tests of this crate share: a shard, connected sockets, bodies.

use crate::{
    ConnectionInfo, Event, Generation, Observer, RequestSummary, Shard, ShardOptions,
    body::{Front, Sink, SinkGone, Source, SourceError},
    fields::HeadFields,
};
use bytes::{Buf, Bytes};
use sluice_core::{hygiene::Body, snapshot::Snapshot};
use sluice_model::spec;
use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};

/// Runs a test on a shard's runtime. Nothing takes longer than the bound.
pub(crate) fn run<T>(test: impl AsyncFnOnce(Rc<Shard>, Rc<Counts>) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(async {
        let counts = Rc::new(Counts::default());
        let shard = Shard::new(ShardOptions {
            generation: Generation { snapshot: Arc::new(Snapshot::default()), tls: Arc::default() },
            observer: Rc::clone(&counts) as Rc<dyn Observer>,
            hostname: "test".into(),
            seed: 7,
            number: 0,
            mirror_buffer: 4 << 20,
        });
        tokio::time::timeout(Duration::from_secs(20), test(shard, counts)).await.unwrap()
    })
}

/// The names of the events that were counted.
#[derive(Debug, Default)]
pub(crate) struct Counts(pub(crate) RefCell<Vec<String>>);

impl Counts {
    /// How many of them begin so.
    pub(crate) fn of(&self, name: &str) -> usize {
        self.0.borrow().iter().filter(|event| event.starts_with(name)).count()
    }
}

impl Observer for Counts {
    fn connection_opened(&self, _: &ConnectionInfo) {}
    fn connection_closed(&self, _: &ConnectionInfo, _: Duration) {}
    fn request_finished(&self, _: &RequestSummary<'_>) {}
    fn count(&self, event: Event<'_>) {
        self.0.borrow_mut().push(format!("{event:?}"));
    }
}

/// Waits for a condition, giving every other task its turn.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A listener as a file would configure it; `extra` are more lines of YAML.
pub(crate) fn listener(extra: &str) -> spec::Listener {
    let text = format!(
        "listeners: [{{ name: web, address: '127.0.0.1:0', route_table: main, {extra} }}]\n\
         route_tables: [{{ name: main }}]\n"
    );
    let loaded = sluice_model::load(&sluice_model::Source::new("test", &*text), &sluice_model::NoFiles);
    spec::Listener::clone(loaded.unwrap().config.listener("web").unwrap())
}

/// Both ends of a connection.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// A body in memory.
pub(crate) struct Memory {
    pub(crate) rest: Bytes,
    /// Whether [`Source::last`] knows the end in advance.
    pub(crate) foresees: bool,
}

impl Memory {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        Self { rest: bytes.into(), foresees: false }
    }
}

impl Source for Memory {
    fn length(&self) -> Body {
        Body::Unknown
    }
    fn poll_front(&mut self, _: &mut Context<'_>) -> Poll<Result<Front, SourceError>> {
        Poll::Ready(Ok(if self.rest.is_empty() { Front::End } else { Front::Data }))
    }
    fn data(&self) -> &[u8] {
        &self.rest
    }
    fn last(&self) -> bool {
        self.foresees
    }
    fn share(&self, count: usize) -> Bytes {
        self.rest.slice(..count)
    }
    fn consume(&mut self, count: usize) {
        self.rest.advance(count);
    }
    fn trailers(&self) -> HeadFields<'_> {
        HeadFields::Empty
    }
    fn rewind(&mut self) -> bool {
        false
    }
    fn held(&self) -> bool {
        false
    }
}

/// Sends a whole body, without its end.
pub(crate) async fn push(sink: &mut impl Sink, bytes: impl Into<Bytes>) -> Result<(), SinkGone> {
    let mut body = Memory::new(bytes);
    while !body.rest.is_empty() {
        let count = poll_fn(|cx| sink.poll_push(cx, &body)).await?;
        body.consume(count);
    }
    Ok(())
}

/// Reads a body to its end.
pub(crate) async fn read(source: &mut impl Source) -> Result<Vec<u8>, SourceError> {
    let mut body = Vec::new();
    while poll_fn(|cx| source.poll_front(cx)).await? == Front::Data {
        body.extend_from_slice(source.data());
        source.consume(source.data().len());
    }
    Ok(body)
}
