//! The framing of chunks (RFC 9112 section 7.1), one byte after the other: a chunk line may come in any fragments.
//!
//! ```text
//!          ┌──────── CRLF ─────────┐
//!          ▼                       │
//!        Size ──▶ Extension      After
//!          │          │            ▲
//!          └─▶ Line ◀─┘            │
//!               │  └─ size > 0 ─▶ Data
//!               └─ size 0 ─▶ (last chunk)
//! ```

use crate::fields::is_value_byte;
use crate::{BodyLimits, Error};

/// Where in the framing the next byte lies.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    phase: Phase,
    /// The size read so far, then the data bytes missing.
    size: u64,
    /// Extension bytes that no data has paid for.
    unpaid: usize,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// This many digits of a size were read.
    Size(u8),
    /// This many bytes of an extension were read, the semicolon included.
    Extension(usize),
    /// The LF of a size line.
    Line,
    Data,
    /// The CR after data.
    After,
    /// The LF after data.
    AfterLf,
}

impl Default for Phase {
    fn default() -> Self {
        Self::Size(0)
    }
}

/// What follows the framing that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: the input is used up.
    Starved,
    /// Data of a chunk; perhaps none of it is here yet.
    Data,
    /// The trailer section.
    LastChunk,
}

/// RFC 9112 sets no bound; 16 digits hold any 64-bit size and can never overflow.
const MAX_DIGITS: u8 = 16;

impl Chunked {
    /// Takes framing up to the next data, the last chunk's line end, or the end of the input. Gives the bytes taken.
    pub(crate) fn next(&mut self, input: &[u8], limits: &BodyLimits) -> Result<(usize, Next), Error> {
        for (at, &byte) in input.iter().enumerate() {
            self.phase = match self.phase {
                Phase::Size(digits) => self.size_byte(digits, byte)?,
                Phase::Extension(_) if byte == b'\r' => Phase::Line,
                Phase::Extension(len) => self.extension_byte(len, byte, limits)?,
                Phase::Line if byte != b'\n' => return Err(Error::BareCr),
                Phase::Line if self.size == 0 => return Ok((at + 1, Next::LastChunk)),
                Phase::Line => Phase::Data,
                Phase::Data if self.size > 0 => return Ok((at, Next::Data)),
                Phase::Data | Phase::After if byte == b'\r' => Phase::AfterLf,
                Phase::Data | Phase::After => return Err(Error::ChunkEnd),
                Phase::AfterLf if byte == b'\n' => Phase::Size(0),
                Phase::AfterLf => return Err(Error::ChunkEnd),
            };
        }
        Ok((input.len(), Next::Starved))
    }

    /// Takes up to `available` bytes of data.
    pub(crate) fn take(&mut self, available: usize) -> usize {
        let taken = usize::try_from(self.size).unwrap_or(usize::MAX).min(available);
        self.size -= taken as u64;
        self.unpaid = self.unpaid.saturating_sub(taken);
        if self.size == 0 {
            self.phase = Phase::After;
        }
        taken
    }

    fn size_byte(&mut self, digits: u8, byte: u8) -> Result<Phase, Error> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if digits > 0 => return Ok(Phase::Line),
            b';' if digits > 0 => {
                self.unpaid += 1;
                return Ok(Phase::Extension(1));
            }
            b'\n' if digits > 0 => return Err(Error::BareLf),
            _ => return Err(Error::ChunkSize),
        };
        if digits == 0 {
            self.size = 0;
        }
        if digits == MAX_DIGITS {
            return Err(Error::ChunkSize);
        }
        self.size = self.size << 4 | u64::from(digit);
        Ok(Phase::Size(digits + 1))
    }

    fn extension_byte(&mut self, len: usize, byte: u8, limits: &BodyLimits) -> Result<Phase, Error> {
        self.unpaid += 1;
        match byte {
            b'\n' => Err(Error::BareLf),
            _ if !is_value_byte(byte) => Err(Error::ChunkExtension),
            _ if len >= limits.extension || self.unpaid > limits.extensions => {
                Err(Error::ChunkExtensionTooLarge)
            }
            _ => Ok(Phase::Extension(len + 1)),
        }
    }
}
