//! Text with variables, `text %OPERATOR(argument):length%`: header values and access-log formats.
//!
//! The language is Envoy's: `%%` is a percent sign, an operator may have an argument in parentheses and a maximal
//! length in bytes behind a colon. A variable without a value comes out as `-` in an access log, and as nothing in a
//! header. This module only reads and prints the language; `sluice-core` evaluates it.

mod operator;
mod parse;
mod time;

pub use operator::{Moment, Operator, RequestField};
pub use parse::InvalidTemplate;
pub use time::{TimeFormat, TimePart};

use std::fmt;

/// Literal text and variables, in order. Neighbouring literals are merged and never empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    segments: Vec<Segment>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Text that comes out as it is; `%%` is already one percent sign.
    Literal(Box<str>),
    /// Something that is known when the template is evaluated.
    Variable {
        /// What.
        operator: Operator,
        /// At most this many bytes of it.
        max_len: Option<usize>,
    },
}

impl Template {
    /// In order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The text, where there is no variable in it.
    pub fn as_literal(&self) -> Option<&str> {
        match &*self.segments {
            [] => Some(""),
            [Segment::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => out.write_str(&text.replace('%', "%%"))?,
                Segment::Variable { operator, max_len: None } => write!(out, "%{operator}%")?,
                Segment::Variable { operator, max_len: Some(length) } => {
                    write!(out, "%{operator}:{length}%")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
