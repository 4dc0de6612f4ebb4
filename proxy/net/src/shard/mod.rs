//! One data thread: everything its connections share, and nothing that another thread touches.

mod serve;

use crate::{
    ListenerState, Observer,
    io::{Buffers, Timers},
    upstream::{Pools, h2::Sessions},
};
use sluice_core::snapshot::Snapshot;
use sluice_tls::TlsContext;
use std::{
    cell::{Cell, RefCell},
    fmt,
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

/// What a shard works with. The configuration part is replaced by [`Shard::publish`].
pub struct ShardOptions {
    /// The configuration to begin with.
    pub generation: Generation,
    /// Gets every finished request and connection of this shard.
    pub observer: Rc<dyn Observer>,
    /// Seeds the draws of this shard: balancing, splits, percentages, request ids.
    pub seed: u64,
    /// The number of this shard; connection ids are unique over shards.
    pub number: u16,
    /// Bytes that all mirrors of this shard may hold together.
    pub mirror_buffer: usize,
}

/// One state of the configuration, as the publisher hands it to every shard.
#[derive(Clone)]
pub struct Generation {
    /// Listeners, routes and clusters.
    pub snapshot: Arc<Snapshot>,
    /// How listeners and clusters with TLS are secured.
    pub tls: Arc<TlsContext>,
}

/// One data thread. Lives on the thread's `LocalRuntime`; everything it spawns stays there.
pub struct Shard {
    generation: RefCell<Generation>,
    pub(crate) buffers: Rc<Buffers>,
    pub(crate) timers: Rc<Timers>,
    pub(crate) pools: Pools,
    pub(crate) sessions: Sessions,
    pub(crate) observer: Rc<dyn Observer>,
    rng: RefCell<fastrand::Rng>,
    phase: Cell<Phase>,
    connections: Cell<usize>,
    next_connection: Cell<u64>,
}

/// How a shard treats its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Active,
    /// Idle connections end at once, others after the request they serve.
    Draining,
    /// Everything ends now.
    Forced,
}

impl Shard {
    /// Must be called on the shard's thread, inside its runtime: the timer task starts here.
    pub fn new(options: ShardOptions) -> Rc<Self> {
        let timers = Timers::new(Instant::now());
        tokio::task::spawn_local(Timers::run(Rc::downgrade(&timers)));
        let shard = Rc::new(Self {
            generation: RefCell::new(options.generation),
            buffers: Rc::default(),
            timers,
            observer: options.observer,
            rng: RefCell::new(fastrand::Rng::with_seed(options.seed)),
            phase: Cell::new(Phase::Active),
            connections: Cell::new(0),
            // The shard's number in the high bits: unique without a shared counter.
            next_connection: Cell::new((u64::from(options.number) << 48) + 1),
            pools: Pools::default(),
            sessions: Sessions::default(),
        });
        tokio::task::spawn_local(Pools::keep_swept(Rc::downgrade(&shard)));
        shard
    }

    /// Replaces the configuration. Requests under way keep the route and cluster that they hold; the next request of
    /// each connection sees the new one. Pools stay.
    pub fn publish(&self, generation: Generation) {
        let before = self.generation.replace(generation);
        // Freed here, between two steps of requests, and not while the cell is borrowed.
        drop(before);
    }

    /// Serves an accepted connection to its end, in a task of its own. The stream must be non-blocking.
    pub fn serve(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr, listener: &Arc<ListenerState>) {
        serve::spawn(self, stream, peer, listener);
    }

    /// Ends every connection after the request it serves: idle ones now, HTTP/1 with `connection: close` on the
    /// next answer, HTTP/2 with GOAWAY.
    pub fn drain(&self) {
        if self.phase.get() == Phase::Active {
            self.phase.set(Phase::Draining);
            self.wake();
        }
    }

    /// Ends every connection now.
    pub fn force(&self) {
        self.phase.set(Phase::Forced);
        self.wake();
    }

    /// Makes every connection look at its listener again; after [`ListenerState::drain`].
    pub fn wake(&self) {
        self.timers.wake_all();
    }

    /// Connections of clients that are open now.
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    /// How connections are to be treated now.
    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// The current configuration; hold it no longer than a step.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.generation.borrow().snapshot)
    }

    /// How listeners and clusters are secured now; hold it no longer than a step.
    pub(crate) fn tls(&self) -> Arc<TlsContext> {
        Arc::clone(&self.generation.borrow().tls)
    }

    /// The time of the current wake-up.
    pub(crate) fn now(&self) -> Instant {
        self.timers.now()
    }

    pub(crate) fn with_rng<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.rng.borrow_mut())
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Shard")
            .field("phase", &self.phase)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
