//! nginx's configuration language, as snippets are written in it.
//!
//! ```text
//! text ─▶ lex: words, `;`, `{`, `}`, each with its line ─▶ parse: directives ─▶ translate: what a route can carry
//!                                                         fields, answer, rewrite, variables ◀──┘
//! ```
//!
//! Nothing of a snippet is ever run. One is translated as a whole or refused as a whole, with the line and the directive;
//! what is safe to leave out is a `note`.

mod answer;
mod fields;
mod lex;
mod note;
mod parse;
mod policy;
mod rewrite;
mod translate;
mod variables;

pub(crate) use answer::location;
pub(crate) use fields::{field, literal_field, set};
pub(crate) use note::Note;
pub(crate) use parse::{Directive, parse};
pub(crate) use policy::Policy;
pub(crate) use rewrite::{PathRule, Then, absolute, away, replacement, whole};
pub(crate) use translate::{protects, translate};
pub(crate) use variables::{Place, is_constant, template};

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
