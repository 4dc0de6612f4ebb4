//! Why a conversion stopped, and where.

use super::problem::{Found, Reason};
use crate::tree::{NodeId, Step};
use serde::de::{Expected, Unexpected};
use std::fmt;

/// Why a conversion stopped. Boxed, because it is rare and passes through many hands.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) reason: Reason,
    /// What has to be mended; the innermost value that knows of the error.
    pub(super) spot: Option<Spot>,
    /// What the user is shown, where that is not the spot itself: a key.
    pub(super) shown: Option<NodeId>,
    /// From the spot up to where the conversion began.
    pub(super) path: Vec<Step>,
}

/// A value, or something inside a hole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) node: NodeId,
    /// The way from the node into the hole; empty for the hole that is the node.
    pub(super) hole: Option<Box<str>>,
}

/// [`Stop`] as serde's error.
#[derive(Debug)]
pub(super) struct Error(pub(super) Box<Stop>);

impl Error {
    pub(super) fn new(reason: Reason) -> Self {
        Self(Box::new(Stop { reason, spot: None, shown: None, path: Vec::new() }))
    }

    /// Only the first, innermost, call has an effect.
    pub(super) fn at(mut self, node: NodeId, hole: Option<&str>) -> Self {
        self.0.spot.get_or_insert_with(|| Spot { node, hole: hole.map(Into::into) });
        self
    }

    pub(super) fn showing(mut self, node: NodeId) -> Self {
        self.0.shown.get_or_insert(node);
        self
    }

    pub(super) fn below(mut self, step: impl FnOnce() -> Step) -> Self {
        self.0.path.push(step());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.reason.message(false))
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Reason::Value { message: message.to_string() })
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(value) => Found::Bool(value),
            Unexpected::Unsigned(number) => Found::Number(number.to_string()),
            Unexpected::Signed(number) => Found::Number(number.to_string()),
            Unexpected::Float(number) => Found::Number(number.to_string()),
            Unexpected::Str(text) => Found::Text(text.to_owned()),
            Unexpected::Char(c) => Found::Text(c.to_string()),
            Unexpected::Seq => Found::Sequence,
            Unexpected::Unit | Unexpected::Option => Found::Null,
            Unexpected::Other(text) => Found::Number(text.to_owned()),
            _ => Found::Mapping,
        };
        Self::new(Reason::Type { found, expected: expected.to_string(), fields: &[] })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Reason::UnknownVariant { variant: variant.to_owned(), expected })
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Reason::UnknownField { field: field.to_owned(), expected })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Reason::MissingField { field })
    }
}
