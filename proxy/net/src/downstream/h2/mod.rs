//! HTTP/2 towards clients: one task for the connection, one for each stream.
//!
//! The connection's task accepts streams, writes what they hand over, and watches the bounds that belong to the whole
//! connection: the handshake, silence between requests, a client that takes no bytes, floods, drains. A stream is driven
//! like an HTTP/1 connection that serves one request.

mod budget;
mod faults;
mod io;
mod stream;
mod tally;
#[cfg(test)]
mod tests;

pub(crate) use stream::Stream;

use self::{budget::ResetBudget, io::Io, tally::Tally};
use crate::{
    h2::{REMEMBERED_RESETS, RESET_BUDGET, RESET_MEMORY, SEND_BUFFER, STREAM_WINDOW, connection_window},
    io::{Stream as Socket, Timer},
    shard::{Phase, Shard},
};
use bytes::Bytes;
use h2::{Reason, server};
use sluice_core::hygiene::Refusal;
use sluice_model::spec;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// What a head may be longer than the listener's bound before the crate refuses it by itself, and the log does not see what
/// was asked for.
const HEAD_MARGIN: u32 = 16 * 1024;

/// For how long a connection without streams stays open after GOAWAY while nothing moves, so that the client reads what
/// was sent before the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// For how long something may move on a connection that has nothing left to serve.
const LINGER: Duration = Duration::from_secs(30);

/// A connection whose client has begun to speak HTTP/2.
pub(crate) struct Accepted {
    /// The socket.
    pub(crate) socket: Socket,
    /// What was read of it already.
    pub(crate) unread: Bytes,
    /// Whether it is secured: the scheme of requests that name none.
    pub(crate) tls: bool,
    /// When the preface must have come; settings may take as long as a first request.
    pub(crate) deadline: Option<Instant>,
}

/// Serves a connection to its end. `drive` serves one stream to its end, or answers it with the refusal; it runs in a
/// task of its own. `lost` reports what the crate has refused by itself. `phase` says how the process and the listener treat
/// it. The error is a few words on what went wrong before the first stream, fit for a label.
pub(crate) async fn serve<F: Future<Output = ()> + 'static>(
    shard: &Rc<Shard>,
    accepted: Accepted,
    listener: &spec::Listener,
    phase: impl Fn() -> Phase,
    drive: impl Fn(Stream, Option<Refusal>) -> F,
    lost: impl Fn(Refusal),
) -> Result<(), &'static str> {
    let Accepted { socket, unread, tls, deadline } = accepted;
    let timer = shard.timers.timer();
    shard.timers.look_at_clock();
    let tally = Rc::new(Tally::new(shard.now()));
    let io = Io {
        stream: socket,
        unread,
        tally: Rc::clone(&tally),
        timers: Rc::clone(&shard.timers),
        discarded: 0,
    };
    let mut handshake = pin!(settings(&listener.limits).handshake::<_, Bytes>(io));
    let connection = poll_fn(|cx| {
        shard.timers.look_at_clock();
        if phase() == Phase::Forced {
            return Poll::Ready(Err("drained"));
        }
        match handshake.as_mut().poll(cx) {
            Poll::Ready(connection) => Poll::Ready(connection.map_err(|error| {
                if error.is_go_away() && error.is_library() {
                    lost(Refusal::codec(0, "http2_preface"));
                }
                "http2 preface"
            })),
            Poll::Pending => timer.poll_until(cx, deadline).map(|()| Err("timed out")),
        }
    });
    let connection = connection.await?;
    tally.rest(shard.now());
    let mut connection = Connection {
        shard,
        connection,
        tally,
        timer,
        timeouts: listener.timeouts,
        going_away: None,
        accept: |request: http::Request<h2::RecvStream>, respond, tally: &Rc<Tally>| {
            let stream = Stream::new(request, respond, tls, shard, tally);
            let refusal = stream.oversized(&listener.limits);
            tokio::task::spawn_local(drive(stream, refusal));
        },
        lost,
    };
    poll_fn(|cx| connection.poll(cx, phase())).await;
    Ok(())
}

fn settings(limits: &spec::ListenerLimits) -> server::Builder {
    let mut builder = server::Builder::new();
    let head = u32::try_from(limits.head.get()).unwrap_or(u32::MAX).saturating_add(HEAD_MARGIN);
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(connection_window(limits.concurrent_streams))
        .max_concurrent_streams(limits.concurrent_streams)
        .max_header_list_size(head)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .reset_stream_duration(RESET_MEMORY)
        .max_pending_accept_reset_streams(RESET_BUDGET)
        .max_local_error_reset_streams(Some(RESET_BUDGET))
        .enable_connect_protocol();
    builder
}

struct Connection<'a, A, L> {
    shard: &'a Rc<Shard>,
    connection: server::Connection<Io, Bytes>,
    tally: Rc<Tally>,
    timer: Timer,
    timeouts: spec::ListenerTimeouts,
    /// When GOAWAY was sent.
    going_away: Option<Instant>,
    accept: A,
    lost: L,
}

impl<A, L> Connection<'_, A, L>
where
    A: FnMut(http::Request<h2::RecvStream>, server::SendResponse<Bytes>, &Rc<Tally>),
    L: Fn(Refusal),
{
    /// Ready when the connection is over; dropping it closes the socket.
    fn poll(&mut self, cx: &mut Context<'_>, phase: Phase) -> Poll<()> {
        self.shard.timers.look_at_clock();
        if phase == Phase::Forced {
            return Poll::Ready(());
        }
        self.tally.watch(cx);
        loop {
            while let Poll::Ready(accepted) = self.connection.poll_accept(cx) {
                match accepted {
                    Some(Ok((request, respond))) => (self.accept)(request, respond, &self.tally),
                    Some(Err(_)) | None => {
                        self.tally.refused(&self.lost);
                        return Poll::Ready(());
                    }
                }
            }
            self.tally.refused(&self.lost);
            let now = self.shard.now();
            if self.tally.flooded() {
                self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                self.going_away.get_or_insert(now);
                continue;
            }
            if self.going_away.is_none() && phase != Phase::Active {
                self.go_away(now);
                continue;
            }
            if self.timer.poll_until(cx, self.deadline()).is_pending() {
                return Poll::Pending;
            }
            let stalled = self.tally.stalled_since().is_some();
            if stalled && self.tally.idle_since().is_some() && self.going_away.is_none() {
                // No stream says so: it asked for echoes and acknowledgements, and reads none.
                (self.lost)(faults::unread());
            }
            if stalled || self.going_away.is_some() || self.tally.ended_at().is_some() {
                return Poll::Ready(());
            }
            self.go_away(now);
        }
    }

    fn go_away(&mut self, now: Instant) {
        self.connection.graceful_shutdown();
        self.going_away = Some(now);
    }

    fn deadline(&self) -> Option<Instant> {
        // Also when no stream is left: what they handed over may not be written yet.
        if let Some(since) = self.tally.stalled_since() {
            return Some(since + self.timeouts.write_idle.limit()?);
        }
        if let Some(at) = self.tally.ended_at() {
            return Some(self.farewell(at));
        }
        let since = self.tally.idle_since()?;
        match self.going_away {
            Some(at) => Some(self.farewell(at.max(since))),
            None => Some(since + self.timeouts.keep_alive.limit()?),
        }
    }

    /// How long the client is given to read what it was sent.
    fn farewell(&self, since: Instant) -> Instant {
        (self.tally.moved_at().max(since) + FAREWELL).min(since + LINGER)
    }
}
