//! A TLS session as a byte stream, in either direction, and the facts about it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A finished handshake and the stream under it. Plaintext goes in and out; vectored writes become one record.
#[derive(Debug)]
pub struct TlsStream<S>(Box<tokio_rustls::TlsStream<S>>);

/// What a handshake settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What ALPN chose; `None` where the peer did not take part.
    pub protocol: Option<Protocol>,
    /// The server name that the client sent, in lower case. Only known at listeners.
    pub server_name: Option<Box<str>>,
    /// The listener's scope that the server name picked; `None` is the default one.
    pub scope: Option<Arc<str>>,
    /// The TLS version.
    pub version: TlsVersion,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

/// What ALPN chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `http/1.1`.
    Http1,
    /// `h2`.
    Http2,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

// === impl TlsStream ===

impl<S> TlsStream<S> {
    pub(crate) fn new(stream: impl Into<tokio_rustls::TlsStream<S>>) -> Self {
        Self(Box::new(stream.into()))
    }

    /// The stream that carries the records, for its addresses and options.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref().0
    }

    pub(crate) fn session(&self) -> Session {
        let (_, state) = self.0.get_ref();
        let server_name = match &*self.0 {
            tokio_rustls::TlsStream::Server(server) => server.get_ref().1.server_name(),
            tokio_rustls::TlsStream::Client(_) => None,
        };
        Session {
            protocol: state.alpn_protocol().and_then(Protocol::from_alpn),
            server_name: server_name.map(|name| name.to_ascii_lowercase().into()),
            scope: None,
            version: match state.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
                _ => TlsVersion::Tls13,
            },
            resumed: state.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

// === impl Protocol ===

impl Protocol {
    /// The ALPN name.
    pub const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }

    fn from_alpn(name: &[u8]) -> Option<Self> {
        [Self::Http1, Self::Http2].into_iter().find(|protocol| protocol.alpn() == name)
    }
}

// === impl TlsVersion ===

impl TlsVersion {
    /// As access logs of the field write it: `TLSv1.3`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}
