//! [`Fields`] over what each codec received, and sinks over what each codec sends.

use super::{FieldSink, Received, ReceivedField, header_name};
use http::{HeaderMap, HeaderName, HeaderValue};
use sluice_filter::Fields;
use sluice_http1::{FieldView, FieldsView, Known, encode};
use sluice_model::spec::{HeaderPolicy, UnderscorePolicy};

/// An HTTP/1 head as [`Fields`].
#[derive(Debug, Clone, Copy)]
pub struct BlockFields<'a>(pub FieldsView<'a>);

impl Fields for BlockFields<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name.as_bytes())
    }
    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        self.0.iter().for_each(|field| visit(field.name, field.value));
    }
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        self.0.all(name.as_bytes()).for_each(visit);
    }
    fn count(&self) -> usize {
        self.0.len()
    }
}

impl Received for BlockFields<'_> {
    fn each_received(&self, visit: &mut dyn FnMut(&ReceivedField<'_>)) {
        self.0.iter().for_each(|field| visit(&field.into()));
    }
}

impl<'a> From<FieldView<'a>> for ReceivedField<'a> {
    fn from(field: FieldView<'a>) -> Self {
        Self { known: field.known, name: field.name, value: field.value, typed: false, line: field.line }
    }
}

/// An HTTP/2 head as [`Fields`].
#[derive(Debug, Clone, Copy)]
pub struct MapFields<'a>(pub &'a HeaderMap);

impl Fields for MapFields<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(HeaderValue::as_bytes)
    }
    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self.0 {
            visit(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for value in self.0.get_all(name) {
            visit(value.as_bytes());
        }
    }
    fn count(&self) -> usize {
        self.0.len()
    }
}

impl Received for MapFields<'_> {
    fn each_received(&self, visit: &mut dyn FnMut(&ReceivedField<'_>)) {
        for (name, value) in self.0 {
            let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
            visit(&ReceivedField { known: Known::of(name), name, value, typed: true, line: None });
        }
    }
}

/// The fields of a request but for those whose names have underscores.
#[derive(Clone, Copy)]
pub(crate) struct WithoutUnderscores<'a>(pub(crate) &'a dyn Fields);

impl<'a> WithoutUnderscores<'a> {
    /// The fields that decisions are made by: where servers do not get those with underscores, nobody else heeds them.
    pub(crate) fn heeded(&'a self, policy: &HeaderPolicy) -> &'a dyn Fields {
        if policy.underscores == UnderscorePolicy::Drop { self } else { self.0 }
    }
}

impl Fields for WithoutUnderscores<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        if name.contains('_') { None } else { self.0.first(name) }
    }
    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        self.0.each(&mut |name, value| {
            if !name.contains(&b'_') {
                visit(name, value);
            }
        });
    }
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if !name.contains('_') {
            self.0.each_value(name, visit);
        }
    }
    fn count(&self) -> usize {
        let mut count = 0;
        self.each(&mut |_, _| count += 1);
        count
    }
}

/// Appends a head to an HTTP/1 write buffer.
#[derive(Debug)]
pub struct BlockSink<'a>(pub &'a mut Vec<u8>);

impl FieldSink for BlockSink<'_> {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        encode::field(self.0, name, value);
    }
}

/// Writes a head into an HTTP/2 header map. Fields that HTTP/2 cannot carry are left out.
#[derive(Debug)]
pub struct HeaderMapSink<'a>(pub &'a mut HeaderMap);

impl HeaderMapSink<'_> {
    /// A field whose name was classified.
    pub fn classified(&mut self, known: Known, name: &[u8], value: &[u8]) {
        let name = header_name(known).map_or_else(|| HeaderName::from_bytes(name), Ok);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            let _ = self.0.try_append(name, value);
        }
    }
}

impl FieldSink for HeaderMapSink<'_> {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.classified(Known::of(name), name, value);
    }

    fn received(&mut self, field: &ReceivedField<'_>) {
        self.classified(field.known, field.name, field.value);
    }
}

/// Keeps a head as text; for tests and tools.
impl FieldSink for Vec<(String, String)> {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.push((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()));
    }
}
