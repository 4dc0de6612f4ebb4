//! The trailer section: the only part of a message that this crate copies, because nothing keeps its bytes together
//! otherwise. Trailers are rare and small.

use httparse::{EMPTY_HEADER, Status};

use crate::diagnose::{self, Verdict};
use crate::fields::FieldIndex;
use crate::limits::USUAL_FIELDS;
use crate::{BodyLimits, Error, FieldsView, Limits};

/// The trailers of a chunked body that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Trailers<'a> {
    fields: FieldsView<'a>,
}

/// Collects a trailer section.
#[derive(Debug, Default)]
pub(crate) struct Section {
    /// The lines so far. A single CR may be the first half of the empty line and is kept in `empty` instead.
    bytes: Vec<u8>,
    /// Where the line begins that is not yet complete.
    line: usize,
    /// The section's first byte was CR.
    empty: bool,
    index: FieldIndex,
}

// === impl Section ===

impl Section {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.line = 0;
        self.empty = false;
        self.index.clear();
    }

    pub(crate) fn view(&self) -> Trailers<'_> {
        Trailers { fields: self.index.view(&self.bytes) }
    }

    /// Takes bytes up to the end of the section. Gives how many, and whether that was the end.
    pub(crate) fn take(&mut self, input: &[u8], limits: &BodyLimits) -> Result<(usize, bool), Error> {
        let mut taken = 0;
        if self.bytes.is_empty() {
            for &byte in input.iter().take(2) {
                match (self.empty, byte) {
                    (false, b'\r') => self.empty = true,
                    (false, _) => break,
                    (true, b'\n') => return Ok((taken + 1, true)),
                    (true, _) => return Err(Error::BareCr),
                }
                taken += 1;
            }
        }
        while let Some(rest) = input.get(taken..).filter(|rest| !rest.is_empty()) {
            let room = limits.trailers.saturating_sub(self.bytes.len());
            let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
            let fits = rest.get(..line.min(room)).unwrap_or_default();
            self.bytes.extend_from_slice(fits);
            taken += fits.len();
            if line > room {
                return Err(self.judge(limits).unwrap_or(Error::TrailersTooLarge));
            }
            match self.bytes.get(self.line..).unwrap_or_default() {
                b"\r\n" => return self.close(limits).map(|()| (taken, true)),
                line if line.ends_with(b"\r\n") => self.line = self.bytes.len(),
                line if line.ends_with(b"\n") => return Err(self.judge(limits).unwrap_or(Error::BareLf)),
                _ => {}
            }
        }
        Ok((taken, false))
    }

    #[cold]
    fn close(&mut self, limits: &BodyLimits) -> Result<(), Error> {
        let most = limits.trailer_fields.min(Limits::MAX_FIELDS);
        let sound = if most <= USUAL_FIELDS {
            self.fill::<USUAL_FIELDS>(most)
        } else {
            self.fill::<{ Limits::MAX_FIELDS }>(most)
        };
        if sound { Ok(()) } else { Err(self.judge(limits).unwrap_or(Error::FieldName)) }
    }

    fn fill<const N: usize>(&mut self, most: usize) -> bool {
        let mut headers = [EMPTY_HEADER; N];
        match httparse::parse_headers(&self.bytes, headers.get_mut(..most).unwrap_or_default()) {
            Ok(Status::Complete((len, headers))) => {
                len == self.bytes.len() && self.index.fill(&self.bytes, headers)
            }
            _ => false,
        }
    }

    fn judge(&self, limits: &BodyLimits) -> Option<Error> {
        match diagnose::fields(&self.bytes, limits.trailer_fields.min(Limits::MAX_FIELDS)) {
            Verdict::Bad(Error::TooManyFields | Error::HeadTooLarge) => Some(Error::TrailersTooLarge),
            Verdict::Bad(error) => Some(error),
            _ => None,
        }
    }
}

// === impl Trailers ===

impl<'a> Trailers<'a> {
    /// The fields, in order.
    pub fn fields(self) -> FieldsView<'a> {
        self.fields
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.fields.is_empty()
    }

    /// Whether some field may not be a trailer; see
    /// [`Known::forbidden_in_trailers`](crate::Known::forbidden_in_trailers).
    pub fn forbidden(self) -> bool {
        self.fields.iter().any(|field| field.known.forbidden_in_trailers())
    }
}
