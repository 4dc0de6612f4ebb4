//! From an accepted socket to the codec that serves it.

use super::{
    Accepted, Phase, Shard,
    accepted::{Configured, Open},
};
use crate::{
    ConnectionInfo, Event, ListenerState,
    downstream::{h1, h2},
    exchange::{self, Opening},
    io::Stream,
};
use bytes::Bytes;
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
use tokio::net::TcpStream;

/// Serves a connection in a task of its own.
pub(super) fn spawn(
    shard: &Rc<Shard>,
    stream: std::net::TcpStream,
    peer: SocketAddr,
    state: &Arc<ListenerState>,
) {
    shard.timers.look_at_clock();
    let Some(configured) = Configured::find(shard, state.name()) else { return };
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

/// Takes a connection through its TLS handshake, if its listener has TLS.
async fn begin(open: Open, configured: Configured, tcp: TcpStream) -> Option<Begun> {
    let shard = Rc::clone(&open.shard);
    let Some(tls) = shard.tls().listener(&open.info.listener).cloned() else {
        // The first bytes tell: whoever speaks what the listener does not is answered in HTTP/1.1.
        let stream = Stream::Plain(tcp);
        return Some(Begun { accepted: open.accept(None, configured), stream, protocol: Protocol::Http1 });
    };
    let limit = configured.listener.spec.timeouts.handshake.limit();
    let deadline = limit.map(|limit| shard.now() + limit);
    match handshake(&shard, &tls, tcp, deadline).await {
        Ok((stream, session)) => Some(Begun {
            protocol: session.protocol.unwrap_or(Protocol::Http1),
            accepted: open.accept(Some(session), configured),
            stream: Stream::tls(stream),
        }),
        Err(reason) => {
            open.failed(reason);
            None
        }
    }
}

async fn handshake(
    shard: &Shard,
    tls: &ListenerTls,
    tcp: TcpStream,
    deadline: Option<Instant>,
) -> Result<(TlsStream<TcpStream>, Session), &'static str> {
    let timer = shard.timers.timer();
    let mut accept = pin!(tls.accept(tcp));
    poll_fn(|cx| match accept.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(done.map_err(|error| error.failure.as_str())),
        Poll::Pending if shard.phase() == Phase::Forced => Poll::Ready(Err("drained")),
        Poll::Pending => timer.poll_until(cx, deadline).map(|()| Err("timed out")),
    })
    .await
}

async fn serve_http2(accepted: &Rc<Accepted>, socket: Stream, unread: Bytes) {
    let listener = accepted.listener();
    let limit = listener.spec.timeouts.handshake.limit();
    let deadline = limit.map(|limit| accepted.opened() + limit);
    let connection = h2::Accepted { socket, unread, tls: accepted.info().tls, deadline };
    let phase = || accepted.phase();
    let served = h2::serve(&accepted.shard, connection, &listener.spec, phase, |mut stream, refusal| {
        let accepted = Rc::clone(accepted);
        on_time(Rc::clone(&accepted.shard), async move {
            let timer = accepted.shard.timers.timer();
            let listener = accepted.listener();
            let opening = refusal.map_or(Opening::Request, Opening::Refused);
            exchange::run(&accepted, &listener, &timer, &mut stream, opening).await;
        })
    });
    if let Err(reason) = served.await {
        accepted.failed(reason);
    }
}
