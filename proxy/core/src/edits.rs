//! Header edits of routes, destinations and mirrors, ready to run.

use sluice_model::{
    spec,
    template::{Segment, Template},
    value::HeaderName,
};
use std::sync::Arc;

/// Header edits in both directions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouteEdits {
    /// On the way up.
    pub request: CompiledEdits,
    /// On the way down; also for answers that the proxy makes after routing. Requests hold on to it until then.
    pub response: Arc<CompiledEdits>,
}

/// Edits of one head. They run in the order remove, set, add; a destination's edits run before its route's, so that the
/// route's `set` wins. All values are computed from the head as it was before any edit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CompiledEdits {
    /// Names whose fields are removed.
    pub remove: Box<[Box<str>]>,
    /// Fields that replace all of the same name. Request field `host` is not among them, see [`Self::host`].
    pub set: Box<[CompiledField]>,
    /// Fields that are appended.
    pub add: Box<[CompiledField]>,
    /// What a `set` (or else an `add`) of `host` asks for: it replaces the authority. Empty text changes nothing.
    pub host: Option<FieldValue>,
}

/// A field to set or add.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledField {
    /// In lower case.
    pub name: Box<str>,
    /// Its value. One that comes out empty leaves the edit out: the field stays as it is.
    pub value: FieldValue,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// Always the same; nothing is formatted.
    Static(Box<str>),
    /// Evaluated for each request.
    Variable(Template),
}

// === impl RouteEdits ===

impl RouteEdits {
    /// Prepares the edits of one level.
    pub fn compile(headers: &spec::RouteHeaders) -> Self {
        Self {
            request: CompiledEdits::compile(&headers.request),
            response: Arc::new(CompiledEdits::compile(&headers.response)),
        }
    }
}

// === impl CompiledEdits ===

impl CompiledEdits {
    /// Prepares the edits of one head.
    pub fn compile(edits: &spec::HeaderEdits) -> Self {
        let host = |list: &[spec::HeaderValue]| {
            list.iter()
                .rev()
                .find(|field| field.name.as_str() == "host")
                .map(|field| FieldValue::compile(&field.value))
        };
        Self {
            remove: edits.remove.iter().map(HeaderName::as_str).map(Into::into).collect(),
            set: fields(&edits.set),
            add: fields(&edits.add),
            host: host(&edits.set).or_else(|| host(&edits.add)),
        }
    }

    /// Whether nothing is edited.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty() && self.host.is_none()
    }
}

fn fields(list: &[spec::HeaderValue]) -> Box<[CompiledField]> {
    list.iter()
        .filter(|field| field.name.as_str() != "host")
        .map(|field| CompiledField {
            name: field.name.as_str().into(),
            value: FieldValue::compile(&field.value),
        })
        .filter(|field| !matches!(&field.value, FieldValue::Static(text) if text.is_empty()))
        .collect()
}

// === impl FieldValue ===

impl FieldValue {
    /// Validation has read the same text before; text that is no template after all is taken literally.
    fn compile(text: &str) -> Self {
        let Ok(template) = text.parse::<Template>() else { return Self::Static(text.into()) };
        match template.segments() {
            [] => Self::Static("".into()),
            [Segment::Literal(text)] => Self::Static(text.clone()),
            _ => Self::Variable(template),
        }
    }
}
