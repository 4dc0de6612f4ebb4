//! How the process winds down.
//!
//! A drain loses no request, as far as HTTP allows:
//!
//! - `/ready` says no first, `drain_grace` before anything else changes.
//! - Sockets close only after the kernel was told to ignore new connections and all complete ones were taken; whoever comes
//!   later is refused, never reset (see `listen::accept`).
//! - HTTP/1: a request on its way is answered, with `connection: close`, and so are pipelined ones that have arrived. A
//!   connection on which nothing has come for a second is closed; a request that meets this close is the one that HTTP/1
//!   cannot save (RFC 9112 section 9.5: clients repeat it where that is safe).
//! - HTTP/2: GOAWAY twice, so that the second names the last stream exactly; every stream up to it is finished.
//! - Tunnels (CONNECT, WebSocket) go on until they end or the deadline comes.
//! - At the deadline, or with a second signal, what is left is cut.

use super::Control;
use crate::{listen::HANDSHAKES, options::Exit, shard::Message};
use sluice_net::ListenerState;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Patience with shards that were told to end at once.
const LAST: Duration = Duration::from_secs(2);

/// Where the process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Serving,
    /// `/ready` says no already, connections are still accepted.
    Grace(Instant),
    /// Listeners are closed; what has begun is finished.
    Draining(Option<Instant>),
    /// What is left was cut.
    Forced(Instant),
}

impl Phase {
    pub(super) const fn is_serving(self) -> bool {
        matches!(self, Self::Serving)
    }

    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Serving => None,
            Self::Grace(at) | Self::Forced(at) => Some(at),
            Self::Draining(at) => at,
        }
    }
}

impl Control {
    /// The connections of a listener that was removed have as long as a drain may take.
    pub(super) fn leave(&mut self, state: Arc<ListenerState>, timeout: Option<Duration>) {
        if let Some(timeout) = timeout {
            let deadline = Instant::now() + timeout;
            let at = self.leaving.partition_point(|(other, _)| *other <= deadline);
            self.leaving.insert(at, (deadline, state));
        }
    }

    /// Cuts what is left of removed listeners whose time is over.
    pub(super) async fn cut_leaving(&mut self) {
        while let Some((_, state)) = self.leaving.pop_front_if(|(deadline, _)| *deadline <= Instant::now()) {
            if state.connections() > 0 {
                tracing::warn!(listener = &**state.name(), "connections of a removed listener are cut");
            }
            state.force();
        }
        self.tell_all(|| Message::Wake).await;
    }

    pub(super) async fn begin_drain(&mut self) {
        if !self.phase.is_serving() {
            return;
        }
        self.draining = Some(self.state.readiness.hold("draining"));
        let grace = self.state.published().config.runtime().drain_grace.get();
        self.phase = Phase::Grace(Instant::now() + grace);
        if grace.is_zero() {
            self.next_phase().await;
        }
    }

    /// The deadline of the current phase has come.
    pub(super) async fn next_phase(&mut self) {
        match self.phase {
            Phase::Serving => {}
            Phase::Grace(_) => {
                let timeout = self.state.published().config.runtime().drain_timeout.limit();
                self.phase = Phase::Draining(timeout.map(|timeout| Instant::now() + timeout));
                if let Some((_, accepting)) = &mut self.handoff {
                    for accepting in accepting.values() {
                        accepting.stop(HANDSHAKES);
                    }
                    for (_, accepting) in accepting.drain() {
                        accepting.stopped().await;
                    }
                }
                self.tell_all(|| Message::Drain).await;
            }
            Phase::Draining(_) => {
                tracing::warn!("the drain deadline has come; what is left is cut");
                self.force();
            }
            Phase::Forced(_) => {
                tracing::error!(shards = self.running, "shards do not end; leaving them");
                self.running = 0;
            }
        }
    }

    /// Ends at once.
    pub(super) async fn end(&mut self, exit: Exit) {
        self.exit = Some(exit);
        self.force();
        // Shards take the message in their own time; nobody else is waited for.
        tokio::task::yield_now().await;
    }

    fn force(&mut self) {
        self.phase = Phase::Forced(Instant::now() + LAST);
        for shard in &self.shards {
            let _ = shard.messages.try_send(Message::Force);
        }
    }
}
