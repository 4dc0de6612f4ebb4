//! Request heads.

use std::mem::MaybeUninit;

use httparse::Status;

use crate::fields::{FieldIndex, Scratch, is_token_byte, list};
use crate::grammar::{Grammar, Verdict};
use crate::limits::USUAL_FIELDS;
use crate::{Error, FieldsView, Framing, Known, KnownSet, Limits, Method, Options, Version, framing};

/// What a call of `parse` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parse {
    /// The head goes on beyond the block: read more behind it and call again with the longer block.
    Partial,
    /// The head is the first `len` bytes of the block. What follows is body, or the next message.
    Complete {
        /// Bytes of the head, its empty line and a leading CRLF included.
        len: usize,
    },
    /// The request line of an HTTP/2 preface: hand the whole block to that codec, which checks the rest of it.
    /// Meaningful only as the first bytes of a connection; later it is a refusal. Requests only.
    Preface,
}

/// What one run of the tokeniser came to.
pub(crate) enum Tokens {
    Complete {
        len: usize,
    },
    /// The head goes on, or something is wrong with it: the grammar knows.
    Incomplete,
    /// There are more fields than there was room for.
    TooMany,
}

/// The reusable index of one request head. It holds no byte of it: the block stays with the caller, in one piece,
/// until the last [`RequestHead::view`] of it is done.
#[derive(Debug)]
pub struct RequestHead {
    grammar: Grammar,
    line: RequestLine,
    index: FieldIndex,
    framing: Framing,
    options: Options,
    expect: Expect,
    trailers_accepted: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct RequestLine {
    method: Method,
    version: Version,
    /// Where the method starts: 0, or 2 behind a leading CRLF.
    start: u32,
    method_end: u32,
    target_end: u32,
}

/// What `Expect` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expect {
    /// Nothing. HTTP/1.0 senders never expect anything (RFC 9110 section 10.1.1).
    #[default]
    None,
    /// `100-continue`: the body may be held back until an interim or final answer.
    Continue,
    /// Something else: 417 is the answer, or it is passed on.
    Other,
}

/// A parsed request head: index and bytes together.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    head: &'a RequestHead,
    block: &'a [u8],
}

// === impl RequestHead ===

impl RequestHead {
    /// An index without capacity; the first heads grow it.
    pub fn new() -> Self {
        Self {
            grammar: Grammar::REQUEST,
            line: RequestLine::default(),
            index: FieldIndex::default(),
            framing: Framing::None,
            options: Options::default(),
            expect: Expect::None,
            trailers_accepted: false,
        }
    }

    /// Forgets a head that was left half parsed. After [`Parse::Complete`] and errors `parse` starts anew by itself.
    pub fn clear(&mut self) {
        self.grammar = Grammar::REQUEST;
    }

    /// Parses the head at the start of `block`, which begins at the same byte in every call for one head and only grows
    /// at its end (moving it is fine). A head that comes in one piece is tokenised at once; otherwise its end is looked
    /// for from where the last call stopped, and it is tokenised when that is found.
    pub fn parse(&mut self, block: &[u8], limits: &Limits) -> Result<Parse, Error> {
        let outcome = self.advance(limits.window(block), limits);
        if outcome != Ok(Parse::Partial) {
            self.clear();
        }
        outcome
    }

    fn advance(&mut self, window: &[u8], limits: &Limits) -> Result<Parse, Error> {
        if self.grammar.is_fresh()
            && let Tokens::Complete { len } = self.tokenise(window, limits)?
        {
            return Ok(Parse::Complete { len });
        }
        match self.grammar.advance(window, limits) {
            Verdict::Pending if window.len() >= limits.head() => Err(Error::HeadTooLarge),
            Verdict::Pending => Ok(Parse::Partial),
            Verdict::Preface => Ok(Parse::Preface),
            Verdict::Bad(error) => Err(error),
            Verdict::Sound { end } => match self.tokenise(window.get(..end).unwrap_or_default(), limits)? {
                Tokens::Complete { len } => Ok(Parse::Complete { len }),
                // Not reached while tokeniser and grammar agree, which tests hold.
                Tokens::Incomplete | Tokens::TooMany => Err(Error::FieldName),
            },
        }
    }

    fn tokenise(&mut self, window: &[u8], limits: &Limits) -> Result<Tokens, Error> {
        let mut scratch = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
        let most = limits.fields.min(USUAL_FIELDS);
        match self.tokenise_into(window, limits, scratch.get_mut(..most).unwrap_or_default())? {
            Tokens::TooMany if limits.fields > USUAL_FIELDS => self.tokenise_many(window, limits),
            tokens => Ok(tokens),
        }
    }

    /// Apart, so that the usual head does not pay for the large frame.
    #[cold]
    #[inline(never)]
    #[allow(
        clippy::large_stack_arrays,
        reason = "32 KB that nothing initialises; only for heads of over 100 fields"
    )]
    fn tokenise_many(&mut self, window: &[u8], limits: &Limits) -> Result<Tokens, Error> {
        let mut scratch = [const { MaybeUninit::uninit() }; Limits::MAX_FIELDS];
        let most = limits.fields.min(Limits::MAX_FIELDS);
        self.tokenise_into(window, limits, scratch.get_mut(..most).unwrap_or_default())
    }

    #[inline(always)]
    fn tokenise_into<'b>(
        &mut self,
        window: &'b [u8],
        limits: &Limits,
        scratch: &mut Scratch<'b>,
    ) -> Result<Tokens, Error> {
        // The tokeniser would skip any number of blank lines, and LFs alone.
        let start = if window.starts_with(b"\r\n") { 2 } else { 0 };
        if matches!(window.get(start), Some(b'\r' | b'\n')) {
            return Ok(Tokens::Incomplete);
        }
        let mut request = httparse::Request::new(&mut []);
        let len = match request.parse_with_uninit_headers(window, scratch) {
            Ok(Status::Complete(len)) => len,
            Err(httparse::Error::TooManyHeaders) => return Ok(Tokens::TooMany),
            Ok(Status::Partial) | Err(_) => return Ok(Tokens::Incomplete),
        };
        let block = window.get(..len).unwrap_or_default();
        let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        if !self.index.fill(block, request.headers)
            || method.len() > Limits::MAX_METHOD
            || target.len() > limits.target
        {
            return Ok(Tokens::Incomplete);
        }
        let method_end = start + method.len();
        self.line = RequestLine {
            method: Method::of(method.as_bytes()),
            version: Version::of_minor(request.version),
            start: start as u32,
            method_end: method_end as u32,
            target_end: (method_end + 1 + target.len()) as u32,
        };
        self.interpret(block)?;
        Ok(Tokens::Complete { len })
    }

    /// What the fields say about framing and the connection.
    #[inline]
    fn interpret(&mut self, block: &[u8]) -> Result<(), Error> {
        const TELLING: KnownSet = KnownSet::of(&[Known::Connection, Known::Expect, Known::Te]);
        self.framing = framing::of_request(&self.index, block, self.line.method, self.line.version)?;
        (self.options, self.expect, self.trailers_accepted) = Default::default();
        if self.index.seen.intersects(TELLING) {
            let fields = self.index.view(block);
            self.options = fields.options();
            self.expect = expect(fields, self.line.version);
            self.trailers_accepted = trailers_accepted(fields);
        }
        Ok(())
    }

    /// Reads the head. `block` is the one that was parsed, at least the bytes of the head.
    pub fn view<'a>(&'a self, block: &'a [u8]) -> RequestView<'a> {
        RequestView { head: self, block }
    }

    /// How the body ends.
    pub fn framing(&self) -> Framing {
        self.framing
    }
}

impl Default for RequestHead {
    fn default() -> Self {
        Self::new()
    }
}

// === impl RequestView ===

impl<'a> RequestView<'a> {
    /// The method token. Each call checks the bytes again: keep the result.
    pub fn method_str(self) -> &'a str {
        self.text(self.head.line.start, self.head.line.method_end)
    }

    /// What the method means.
    pub fn method(self) -> Method {
        self.head.line.method
    }

    /// The request target as it came, of any form; UTF-8 without control bytes and spaces. Each call checks the bytes
    /// again: keep the result.
    pub fn target(self) -> &'a str {
        self.text(self.head.line.method_end + 1, self.head.line.target_end)
    }

    /// The version the client speaks.
    pub fn version(self) -> Version {
        self.head.line.version
    }

    /// The fields.
    pub fn fields(self) -> FieldsView<'a> {
        self.head.index.view(self.block)
    }

    /// How the body ends.
    pub fn framing(self) -> Framing {
        self.head.framing
    }

    /// What `Connection` says.
    pub fn options(self) -> Options {
        self.head.options
    }

    /// Whether the client wants the connection kept (RFC 9112 section 9.3): in HTTP/1.1 unless it says `close`, in
    /// HTTP/1.0 only if it says `keep-alive`. Of the two words together, `close` wins. Never after `CONNECT`: whether
    /// the bytes behind a refused one are a request or meant for the tunnel cannot be known.
    pub fn keep_alive(self) -> bool {
        self.head.framing != Framing::Tunnel && keep_alive(self.head.line.version, self.head.options)
    }

    /// The protocols of `Upgrade`, if this is HTTP/1.1 and `Connection` says `upgrade`; otherwise the field has no
    /// meaning (RFC 9110 section 7.8). Repeated fields give the first one's value; see `fields` for the others.
    pub fn upgrade(self) -> Option<&'a [u8]> {
        if self.head.options.upgrade && self.head.line.version == Version::Http11 {
            self.fields().known(Known::Upgrade).next()
        } else {
            None
        }
    }

    /// What `Expect` asks for.
    pub fn expect(self) -> Expect {
        self.head.expect
    }

    /// Whether the client waits for a 100 before it sends the body.
    pub fn expect_continue(self) -> bool {
        self.head.expect == Expect::Continue
    }

    /// Whether `TE` has the element `trailers`. RFC 9110 section 10.1.4 wants `Connection: te` with it; whether that is
    /// needed is not judged here.
    pub fn te_trailers(self) -> bool {
        self.head.trailers_accepted
    }

    fn text(self, start: u32, end: u32) -> &'a str {
        let bytes = self.block.get(start as usize..end as usize).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// The method and the target at the front of `block`, for the log of a head that was refused or did not come whole. Each
/// is empty where it is not there to its end, or is not sound.
pub fn request_line(block: &[u8]) -> (&str, &str) {
    let line = block.strip_prefix(b"\r\n").unwrap_or(block);
    let Some((method, rest)) = word(line, Limits::MAX_METHOD, is_token_byte) else { return ("", "") };
    let target = word(rest, usize::MAX, |byte| byte > b' ' && byte != 0x7f);
    (method, target.map_or("", |(target, _)| target))
}

/// The bytes of one kind up to a space, and what is behind it.
fn word(bytes: &[u8], most: usize, of_kind: impl Fn(u8) -> bool) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|&byte| !of_kind(byte))?;
    let (word, rest) = bytes.split_at_checked(end)?;
    let rest = rest.strip_prefix(b" ")?;
    if word.is_empty() || word.len() > most { None } else { Some((std::str::from_utf8(word).ok()?, rest)) }
}

pub(crate) fn keep_alive(version: Version, options: Options) -> bool {
    !options.close && (version == Version::Http11 || options.keep_alive)
}

fn expect(fields: FieldsView<'_>, version: Version) -> Expect {
    if version == Version::Http10 {
        return Expect::None;
    }
    let mut expect = Expect::None;
    for value in fields.known(Known::Expect) {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Expect::Other;
        }
        expect = Expect::Continue;
    }
    expect
}

fn trailers_accepted(fields: FieldsView<'_>) -> bool {
    fields.known(Known::Te).flat_map(list).any(|element| element.eq_ignore_ascii_case(b"trailers"))
}
