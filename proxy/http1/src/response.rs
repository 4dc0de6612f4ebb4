//! Response heads.

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Status};

use crate::diagnose::{self, Verdict};
use crate::fields::{FieldIndex, Scratch};
use crate::limits::USUAL_FIELDS;
use crate::request::{Tokens, keep_alive};
use crate::scan::{Scan, Scanned};
use crate::{Asked, Error, FieldsView, Framing, Known, Limits, Options, Parse, Version, framing};

/// The reusable index of one response head. It holds no byte of it: the block stays with the caller, in one piece,
/// until the last [`ResponseHead::view`] of it is done.
#[derive(Debug, Default)]
pub struct ResponseHead {
    scan: Scan,
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
        Self::default()
    }

    /// Forgets a head that was left half parsed. After [`Parse::Complete`] and errors `parse` starts anew by itself.
    pub fn clear(&mut self) {
        self.scan = Scan::default();
    }

    /// Parses the head at the start of `block`; see [`RequestHead::parse`](crate::RequestHead::parse). `limits.target`
    /// has no meaning here. An informational head (1xx) is complete like any other, with [`Framing::None`], and the
    /// next head follows it: parse on, with the same `asked`.
    pub fn parse(&mut self, block: &[u8], limits: &Limits, asked: Asked) -> Result<Parse, Error> {
        let outcome = self.advance(limits.window(block), limits, asked);
        if outcome != Ok(Parse::Partial) {
            self.scan = Scan::default();
        }
        outcome
    }

    fn advance(&mut self, window: &[u8], limits: &Limits, asked: Asked) -> Result<Parse, Error> {
        if self.scan.is_fresh() {
            match self.tokenise(window, limits, asked)? {
                Tokens::Complete { len } => return Ok(Parse::Complete { len }),
                Tokens::Partial => {}
                Tokens::Refused => {
                    if let Verdict::Bad(error) = diagnose::response(window, limits) {
                        return Err(error);
                    }
                }
            }
        }
        let fallback = match self.scan.advance(window, false) {
            Scanned::End(end) => match self.tokenise(window.get(..end).unwrap_or_default(), limits, asked)? {
                Tokens::Complete { len } => return Ok(Parse::Complete { len }),
                Tokens::Partial | Tokens::Refused => Error::FieldName,
            },
            Scanned::BareLf => Error::BareLf,
            Scanned::More if window.len() >= limits.head() => Error::HeadTooLarge,
            Scanned::More => return Ok(Parse::Partial),
        };
        match diagnose::response(window, limits) {
            Verdict::Bad(error) => Err(error),
            _ => Err(fallback),
        }
    }

    fn tokenise(&mut self, window: &[u8], limits: &Limits, asked: Asked) -> Result<Tokens, Error> {
        let mut scratch = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
        let most = limits.fields.min(USUAL_FIELDS);
        match self.tokenise_into(window, asked, scratch.get_mut(..most).unwrap_or_default())? {
            Tokens::Refused if limits.fields > USUAL_FIELDS => self.tokenise_many(window, limits, asked),
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
            return Ok(Tokens::Refused);
        }
        let mut response = httparse::Response::new(&mut []);
        let config = ParserConfig::default();
        let len = match config.parse_response_with_uninit_headers(&mut response, window, scratch) {
            Ok(Status::Complete(len)) => len,
            Ok(Status::Partial) => return Ok(Tokens::Partial),
            Err(_) => return Ok(Tokens::Refused),
        };
        let block = window.get(..len).unwrap_or_default();
        let status = response.code.unwrap_or_default();
        if !self.index.fill(block, response.headers) || status < 100 {
            return Ok(Tokens::Refused);
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
