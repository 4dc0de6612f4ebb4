//! HTTP/2 towards endpoints: connections that are shared by the streams of a shard.
//!
//! A [`Session`](session::Session) is a connection; a [`Slot`] holds the sessions of one identity. A request takes a
//! stream of the first session that has room and that it may trust; where none has, a connection is made, and requests
//! that come meanwhile wait for it in place of making one each. A session takes no new stream after GOAWAY, after as many
//! requests as the cluster allows, or when it did not answer a ping; it closes when its last stream is over.

mod session;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use stream::{Head, Stream};

use self::session::{Session, Trust};
use super::{Identity, Room, Seeker, connect, room::Found};
use crate::{Event, io::Stream as Socket, shard::Shard};
use sluice_core::{exchange::ConnectFailure, pool::Reuse};
use sluice_model::spec::KeepAlive;
use sluice_tls::Protocol;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt,
    rc::Rc,
    time::Instant,
};
use tokio::sync::Notify;

/// The sessions of one shard.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// By the address of the identity, which the slot keeps alive: connections are shared only by those who would make
    /// the very same one.
    slots: RefCell<HashMap<*const Identity, Rc<Slot>, foldhash::fast::RandomState>>,
}

/// What a request got.
pub(crate) enum Opened {
    /// A stream.
    Http2 {
        /// Ready for the head.
        stream: Box<Stream>,
        /// Whether its connection has carried a request before.
        reused: bool,
    },
    /// A connection of its own: the peer preferred HTTP/1.1.
    Http1(Socket, Room),
}

/// The sessions of one identity.
#[derive(Debug)]
struct Slot {
    /// Keeps the address from being used for another identity.
    identity: Rc<Identity>,
    sessions: RefCell<Vec<Rc<Session>>>,
    /// Connections that are being made, and requests that wait for them.
    connecting: Cell<usize>,
    waiting: Cell<usize>,
    /// How many connections were tried, and how the last failed one ended.
    attempts: Cell<u64>,
    failed: Cell<Option<(u64, ConnectFailure)>>,
    /// The last connection spoke HTTP/1.1, so that waiting for one would gain nothing.
    prefers_http1: Cell<bool>,
    /// A connection was made, or failed; a ping was answered, or not.
    changed: Notify,
}

/// What a slot has for a request.
enum Pick {
    Session(Rc<Session>),
    /// Wait for a connection or a ping that is on its way.
    Wait,
    Connect,
}

/// What most servers allow; how many requests wait for one connection.
const USUAL_STREAMS: usize = 100;

impl Sessions {
    /// A stream for a request, on a session that it may trust or on a new one. Waits as long as the peer lets it: the
    /// exchange's deadline bounds the time.
    pub(crate) async fn open(
        &self,
        shard: &Rc<Shard>,
        identity: &Rc<Identity>,
        keep_alive: &KeepAlive,
        reuse: Reuse,
        seeker: &Seeker,
    ) -> Result<Opened, ConnectFailure> {
        let slot = Rc::clone(
            self.slots
                .borrow_mut()
                .entry(Rc::as_ptr(identity))
                .or_insert_with(|| Rc::new(Slot::new(identity))),
        );
        let mut pending = None;
        loop {
            match slot.pick(shard.now(), keep_alive, reuse) {
                Pick::Session(session) => {
                    let reused = session.carried() > 0;
                    let event = Event::PoolHit { cluster: &identity.cluster };
                    if reused {
                        shard.observer.count(event);
                    }
                    return Ok(Opened::Http2 { stream: Box::new(Stream::new(session, shard)), reused });
                }
                Pick::Wait => {
                    pending = pending.map_or_else(|| seeker.pending(), Ok).map(Some)?;
                    slot.wait().await?;
                }
                Pick::Connect => {
                    pending = pending.map_or_else(|| seeker.pending(), Ok).map(Some)?;
                    if let Some((socket, room)) = slot.connect(shard, seeker).await? {
                        return Ok(Opened::Http1(socket, room));
                    }
                }
            }
        }
    }

    /// Ends what was idle for too long, is no longer open, or is wanted by nobody: a cluster that is gone or is reached
    /// in another way by now.
    pub(crate) fn sweep(&self, now: Instant) {
        self.slots.borrow_mut().retain(|_, slot| {
            let wanted = Rc::strong_count(&slot.identity) > 1;
            slot.sessions.borrow_mut().retain(|session| wanted && session.keeps(now));
            Rc::strong_count(slot) > 1 || !slot.sessions.borrow().is_empty()
        });
    }

    /// Lets every session end with its last stream.
    pub(crate) fn clear(&self) {
        self.slots.borrow_mut().clear();
    }

    /// Connections that are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.slots.borrow().values().map(|slot| slot.sessions.borrow().len()).sum()
    }
}

impl Slot {
    fn new(identity: &Rc<Identity>) -> Self {
        Self {
            identity: Rc::clone(identity),
            sessions: RefCell::default(),
            connecting: Cell::new(0),
            waiting: Cell::new(0),
            attempts: Cell::new(0),
            failed: Cell::new(None),
            prefers_http1: Cell::new(false),
            changed: Notify::new(),
        }
    }

    fn pick(self: &Rc<Self>, now: Instant, keep_alive: &KeepAlive, reuse: Reuse) -> Pick {
        let mut sessions = self.sessions.borrow_mut();
        sessions.retain(|session| session.takes_streams());
        let mut unproven = None;
        for session in &*sessions {
            session.set_keep_alive(keep_alive);
            if !session.has_room() {
                continue;
            }
            match session.trust(now, reuse) {
                Trust::Proven => return Pick::Session(Rc::clone(session)),
                Trust::Unproven => unproven = unproven.or(Some(session)),
                Trust::BeingProven => return Pick::Wait,
            }
        }
        if let Some(session) = unproven {
            // Nobody knows whether the peer is still there: a ping is cheaper than a new connection.
            session.prove(Rc::downgrade(self));
            return Pick::Wait;
        }
        let expected = self.connecting.get() * USUAL_STREAMS;
        if self.waiting.get() < expected && !self.prefers_http1.get() { Pick::Wait } else { Pick::Connect }
    }

    async fn wait(&self) -> Result<(), ConnectFailure> {
        let before = self.failed.get();
        let connecting = self.connecting.get() > 0;
        self.waiting.set(self.waiting.get() + 1);
        let waiting = Count(&self.waiting);
        self.changed.notified().await;
        drop(waiting);
        match self.failed.get() {
            // The connection that this request waited for.
            Some((attempt, failure)) if connecting && before.is_none_or(|(old, _)| old != attempt) => {
                Err(failure)
            }
            _ => Ok(()),
        }
    }

    /// Makes a connection; a socket comes back where the peer prefers HTTP/1.1.
    async fn connect(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        seeker: &Seeker,
    ) -> Result<Option<(Socket, Room)>, ConnectFailure> {
        let identity = &self.identity;
        let attempt = self.attempts.get() + 1;
        self.attempts.set(attempt);
        self.connecting.set(self.connecting.get() + 1);
        let connecting = Count(&self.connecting);
        // Also when the request that makes the connection is given up.
        let woken = Woken(&self.changed);
        shard.observer.count(Event::PoolMiss { cluster: &identity.cluster });
        let made = async {
            let has_room = || self.sessions.borrow().iter().any(|session| session.has_room());
            let Found::Room(room) = seeker.find(shard, Reuse::Fresh, has_room).await? else {
                // A session will do that had no room before.
                return Ok(None);
            };
            let connected = connect(Rc::clone(shard), Rc::clone(identity)).await?;
            match connected.protocol {
                Protocol::Http1 => Ok(Some((connected.stream, room))),
                Protocol::Http2 => {
                    let session =
                        Session::start(shard, seeker, connected.stream, room, Rc::downgrade(self)).await?;
                    self.sessions.borrow_mut().push(session);
                    Ok(None)
                }
            }
        };
        let made = made.await;
        match &made {
            Ok(socket) => self.prefers_http1.set(socket.is_some()),
            Err(failure) => self.failed.set(Some((attempt, *failure))),
        }
        drop(connecting);
        drop(woken);
        made
    }
}

/// Counts itself out when dropped.
struct Count<'a>(&'a Cell<usize>);

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Wakes who waits when dropped.
struct Woken<'a>(&'a Notify);

impl Drop for Woken<'_> {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http2 { reused, .. } => write!(out, "Http2(reused: {reused})"),
            Self::Http1(..) => out.write_str("Http1"),
        }
    }
}
