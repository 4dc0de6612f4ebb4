//! The grammar of heads, one byte after the other: finds the end of a head that comes in fragments without looking at
//! a byte twice, and says what exactly is wrong with one that the tokeniser refused.
//!
//! It stops at the first byte that breaks a rule, wherever the fragments end, so the outcome for a head never depends
//! on how it was split. A head that arrives in one piece and is sound never comes here.
//!
//! ```text
//! request:  Start ─▶ (Lead) ─▶ Method ─▶ Target ─▶ Version ─▶ LineEnd ─┐
//! response: Start ─▶ Version ─▶ Code ─▶ AfterCode ─▶ Reason ───────────┤
//! trailers: ──────────────────────────────────────────────┐            │
//!                                        ┌─ Name ◀─ Field ◀┴─ LineFeed ◀┤
//!                                        └─▶ Value ────────────────────┘
//!                                           Field ─▶ EndFeed ─▶ sound
//! ```

use crate::fields::{is_token_byte, is_value_byte};
use crate::{Error, Limits};

/// How far a block was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grammar {
    /// The first byte not looked at.
    at: usize,
    /// Where the method, target, version or name began that `at` is in.
    start: usize,
    fields: usize,
    place: Place,
    /// The line may still be that of an HTTP/2 preface.
    preface: bool,
}

/// What is known about a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is wrong so far, and the head goes on.
    Pending,
    /// The head ends before byte `end`, and nothing is wrong with it.
    Sound { end: usize },
    /// The request line of an HTTP/2 preface.
    Preface,
    /// Something is wrong.
    Bad(Error),
}

#[derive(Debug, Clone, Copy)]
enum Place {
    RequestStart,
    LeadFeed,
    AfterLead,
    Method,
    Target,
    RequestVersion,
    RequestLineEnd,
    PrefaceEnd,
    PrefaceFeed,
    ResponseStart,
    ResponseVersion,
    /// This many bytes of ` 200` were read.
    Code(u8),
    AfterCode,
    Reason,
    LineFeed,
    Field,
    Name,
    Value,
    EndFeed,
}

impl Grammar {
    /// At the start of a request.
    pub(crate) const REQUEST: Self = Self::starting(Place::RequestStart);
    /// At the start of a response.
    pub(crate) const RESPONSE: Self = Self::starting(Place::ResponseStart);
    /// At the start of field lines.
    pub(crate) const FIELDS: Self = Self::starting(Place::Field);

    const fn starting(place: Place) -> Self {
        Self { at: 0, start: 0, fields: 0, place, preface: false }
    }

    /// Whether no byte was looked at.
    pub(crate) fn is_fresh(&self) -> bool {
        self.at == 0
    }

    /// Reads on to the end of `block`, which is the one of the last call, perhaps grown. After any verdict but
    /// `Pending`, the next block needs a new grammar.
    #[cold]
    #[inline(never)]
    pub(crate) fn advance(&mut self, block: &[u8], limits: &Limits) -> Verdict {
        loop {
            match self.place {
                Place::Method => self.run(block, Limits::MAX_METHOD, is_token_byte),
                Place::Target => self.run(block, limits.target, |byte| byte > b' ' && byte != 0x7f),
                Place::Name => self.run(block, usize::from(u16::MAX), is_token_byte),
                Place::Value | Place::Reason => self.run(block, usize::MAX, is_value_byte),
                _ => {}
            }
            let Some(&byte) = block.get(self.at) else { return Verdict::Pending };
            match self.step(block, byte, limits) {
                Ok(Place::EndFeed) if byte == b'\n' => return Verdict::Sound { end: self.at },
                Ok(Place::PrefaceFeed) if byte == b'\n' => return Verdict::Preface,
                Ok(place) => self.place = place,
                Err(error) => return Verdict::Bad(error),
            }
        }
    }

    /// Passes over bytes of one kind, up to one more than are allowed.
    fn run(&mut self, block: &[u8], most: usize, of_kind: impl Fn(u8) -> bool) {
        let end = self.start.saturating_add(most).min(block.len());
        while self.at < end && block.get(self.at).is_some_and(|&byte| of_kind(byte)) {
            self.at += 1;
        }
    }

    /// Judges one byte, the first that is not part of a run, and moves behind it. Two places, when stayed in, mean the
    /// end of reading.
    fn step(&mut self, block: &[u8], byte: u8, limits: &Limits) -> Result<Place, Error> {
        let token = block.get(self.start..self.at).unwrap_or_default();
        let place = match (self.place, byte) {
            (Place::RequestStart, b'\r') => Place::LeadFeed,
            (Place::RequestStart, b'\n') => return Err(Error::BareLf),
            (Place::LeadFeed, b'\n') => Place::AfterLead,
            (Place::AfterLead | Place::ResponseStart, b'\r' | b'\n') => return Err(Error::LeadingBlank),
            (Place::RequestStart | Place::AfterLead, _) => return Ok(self.begin(Place::Method)),

            (Place::Method, b' ') if !token.is_empty() => {
                self.preface = token == b"PRI";
                self.start = self.at + 1;
                Place::Target
            }
            (Place::Method, _) if is_token_byte(byte) => return Err(Error::MethodTooLong),
            (Place::Method, _) => return Err(Error::Method),

            (Place::Target, b' ') if !token.is_empty() && std::str::from_utf8(token).is_ok() => {
                self.preface &= token == b"*";
                self.start = self.at + 1;
                Place::RequestVersion
            }
            (Place::Target, _) if byte > b' ' && byte != 0x7f => return Err(Error::TargetTooLong),
            (Place::Target, _) => return Err(Error::Target),

            (Place::RequestVersion, _) => match version(token, byte).ok_or(Error::Version)? {
                Spoken::Unfinished => Place::RequestVersion,
                Spoken::Ours => Place::RequestLineEnd,
                Spoken::Http2 if self.preface => Place::PrefaceEnd,
                Spoken::Http2 | Spoken::Other => return Err(Error::UnsupportedVersion),
            },
            (Place::PrefaceEnd, b'\r') => Place::PrefaceFeed,
            (Place::PrefaceFeed, b'\n') => Place::PrefaceFeed,

            (Place::ResponseStart, _) => return Ok(self.begin(Place::ResponseVersion)),
            (Place::ResponseVersion, _) => match version(token, byte).ok_or(Error::StatusLine)? {
                Spoken::Unfinished => Place::ResponseVersion,
                Spoken::Ours => Place::Code(0),
                Spoken::Http2 | Spoken::Other => return Err(Error::UnsupportedVersion),
            },
            (Place::Code(0), b' ') => Place::Code(1),
            (Place::Code(1), b'1'..=b'9') => Place::Code(2),
            (Place::Code(2), b'0'..=b'9') => Place::Code(3),
            (Place::Code(3), b'0'..=b'9') => Place::AfterCode,
            (Place::AfterCode, b' ') => Place::Reason,

            (Place::RequestLineEnd | Place::AfterCode | Place::Reason | Place::Value, b'\r') => {
                Place::LineFeed
            }
            (Place::LineFeed, b'\n') => Place::Field,
            (Place::Field, b'\r') => Place::EndFeed,
            (Place::EndFeed, b'\n') => Place::EndFeed,

            (Place::Field, b'\n') => return Err(Error::BareLf),
            (Place::Field, b' ' | b'\t') => return Err(Error::ObsFold),
            (Place::Field, _) if self.fields == limits.fields.min(Limits::MAX_FIELDS) => {
                return Err(Error::TooManyFields);
            }
            (Place::Field, _) => {
                self.fields += 1;
                return Ok(self.begin(Place::Name));
            }
            (Place::Name, b':') if !token.is_empty() => Place::Value,
            (Place::Name, _) if is_token_byte(byte) => return Err(Error::HeadTooLarge),
            (Place::Name, _) => return Err(Error::FieldName),

            (Place::LeadFeed | Place::PrefaceFeed | Place::LineFeed | Place::EndFeed, _) => {
                return Err(Error::BareCr);
            }
            (
                Place::RequestLineEnd | Place::PrefaceEnd | Place::AfterCode | Place::Reason | Place::Value,
                b'\n',
            ) => {
                return Err(Error::BareLf);
            }
            (Place::RequestLineEnd, _) => return Err(Error::Version),
            (Place::PrefaceEnd, _) => return Err(Error::UnsupportedVersion),
            (Place::Code(_) | Place::AfterCode | Place::Reason, _) => return Err(Error::StatusLine),
            (Place::Value, _) => return Err(Error::FieldValue),
        };
        self.at += 1;
        Ok(place)
    }

    /// `at` is the first byte of `place`, which will look at it again.
    fn begin(&mut self, place: Place) -> Place {
        self.start = self.at;
        place
    }
}

enum Spoken {
    Unfinished,
    Ours,
    Http2,
    Other,
}

/// Judges the next byte of `HTTP/d.d`.
fn version(before: &[u8], byte: u8) -> Option<Spoken> {
    let fits = match before.len() {
        place @ 0..=4 => b"HTTP/".get(place) == Some(&byte),
        6 => byte == b'.',
        _ => byte.is_ascii_digit(),
    };
    match (fits, before, byte) {
        (false, ..) => None,
        (true, b"HTTP/1.", b'0' | b'1') => Some(Spoken::Ours),
        (true, b"HTTP/2.", b'0') => Some(Spoken::Http2),
        (true, [_, _, _, _, _, _, _, ..], _) => Some(Spoken::Other),
        (true, ..) => Some(Spoken::Unfinished),
    }
}
