//! The header of the PROXY protocol, versions 1 and 2, with which a connection says where it comes from and where it was on
//! its way to (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
//!
//! Whoever reads it reads nothing behind it: of a header that is not complete, [`parse`] knows how many bytes it has at
//! least. Nobody guesses whether there is one (section 2 forbids it): what does not begin with a header is refused.

mod parse;

use parse::{Parsed, parse};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};

pub(crate) use parse::ProxyHeader;

/// Reads the header that a connection begins with.
#[derive(Debug, Default)]
pub(crate) struct ProxyHeaderReader {
    bytes: Vec<u8>,
}

impl ProxyHeaderReader {
    /// Waits for the whole header, or for something that is none. Reads no byte behind it.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        tcp: &mut TcpStream,
    ) -> Poll<Result<ProxyHeader, &'static str>> {
        loop {
            let missing = match parse(&self.bytes) {
                Parsed::Complete(header) => return Poll::Ready(Ok(header)),
                Parsed::Invalid => return Poll::Ready(Err("no PROXY header, or a wrong one")),
                Parsed::Incomplete { missing } => missing,
            };
            let before = self.bytes.len();
            self.bytes.resize(before + missing, 0);
            let mut space = ReadBuf::new(&mut self.bytes[before..]);
            let read = Pin::new(&mut *tcp).poll_read(cx, &mut space);
            let filled = space.filled().len();
            self.bytes.truncate(before + filled);
            match ready!(read) {
                Ok(()) if filled > 0 => {}
                Ok(()) | Err(_) => return Poll::Ready(Err("closed within its PROXY header")),
            }
        }
    }
}
