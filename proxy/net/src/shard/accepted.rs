//! What the requests of one client connection share.

use super::{Phase, Shard};
use crate::{ConnectionInfo, Event, ListenerState, fields::HeadFields, listener::Admission};
use sluice_core::{
    exchange::{Connection, Context},
    snapshot::Listener,
};
use sluice_tls::Session;
use std::{cell::RefCell, net::SocketAddr, rc::Rc, sync::Arc, time::Instant};

/// An open connection of a client. Reports its end when it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) shard: Rc<Shard>,
    pub(super) info: ConnectionInfo,
    /// Where the client was on its way to, if it said so; then that is the local address too.
    destination: Option<SocketAddr>,
    listener: Arc<ListenerState>,
    opened: Instant,
    _admission: Admission,
}

/// A connection of a client that is ready for requests, whatever it speaks.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) shard: Rc<Shard>,
    open: Open,
    /// The same, as exchanges see it.
    connection: Connection,
    configured: RefCell<Configured>,
}

/// The listener as the snapshot of some version has it.
#[derive(Debug, Clone)]
pub(super) struct Configured {
    version: u64,
    pub(super) listener: Arc<Listener>,
}

impl Open {
    /// Counts the connection in and reports it.
    pub(super) fn new(
        shard: &Rc<Shard>,
        info: ConnectionInfo,
        listener: Arc<ListenerState>,
        admission: Admission,
    ) -> Self {
        shard.connections.set(shard.connections.get() + 1);
        shard.observer.connection_opened(&info);
        Self {
            shard: Rc::clone(shard),
            info,
            destination: None,
            listener,
            opened: shard.now(),
            _admission: admission,
        }
    }

    /// The connection is another one's: from `source`, which was on its way to `destination`.
    pub(super) fn brought(&mut self, source: SocketAddr, destination: SocketAddr) {
        self.info.peer = source;
        self.info.local = destination;
        self.destination = Some(destination);
    }

    /// The TLS handshake, if there is one, is over.
    pub(super) fn accept(mut self, session: Option<Session>, configured: Configured) -> Rc<Accepted> {
        let (server_name, scope) =
            session.map_or((None, None), |session| (session.server_name, session.scope));
        self.info.server_name = server_name.map(Arc::from);
        let ConnectionInfo { id, peer, local, tls, ref server_name, .. } = self.info;
        let connection = Connection::new(id, peer, local, tls, server_name.clone(), scope);
        let connection = if self.destination.is_some() { connection.destined() } else { connection };
        let shard = Rc::clone(&self.shard);
        Rc::new(Accepted { shard, open: self, connection, configured: RefCell::new(configured) })
    }

    /// Counts a connection that ends before its first request.
    pub(super) fn failed(&self, reason: &'static str) {
        self.shard.observer.count(Event::HandshakeFailed { listener: &self.info.listener, reason });
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shard.connections.set(self.shard.connections.get().saturating_sub(1));
        let open_for = self.shard.now().saturating_duration_since(self.opened);
        self.shard.observer.connection_closed(&self.info, open_for);
    }
}

impl Accepted {
    /// Who is at the other end.
    pub(crate) const fn info(&self) -> &ConnectionInfo {
        &self.open.info
    }

    /// When it was accepted.
    pub(crate) const fn opened(&self) -> Instant {
        self.open.opened
    }

    /// The listener as it is configured now; after its removal, as it was last. Asked once per request.
    pub(crate) fn listener(&self) -> Arc<Listener> {
        let mut configured = self.configured.borrow_mut();
        if self.shard.version() != configured.version {
            configured.version = self.shard.version();
            let name = &self.open.info.listener;
            if let Some(now) = Configured::find(&self.shard, name, self.open.destination) {
                *configured = now;
            }
        }
        Arc::clone(&configured.listener)
    }

    /// Shows an exchange what it may look at.
    pub(crate) fn with_scene<T>(
        &self,
        listener: &Listener,
        request: &HeadFields<'_>,
        response: &HeadFields<'_>,
        act: impl FnOnce(Instant, &mut Context<'_>) -> T,
    ) -> T {
        let shard = &self.shard;
        let mut state = shard.state.borrow_mut();
        shard.with_snapshot(|snapshot| {
            let connection = &self.connection;
            let mut scene = Context { snapshot, listener, connection, request, response, shard: &mut state };
            act(shard.now(), &mut scene)
        })
    }

    /// How the process and the listener treat the connection.
    pub(crate) fn phase(&self) -> Phase {
        match self.shard.phase() {
            Phase::Active | Phase::Draining if self.open.listener.forced() => Phase::Forced,
            Phase::Active if self.open.listener.draining() => Phase::Draining,
            phase => phase,
        }
    }

    /// Whether the connection ends after the request that it serves.
    pub(crate) fn draining(&self) -> bool {
        self.phase() != Phase::Active
    }

    /// Whether the connection ends now.
    pub(crate) fn forced(&self) -> bool {
        self.phase() == Phase::Forced
    }

    pub(super) fn failed(&self, reason: &'static str) {
        self.open.failed(reason);
    }
}

impl Configured {
    /// What serves a connection that came in at the listener of that name, on its way to `destination` where it said so.
    pub(super) fn find(shard: &Shard, name: &str, destination: Option<SocketAddr>) -> Option<Self> {
        shard.with_snapshot(|snapshot| {
            let listener = Arc::clone(snapshot.serving(name, destination)?);
            Some(Self { version: snapshot.version(), listener })
        })
    }
}
