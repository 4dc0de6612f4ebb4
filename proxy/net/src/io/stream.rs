//! A byte stream to a peer, whatever carries it.

use sluice_tls::TlsStream;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

/// A byte stream to a peer: a plain socket or TLS over one.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Plaintext.
    Plain(TcpStream),
    /// TLS, after its handshake.
    Tls {
        /// The session.
        tls: TlsStream<TcpStream>,
        /// The last read was short, so nothing that was decrypted waits inside: only the socket can bring more.
        drained: bool,
    },
}

impl Stream {
    /// A stream over a finished handshake.
    pub(crate) const fn tls(tls: TlsStream<TcpStream>) -> Self {
        Self::Tls { tls, drained: false }
    }

    /// The socket beneath.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls { tls, .. } => tls.get_ref(),
        }
    }

    /// Waits until a read may find something: bytes, the end, or an error. Never reads, so no buffer is needed yet. With
    /// TLS the bytes may turn out to be no application data, and the read then finds nothing.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls { drained: false, .. } => Poll::Ready(Ok(())),
            _ => self.tcp().poll_read_ready(cx),
        }
    }

    /// Whether the reactor has seen bytes or an end on the socket that nobody has read yet. Costs no system call.
    pub(crate) fn seems_readable(&self) -> bool {
        matches!(self, Self::Tls { drained: false, .. })
            || self.tcp().try_io(Interest::READABLE, || Ok(())).is_ok()
    }

    /// Reads into `space`. `Ready(0)` is the end of the stream (or an empty `space`). A short read proves the socket
    /// empty, so the next call waits for the reactor instead of asking the kernel again.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(space);
        match self {
            Self::Plain(tcp) => match Pin::new(tcp).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => Poll::Ready(Ok(buffer.filled().len())),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            },
            Self::Tls { tls, drained } => match Pin::new(tls).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => {
                    *drained = buffer.remaining() > 0 && !buffer.filled().is_empty();
                    Poll::Ready(Ok(buffer.filled().len()))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => {
                    *drained = true;
                    Poll::Pending
                }
            },
        }
    }

    /// Writes some of `bytes`.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls { tls, .. } => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    /// Writes some of `slices`, in order, in one system call or one run of TLS records.
    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::Tls { tls, .. } => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    /// Sends what TLS holds back; nothing to do in plaintext.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls { tls, .. } => Pin::new(tls).poll_flush(cx),
        }
    }

    /// Ends the sending direction: close_notify with TLS, then FIN.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls { tls, .. } => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls { tls, .. } => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Self::poll_write(&mut self, cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(&mut self, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_shutdown(&mut self, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write_vectored(&mut self, cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
