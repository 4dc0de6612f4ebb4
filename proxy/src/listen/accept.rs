//! The accept loop: takes connections from a listening socket as long as it may, and survives a machine that has no
//! file descriptors left.

use rustix::io::Errno;
use std::{future::poll_fn, io, net::SocketAddr, pin::pin, task::Poll, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::unconstrained,
    time,
};

/// Connections taken before other tasks of the thread get their turn.
const BATCH: usize = 64;
/// Pauses while descriptors or memory are short, doubling from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// What happens to an accepted connection, and what is counted.
pub(crate) trait Acceptor {
    /// Takes a connection. Waiting here leaves further connections in the kernel's queue.
    async fn accepted(&mut self, stream: TcpStream, peer: SocketAddr);
    /// The machine has no descriptor or memory for another connection; the loop pauses.
    fn exhausted(&mut self, error: &io::Error);
    /// A connection broke before it was taken, or accepting failed in another way.
    fn failed(&mut self, error: &io::Error);
}

/// Accepts until `stop` completes, then takes what the kernel has queued and closes the socket.
pub(crate) async fn accept(
    socket: TcpListener,
    acceptor: &mut impl Acceptor,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let mut pause = Pause::default();
    loop {
        let first = tokio::select! {
            biased;
            () = &mut stop => break,
            first = socket.accept() => first,
        };
        if let Some(length) = batch(&socket, first, acceptor, &mut pause).await {
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = time::sleep(length) => {}
            }
        }
        tokio::task::yield_now().await;
    }
    while let Some(Ok((stream, peer))) = queued(&socket).await {
        acceptor.accepted(stream, peer).await;
    }
}

type Accepted = io::Result<(TcpStream, SocketAddr)>;

/// Takes what is there; says how long to pause where the machine has nothing left to take it with.
async fn batch(
    socket: &TcpListener,
    first: Accepted,
    acceptor: &mut impl Acceptor,
    pause: &mut Pause,
) -> Option<Duration> {
    let mut next = Some(first);
    for _ in 0..BATCH {
        match next? {
            Ok((stream, peer)) => {
                *pause = Pause::default();
                acceptor.accepted(stream, peer).await;
            }
            Err(error) if is_about_one_connection(&error) => acceptor.failed(&error),
            Err(error) => {
                if is_exhaustion(&error) {
                    acceptor.exhausted(&error);
                } else {
                    acceptor.failed(&error);
                }
                return Some(pause.longer());
            }
        }
        next = queued(socket).await;
    }
    // What was taken last still has to be handed over.
    if let Some(Ok((stream, peer))) = next {
        acceptor.accepted(stream, peer).await;
    }
    None
}

/// The next connection, if one is there. Not subject to tokio's budget, which would look like an empty queue.
async fn queued(socket: &TcpListener) -> Option<Accepted> {
    unconstrained(poll_fn(|cx| {
        Poll::Ready(match socket.poll_accept(cx) {
            Poll::Ready(accepted) => Some(accepted),
            Poll::Pending => None,
        })
    }))
    .await
}

/// Doubles from the first to the last length.
struct Pause(Duration);

impl Pause {
    fn longer(&mut self) -> Duration {
        let length = self.0;
        self.0 = (length * 2).min(PAUSE.1);
        length
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self(PAUSE.0)
    }
}

/// `accept(2)` passes on errors that the new connection had before it was taken; they say nothing about the socket.
fn is_about_one_connection(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| {
        matches!(
            errno,
            Errno::CONNABORTED
                | Errno::INTR
                | Errno::PERM
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NONET
                | Errno::OPNOTSUPP
                | Errno::TIMEDOUT
        )
    })
}

fn is_exhaustion(error: &io::Error) -> bool {
    Errno::from_io_error(error)
        .is_some_and(|errno| matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}
