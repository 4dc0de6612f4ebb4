//! Request heads.

use crate::fields::{FieldIndex, list};
use crate::{Error, FieldsView, Framing, Known, Limits, Method, Options, Version};

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

/// The reusable index of one request head. It holds no byte of it: the block stays with the caller, in one piece,
/// until the last [`RequestHead::view`] of it is done.
#[derive(Debug, Default)]
pub struct RequestHead {
    pub(crate) line: RequestLine,
    pub(crate) index: FieldIndex,
    framing: Framing,
    options: Options,
    expect: Expect,
    trailers_accepted: bool,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) version: Version,
    /// Where the method starts: 0, or 2 behind a leading CRLF.
    pub(crate) start: u32,
    pub(crate) method_end: u32,
    pub(crate) target_end: u32,
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
        Self::default()
    }

    /// Forgets a head that was left half parsed. After [`Parse::Complete`] and errors `parse` starts anew by itself.
    pub fn clear(&mut self) {
        self.index.clear();
    }

    /// Parses the head at the start of `block`, which begins at the same byte in every call for one head and only grows
    /// at its end (moving it is fine). A head that comes in one piece is tokenised at once; otherwise its end is looked
    /// for from where the last call stopped, and it is tokenised when that is found.
    pub fn parse(&mut self, block: &[u8], limits: &Limits) -> Result<Parse, Error> {
        let _ = (block, limits);
        Ok(Parse::Partial)
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
    /// HTTP/1.0 only if it says `keep-alive`. Of the two words together, `close` wins.
    pub fn keep_alive(self) -> bool {
        keep_alive(self.head.line.version, self.head.options)
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

pub(crate) fn keep_alive(version: Version, options: Options) -> bool {
    !options.close && (version == Version::Http11 || options.keep_alive)
}

pub(crate) fn expect(fields: FieldsView<'_>, version: Version) -> Expect {
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

pub(crate) fn trailers_accepted(fields: FieldsView<'_>) -> bool {
    fields.known(Known::Te).flat_map(list).any(|element| element.eq_ignore_ascii_case(b"trailers"))
}
