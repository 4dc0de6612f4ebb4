//! From an accepted socket to the codec that serves it.

use super::{
    Accepted, Phase, Shard,
    accepted::{Configured, Open},
};
use crate::{
    ConnectionInfo, Event, ListenerState,
    downstream::{h1, h2},
    exchange::{self, Opening},
    io::{Stream, Timer},
    proxy_header::{ProxyHeader, ProxyHeaderReader},
};
use bytes::Bytes;
use sluice_core::hygiene::{Body, Refusal, RequestFacts, Target, Version};
use sluice_model::spec::OriginalDestination;
use sluice_tls::{ListenerTls, Protocol, Session, TlsStream};
use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};
use tokio::{io::ReadBuf, net::TcpStream};

/// Serves a connection in a task of its own.
pub(super) fn spawn(
    shard: &Rc<Shard>,
    stream: std::net::TcpStream,
    peer: SocketAddr,
    state: &Arc<ListenerState>,
) {
    shard.timers.look_at_clock();
    let Some(configured) = Configured::find(shard, state.name(), None) else { return };
    let Some(admission) = state.admit(configured.listener.spec.limits.connections) else {
        return shard.observer.count(Event::ConnectionRefused { listener: state.name() });
    };
    // Fails only where the peer has gone already, or descriptors of the reactor are short.
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let Ok(local) = stream.local_addr() else { return };
    let info = ConnectionInfo {
        id: shard.next_connection(),
        listener: Arc::clone(state.name()),
        peer,
        local,
        tls: configured.listener.spec.tls.is_some(),
        server_name: None,
    };
    let open = Open::new(shard, info, Arc::clone(state), admission);
    let shard = Rc::clone(shard);
    tokio::task::spawn_local(on_time(shard, serve(Box::pin(begin(open, configured, stream)))));
}

/// A task that reads the clock once per wake-up.
pub(crate) struct OnTime<F> {
    shard: Rc<Shard>,
    task: Pin<Box<F>>,
}

pub(crate) fn on_time<F: Future<Output = ()>>(shard: Rc<Shard>, task: F) -> OnTime<F> {
    OnTime { shard, task: Box::pin(task) }
}

impl<F: Future<Output = ()>> Future for OnTime<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.shard.timers.look_at_clock();
        self.task.as_mut().poll(cx)
    }
}

/// A connection that is ready for requests.
struct Begun {
    accepted: Rc<Accepted>,
    stream: Stream,
    protocol: Protocol,
}

/// Serves a connection to its end. This future is what an idle HTTP/1.1 connection costs: what lasts only a moment, or
/// belongs to HTTP/2, is boxed.
async fn serve(beginning: Pin<Box<impl Future<Output = Option<Begun>>>>) {
    let Some(Begun { accepted, stream, protocol }) = beginning.await else { return };
    let (socket, unread) = match protocol {
        Protocol::Http2 => (stream, Bytes::new()),
        Protocol::Http1 => match h1::serve(Rc::clone(&accepted), stream).await {
            h1::Served::Closed => return,
            h1::Served::Http2(stream, read) => (stream, read),
        },
    };
    Box::pin(serve_http2(&accepted, socket, unread)).await;
}

/// Takes a connection through its PROXY header or its TLS handshake, if its listener has either.
async fn begin(mut open: Open, configured: Configured, mut tcp: TcpStream) -> Option<Begun> {
    let shard = Rc::clone(&open.shard);
    let spec = Arc::clone(&configured.listener.spec);
    let limit = spec.timeouts.handshake.limit();
    let patience = Patience {
        shard: &shard,
        timer: shard.timers.timer(),
        until: limit.map(|limit| shard.now() + limit),
    };
    if let Some(settings) = &spec.original_destination {
        return match destination(&patience, settings, &mut open, configured, &mut tcp).await {
            Ok(configured) => Some(Begun {
                accepted: open.accept(None, configured),
                stream: Stream::Plain(tcp),
                protocol: Protocol::Http1,
            }),
            Err(reason) => {
                open.failed(reason);
                None
            }
        };
    }
    let Some(tls) = shard.tls().listener(&open.info.listener).cloned() else {
        // The first bytes tell: whoever speaks what the listener does not is answered in HTTP/1.1.
        let stream = Stream::Plain(tcp);
        return Some(Begun { accepted: open.accept(None, configured), stream, protocol: Protocol::Http1 });
    };
    match handshake(&patience, &tls, tcp).await {
        Ok(Handshake::Tls(stream, session)) => Some(Begun {
            protocol: session.protocol.unwrap_or(Protocol::Http1),
            accepted: open.accept(Some(session), configured),
            stream: Stream::tls(*stream),
        }),
        // The HTTP/1 side knows that it is at the wrong place, and says so.
        Ok(Handshake::Plain(tcp)) => Some(Begun {
            accepted: open.accept(None, configured),
            stream: Stream::Plain(tcp),
            protocol: Protocol::Http1,
        }),
        Err(reason) => {
            open.failed(reason);
            None
        }
    }
}

/// Finds out where a connection was on its way to, and what serves it for that; or why nothing does.
async fn destination(
    patience: &Patience<'_>,
    settings: &OriginalDestination,
    open: &mut Open,
    came_in: Configured,
    tcp: &mut TcpStream,
) -> Result<Configured, &'static str> {
    let peer = open.info.peer.ip();
    if !settings.trusted.iter().any(|block| block.contains(peer)) {
        return Err("not trusted with a PROXY header");
    }
    let mut reader = ProxyHeaderReader::default();
    match patience.wait(|cx| reader.poll(cx, tcp)).await?? {
        ProxyHeader::Local => Ok(came_in),
        ProxyHeader::Proxied { source, destination } => {
            open.brought(source, destination);
            let found = Configured::find(patience.shard, &open.info.listener, Some(destination));
            found.ok_or("no listener for the original destination")
        }
    }
}

/// What a client of a listener with TLS turned out to speak.
enum Handshake {
    Tls(Box<TlsStream<TcpStream>>, Session),
    /// Something that begins like an HTTP request.
    Plain(TcpStream),
}

async fn handshake(
    patience: &Patience<'_>,
    tls: &ListenerTls,
    tcp: TcpStream,
) -> Result<Handshake, &'static str> {
    let mut first = [0];
    let peeked = patience.wait(|cx| tcp.poll_peek(cx, &mut ReadBuf::new(&mut first))).await?;
    // No TLS record begins with a letter, and every method with one. Where nothing could be read, the handshake says why.
    if peeked.is_ok() && first[0].is_ascii_alphabetic() {
        return Ok(Handshake::Plain(tcp));
    }
    let mut accept = pin!(tls.accept(tcp));
    let (stream, session) =
        patience.wait(|cx| accept.as_mut().poll(cx)).await?.map_err(|error| error.failure.as_str())?;
    Ok(Handshake::Tls(Box::new(stream), session))
}

/// How long a client may take before its first request.
struct Patience<'a> {
    shard: &'a Shard,
    timer: Timer,
    until: Option<Instant>,
}

impl Patience<'_> {
    async fn wait<T>(&self, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Result<T, &'static str> {
        poll_fn(|cx| match step(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending if self.shard.phase() == Phase::Forced => Poll::Ready(Err("drained")),
            Poll::Pending => self.timer.poll_until(cx, self.until).map(|()| Err("timed out")),
        })
        .await
    }
}

async fn serve_http2(accepted: &Rc<Accepted>, socket: Stream, unread: Bytes) {
    let listener = accepted.listener();
    let limit = listener.spec.timeouts.handshake.limit();
    let deadline = limit.map(|limit| accepted.opened() + limit);
    let connection = h2::Accepted { socket, unread, tls: accepted.info().tls, deadline };
    let phase = || accepted.phase();
    let drive = |mut stream, refusal: Option<Refusal>| {
        let accepted = Rc::clone(accepted);
        on_time(Rc::clone(&accepted.shard), async move {
            let timer = accepted.shard.timers.timer();
            let listener = accepted.listener();
            let opening = refusal.map_or(Opening::Request, Opening::Refused);
            exchange::run(&accepted, &listener, &timer, &mut stream, opening).await;
        })
    };
    let lost = |refusal| {
        let target = Target::Pseudo { scheme: None, authority: None, path: None, protocol: None };
        let facts = RequestFacts { version: Version::Http2, method: "", target, body: Body::None };
        exchange::lost(accepted, &accepted.listener(), facts, refusal);
    };
    let served = h2::serve(&accepted.shard, connection, &listener.spec, phase, drive, lost);
    if let Err(reason) = served.await {
        accepted.failed(reason);
    }
}
