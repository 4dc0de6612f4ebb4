//! Upstreams that follow a script of bytes, and addresses where nobody answers.

use crate::{Wire, wire::Stream};
use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};

/// An upstream that runs a script on each connection.
///
/// ```ignore
/// let broken = Script::start(|mut wire, _number| async move {
///     wire.read_head().await;
///     wire.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n").await;
///     wire.stall().await
/// })
/// .await;
/// ```
///
/// A script that fails its expectation fails the test, if the test asks with [`Script::finished`].
#[derive(Debug)]
pub struct Script {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    results: mpsc::UnboundedReceiver<Result<(), String>>,
    task: JoinHandle<()>,
}

/// An address at which connections are refused. It stays reserved as long as the value lives.
#[derive(Debug)]
pub struct Nobody {
    socket: TcpSocket,
}

/// An address at which a connection is never established: somebody listens, but takes nobody.
#[derive(Debug)]
pub struct Deaf {
    listener: TcpListener,
    _waiting: TcpStream,
}

// === impl Script ===

impl Script {
    /// One whose answers never end. With it comes how many bytes of answers it could send.
    pub async fn endless() -> (Self, Arc<AtomicU64>) {
        const PIECE: usize = 64 * 1024;
        let sent = Arc::new(AtomicU64::new(0));
        let counted = sent.clone();
        let script = Self::start(move |mut wire, _| {
            let counted = counted.clone();
            async move {
                wire.read_head().await;
                wire.send("HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n").await;
                while wire.try_send(vec![0; PIECE]).await.is_ok() {
                    counted.fetch_add(PIECE as u64, Ordering::SeqCst);
                }
            }
        });
        (script.await, sent)
    }

    /// Starts it; the script gets its end of each connection, and the connection's number from 0.
    pub async fn start<F>(script: impl Fn(Wire, usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback should have a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (report, results) = mpsc::unbounded_channel();
        let counter = connections.clone();
        let task = tokio::spawn(async move {
            let mut running = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => {
                        let _ = stream.set_nodelay(true);
                        let number = counter.fetch_add(1, Ordering::SeqCst);
                        running.spawn(script(Wire::new(Stream::Plain(stream)), number));
                    }
                    Some(result) = running.join_next() => {
                        let _ = report.send(result.map_err(|error| error.to_string()));
                    }
                }
            }
        });
        Self { address, connections, results, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until the script has run to its end on one more connection.
    ///
    /// # Panics
    /// When it failed there.
    pub async fn finished(&mut self) {
        match crate::within("the end of a script", self.results.recv()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => panic!("a script failed: {error}"),
            None => panic!("the script has been stopped"),
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Display for Script {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address.fmt(out)
    }
}

// === impl Nobody ===

impl Nobody {
    /// Reserves an address.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback should have a free port");
        Self { socket }
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }
}

impl Default for Nobody {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Display for Nobody {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address().fmt(out)
    }
}

// === impl Deaf ===

impl Deaf {
    /// Fills the queue of a listener. Linux queues one connection more than it is told to, and drops the SYN of others.
    pub async fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback should have a free port");
        let listener = socket.listen(0).expect("a bound socket can listen");
        let address = listener.local_addr().expect("a bound socket has an address");
        let waiting = TcpStream::connect(address).await.expect("the queue should take one connection");
        Self { listener, _waiting: waiting }
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound socket has an address")
    }
}

impl std::fmt::Display for Deaf {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address().fmt(out)
    }
}
