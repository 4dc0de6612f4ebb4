//! Sockets of listeners: made, bound and listening before anybody accepts.

use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{SocketAddr, TcpListener},
};

/// Connections that the kernel keeps while a shard is busy; it caps this at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Binds `count` non-blocking sockets to one address; over several the kernel spreads connections by hash. With port 0
/// the first bind decides the port of the others.
///
/// The first bind does without `SO_REUSEPORT`, so a port that another process holds is an error even where that
/// process would share it: two proxies that silently split each other's traffic are never what was meant.
pub(crate) fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let first = open(address)?;
    first.bind(&address.into())?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    first.set_reuse_port(count > 1)?;
    let mut sockets = vec![first];
    for _ in 1..count {
        let socket = open(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        sockets.push(socket);
    }
    // Listening begins when every socket is bound, so that a failure leaves no connection behind.
    for socket in &sockets {
        socket.listen(BACKLOG)?;
    }
    Ok(sockets.into_iter().map(TcpListener::from).collect())
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart finds connections in TIME_WAIT on its port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit it, which saves a system call for each of them.
    socket.set_tcp_nodelay(true)?;
    if address.is_ipv6() {
        // `[::]:80` and `0.0.0.0:80` are two listeners; `[::]` serves both families unless the other one is asked for.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::bind;
    use std::{
        io,
        net::{SocketAddr, TcpStream},
    };

    fn loopback(v6: bool) -> SocketAddr {
        if v6 { "[::1]:0".parse().unwrap() } else { "127.0.0.1:0".parse().unwrap() }
    }

    #[test]
    fn all_sockets_of_a_group_share_the_first_ones_port() {
        for v6 in [false, true] {
            let sockets = bind(loopback(v6), 4).unwrap();
            let address = sockets[0].local_addr().unwrap();
            assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
            let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
            let counts: Vec<usize> =
                sockets.iter().map(|socket| std::iter::from_fn(|| socket.accept().ok()).count()).collect();
            assert_eq!(counts.iter().sum::<usize>(), clients.len(), "{counts:?}");
            assert!(counts.iter().all(|count| *count > 0), "the kernel left a socket out: {counts:?}");
        }
    }

    #[test]
    fn accepted_sockets_do_not_delay() {
        let sockets = bind(loopback(false), 1).unwrap();
        let _client = TcpStream::connect(sockets[0].local_addr().unwrap()).unwrap();
        assert!(sockets[0].accept().unwrap().0.nodelay().unwrap());
    }

    #[test]
    fn a_port_that_somebody_shares_counts_as_taken() {
        let held = bind(loopback(false), 2).unwrap();
        let address = held[0].local_addr().unwrap();
        assert_eq!(bind(address, 2).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(bind(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(held);
        bind(address, 2).unwrap();
    }
}
