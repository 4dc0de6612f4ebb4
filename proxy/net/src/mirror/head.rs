//! The head of a copy, written down until it is known what its endpoint speaks.

use crate::upstream::RequestLine;
use sluice_core::{exchange::Outgoing, head::FieldSink};

/// A request's head in no codec's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyHead {
    method: Box<str>,
    scheme: Box<str>,
    authority: Box<str>,
    target: Box<str>,
    text: Vec<u8>,
    /// Where each name ends and each value ends.
    fields: Vec<(usize, usize)>,
}

impl CopyHead {
    /// A head without fields.
    pub(crate) fn new(line: &Outgoing<'_>) -> Self {
        Self {
            method: line.method.into(),
            scheme: line.scheme.into(),
            authority: line.authority.into(),
            target: line.target.into(),
            text: Vec::with_capacity(512),
            fields: Vec::with_capacity(16),
        }
    }

    pub(super) fn line(&self) -> RequestLine<'_> {
        RequestLine {
            method: &self.method,
            scheme: &self.scheme,
            authority: &self.authority,
            target: &self.target,
            protocol: None,
        }
    }

    pub(super) fn write(&self, sink: &mut impl FieldSink) {
        let mut start = 0;
        for &(name, value) in &self.fields {
            sink.field(&self.text[start..name], &self.text[name..value]);
            start = value;
        }
    }
}

impl FieldSink for CopyHead {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.text.extend_from_slice(name);
        let end = self.text.len();
        self.text.extend_from_slice(value);
        self.fields.push((end, self.text.len()));
    }
}
