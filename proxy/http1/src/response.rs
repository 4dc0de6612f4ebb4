//! Response heads.

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Status};

use crate::fields::{FieldIndex, Scratch};
use crate::grammar::{Grammar, Verdict};
use crate::limits::USUAL_FIELDS;
use crate::request::{Tokens, keep_alive};
use crate::{Asked, Error, FieldsView, Framing, Known, Limits, Options, Parse, Version, framing};

/// The reusable index of one response head. It holds no byte of it: the block stays with the caller, in one piece,
/// until the last [`ResponseHead::view`] of it is done.
#[derive(Debug)]
pub struct ResponseHead {
    grammar: Grammar,
    index: FieldIndex,
    framing: Framing,
    options: Options,
    version: Version,
    status: u16,
    /// Where the reason phrase ends, and with it the first line's text.
    reason_end: u32,
}

/// A parsed response head: index and bytes together.
#[derive(Debug, Clone, Copy)]
pub struct ResponseView<'a> {
    head: &'a ResponseHead,
    block: &'a [u8],
}

// === impl ResponseHead ===

impl ResponseHead {
    /// An index without capacity; the first heads grow it.
    pub fn new() -> Self {
        Self {
            grammar: Grammar::RESPONSE,
            index: FieldIndex::default(),
            framing: Framing::None,
            options: Options::default(),
            version: Version::Http11,
            status: 0,
            reason_end: 0,
        }
    }

    /// Forgets a head that was left half parsed. After [`Parse::Complete`] and errors `parse` starts anew by itself.
    pub fn clear(&mut self) {
        self.grammar = Grammar::RESPONSE;
    }

    /// Parses the head at the start of `block`; see [`RequestHead::parse`](crate::RequestHead::parse). `limits.target`
    /// has no meaning here. An informational head (1xx) is complete like any other, with [`Framing::None`], and the
    /// next head follows it: parse on, with the same `asked`.
    pub fn parse(&mut self, block: &[u8], limits: &Limits, asked: Asked) -> Result<Parse, Error> {
        let outcome = self.advance(limits.window(block), limits, asked);
        if outcome != Ok(Parse::Partial) {
            self.clear();
        }
        outcome
    }

    fn advance(&mut self, window: &[u8], limits: &Limits, asked: Asked) -> Result<Parse, Error> {
        if self.grammar.is_fresh()
            && let Tokens::Complete { len } = self.tokenise(window, limits, asked)?
        {
            return Ok(Parse::Complete { len });
        }
        match self.grammar.advance(window, limits) {
            Verdict::Pending if window.len() >= limits.head() => Err(Error::HeadTooLarge),
            Verdict::Pending => Ok(Parse::Partial),
            Verdict::Bad(error) => Err(error),
            Verdict::Sound { end } => {
                match self.tokenise(window.get(..end).unwrap_or_default(), limits, asked)? {
                    Tokens::Complete { len } => Ok(Parse::Complete { len }),
                    // Not reached while tokeniser and grammar agree, which tests hold.
                    Tokens::Incomplete | Tokens::TooMany => Err(Error::FieldName),
                }
            }
            // Only requests have one.
            Verdict::Preface => Err(Error::StatusLine),
        }
    }

    fn tokenise(&mut self, window: &[u8], limits: &Limits, asked: Asked) -> Result<Tokens, Error> {
        let mut scratch = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
        let most = limits.fields.min(USUAL_FIELDS);
        match self.tokenise_into(window, asked, scratch.get_mut(..most).unwrap_or_default())? {
            Tokens::TooMany if limits.fields > USUAL_FIELDS => self.tokenise_many(window, limits, asked),
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
    fn tokenise_many(&mut self, window: &[u8], limits: &Limits, asked: Asked) -> Result<Tokens, Error> {
        let mut scratch = [const { MaybeUninit::uninit() }; Limits::MAX_FIELDS];
        let most = limits.fields.min(Limits::MAX_FIELDS);
        self.tokenise_into(window, asked, scratch.get_mut(..most).unwrap_or_default())
    }

    #[inline(always)]
    fn tokenise_into<'b>(
        &mut self,
        window: &'b [u8],
        asked: Asked,
        scratch: &mut Scratch<'b>,
    ) -> Result<Tokens, Error> {
        // The tokeniser would skip blank lines.
        if matches!(window.first(), Some(b'\r' | b'\n')) {
            return Ok(Tokens::Incomplete);
        }
        let mut response = httparse::Response::new(&mut []);
        let config = ParserConfig::default();
        let len = match config.parse_response_with_uninit_headers(&mut response, window, scratch) {
            Ok(Status::Complete(len)) => len,
            Err(httparse::Error::TooManyHeaders) => return Ok(Tokens::TooMany),
            Ok(Status::Partial) | Err(_) => return Ok(Tokens::Incomplete),
        };
        let block = window.get(..len).unwrap_or_default();
        let status = response.code.unwrap_or_default();
        if !self.index.fill(block, response.headers) || status < 100 {
            return Ok(Tokens::Incomplete);
        }
        self.status = status;
        self.version = Version::of_minor(response.version);
        self.reason_end = self.index.start().unwrap_or(len as u32 - 2) - 2;
        self.framing = framing::of_response(&self.index, block, status, self.version, asked)?;
        self.options = if self.index.seen.contains(Known::Connection) {
            self.index.view(block).options()
        } else {
            Options::default()
        };
        Ok(Tokens::Complete { len })
    }

    /// Reads the head. `block` is the one that was parsed, at least the bytes of the head.
    pub fn view<'a>(&'a self, block: &'a [u8]) -> ResponseView<'a> {
        ResponseView { head: self, block }
    }

    /// How the body ends.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }
}

impl Default for ResponseHead {
    fn default() -> Self {
        Self::new()
    }
}

// === impl ResponseView ===

impl<'a> ResponseView<'a> {
    /// The status code, 100 to 999.
    pub fn status(self) -> u16 {
        self.head.status
    }

    /// Whether another head follows on the same connection: 1xx, but not 101, which is a tunnel.
    pub fn is_informational(self) -> bool {
        (100..200).contains(&self.head.status) && self.head.status != 101
    }

    /// The reason phrase, perhaps empty.
    pub fn reason(self) -> &'a [u8] {
        // `HTTP/1.1 200 `: some servers end the line after the code, without the last space.
        self.block.get(13..self.head.reason_end as usize).unwrap_or_default()
    }

    /// The version the upstream speaks.
    pub fn version(self) -> Version {
        self.head.version
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

    /// Whether the connection can carry another request after this response: by version and `Connection` as for
    /// requests, and only if the body does not end with the connection.
    pub fn keep_alive(self) -> bool {
        !matches!(self.head.framing, Framing::Close | Framing::Tunnel)
            && keep_alive(self.head.version, self.head.options)
    }
}
