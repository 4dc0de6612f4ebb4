//! The server behind a peer in the open loop, on the loop's own thread.
//!
//! Were it a thread beside the load, on the same core, each would wait for the other for as long as the scheduler lets one
//! run: milliseconds, which would count as the peer's.

use crate::upstream;
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd, BorrowedFd},
};

/// Most bytes of a request.
const REQUEST: usize = 4096;

/// Answers requests without a body with 1 KiB each, when it is told that there is something to read.
#[derive(Debug)]
pub(crate) struct Origin {
    listener: TcpListener,
    address: SocketAddr,
    answer: Vec<u8>,
    /// Places of those that ended stay empty.
    connections: Vec<Option<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    request: [u8; REQUEST],
    filled: usize,
}

impl Origin {
    /// Listens; nobody is answered until somebody calls.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, answer: upstream::answer().to_vec(), connections: Vec::new() })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to wait for besides the connections.
    pub(super) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// The connections, with their places.
    pub(super) fn connections(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let places = self.connections.iter().enumerate();
        places.filter_map(|(place, connection)| Some((place, connection.as_ref()?.stream.as_fd())))
    }

    /// Takes a connection, if one waits: its place.
    pub(super) fn accept(&mut self) -> io::Result<Option<usize>> {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        self.connections.push(Some(Connection { stream, request: [0; REQUEST], filled: 0 }));
        Ok(Some(self.connections.len() - 1))
    }

    /// Reads what is there, and answers where a request is whole. A peer may end connections as it likes.
    pub(super) fn serve(&mut self, place: usize) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else {
            return Ok(());
        };
        match connection.read() {
            Ok(false) => Ok(()),
            // A small answer at a time always fits the socket's buffer.
            Ok(true) => connection.stream.write_all(&self.answer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error),
            Err(_) => {
                self.connections[place] = None;
                Ok(())
            }
        }
    }
}

impl Connection {
    /// Whether a request is whole now.
    fn read(&mut self) -> io::Result<bool> {
        let room = &mut self.request[self.filled..];
        if room.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a request that is too long for this server",
            ));
        }
        self.filled += match self.stream.read(room)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => count,
        };
        let whole = self.request[..self.filled].ends_with(b"\r\n\r\n");
        if whole {
            self.filled = 0;
        }
        Ok(whole)
    }
}
