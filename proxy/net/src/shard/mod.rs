//! One data thread: everything its connections share, and nothing that another thread touches.

mod accepted;
mod serve;
mod spares;

pub(crate) use accepted::Accepted;
#[cfg(test)]
pub(crate) use serve::on_time;
use spares::Spares;

use crate::{
    ListenerState, Observer,
    downstream::h1,
    io::{Buffers, Timers},
    upstream::{Pools, h2::Sessions},
};
use sluice_core::{
    exchange::{Exchange, ShardState},
    mirror::Budget,
    snapshot::Snapshot,
};
use sluice_tls::TlsContext;
use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write},
    net::{SocketAddr, TcpStream},
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// How often idle connections to endpoints are looked at: one that its peer has closed is noticed at checkout anyway.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

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
    /// The machine's name, for `%HOSTNAME%` in header values.
    pub hostname: Arc<str>,
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
    /// What all mirrors together may hold.
    pub(crate) mirror_budget: Rc<Budget>,
    pub(crate) observer: Rc<dyn Observer>,
    /// What exchanges share.
    state: RefCell<ShardState>,
    exchanges: Spares<Exchange>,
    /// What HTTP/1 connections need while they have a request.
    pub(crate) http1: Spares<h1::Work>,
    /// One moment on both clocks.
    anchor: Cell<(Instant, SystemTime)>,
    /// The text of a second of the wall clock, and until when it holds.
    date: RefCell<(Instant, String)>,
    phase: Cell<Phase>,
    connections: Cell<usize>,
    number: u16,
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
        let anchor = (Instant::now(), SystemTime::now());
        let timers = Timers::new(anchor.0);
        tokio::task::spawn_local(Timers::run(Rc::downgrade(&timers)));
        let shard = Rc::new(Self {
            generation: RefCell::new(options.generation),
            buffers: Rc::default(),
            timers,
            observer: options.observer,
            state: RefCell::new(ShardState::new(options.seed, options.hostname)),
            exchanges: Spares::default(),
            http1: Spares::default(),
            anchor: Cell::new(anchor),
            date: RefCell::new((anchor.0, String::new())),
            phase: Cell::new(Phase::Active),
            connections: Cell::new(0),
            // The shard's number in the high bits: unique without a shared counter.
            number: options.number,
            next_connection: Cell::new((u64::from(options.number) << 48) + 1),
            pools: Pools::default(),
            sessions: Sessions::default(),
            mirror_budget: Budget::new(options.mirror_buffer),
        });
        tokio::task::spawn_local(Self::keep_house(Rc::downgrade(&shard)));
        shard
    }

    /// Replaces the configuration. Requests under way keep the route and cluster that they hold; the next request of
    /// each connection sees the new one. Pools stay.
    pub fn publish(&self, generation: Generation) {
        self.pools.retain(|cluster| generation.snapshot.cluster(cluster).is_some());
        self.state.borrow_mut().adopt(&generation.snapshot);
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

    /// Ends every connection now, those to endpoints included.
    pub fn force(&self) {
        self.phase.set(Phase::Forced);
        self.pools.clear();
        self.sessions.clear();
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

    /// The version of the current configuration.
    pub(crate) fn version(&self) -> u64 {
        self.generation.borrow().snapshot.version()
    }

    /// Looks at the current configuration.
    pub(crate) fn with_snapshot<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.generation.borrow().snapshot)
    }

    /// Which shard of the process it is.
    pub(crate) const fn number(&self) -> u16 {
        self.number
    }

    fn next_connection(&self) -> u64 {
        let number = self.next_connection.get();
        self.next_connection.set(number + 1);
        number
    }

    /// How listeners and clusters are secured now; hold it no longer than a step.
    pub(crate) fn tls(&self) -> Arc<TlsContext> {
        Arc::clone(&self.generation.borrow().tls)
    }

    /// The time of the current wake-up.
    pub(crate) fn now(&self) -> Instant {
        self.timers.now()
    }

    /// The same on the wall, without asking that clock: it goes on from where it was when it was last asked.
    pub(crate) fn wall(&self) -> SystemTime {
        let (moment, wall) = self.anchor.get();
        wall + self.now().saturating_duration_since(moment)
    }

    /// What is done once a second.
    async fn keep_house(shard: Weak<Self>) {
        loop {
            tokio::time::sleep(HOUSEKEEPING).await;
            let Some(shard) = shard.upgrade() else { return };
            shard.timers.look_at_clock();
            shard.anchor.set((shard.now(), SystemTime::now()));
            shard.pools.sweep(shard.now());
            shard.sessions.sweep(shard.now());
        }
    }

    /// Shows the current time as an IMF-fixdate; the text is made once a second at most.
    pub(crate) fn with_date<T>(&self, show: impl FnOnce(&str) -> T) -> T {
        let mut date = self.date.borrow_mut();
        if self.now() >= date.0 || date.1.is_empty() {
            let wall = self.wall();
            let past = wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
            date.0 = self.now() + Duration::from_nanos(u64::from(1_000_000_000 - past));
            date.1.clear();
            // Writing to a String cannot fail, and the room is there since the first time.
            let _ = write!(date.1, "{}", httpdate::HttpDate::from(wall));
        }
        show(&date.1)
    }

    /// An exchange that waits for its request.
    pub(crate) fn take_exchange(&self) -> Box<Exchange> {
        let mut exchange = self.exchanges.take(|| Box::new(Exchange::new(self.now())));
        exchange.reset(self.now());
        exchange
    }

    /// Takes one back that is over.
    pub(crate) fn keep_exchange(&self, exchange: Box<Exchange>) {
        self.exchanges.keep(exchange);
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
