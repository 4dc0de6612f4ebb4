//! Bodies of answers, and connections that can be spoilt.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Answer {
    Whole(Option<Bytes>),
    /// Until the sender is gone.
    Stream(UnboundedReceiver<Piece>),
    /// What was said so far is written, then the connection ends: an error at once would take with it what is not
    /// written yet.
    Cut {
        written: bool,
    },
}

/// A part of a body that comes bit by bit.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    /// What follows is no chunk, and the connection ends.
    BadChunk,
    /// The connection ends.
    Cut,
}

/// In the place of a chunk that a [`Spoilable`] connection makes a bad one of.
const MARK: &[u8] = b"\0a chunk of which only this text is written\0";

/// What is written there: no hexadecimal length.
const NO_CHUNK: &[u8] = b"zz\r\nthis is no chunk\r\n";

/// A connection on which chunks can go wrong, which hyper does not let happen.
#[derive(Debug)]
pub(super) struct Spoilable {
    stream: TcpStream,
    /// What could not be written yet.
    rest: Vec<u8>,
}

// === impl Answer ===

impl Answer {
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self::Whole(Some(text.into()))
    }

    pub(super) fn stream() -> (UnboundedSender<Piece>, Self) {
        let (sender, receiver) = unbounded_channel();
        (sender, Self::Stream(receiver))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let body = self.get_mut();
        loop {
            let pieces = match body {
                Self::Whole(text) => return Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
                Self::Cut { written: true } => return Poll::Ready(Some(Err(io::Error::other("cut")))),
                Self::Cut { written } => {
                    *written = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Self::Stream(pieces) => pieces,
            };
            let Some(piece) = ready!(pieces.poll_recv(context)) else { return Poll::Ready(None) };
            let data = match piece {
                Piece::Data(data) => Some(data),
                Piece::BadChunk => {
                    *body = Self::Cut { written: false };
                    Some(Bytes::from_static(MARK))
                }
                Piece::Cut => {
                    *body = Self::Cut { written: false };
                    None
                }
            };
            if let Some(data) = data {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) | Self::Cut { .. } => SizeHint::default(),
        }
    }
}

// === impl Spoilable ===

impl Spoilable {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, rest: Vec::new() }
    }

    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.rest))?;
            self.rest.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Spoilable {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Spoilable {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        ready!(connection.poll_rest(context))?;
        let Some(mark) = data.windows(MARK.len()).position(|window| window == MARK) else {
            return Pin::new(&mut connection.stream).poll_write(context, data);
        };
        // Before the mark stands the length of its chunk.
        let length = format!("{:X}\r\n", MARK.len());
        connection.rest.extend_from_slice(&data[..mark.saturating_sub(length.len())]);
        connection.rest.extend_from_slice(NO_CHUNK);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        ready!(connection.poll_rest(context))?;
        Pin::new(&mut connection.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        ready!(connection.poll_rest(context))?;
        Pin::new(&mut connection.stream).poll_shutdown(context)
    }
}
