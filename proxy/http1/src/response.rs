//! Response heads.

use crate::fields::FieldIndex;
use crate::request::keep_alive;
use crate::{Asked, Error, FieldsView, Framing, Limits, Options, Parse, Version};

/// The reusable index of one response head. It holds no byte of it: the block stays with the caller, in one piece,
/// until the last [`ResponseHead::view`] of it is done.
#[derive(Debug, Default)]
pub struct ResponseHead {
    index: FieldIndex,
    framing: Framing,
    options: Options,
    version: Version,
    status: u16,
    reason: u32,
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
        self.index.clear();
    }

    /// Parses the head at the start of `block`; see [`RequestHead::parse`](crate::RequestHead::parse). `limits.target`
    /// has no meaning here. An informational head (1xx) is complete like any other, with [`Framing::None`], and the
    /// next head follows it: parse on, with the same `asked`.
    pub fn parse(&mut self, block: &[u8], limits: &Limits, asked: Asked) -> Result<Parse, Error> {
        let _ = (block, limits, asked);
        Ok(Parse::Partial)
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
        self.block.get(self.head.reason as usize..self.head.reason_end as usize).unwrap_or_default()
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
