//! Fuzz bodies: functions over arbitrary bytes that panic when something that must always hold does not. They run as
//! tests over `corpus/` and over mutations of it, and any fuzzer can call them.

use crate::grammar::{Grammar, Verdict};
use crate::{
    Asked, BodyDecoder, BodyLimits, Error, Expect, Framing, Limits, Method, Parse, RequestHead, ResponseHead,
    State, Trailers, Version, encode,
};

/// A whole message, copied out of the codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub line: Line,
    /// Names and values of the fields.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the connection can carry another message.
    pub keep_alive: bool,
    /// Data of the body.
    pub body: Vec<u8>,
    /// Names and values of the trailers.
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Of a request.
    Request {
        /// The method token.
        method: String,
        /// The request target.
        target: String,
        /// The client's version.
        version: Version,
        /// What `Expect` asks for.
        expect: Expect,
        /// The protocols offered in `Upgrade`.
        upgrade: Option<Vec<u8>>,
    },
    /// Of a response.
    Response {
        /// The status code.
        status: u16,
        /// The reason phrase.
        reason: Vec<u8>,
        /// The upstream's version.
        version: Version,
    },
}

/// How reading a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Between two messages.
    Clean,
    /// Inside a head.
    Partial,
    /// With the first line of an HTTP/2 preface.
    Preface,
    /// With a refusal.
    Refused(Error),
}

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Requests.
    Client,
    /// Answers to requests of this kind.
    Upstream(Asked),
}

/// Reads a connection that delivers `pieces` one after the other and then ends, as a driver would: head into a buffer,
/// body out of it, next head from where the body ended.
pub fn read<'a>(
    side: Side,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
    body_limits: BodyLimits,
) -> (Vec<Message>, Ending) {
    let mut reader = Reader {
        side,
        limits: *limits,
        request: RequestHead::new(),
        response: ResponseHead::new(),
        decoder: BodyDecoder::new(Framing::None, body_limits),
        buffer: Vec::new(),
        open: None,
        done: Vec::new(),
    };
    for piece in pieces {
        reader.buffer.extend_from_slice(piece);
        match reader.advance() {
            Ok(()) => {}
            Err(ending) => return (reader.done, ending),
        }
    }
    let ending = reader.end();
    (reader.done, ending)
}

struct Reader {
    side: Side,
    limits: Limits,
    request: RequestHead,
    response: ResponseHead,
    decoder: BodyDecoder,
    buffer: Vec<u8>,
    open: Option<Message>,
    done: Vec<Message>,
}

impl Reader {
    fn advance(&mut self) -> Result<(), Ending> {
        loop {
            if let Some(message) = &mut self.open {
                let step = self.decoder.decode(&self.buffer).map_err(Ending::Refused)?;
                assert!(step.data.end <= step.consumed, "data lies in what was taken");
                message.body.extend_from_slice(&self.buffer[step.data.clone()]);
                self.buffer.drain(..step.consumed);
                match step.state {
                    State::End => {
                        assert!(self.decoder.is_end() && self.decoder.remaining() == Some(0));
                        message.trailers = copied(self.decoder.trailers());
                        self.done.extend(self.open.take());
                    }
                    State::More if self.buffer.is_empty() => return Ok(()),
                    State::More => assert!(step.consumed > 0, "no progress"),
                }
            } else {
                match self.head().map_err(Ending::Refused)? {
                    Parse::Partial => return Ok(()),
                    Parse::Preface => return Err(Ending::Preface),
                    Parse::Complete { len } => {
                        let message = self.message(len);
                        self.decoder.start(message.framing);
                        self.buffer.drain(..len);
                        self.open = Some(message);
                    }
                }
            }
        }
    }

    fn head(&mut self) -> Result<Parse, Error> {
        match self.side {
            Side::Client => self.request.parse(&self.buffer, &self.limits),
            Side::Upstream(asked) => self.response.parse(&self.buffer, &self.limits, asked),
        }
    }

    fn message(&self, len: usize) -> Message {
        let block = &self.buffer[..len];
        let (line, fields, framing, keep_alive) = match self.side {
            Side::Client => {
                assert_eq!(
                    Grammar::REQUEST.clone().advance(block, &self.limits),
                    Verdict::Sound { end: len }
                );
                let view = self.request.view(block);
                assert_eq!(view.method(), Method::of(view.method_str().as_bytes()));
                let line = Line::Request {
                    method: view.method_str().to_owned(),
                    target: view.target().to_owned(),
                    version: view.version(),
                    expect: view.expect(),
                    upgrade: view.upgrade().map(<[u8]>::to_vec),
                };
                (line, view.fields(), view.framing(), view.keep_alive())
            }
            Side::Upstream(_) => {
                assert_eq!(
                    Grammar::RESPONSE.clone().advance(block, &self.limits),
                    Verdict::Sound { end: len }
                );
                let view = self.response.view(block);
                let line = Line::Response {
                    status: view.status(),
                    reason: view.reason().to_vec(),
                    version: view.version(),
                };
                (line, view.fields(), view.framing(), view.keep_alive())
            }
        };
        let fields: Vec<_> = fields
            .iter()
            .map(|field| {
                assert!(encode::is_clean_field(field.name, field.value), "an accepted field can be sent on");
                assert_eq!(fields.get(field.name), fields.all(field.name).next());
                (field.name.to_vec(), field.value.to_vec())
            })
            .collect();
        Message { line, fields, framing, keep_alive, body: Vec::new(), trailers: Vec::new() }
    }

    fn end(&mut self) -> Ending {
        let Some(mut message) = self.open.take() else {
            return if self.buffer.is_empty() { Ending::Clean } else { Ending::Partial };
        };
        match self.decoder.finish() {
            Ok(()) => {
                message.trailers = copied(self.decoder.trailers());
                self.done.push(message);
                Ending::Clean
            }
            Err(error) => Ending::Refused(error),
        }
    }
}

fn copied(trailers: Trailers<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    trailers.fields().iter().map(|field| (field.name.to_vec(), field.value.to_vec())).collect()
}

/// Small limits, so that short inputs reach them.
fn tight() -> (Limits, BodyLimits) {
    let limits = Limits { head: 300, target: 40, fields: 6 };
    let body = BodyLimits { extension: 8, extensions: 12, trailers: 40, trailer_fields: 2 };
    (limits, body)
}

/// The outcome does not depend on how the bytes are split, and what was accepted survives being written anew.
fn connection(side: Side, data: &[u8]) {
    let (tight, tight_body) = tight();
    for (limits, body_limits) in [(Limits::default(), BodyLimits::default()), (tight, tight_body)] {
        let whole = read(side, [data], &limits, body_limits);
        assert_eq!(read(side, data.chunks(1), &limits, body_limits), whole, "byte by byte");
        let cut =
            data.iter().fold(data.len(), |sum, &byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let (head, tail) = data.split_at(cut % (data.len() + 1));
        assert_eq!(read(side, [head, tail], &limits, body_limits), whole, "in two");
        for message in &whole.0 {
            rewrite(side, message);
        }
    }
}

/// Writes a message anew, reads that, and compares.
fn rewrite(side: Side, message: &Message) {
    let mut bytes = Vec::new();
    write(&mut bytes, message);
    let (again, ending) = read(side, [&*bytes], &Limits::default(), BodyLimits::default());
    let mut expected = message.clone();
    match &mut expected.line {
        Line::Request { version, .. } | Line::Response { version, .. } => {
            if *version != encode::VERSION {
                return;
            }
        }
    }
    assert_eq!((again, ending), (vec![expected], Ending::Clean), "{:?}", bytes.escape_ascii().to_string());
}

/// Appends a message as it was read.
pub fn write(out: &mut Vec<u8>, message: &Message) {
    match &message.line {
        Line::Request { method, target, .. } => {
            encode::try_request_line(out, method.as_bytes(), &[target.as_bytes()]).unwrap_or_default();
        }
        Line::Response { status, reason, .. } => encode::status_line(out, *status, reason),
    }
    for (name, value) in &message.fields {
        encode::try_field(out, name, value).unwrap_or_default();
    }
    encode::end_of_head(out);
    if message.framing == Framing::Chunked {
        for data in message.body.chunks(7) {
            encode::chunk_prefix(out, data.len());
            out.extend_from_slice(data);
            encode::chunk_end(out);
        }
        encode::last_chunk(out, message.trailers.iter().map(|(name, value)| (&**name, &**value)));
    } else {
        out.extend_from_slice(&message.body);
    }
}

/// Any bytes from a client.
pub fn requests(data: &[u8]) {
    connection(Side::Client, data);
}

/// Any bytes from an upstream; the first one says what was asked.
pub fn responses(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let method = [Method::Get, Method::Head, Method::Connect, Method::Post][usize::from(first & 3)];
    connection(Side::Upstream(Asked { method, upgrade: first & 4 != 0 }), data);
}

/// Any bytes as a chunked body.
pub fn chunked(data: &[u8]) {
    let mut connection_bytes = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    connection_bytes.extend_from_slice(data);
    connection(Side::Client, &connection_bytes);
}

/// Any bytes as method, target, name and value to be written: either refused, or read back as the same.
pub fn encoder(data: &[u8]) {
    let mut parts = data.splitn(4, |&byte| byte == 0xff);
    let mut part = || parts.next().unwrap_or_default();
    let (method, target, name, value) = (part(), part(), part(), part());
    let mut out = Vec::new();
    let line = encode::try_request_line(&mut out, method, &[target]);
    let field = line.and_then(|()| encode::try_field(&mut out, name, value));
    if field.is_err() {
        return;
    }
    encode::end_of_head(&mut out);
    let mut head = RequestHead::new();
    let Ok(Parse::Complete { len }) = head.parse(&out, &Limits::default()) else { return };
    let view = head.view(&out);
    assert_eq!(len, out.len());
    assert_eq!((view.method_str().as_bytes(), view.target().as_bytes()), (method, target));
    assert_eq!(view.fields().get(name), Some(value.trim_ascii()));
    assert_eq!(view.fields().len(), 1);
}
