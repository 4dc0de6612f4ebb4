//! One connection to an endpoint.
//!
//! ```text
//!            a stream ended early, or nothing was heard for long
//!  Proven ─────────────────────────────────────────────────────▶ Unproven
//!     ▲                                                              │ ping
//!     └───────────────pong──────────────── BeingProven ◀─────────────┘
//!                                               │ no pong
//!  GOAWAY, worn out, closed ──▶ Ending ◀────────┘
//! ```

use super::Slot;
use crate::{
    Event,
    h2::{REMEMBERED_RESETS, RESET_BUDGET, RESET_MEMORY, SEND_BUFFER, STREAM_WINDOW, connection_window},
    io::Stream as Socket,
    shard::Shard,
    upstream::{Room, Seeker},
};
use bytes::Bytes;
use h2::{Ping, PingPong, client};
use sluice_core::{exchange::ConnectFailure, pool::Reuse, shared::ClusterState};
use sluice_model::spec::KeepAlive;
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::{Rc, Weak},
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

/// Bounds of an answer's head, as for HTTP/1.
const HEAD: u32 = 128 * 1024;

/// Streams whose credit the connection's window adds up; more share it.
const STREAMS: u32 = 100;

/// How long a peer may take to answer a ping before its connection is given up.
const PROOF: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(5) };

/// For how long after the answer to a ping a connection is as good as a new one.
const FRESH: Duration = Duration::from_millis(500);

/// A connection that carries any number of requests at once.
pub(super) struct Session {
    sender: client::SendRequest<Bytes>,
    /// Who may be waiting for a stream of it, or for its end.
    cluster: Arc<ClusterState>,
    /// Away while a ping is on its way.
    ping: RefCell<Option<PingPong>>,
    active: Cell<usize>,
    carried: Cell<u32>,
    keep_alive: Cell<KeepAlive>,
    /// When the last stream was over.
    idle_since: Cell<Instant>,
    state: Cell<State>,
    /// When the last ping was answered. By then the peer's settings have arrived, too.
    heard: Cell<Option<Instant>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Proven,
    Unproven,
    BeingProven,
    /// No new streams.
    Ending,
}

/// What a request may expect of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    Proven,
    /// It may be dead without our knowing.
    Unproven,
    /// A ping is on its way.
    BeingProven,
}

/// One stream in its session's count; dropping it counts it out.
pub(super) struct Lease {
    session: Rc<Session>,
    shard: Rc<Shard>,
    /// The answer came to its end, so the peer was certainly there.
    pub(super) complete: bool,
}

impl Session {
    /// Begins to speak HTTP/2 on a fresh connection, in a task of its own.
    pub(super) async fn start(
        shard: &Rc<Shard>,
        seeker: &Seeker,
        socket: Socket,
        room: Room,
        slot: Weak<Slot>,
    ) -> Result<Rc<Self>, ConnectFailure> {
        let closed = {
            let (shard, cluster) = (Rc::clone(shard), Arc::clone(&seeker.cluster.name));
            move || shard.observer.count(Event::UpstreamClosed { cluster: &cluster })
        };
        let Ok((sender, mut connection)) = settings().handshake::<_, Bytes>(socket).await else {
            closed();
            return Err(ConnectFailure::Refused);
        };
        let session = Rc::new(Self {
            sender,
            cluster: Arc::clone(seeker.cluster.shared.cluster()),
            ping: RefCell::new(connection.ping_pong()),
            active: Cell::new(0),
            carried: Cell::new(0),
            keep_alive: Cell::default(),
            idle_since: Cell::new(shard.now()),
            state: Cell::new(State::Proven),
            heard: Cell::new(None),
        });
        let ended = Rc::downgrade(&session);
        tokio::task::spawn_local(async move {
            // Whatever ends the connection has been told to its streams.
            let _: Result<(), h2::Error> = connection.await;
            drop(room);
            if let Some(session) = ended.upgrade() {
                session.state.set(State::Ending);
            }
            if let Some(slot) = slot.upgrade() {
                slot.changed.notify_waiters();
            }
            closed();
        });
        Ok(session)
    }

    /// Whether it can carry another stream some time.
    pub(super) fn takes_streams(&self) -> bool {
        if self.state.get() == State::Ending {
            return false;
        }
        // A GOAWAY or a broken connection shows here first.
        let mut probe = self.sender.clone();
        let open = !matches!(
            probe.poll_ready(&mut Context::from_waker(Waker::noop())),
            std::task::Poll::Ready(Err(_))
        );
        let most = self.keep_alive.get().max_requests;
        let worn = most > 0 && self.carried.get() >= most;
        if !open || worn {
            self.state.set(State::Ending);
        }
        open && !worn
    }

    /// Whether it can carry another stream now.
    pub(super) fn has_room(&self) -> bool {
        self.active.get() < self.sender.current_max_send_streams()
    }

    /// How sure a request may be that the peer is there.
    pub(super) fn trust(&self, now: Instant, reuse: Reuse) -> Trust {
        match self.state.get() {
            State::BeingProven => return Trust::BeingProven,
            State::Unproven | State::Ending => return Trust::Unproven,
            State::Proven => {}
        }
        let idle = now.saturating_duration_since(self.idle_since.get());
        let busy = self.active.get() > 0;
        let heard = self.heard.get().is_some_and(|heard| now.saturating_duration_since(heard) < FRESH);
        let trusted = match reuse {
            Reuse::Any => true,
            Reuse::IdleLessThan(within) => heard || busy || self.carried.get() == 0 || idle < within,
            // For an upgrade: whether the peer takes part is known once its settings are.
            Reuse::Fresh => heard || (busy && self.heard.get().is_some()),
        };
        if trusted { Trust::Proven } else { Trust::Unproven }
    }

    /// Sends a ping; who waits is woken when it is answered, or not.
    pub(super) fn prove(self: &Rc<Self>, slot: Weak<Slot>) {
        let Some(mut ping) = self.ping.borrow_mut().take() else { return };
        self.state.set(State::BeingProven);
        let session = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let answered = tokio::time::timeout(PROOF, ping.ping(Ping::opaque())).await;
            if let Ok(Ok(_)) = answered {
                *session.ping.borrow_mut() = Some(ping);
                session.heard.set(Some(Instant::now()));
                if session.state.get() == State::BeingProven {
                    session.state.set(State::Proven);
                }
            } else {
                session.state.set(State::Ending);
            }
            if let Some(slot) = slot.upgrade() {
                slot.changed.notify_waiters();
            }
        });
    }

    /// Whether a sweep keeps it.
    pub(super) fn keeps(&self, now: Instant) -> bool {
        let keep_alive = self.keep_alive.get();
        let idle = now.saturating_duration_since(self.idle_since.get());
        let expired = keep_alive.idle_timeout.limit().is_some_and(|timeout| idle >= timeout);
        let unwanted = expired || keep_alive.max_idle == 0 || self.cluster.is_awaited();
        self.takes_streams() && (self.active.get() > 0 || !unwanted)
    }

    pub(super) fn set_keep_alive(&self, keep_alive: &KeepAlive) {
        self.keep_alive.set(*keep_alive);
    }

    /// Requests that it has carried.
    pub(super) fn carried(&self) -> u32 {
        self.carried.get()
    }

    /// A handle to send one request with.
    pub(super) fn sender(&self) -> client::SendRequest<Bytes> {
        self.sender.clone()
    }
}

impl Lease {
    pub(super) fn new(session: Rc<Session>, shard: &Rc<Shard>) -> Self {
        session.active.set(session.active.get() + 1);
        session.carried.set(session.carried.get().saturating_add(1));
        Self { session, shard: Rc::clone(shard), complete: false }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let session = &self.session;
        session.active.set(session.active.get() - 1);
        session.idle_since.set(self.shard.now());
        if !self.complete && session.state.get() == State::Proven {
            session.state.set(State::Unproven);
        }
        // Whoever waits on this shard takes the stream that is free; another shard needs the room of the connection.
        let needed = session.cluster.is_awaited() && !session.cluster.offer(self.shard.number());
        if session.active.get() == 0 && (needed || session.keep_alive.get().max_idle == 0) {
            session.state.set(State::Ending);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session")
            .field("state", &self.state)
            .field("active", &self.active)
            .field("carried", &self.carried)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.session.fmt(out)
    }
}

fn settings() -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(connection_window(STREAMS))
        .max_header_list_size(HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .reset_stream_duration(RESET_MEMORY)
        .max_pending_accept_reset_streams(RESET_BUDGET)
        .max_local_error_reset_streams(Some(RESET_BUDGET));
    builder
}
