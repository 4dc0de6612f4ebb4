//! An HTTP/2 upstream in the test's own hands.

use crate::within;
use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};

/// An HTTP/2 upstream (by prior knowledge) whose streams the test answers, resets or leaves alone. Where an
/// [`Origin`](crate::Origin) reads the whole request first, this gives out a stream as soon as its head is there. Gone
/// when dropped, connections included.
#[derive(Debug)]
pub struct Streams {
    address: SocketAddr,
    streams: mpsc::UnboundedReceiver<(http::Request<RecvStream>, SendResponse<Bytes>)>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Streams {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback should have a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (out, streams) = mpsc::unbounded_channel();
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let out = out.clone();
                running.spawn(async move {
                    let Ok(mut connection) = h2::server::handshake(socket).await else { return };
                    while let Some(Ok(stream)) = connection.accept().await {
                        let _ = out.send(stream);
                    }
                });
            }
        });
        Self { address, streams, connections, task }
    }

    /// Waits for the next stream: its request, body included, and the way to answer it.
    pub async fn next(&mut self) -> (http::Request<RecvStream>, SendResponse<Bytes>) {
        within("a stream at the upstream", self.streams.recv()).await.expect("the upstream should run")
    }

    /// How many connections it has accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Display for Streams {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address.fmt(out)
    }
}
