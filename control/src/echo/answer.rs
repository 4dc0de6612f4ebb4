//! The body of an echo server's answer.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// A text, or as many bytes as were asked for; the latter never lie in memory at once.
#[derive(Debug)]
pub(super) enum Answer {
    Text(Bytes),
    Filler { left: u64 },
}

/// One line of filler is 64 bytes, so that a terminal shows how much came.
const FILLER: [u8; 16 * 1024] = filler();

const fn filler() -> [u8; 16 * 1024] {
    let mut block = [b'.'; 16 * 1024];
    let mut at = 63;
    while at < block.len() {
        block[at] = b'\n';
        at += 64;
    }
    block
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static BLOCK: [u8; 16 * 1024] = FILLER;
        let data = match self.get_mut() {
            Self::Text(text) => std::mem::take(text),
            Self::Filler { left } => {
                let length = (*left).min(BLOCK.len() as u64);
                *left -= length;
                Bytes::from_static(&BLOCK[..length as usize])
            }
        };
        Poll::Ready((!data.is_empty()).then(|| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Text(text) => text.len() as u64,
            Self::Filler { left } => *left,
        })
    }
}
