//! nginx's configuration language, as snippets are written in it.
//!
//! ```text
//! text ─▶ lex: words, `;`, `{`, `}`, each with its line ─▶ parse: directives ─▶ translate: what a route can carry
//! ```
//!
//! Nothing of a snippet is ever run. One is translated as a whole or refused as a whole, with the line and the directive.

mod lex;
mod parse;
mod translate;

pub(crate) use parse::{Directive, parse};
pub(crate) use translate::{field, literal_field, protects, translate};

/// Why a snippet is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// From 1.
    pub(crate) line: usize,
    /// What is wrong, and with which directive.
    pub(crate) message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "line {}: {}", self.line, self.message)
    }
}
