//! HTTP/1.1 towards clients: one request after the other on a connection.
//!
//! ```text
//!  Idle ──first byte──▶ Head ──complete──▶ Exchange ──kept──▶ Drain ──rest of the body read──▶ Idle
//!   │ keep-alive          │ refused, timeout   │ close                │ too slow
//!   ▼ timeout, FIN        ▼                    ▼                      ▼
//!  Closed            Exchange (refusal) ──▶ Linger ───────────────▶ Closed
//! ```
//!
//! A client that leaves in the middle of a head is reported, although there is nobody to answer.

mod client;
mod end;

use crate::{
    downstream::Downstream,
    exchange::{self, Opening},
    io::{Stream, Timer},
    shard::Accepted,
};
use bytes::Bytes;
pub(crate) use client::Work;
use client::{Client, HeadRead};
use sluice_core::{hygiene::Refusal, snapshot::Listener};
use sluice_http1::Limits;
use sluice_model::spec::Protocol;
use std::{
    future::poll_fn,
    mem::MaybeUninit,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

/// How long a client that is still sending may go on after its answer.
const LINGER: Duration = Duration::from_secs(2);

/// How long a drain waits for a request on a connection that was opened or answered last: one that is in use tells its
/// client about the end with the next answer, where closing it would meet the request that is already on its way.
const QUIET: Duration = Duration::from_secs(1);

/// What becomes of a connection that was served.
pub(crate) enum Served {
    /// It is over.
    Closed,
    /// Its first bytes were the HTTP/2 preface; they are still among what was read.
    Http2(Stream, Bytes),
}

/// What waiting for a request came to.
enum Next {
    Request,
    /// None has begun.
    Idle,
    Refusal(Refusal),
    Http2,
    Close,
}

/// The connection is over.
struct Over;

/// Serves requests until the connection ends.
pub(crate) async fn serve(accepted: Rc<Accepted>, mut stream: Stream) -> Served {
    let timer = accepted.shard.timers.timer();
    let first = accepted.listener().spec.timeouts.handshake;
    let mut quiet_since = accepted.opened();
    let mut deadline = first.limit().map(|limit| quiet_since + limit);
    let mut requests = 0;
    loop {
        if idle(&accepted, &timer, &stream, quiet_since, deadline).await.is_err() {
            return Served::Closed;
        }
        let mut connection = Connection {
            listener: accepted.listener(),
            accepted: &accepted,
            timer: &timer,
            client: Client::new(&accepted.shard, stream, accepted.info().tls),
            requests,
        };
        match connection.requests().await {
            Next::Idle => {}
            Next::Http2 => return connection.into_http2(),
            Next::Request | Next::Refusal(_) | Next::Close => return Served::Closed,
        }
        if connection.requests > requests {
            let keep_alive = connection.listener.spec.timeouts.keep_alive;
            quiet_since = accepted.shard.now();
            deadline = keep_alive.limit().map(|limit| quiet_since + limit);
            requests = connection.requests;
        }
        stream = connection.client.into_stream();
    }
}

/// Waits for the first byte of a request, with no memory but the socket's.
async fn idle(
    accepted: &Accepted,
    timer: &Timer,
    stream: &Stream,
    quiet_since: Instant,
    deadline: Option<Instant>,
) -> Result<(), Over> {
    poll_fn(|cx| {
        if stream.poll_readable(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if accepted.forced() {
            return Poll::Ready(Err(Over));
        }
        let quiet = accepted.draining().then(|| quiet_since + QUIET);
        let deadline = [deadline, quiet].into_iter().flatten().min();
        timer.poll_until(cx, deadline).map(|()| if has_arrivals(stream) { Ok(()) } else { Err(Over) })
    })
    .await
}

/// Asks the kernel whether something has arrived that the reactor has not seen yet.
fn has_arrivals(stream: &Stream) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    socket2::SockRef::from(stream.tcp()).peek(&mut byte).is_ok_and(|count| count > 0)
}

/// A connection from the first byte of a request until nothing more is unread.
struct Connection<'a> {
    accepted: &'a Rc<Accepted>,
    timer: &'a Timer,
    listener: Arc<Listener>,
    client: Client,
    requests: u32,
}

impl Connection<'_> {
    fn now(&self) -> Instant {
        self.accepted.shard.now()
    }

    /// Serves what has arrived, until the connection is idle again.
    async fn requests(&mut self) -> Next {
        loop {
            let opening = match self.head().await {
                Next::Request => Opening::Request,
                Next::Refusal(refusal) => Opening::Refused(refusal),
                next => return next,
            };
            if !self.exchange(opening).await {
                self.end().await;
                return Next::Close;
            }
            if self.client.set_aside() {
                return Next::Idle;
            }
            self.listener = self.accepted.listener();
        }
    }

    /// Reads a request's head.
    async fn head(&mut self) -> Next {
        let spec = &self.listener.spec;
        let limits = Limits {
            head: spec.limits.head.as_usize(),
            target: spec.limits.target.as_usize(),
            fields: usize::from(spec.limits.header_count),
        };
        let deadline = spec.timeouts.header.limit().map(|limit| self.accepted.shard.now() + limit);
        let read = poll_fn(|cx| {
            if let Poll::Ready(read) = self.client.poll_request(cx, &limits) {
                return Poll::Ready(Some(read));
            }
            if self.accepted.forced() {
                return Poll::Ready(Some(HeadRead::Closed));
            }
            if self.client.set_aside() {
                // A line end, or TLS had something to read that is no byte of a request.
                return Poll::Ready(Some(HeadRead::Nothing));
            }
            self.timer.poll_until(cx, deadline).map(|()| None)
        })
        .await;
        match read {
            Some(HeadRead::Complete | HeadRead::Preface) if self.client.plain_at_tls() => {
                Next::Refusal(Refusal::PLAIN_AT_TLS)
            }
            Some(HeadRead::Complete) if self.speaks(Protocol::Http1) => Next::Request,
            Some(HeadRead::Refused(error)) => Next::Refusal(Refusal::codec(error.status(), error.details())),
            Some(HeadRead::Preface) if self.requests == 0 && self.speaks(Protocol::Http2) => Next::Http2,
            Some(HeadRead::Complete | HeadRead::Preface) => {
                let error = sluice_http1::Error::UnsupportedVersion;
                Next::Refusal(Refusal::codec(error.status(), error.details()))
            }
            Some(HeadRead::Nothing) => Next::Idle,
            Some(HeadRead::Closed) => {
                self.report_lost();
                Next::Close
            }
            None if !self.client.has_begun() => Next::Close,
            None => Next::Refusal(Refusal::header_timeout()),
        }
    }

    /// Reports a head of which there is only a beginning.
    fn report_lost(&self) {
        if self.client.has_begun() {
            let refusal =
                if self.accepted.forced() { Refusal::drained() } else { Refusal::incomplete_head() };
            exchange::lost(self.accepted, &self.listener, self.client.facts(), refusal);
        }
    }

    fn speaks(&self, protocol: Protocol) -> bool {
        self.listener.spec.protocols.contains(&protocol)
    }

    /// Serves the request. Says whether another one may follow.
    async fn exchange(&mut self, opening: Opening) -> bool {
        self.requests += 1;
        let most = self.listener.spec.limits.requests_per_connection;
        self.client.close |= most > 0 && self.requests >= most;
        exchange::run(self.accepted, &self.listener, self.timer, &mut self.client, opening).await;
        if self.client.close || !self.client.answered() || !self.drain().await {
            return false;
        }
        self.client.rest();
        true
    }

    /// Reads what is left of a request that was answered early; what may be left is bounded by what
    /// [`Client`] keeps the connection for. `false` where it does not come in time.
    async fn drain(&mut self) -> bool {
        let limit = self.listener.spec.timeouts.body_idle.limit().unwrap_or(LINGER).min(LINGER);
        let deadline = self.now() + limit;
        poll_fn(|cx| match self.client.poll_rest(cx) {
            Poll::Ready(whole) => Poll::Ready(whole),
            Poll::Pending => self.timer.poll_until(cx, Some(deadline)).map(|()| false),
        })
        .await
    }

    /// Ends the connection so that the client can read all that was sent.
    async fn end(&mut self) {
        let deadline = self.now() + LINGER;
        poll_fn(|cx| match self.client.poll_end(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending if self.accepted.forced() => Poll::Ready(()),
            Poll::Pending => self.timer.poll_until(cx, Some(deadline)),
        })
        .await;
    }

    fn into_http2(self) -> Served {
        let read = Bytes::copy_from_slice(self.client.work.reader.unread());
        Served::Http2(self.client.stream, read)
    }
}
