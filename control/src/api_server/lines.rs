//! Bodies of answers: whole, or line by line as they come.

use super::trouble::{Trouble, chain};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use kube::client::Body;
use std::time::Duration;
use tokio::time;

/// One event; an API server refuses objects of more than a few megabytes.
const MAX_LINE: usize = 32 << 20;

/// The lines of an answer that goes on.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Body,
    /// What came after the last whole line.
    rest: BytesMut,
    /// How much of the rest holds no end of a line.
    searched: usize,
}

/// A whole body.
pub(super) async fn collect(mut body: Body, limit: usize, patience: Duration) -> Result<BytesMut, Trouble> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = next(&mut body, patience).await? {
        if bytes.len() + piece.len() > limit {
            return Err(Trouble::Nonsense(format!("more than {limit} bytes")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

async fn next(body: &mut Body, patience: Duration) -> Result<Option<Bytes>, Trouble> {
    loop {
        let frame = time::timeout(patience, body.frame()).await.map_err(|_| Trouble::Silent(patience))?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(Trouble::Broken(chain(&error))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

impl Lines {
    pub(super) fn of(body: Body) -> Self {
        Self { body, rest: BytesMut::new(), searched: 0 }
    }

    /// The next line; `None` where the answer is over. What is left of a line then is worth nothing. Nothing is lost when
    /// this future is dropped.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<Option<String>, Trouble> {
        loop {
            if let Some(end) = self.rest[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(self.searched + end);
                self.rest.advance(1);
                self.searched = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return String::from_utf8(line.into())
                    .map(Some)
                    .map_err(|_| Trouble::Nonsense("a line that is no UTF-8".to_owned()));
            }
            self.searched = self.rest.len();
            if self.searched > MAX_LINE {
                return Err(Trouble::Nonsense(format!("a line of more than {MAX_LINE} bytes")));
            }
            let Some(piece) = next(&mut self.body, patience).await? else { return Ok(None) };
            self.rest.extend_from_slice(&piece);
        }
    }
}
