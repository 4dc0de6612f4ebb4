//! The accept loop: takes connections from a listening socket as long as it may, and survives a machine that has no
//! file descriptors left.

use rustix::{
    io::Errno,
    net::{SocketFlags, acceptfrom_with},
};
use socket2::{SockFilter, SockRef};
use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    pin::pin,
    time::Duration,
};
use tokio::{
    io::unix::{AsyncFd, AsyncFdReadyGuard},
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

/// Accepts until `stop` completes, then closes the socket so that no client loses a connection which it believes to have:
/// the kernel is told to ignore new ones, handshakes that have begun get as long as `stop` said, and what is queued is
/// taken. A client that is ignored asks again after a second and is refused then, which is safe for it to retry.
///
/// The accepted sockets are not registered with a runtime, so that any thread can serve them.
pub(crate) async fn accept(
    socket: TcpListener,
    acceptor: &mut impl Acceptor,
    stop: impl Future<Output = Duration>,
) -> io::Result<()> {
    let socket = register(socket)?;
    let mut stop = pin!(stop);
    let mut pause = Pause::default();
    let handshakes = loop {
        let ready = tokio::select! {
            biased;
            handshakes = &mut stop => break handshakes,
            ready = socket.readable() => ready?,
        };
        if let Some(length) = batch(ready, acceptor, &mut pause).await {
            tokio::select! {
                biased;
                handshakes = &mut stop => break handshakes,
                () = time::sleep(length) => {}
            }
        }
        tokio::task::yield_now().await;
    };
    match ignore_newcomers(socket.get_ref()) {
        Ok(()) => wait_for_handshakes(&socket, acceptor, handshakes).await?,
        // Then there is no better moment to close it than now.
        Err(error) => tracing::debug!(%error, "a socket takes connections up to its end"),
    }
    take_all(&socket, acceptor).await;
    Ok(())
}

/// Lets the kernel drop segments with SYN and without ACK, which ask for connections. Closing a socket resets connections
/// that are complete but not taken, and there is always one more between the last look and the end.
fn ignore_newcomers(socket: &TcpListener) -> io::Result<()> {
    /// The byte with the flags in a TCP header, which is where a filter's packets begin here.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    // Classic BPF: load the byte, keep the two bits, drop (0) where only SYN is left, keep all else.
    let filter = [
        SockFilter::new(0x30, 0, 0, FLAGS),
        SockFilter::new(0x54, 0, 0, SYN | ACK),
        SockFilter::new(0x15, 0, 1, SYN),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    SockRef::from(socket).attach_filter(&filter)
}

async fn wait_for_handshakes(
    socket: &AsyncFd<TcpListener>,
    acceptor: &mut impl Acceptor,
    patience: Duration,
) -> io::Result<()> {
    let mut end = pin!(time::sleep(patience));
    loop {
        tokio::select! {
            biased;
            () = &mut end => return Ok(()),
            ready = socket.readable() => ready?.clear_ready(),
        }
        take_all(socket, acceptor).await;
    }
}

async fn take_all(socket: &AsyncFd<TcpListener>, acceptor: &mut impl Acceptor) {
    while let Ok((stream, peer)) = take(socket) {
        acceptor.accepted(stream, peer).await;
    }
}

#[allow(
    deprecated,
    reason = "what replaces it is unsafe; a std socket keeps its descriptor as long as it lives"
)]
fn register(socket: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    AsyncFd::with_interest(socket, tokio::io::Interest::READABLE)
}

/// Takes what is there; says how long to pause where the machine has nothing left to take it with.
async fn batch(
    mut ready: AsyncFdReadyGuard<'_, TcpListener>,
    acceptor: &mut impl Acceptor,
    pause: &mut Pause,
) -> Option<Duration> {
    for _ in 0..BATCH {
        match ready.try_io(|socket| Ok(take(socket)?)) {
            Err(_would_block) => break,
            Ok(Ok((stream, peer))) => {
                *pause = Pause::default();
                acceptor.accepted(stream, peer).await;
            }
            Ok(Err(error)) if is_about_one_connection(&error) => acceptor.failed(&error),
            Ok(Err(error)) => {
                if is_exhaustion(&error) {
                    acceptor.exhausted(&error);
                } else {
                    acceptor.failed(&error);
                }
                return Some(pause.longer());
            }
        }
    }
    None
}

fn take(socket: &AsyncFd<TcpListener>) -> Result<(TcpStream, SocketAddr), Errno> {
    let (stream, peer) = acceptfrom_with(socket.get_ref(), SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok()).ok_or(Errno::CONNABORTED)?;
    Ok((TcpStream::from(stream), peer))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::bind;
    use std::{
        io::{ErrorKind, Read, Write},
        thread,
    };
    use tokio::{runtime::Builder, sync::oneshot};

    /// Greets everybody, and wants to stop after so many.
    struct Greeter {
        greeted: usize,
        most: usize,
        enough: Option<oneshot::Sender<()>>,
    }

    impl Acceptor for Greeter {
        async fn accepted(&mut self, mut stream: TcpStream, _: SocketAddr) {
            stream.write_all(b"x").unwrap();
            self.greeted += 1;
            if self.greeted == self.most {
                self.enough.take().unwrap().send(()).unwrap();
            }
        }
        fn exhausted(&mut self, error: &io::Error) {
            panic!("{error}");
        }
        fn failed(&mut self, error: &io::Error) {
            panic!("{error}");
        }
    }

    fn socket() -> (TcpListener, SocketAddr) {
        let socket = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap().pop().unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[test]
    fn newcomers_are_ignored_and_whoever_is_connected_is_not() {
        let (socket, address) = socket();
        let mut early = TcpStream::connect(address).unwrap();
        ignore_newcomers(&socket).unwrap();
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(50)).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        let (mut taken, _) = socket.accept().unwrap();
        taken.write_all(b"x").unwrap();
        assert_eq!(early.read(&mut [0]).unwrap(), 1);
        drop(socket);
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_client_that_connects_while_the_socket_closes_is_served_or_refused_and_never_reset() {
        let (socket, address) = socket();
        let client = move || {
            let mut greeted = 0;
            loop {
                match TcpStream::connect(address) {
                    Ok(mut stream) => greeted += stream.read(&mut [0]).unwrap(),
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => return greeted,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let clients: Vec<_> = (0..4).map(|_| thread::spawn(client)).collect();
        let (enough, stop) = oneshot::channel();
        let mut greeter = Greeter { greeted: 0, most: 200, enough: Some(enough) };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime
            .block_on(accept(socket, &mut greeter, async {
                stop.await.unwrap();
                Duration::from_millis(20)
            }))
            .unwrap();
        let greeted: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert_eq!(greeted, greeter.greeted);
    }
}
