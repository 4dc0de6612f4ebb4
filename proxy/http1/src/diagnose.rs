//! The grammar of heads, byte by byte and off the fast path: says what exactly is wrong with a head that the tokeniser
//! or the checks after it refused.
//!
//! It decides at the first byte that breaks a rule, so its answer for a block holds for every longer one. That is what
//! makes an outcome independent of how a head was fragmented.

use crate::fields::{is_token_byte, is_value_byte};
use crate::{Error, Limits};

/// What is known about a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is wrong so far, and the head goes on.
    Pending,
    /// The head is complete and nothing is wrong with it.
    Sound,
    /// The request line of an HTTP/2 preface.
    Preface,
    /// Something is wrong.
    Bad(Error),
}

/// Why reading stopped.
enum Stop {
    Pending,
    Preface,
    Bad(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Bad(error)
    }
}

/// Judges a block that begins where a request does.
#[cold]
#[inline(never)]
pub(crate) fn request(block: &[u8], limits: &Limits) -> Verdict {
    let mut cursor = Cursor { block, at: 0 };
    verdict(cursor.request_line(limits).and_then(|()| cursor.fields(limits.fields)))
}

/// Judges a block that begins where a response does.
#[cold]
#[inline(never)]
pub(crate) fn response(block: &[u8], limits: &Limits) -> Verdict {
    let mut cursor = Cursor { block, at: 0 };
    verdict(cursor.status_line().and_then(|()| cursor.fields(limits.fields)))
}

/// Judges a block of field lines with the empty line after them.
#[cold]
#[inline(never)]
pub(crate) fn fields(block: &[u8], limit: usize) -> Verdict {
    verdict(Cursor { block, at: 0 }.fields(limit))
}

fn verdict(read: Result<(), Stop>) -> Verdict {
    match read {
        Ok(()) => Verdict::Sound,
        Err(Stop::Pending) => Verdict::Pending,
        Err(Stop::Preface) => Verdict::Preface,
        Err(Stop::Bad(error)) => Verdict::Bad(error),
    }
}

struct Cursor<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Result<u8, Stop> {
        self.block.get(self.at).copied().ok_or(Stop::Pending)
    }

    fn next(&mut self) -> Result<u8, Stop> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn since(&self, start: usize) -> &'a [u8] {
        self.block.get(start..self.at).unwrap_or_default()
    }

    /// CRLF, where nothing else may stand.
    fn line_end(&mut self, otherwise: Error) -> Result<(), Stop> {
        match self.next()? {
            b'\r' => self.line_feed(),
            b'\n' => Err(Error::BareLf.into()),
            _ => Err(otherwise.into()),
        }
    }

    fn line_feed(&mut self) -> Result<(), Stop> {
        if self.next()? == b'\n' { Ok(()) } else { Err(Error::BareCr.into()) }
    }

    fn request_line(&mut self, limits: &Limits) -> Result<(), Stop> {
        match self.peek()? {
            b'\r' => {
                self.at += 1;
                self.line_feed()?;
                if matches!(self.peek()?, b'\r' | b'\n') {
                    return Err(Error::LeadingBlank.into());
                }
            }
            b'\n' => return Err(Error::BareLf.into()),
            _ => {}
        }
        let start = self.at;
        while is_token_byte(self.peek()?) {
            self.at += 1;
            if self.at - start > Limits::MAX_METHOD {
                return Err(Error::MethodTooLong.into());
            }
        }
        let method = self.since(start);
        if method.is_empty() || self.next()? != b' ' {
            return Err(Error::Method.into());
        }
        let start = self.at;
        while self.peek()? > b' ' && self.peek()? != 0x7f {
            self.at += 1;
            if self.at - start > limits.target {
                return Err(Error::TargetTooLong.into());
            }
        }
        let target = self.since(start);
        if target.is_empty() || self.next()? != b' ' || std::str::from_utf8(target).is_err() {
            return Err(Error::Target.into());
        }
        match self.version(Error::Version)? {
            b"1.0" | b"1.1" => self.line_end(Error::Version),
            b"2.0" if method == b"PRI" && target == b"*" => {
                self.line_end(Error::UnsupportedVersion)?;
                Err(Stop::Preface)
            }
            _ => Err(Error::UnsupportedVersion.into()),
        }
    }

    fn status_line(&mut self) -> Result<(), Stop> {
        if matches!(self.peek()?, b'\r' | b'\n') {
            return Err(Error::LeadingBlank.into());
        }
        if !matches!(self.version(Error::StatusLine)?, b"1.0" | b"1.1") {
            return Err(Error::UnsupportedVersion.into());
        }
        if self.next()? != b' ' {
            return Err(Error::StatusLine.into());
        }
        for lowest in [b'1', b'0', b'0'] {
            if !(lowest..=b'9').contains(&self.next()?) {
                return Err(Error::StatusLine.into());
            }
        }
        if self.peek()? == b' ' {
            while is_value_byte(self.peek()?) {
                self.at += 1;
            }
        }
        self.line_end(Error::StatusLine)
    }

    /// `HTTP/d.d`; gives the digits.
    fn version(&mut self, malformed: Error) -> Result<&'a [u8], Stop> {
        let start = self.at;
        for expected in *b"HTTP/" {
            if self.next()? != expected {
                return Err(malformed.into());
            }
        }
        let digits = self.next()?.is_ascii_digit() && self.next()? == b'.' && self.next()?.is_ascii_digit();
        if !digits {
            return Err(malformed.into());
        }
        Ok(self.since(start + 5))
    }

    fn fields(&mut self, limit: usize) -> Result<(), Stop> {
        let mut count = 0;
        loop {
            match self.peek()? {
                b'\r' | b'\n' => return self.line_end(Error::BareCr),
                b' ' | b'\t' => return Err(Error::ObsFold.into()),
                _ if count == limit => return Err(Error::TooManyFields.into()),
                _ => count += 1,
            }
            let start = self.at;
            while is_token_byte(self.peek()?) {
                self.at += 1;
                if self.at - start > usize::from(u16::MAX) {
                    return Err(Error::HeadTooLarge.into());
                }
            }
            if self.at == start || self.next()? != b':' {
                return Err(Error::FieldName.into());
            }
            while is_value_byte(self.peek()?) {
                self.at += 1;
            }
            self.line_end(Error::FieldValue)?;
        }
    }
}
