//! Requests and answers, the same for both versions of HTTP.

use crate::Fields;
use std::{fmt::Write, time::Duration};

/// A request to send. Without a `host` field of its own it goes to `sluice.test`.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) host: Option<String>,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Fields,
    pub(crate) chunked: bool,
    pub(crate) protocol: Option<String>,
}

/// A request as an origin saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Path and query as they stood in the request line, or in `:path`.
    pub target: String,
    /// The `host` field, or `:authority`.
    pub host: String,
    /// `HTTP/1.1`, `HTTP/1.0` or `HTTP/2`.
    pub version: String,
    /// `:scheme`; empty over HTTP/1.
    pub scheme: String,
    /// The fields; over HTTP/2 without pseudo headers.
    pub fields: Fields,
    /// The whole body; empty where the origin only digests them.
    pub body: Vec<u8>,
    /// How long the body was.
    pub length: usize,
    /// The [`digest`](crate::digest) of the body.
    pub digest: u64,
    /// The fields behind the body.
    pub trailers: Fields,
    /// The connection it came on, counted from 0 at each origin.
    pub connection: usize,
}

/// An answer as a client saw it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// `HTTP/1.1`, `HTTP/1.0` or `HTTP/2`.
    pub version: String,
    /// The status.
    pub status: u16,
    /// The reason phrase; empty over HTTP/2.
    pub reason: String,
    /// The fields.
    pub fields: Fields,
    /// The whole body.
    pub body: Vec<u8>,
    /// The fields behind the body.
    pub trailers: Fields,
    /// Answers with 1xx that came before.
    pub interim: Vec<Interim>,
}

/// An informational answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interim {
    /// 100, 103 or another 1xx.
    pub status: u16,
    /// Its fields.
    pub fields: Fields,
}

/// An answer for an origin to give.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Fields,
    pub(crate) interim: Vec<Interim>,
    pub(crate) chunked: bool,
    pub(crate) delay: Duration,
    pub(crate) end: End,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should; the connection lives on.
    Whole,
    /// As it should; then the connection is closed. Over HTTP/2: GOAWAY.
    Close,
    /// The stream is reset before anything was answered. Over HTTP/1: the connection.
    Reset(u32),
    /// The head and the body, but not their end: the stream or connection is reset where it should end.
    Cut,
}

// === impl Request ===

impl Request {
    /// A GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// Any method.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            host: Some("sluice.test".to_owned()),
            fields: Fields::default(),
            body: Vec::new(),
            trailers: Fields::default(),
            chunked: false,
            protocol: None,
        }
    }

    /// An extended CONNECT to another protocol (RFC 8441): over HTTP/2 only.
    pub fn extended(protocol: &str, target: &str) -> Self {
        Self { protocol: Some(protocol.to_owned()), ..Self::new("CONNECT", target) }
    }

    /// The host, with a port if wanted.
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Leaves the host out, or lets fields say it.
    pub fn no_host(mut self) -> Self {
        self.host = None;
        self
    }

    /// Adds a field.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push(name, value);
        self
    }

    /// Sets the body. Over HTTP/1 it is sent with `content-length`, or see [`Self::chunked`].
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body in chunks.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Adds a field behind the body, which is then sent in chunks.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push(name, value);
        self.chunked = true;
        self
    }

    pub(crate) fn http1(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if let Some(host) = &self.host {
            let _ = write!(text, "host: {host}\r\n");
        }
        for (name, value) in self.fields.iter() {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let sized = self.fields.has("content-length") || self.fields.has("transfer-encoding");
        let bodiless =
            self.body.is_empty() && matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "CONNECT");
        let framing = if self.chunked {
            Some(Framing::Chunked)
        } else {
            (!sized && !bodiless).then_some(Framing::Length)
        };
        write_body(text, framing, &self.body, &self.trailers, true)
    }
}

// === impl Seen ===

impl Seen {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body should be UTF-8")
    }
}

// === impl Reply ===

impl Reply {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body should be UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("the body should be JSON ({error}): {}", String::from_utf8_lossy(&self.body))
        })
    }

    /// The first value of a field; empty when there is none.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }
}

// === impl Answer ===

impl Answer {
    /// 200 with this body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// This status, and no body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            fields: Fields::default(),
            body: Vec::new(),
            trailers: Fields::default(),
            interim: Vec::new(),
            chunked: false,
            delay: Duration::ZERO,
            end: End::Whole,
        }
    }

    /// Resets the stream with this code (RFC 9113 section 7); over HTTP/1, the connection.
    pub fn reset(code: u32) -> Self {
        Self { end: End::Reset(code), ..Self::status(200) }
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a field.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push(name, value);
        self
    }

    /// Adds a field behind the body, which is then sent in chunks over HTTP/1.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push(name, value);
        self.chunked = true;
        self
    }

    /// Sends the body in chunks over HTTP/1.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Sends a 1xx answer first.
    pub fn interim(mut self, status: u16, fields: &[(&str, &str)]) -> Self {
        let mut interim = Interim { status, fields: Fields::default() };
        for (name, value) in fields {
            interim.fields.push(*name, *value);
        }
        self.interim.push(interim);
        self
    }

    /// Holds the answer back for so long: for tests of time limits.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Closes the connection behind the answer; over HTTP/2 with GOAWAY.
    pub fn close(mut self) -> Self {
        self.end = End::Close;
        self
    }

    /// Breaks off where the body should end.
    pub fn cut(mut self) -> Self {
        self.end = End::Cut;
        self.chunked = true;
        self
    }

    pub(crate) fn http1(&self, to: &Seen) -> Vec<u8> {
        let mut text = String::new();
        for interim in &self.interim {
            let _ = write!(text, "HTTP/1.1 {} Interim\r\n", interim.status);
            for (name, value) in interim.fields.iter() {
                let _ = write!(text, "{name}: {value}\r\n");
            }
            text += "\r\n";
        }
        let _ = write!(text, "HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in self.fields.iter() {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if self.end == End::Close {
            text += "connection: close\r\n";
        }
        let sized = self.fields.has("content-length") || self.fields.has("transfer-encoding");
        let bodiless = matches!(self.status, 204 | 304);
        if to.method == "HEAD" {
            if !sized {
                let _ = write!(text, "content-length: {}\r\n", self.body.len());
            }
            return write_body(text, None, &[], &Fields::default(), true);
        }
        let framing = match (sized || bodiless, self.chunked) {
            (true, _) => None,
            (_, true) => Some(Framing::Chunked),
            _ => Some(Framing::Length),
        };
        write_body(text, framing, &self.body, &self.trailers, self.end != End::Cut)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked,
}

fn write_body(
    mut head: String,
    framing: Option<Framing>,
    body: &[u8],
    trailers: &Fields,
    whole: bool,
) -> Vec<u8> {
    match framing {
        Some(Framing::Length) => {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        Some(Framing::Chunked) => head += "transfer-encoding: chunked\r\n",
        None => {}
    }
    let mut bytes = (head + "\r\n").into_bytes();
    if framing != Some(Framing::Chunked) {
        bytes.extend_from_slice(body);
        return bytes;
    }
    for chunk in body.chunks(16 * 1024) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    if whole {
        bytes.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.iter() {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
