//! The trailer section: the only part of a message that this crate copies, because nothing keeps its bytes together
//! otherwise. Trailers are rare and small.

use httparse::{EMPTY_HEADER, Status};

use crate::fields::FieldIndex;
use crate::grammar::{Grammar, Verdict};
use crate::limits::USUAL_FIELDS;
use crate::{BodyLimits, Error, FieldsView, Limits};

/// The trailers of a chunked body that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Trailers<'a> {
    fields: FieldsView<'a>,
}

/// Collects a trailer section.
#[derive(Debug)]
pub(crate) struct Section {
    /// All of the section so far; nothing while it may still be an empty line alone.
    bytes: Vec<u8>,
    grammar: Grammar,
    /// The section's first byte was CR.
    empty: bool,
    index: FieldIndex,
}

// === impl Section ===

impl Section {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.grammar = Grammar::FIELDS;
        self.empty = false;
        self.index.clear();
    }

    pub(crate) fn view(&self) -> Trailers<'_> {
        Trailers { fields: self.index.view(&self.bytes) }
    }

    /// Takes bytes up to the end of the section. Gives how many, and whether that was the end.
    pub(crate) fn take(&mut self, input: &[u8], limits: &BodyLimits) -> Result<(usize, bool), Error> {
        if self.bytes.is_empty() {
            match (self.empty, input) {
                (_, []) => return Ok((0, false)),
                (false, [b'\r']) => {
                    self.empty = true;
                    return Ok((1, false));
                }
                (false, [b'\r', b'\n', ..]) => return Ok((2, true)),
                (true, [b'\n', ..]) => return Ok((1, true)),
                (false, [b'\r', ..]) | (true, _) => return Err(Error::BareCr),
                (false, _) => {}
            }
        }
        self.collect(input, limits)
    }

    #[cold]
    fn collect(&mut self, input: &[u8], limits: &BodyLimits) -> Result<(usize, bool), Error> {
        let before = self.bytes.len();
        let fits = input.get(..limits.trailers.saturating_sub(before)).unwrap_or(input);
        self.bytes.extend_from_slice(fits);
        let fields = limits.trailer_fields.min(Limits::MAX_FIELDS);
        match self.grammar.advance(&self.bytes, &Limits { fields, ..Limits::default() }) {
            Verdict::Pending if fits.len() < input.len() => Err(Error::TrailersTooLarge),
            Verdict::Pending => Ok((input.len(), false)),
            Verdict::Bad(Error::TooManyFields | Error::HeadTooLarge) => Err(Error::TrailersTooLarge),
            Verdict::Bad(error) => Err(error),
            Verdict::Sound { end } => {
                self.bytes.truncate(end);
                let indexed = if fields <= USUAL_FIELDS {
                    self.fill::<USUAL_FIELDS>()
                } else {
                    self.fill::<{ Limits::MAX_FIELDS }>()
                };
                // Not reached while tokeniser and grammar agree, which tests hold; nor is a preface.
                if indexed { Ok((end - before, true)) } else { Err(Error::FieldName) }
            }
            Verdict::Preface => Err(Error::FieldName),
        }
    }

    fn fill<const N: usize>(&mut self) -> bool {
        let mut headers = [EMPTY_HEADER; N];
        match httparse::parse_headers(&self.bytes, &mut headers) {
            Ok(Status::Complete((_, headers))) => self.index.fill(&self.bytes, headers),
            _ => false,
        }
    }
}

impl Default for Section {
    fn default() -> Self {
        Self { bytes: Vec::new(), grammar: Grammar::FIELDS, empty: false, index: FieldIndex::default() }
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
