//! Data threads: each runs one [`sluice_net::Shard`] on a runtime of its own and does what it is told by message.

use crate::{
    access_log::{Format, ShardLog},
    listen::{Acceptor, HANDSHAKES, accept},
    options::StartError,
    telemetry::{Dialects, ShardObserver, ShardStats},
};
use sluice_net::{Generation, ListenerState, Shard, ShardOptions};
use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    pin::pin,
    rc::Rc,
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, spawn_local, yield_now},
    time,
};

/// Messages that may wait for a shard.
const QUEUE: usize = 1024;
/// How long forced connections may take to end.
const LAST_BREATH: Duration = Duration::from_millis(250);
/// How often a draining shard counts what is left.
const COUNTING: Duration = Duration::from_millis(5);

/// Names a listening socket, or one per shard that belong together.
pub(crate) type SocketId = u64;

/// What a shard is told.
pub(crate) enum Message {
    /// Another configuration.
    Publish(Change),
    /// Accept from this socket.
    Listen { id: SocketId, socket: TcpListener, listener: Arc<ListenerState> },
    /// Take what the kernel has queued and close the socket.
    Unlisten { id: SocketId },
    /// Serve a connection that somebody else accepted.
    Serve { stream: TcpStream, peer: SocketAddr, listener: Arc<ListenerState> },
    /// Listeners have begun to drain.
    Wake,
    /// Close every socket, finish what has begun, then end the thread.
    Drain,
    /// End every connection and the thread now.
    Force,
}

/// Another configuration, in one step: a connection sees all of it or nothing.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) generation: Generation,
    /// How access log lines look.
    pub(crate) format: Option<Arc<Format>>,
    /// What these sockets accept belongs to other listeners from now on.
    pub(crate) renamed: Vec<(SocketId, Arc<ListenerState>)>,
}

/// A shard's thread, seen from the control task.
pub(crate) struct ShardThread {
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) stats: Arc<ShardStats>,
    /// Completes with the number of connections that were cut when the thread ends; with an error if it broke.
    pub(crate) ended: Option<oneshot::Receiver<usize>>,
}

/// What a shard begins with.
pub(crate) struct Seed {
    pub(crate) number: u16,
    pub(crate) generation: Generation,
    pub(crate) mirror_buffer: usize,
    pub(crate) log: Box<dyn FnOnce() -> ShardLog + Send>,
    pub(crate) dialects: Dialects,
}

// === impl ShardThread ===

impl ShardThread {
    /// Starts the thread and returns when its runtime stands.
    pub(crate) fn start(seed: Seed) -> Result<Self, StartError> {
        let number = seed.number;
        let failed = |source| StartError::System { action: format!("start shard {number}"), source };
        let (messages, inbox) = mpsc::channel(QUEUE);
        let stats = Arc::<ShardStats>::default();
        let (end, ended) = oneshot::channel();
        let (standing, stands) = std::sync::mpsc::sync_channel(1);
        let thread_stats = stats.clone();
        thread::Builder::new()
            .name(format!("sluice-shard-{number}"))
            .spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        let _ = standing.send(Err(error));
                        return;
                    }
                };
                let _ = standing.send(Ok(()));
                let cut = runtime.block_on(run(seed, thread_stats, inbox));
                drop(runtime);
                let _ = end.send(cut);
            })
            .map_err(failed)?;
        stands.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended"))).map_err(failed)?;
        Ok(Self { messages, stats, ended: Some(ended) })
    }
}

/// A shard at work.
struct Running {
    shard: Rc<Shard>,
    observer: Rc<ShardObserver>,
    sockets: HashMap<SocketId, Accepting>,
}

/// A socket that is being accepted from.
struct Accepting {
    listener: Rc<RefCell<Arc<ListenerState>>>,
    stop: watch::Sender<Option<Duration>>,
    task: JoinHandle<()>,
}

async fn run(seed: Seed, stats: Arc<ShardStats>, mut inbox: mpsc::Receiver<Message>) -> usize {
    let observer = Rc::new(ShardObserver::new(stats, &seed.dialects, (seed.log)()));
    let shard = Shard::new(ShardOptions {
        generation: seed.generation,
        observer: observer.clone(),
        seed: fastrand::u64(..),
        number: seed.number,
        mirror_buffer: seed.mirror_buffer,
        hostname: rustix::system::uname().nodename().to_string_lossy().into(),
    });
    let flushing = observer.clone();
    spawn_local(async move { flushing.log.flush_in_time(flushing.stats()).await });
    let mut running = Running { shard, observer, sockets: HashMap::new() };
    let cut = loop {
        match inbox.recv().await {
            Some(Message::Drain) => break running.drain(&mut inbox).await,
            // The control task is gone: nobody can be told anything any more.
            Some(Message::Force) | None => break running.force().await,
            Some(message) => running.follow(message),
        }
    };
    running.observer.log.hand_over(running.observer.stats());
    cut
}

// === impl Running ===

impl Running {
    fn follow(&mut self, message: Message) {
        match message {
            Message::Publish(change) => {
                self.observer.make_room(&change.generation.snapshot);
                self.observer.log.set_format(change.format);
                self.shard.publish(change.generation);
                for (id, listener) in change.renamed {
                    if let Some(socket) = self.sockets.get(&id) {
                        *socket.listener.borrow_mut() = listener;
                    }
                }
            }
            Message::Listen { id, socket, listener } => self.listen(id, socket, listener),
            Message::Unlisten { id } => {
                if let Some(socket) = self.sockets.remove(&id) {
                    // No wait: the next configuration may want the address back.
                    let _ = socket.stop.send(Some(Duration::ZERO));
                }
            }
            Message::Serve { stream, peer, listener } => {
                let before = self.shard.connections();
                self.shard.serve(stream, peer, &listener);
                if self.shard.connections() == before {
                    // Not served at all; the acceptor must not count it as open.
                    self.observer.stats().closed.add(1);
                }
            }
            Message::Wake => self.shard.wake(),
            Message::Drain | Message::Force => {}
        }
    }

    fn listen(&mut self, id: SocketId, socket: TcpListener, listener: Arc<ListenerState>) {
        let listener = Rc::new(RefCell::new(listener));
        let (stop, mut stopped) = watch::channel(None);
        let mut acceptor =
            Own { shard: self.shard.clone(), observer: self.observer.clone(), listener: listener.clone() };
        let task = spawn_local(async move {
            let stopped = async move {
                stopped.wait_for(Option::is_some).await.ok().and_then(|stop| *stop).unwrap_or_default()
            };
            if let Err(error) = accept(socket, &mut acceptor, stopped).await {
                tracing::error!(listener = &**acceptor.listener.borrow().name(), %error, "accepting ended");
            }
        });
        self.sockets.insert(id, Accepting { listener, stop, task });
    }

    /// Finishes what has begun; cut short by [`Message::Force`].
    async fn drain(&mut self, inbox: &mut mpsc::Receiver<Message>) -> usize {
        // What is accepted or handed over from here on is still served.
        self.shard.drain();
        for socket in self.sockets.values() {
            let _ = socket.stop.send(Some(HANDSHAKES));
        }
        let sockets = std::mem::take(&mut self.sockets);
        let mut closing = pin!(async {
            for socket in sockets.into_values() {
                let _ = socket.task.await;
            }
        });
        let mut closed = false;
        while !closed || self.shard.connections() > 0 {
            tokio::select! {
                () = &mut closing, if !closed => closed = true,
                message = inbox.recv() => match message {
                    Some(Message::Force) | None => return self.force().await,
                    Some(message) => self.follow(message),
                },
                () = time::sleep(COUNTING) => {}
            }
        }
        0
    }

    /// Ends everything; says how many connections were still open.
    async fn force(&mut self) -> usize {
        for (_, socket) in self.sockets.drain() {
            socket.task.abort();
        }
        let cut = self.shard.connections();
        self.shard.force();
        let _ = time::timeout(LAST_BREATH, async {
            while self.shard.connections() > 0 {
                time::sleep(COUNTING).await;
                yield_now().await;
            }
        })
        .await;
        cut
    }
}

/// The shard's own sockets.
struct Own {
    shard: Rc<Shard>,
    observer: Rc<ShardObserver>,
    listener: Rc<RefCell<Arc<ListenerState>>>,
}

impl Acceptor for Own {
    async fn accepted(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.shard.serve(stream, peer, &self.listener.borrow());
    }

    fn exhausted(&mut self, error: &io::Error) {
        let listener = self.listener.borrow().name().clone();
        tracing::warn!(listener = &*listener, %error, "connections wait: nothing is left to accept them with");
        self.observer.accept_failed(&listener, error);
    }

    fn failed(&mut self, error: &io::Error) {
        self.observer.accept_failed(self.listener.borrow().name(), error);
    }
}
