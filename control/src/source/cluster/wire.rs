//! Requests to an API server, each bounded in time and bytes.

use super::{item::Status, trouble::Trouble};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{Request, Response, header};
use kube::{Client, client::Body};
use std::{error::Error, time::Duration};
use tokio::time;

/// The longest wait for the head of an answer, and between two pieces of a list.
const ANSWER: Duration = Duration::from_secs(30);
/// A page of 500 objects of the largest size that etcd takes stays below it.
const MAX_PAGE: usize = 1 << 30;
/// One event; an API server refuses objects of more than a few megabytes.
const MAX_LINE: usize = 32 << 20;
/// Of an error nobody reads more.
const MAX_ERROR: usize = 64 << 10;
/// Asks for metadata in place of objects, as lists and as events of a watch.
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// The lines of an answer that goes on.
#[derive(Debug)]
pub(super) struct Lines {
    body: Body,
    /// What came after the last whole line.
    rest: BytesMut,
    /// How much of the rest holds no end of a line.
    searched: usize,
}

/// A whole answer.
pub(super) async fn read(
    client: &Client,
    request: Request<Vec<u8>>,
    metadata_only: bool,
) -> Result<String, Trouble> {
    let accept = if metadata_only { METADATA_LIST } else { "application/json" };
    let response = send(client, request, accept).await?;
    let bytes = collect(response.into_body(), MAX_PAGE).await?;
    String::from_utf8(bytes.into()).map_err(|_| Trouble::Nonsense("bytes that are no UTF-8".to_owned()))
}

/// An answer that goes on, line by line.
pub(super) async fn open(
    client: &Client,
    request: Request<Vec<u8>>,
    metadata_only: bool,
) -> Result<Lines, Trouble> {
    let accept = if metadata_only { METADATA } else { "application/json" };
    let response = send(client, request, accept).await?;
    Ok(Lines { body: response.into_body(), rest: BytesMut::new(), searched: 0 })
}

async fn send(
    client: &Client,
    request: Request<Vec<u8>>,
    accept: &'static str,
) -> Result<Response<Body>, Trouble> {
    let mut request = request.map(Body::from);
    request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static(accept));
    let response = time::timeout(ANSWER, client.send(request))
        .await
        .map_err(|_| Trouble::Silent(ANSWER))?
        .map_err(|error| Trouble::Broken(chain(&error)))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let code = response.status().as_u16();
    let header = response.headers().get(header::RETRY_AFTER);
    let header = header.and_then(|value| value.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
    let text = collect(response.into_body(), MAX_ERROR).await.unwrap_or_default();
    let status: Status = serde_json::from_slice(&text).unwrap_or_default();
    let Trouble::Refused { message, retry_after, .. } = Trouble::from(status) else {
        return Err(Trouble::Nonsense("an unknown error".to_owned()));
    };
    let message = if message.is_empty() {
        String::from_utf8_lossy(&text).trim().chars().take(200).collect()
    } else {
        message
    };
    Err(Trouble::Refused { code, message, retry_after: retry_after.or(header) })
}

async fn collect(mut body: Body, limit: usize) -> Result<BytesMut, Trouble> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = next(&mut body, ANSWER).await? {
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

/// An error with its causes, without repeating what an error says of its cause.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

// === impl Lines ===

impl Lines {
    /// The next line; `None` where the answer is over. What is left of a line then is worth nothing. Nothing is lost when
    /// this future is dropped.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<Option<String>, Trouble> {
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
