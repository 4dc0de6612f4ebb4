//! Handoff: one acceptor on the control thread gives each connection to the shard that has the fewest. Best for few
//! long-lived connections, which the kernel's hash would spread unevenly.

use super::{Acceptor, accept};
use crate::{
    shard::Message,
    telemetry::{Counter, Local, ReasonKey, ShardStats, count_accept_failure},
};
use sluice_net::ListenerState;
use std::{
    cell::RefCell,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, mpsc::error::TrySendError, watch},
    task::{JoinHandle, spawn_local},
};

/// The shards, and how many connections each was given. Shared by all acceptors.
pub(crate) struct Handoff {
    shards: Vec<Receiver>,
    reasons: Local<ReasonKey, Counter>,
}

struct Receiver {
    messages: mpsc::Sender<Message>,
    stats: Arc<ShardStats>,
    given: u64,
}

/// One socket that is being accepted from.
pub(crate) struct Accepting {
    pub(crate) listener: Rc<RefCell<Arc<ListenerState>>>,
    stop: watch::Sender<Option<Duration>>,
    task: JoinHandle<()>,
}

// === impl Handoff ===

impl Handoff {
    pub(crate) fn new(
        shards: impl Iterator<Item = (mpsc::Sender<Message>, Arc<ShardStats>)>,
        acceptors: &ShardStats,
    ) -> Rc<RefCell<Self>> {
        let shards = shards.map(|(messages, stats)| Receiver { messages, stats, given: 0 }).collect();
        Rc::new(RefCell::new(Self { shards, reasons: Local::new(acceptors.reasons.clone()) }))
    }

    /// The shard with the fewest connections, those on their way included.
    fn least_loaded(&self) -> Option<usize> {
        let load = |shard: &Receiver| shard.given.saturating_sub(shard.stats.closed.get());
        (0..self.shards.len()).min_by_key(|at| load(&self.shards[*at]))
    }
}

// === impl Accepting ===

impl Accepting {
    pub(crate) fn start(
        socket: TcpListener,
        listener: Arc<ListenerState>,
        handoff: Rc<RefCell<Handoff>>,
    ) -> Self {
        let listener = Rc::new(RefCell::new(listener));
        let (stop, mut stopped) = watch::channel(None);
        let mut acceptor = Giving { handoff, listener: listener.clone() };
        let task = spawn_local(async move {
            let stopped = async move {
                stopped.wait_for(Option::is_some).await.ok().and_then(|stop| *stop).unwrap_or_default()
            };
            if let Err(error) = accept(socket, &mut acceptor, stopped).await {
                tracing::error!(listener = &**acceptor.listener.borrow().name(), %error, "accepting ended");
            }
        });
        Self { listener, stop, task }
    }

    /// Begins to close the socket: handshakes that have begun may take so long, and what the kernel has queued is handed
    /// over.
    pub(crate) fn stop(&self, handshakes: Duration) {
        let _ = self.stop.send(Some(handshakes));
    }

    /// Waits until the socket is closed.
    pub(crate) async fn stopped(self) {
        let _ = self.task.await;
    }
}

struct Giving {
    handoff: Rc<RefCell<Handoff>>,
    listener: Rc<RefCell<Arc<ListenerState>>>,
}

impl Acceptor for Giving {
    async fn accepted(&mut self, stream: TcpStream, peer: SocketAddr) {
        let listener = self.listener.borrow().clone();
        let message = Message::Serve { stream, peer, listener };
        let (messages, message) = {
            let mut handoff = self.handoff.borrow_mut();
            let Some(at) = handoff.least_loaded() else { return };
            let shard = &mut handoff.shards[at];
            shard.given += 1;
            match shard.messages.try_send(message) {
                Ok(()) | Err(TrySendError::Closed(_)) => return,
                Err(TrySendError::Full(message)) => (shard.messages.clone(), message),
            }
        };
        // Even the least loaded shard is behind: the kernel's queue has to wait.
        let _ = messages.send(message).await;
    }

    fn exhausted(&mut self, error: &io::Error) {
        let listener = self.listener.borrow().name().clone();
        tracing::warn!(listener = &*listener, %error, "connections wait: nothing is left to accept them with");
        count_accept_failure(&mut self.handoff.borrow_mut().reasons, &listener, error);
    }

    fn failed(&mut self, error: &io::Error) {
        let listener = self.listener.borrow().name().clone();
        count_accept_failure(&mut self.handoff.borrow_mut().reasons, &listener, error);
    }
}
