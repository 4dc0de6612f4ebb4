//! Bounds on what one message may make us hold or read.

/// Bounds of one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes from the first of the head to the end of its empty line, a leading CRLF included; more gives 431. Values
    /// over [`Limits::MAX_HEAD`] count as that. The read buffer must be able to hold this much.
    pub head: usize,
    /// Bytes of the request target; more gives 414.
    pub target: usize,
    /// Number of fields; more gives 431. Values over [`Limits::MAX_FIELDS`] count as that.
    pub fields: usize,
}

impl Limits {
    /// The largest head, whatever is configured: spans are 32 bits wide.
    pub const MAX_HEAD: usize = 16 << 20;
    /// The largest number of fields, whatever is configured.
    pub const MAX_FIELDS: usize = 1000;
    /// Bytes of a method; more gives 501. The longest registered one has 17.
    pub const MAX_METHOD: usize = 64;
}

/// Heads with up to this many fields are tokenised in one go, with a small frame.
pub(crate) const USUAL_FIELDS: usize = 100;

impl Limits {
    /// The bytes of `block` that a head may have.
    pub(crate) fn window<'b>(&self, block: &'b [u8]) -> &'b [u8] {
        block.get(..self.head()).unwrap_or(block)
    }

    pub(crate) fn head(&self) -> usize {
        self.head.min(Self::MAX_HEAD)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: 64 << 10, target: 16 << 10, fields: 100 }
    }
}

/// Bounds of what comes with a body beside its data. The data itself is not bounded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of the extensions of one chunk.
    pub extension: usize,
    /// Bytes of extensions over a whole body that its data does not pay for: each byte of data pays for one byte of
    /// extension, so signed uploads pass and floods of tiny chunks with long extensions do not.
    pub extensions: usize,
    /// Bytes of the trailer section, its empty line included.
    pub trailers: usize,
    /// Number of trailer fields. Values over [`Limits::MAX_FIELDS`] count as that.
    pub trailer_fields: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { extension: 1 << 10, extensions: 16 << 10, trailers: 16 << 10, trailer_fields: 100 }
    }
}
