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
use sluice_tls::{Protocol, ServerTls, Session, TlsStream};
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
    tokio::task::spawn_local(on_time(shard, serve(open, configured, stream)));
}

/// A task that reads the clock once per wake-up.
struct OnTime<F> {
    shard: Rc<Shard>,
    task: Pin<Box<F>>,
}

fn on_time<F: Future<Output = ()>>(shard: Rc<Shard>, task: F) -> OnTime<F> {
    OnTime { shard, task: Box::pin(task) }
}

impl<F: Future<Output = ()>> Future for OnTime<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.shard.timers.look_at_clock();
        self.task.as_mut().poll(cx)
    }
}

/// Serves a connection to its end. What lasts only a moment, or is rare, is boxed: this future is what an idle
/// connection costs.
async fn serve(open: Open, configured: Configured, tcp: TcpStream) {
    let shard = Rc::clone(&open.shard);
    let spec = &configured.listener.spec;
    let deadline = spec.timeouts.handshake.limit().map(|limit| shard.now() + limit);
    let (stream, protocol, server_name) = match shard.tls().server(&open.info.listener).cloned() {
        // Without TLS the first bytes tell: whoever speaks what the listener does not is answered in HTTP/1.1.
        None => (Stream::Plain(tcp), Protocol::Http1, None),
        Some(tls) => match Box::pin(handshake(&shard, &tls, tcp, deadline)).await {
            Ok((stream, session)) => {
                (Stream::tls(stream), session.protocol.unwrap_or(Protocol::Http1), session.server_name)
            }
            Err(reason) => return open.failed(reason),
        },
    };
    let accepted = open.accept(server_name, configured);
    let (socket, unread) = match protocol {
        Protocol::Http2 => (stream, Bytes::new()),
        Protocol::Http1 => match h1::serve(Rc::clone(&accepted), stream).await {
            h1::Served::Closed => return,
            h1::Served::Http2(stream, read) => (stream, read),
        },
    };
    let connection = h2::Accepted { socket, unread, tls: accepted.info().tls, deadline };
    if let Err(reason) = Box::pin(serve_http2(&accepted, connection)).await {
        accepted.failed(reason);
    }
}

async fn handshake(
    shard: &Shard,
    tls: &ServerTls,
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

async fn serve_http2(accepted: &Rc<Accepted>, connection: h2::Accepted) -> Result<(), &'static str> {
    let listener = accepted.listener();
    let phase = || accepted.phase();
    h2::serve(&accepted.shard, connection, &listener.spec, phase, |mut stream, refusal| {
        let accepted = Rc::clone(accepted);
        on_time(Rc::clone(&accepted.shard), async move {
            let timer = accepted.shard.timers.timer();
            let listener = accepted.listener();
            let opening = refusal.map_or(Opening::Request, Opening::Refused);
            exchange::run(&accepted, &listener, &timer, &mut stream, opening).await;
        })
    })
    .await
}
