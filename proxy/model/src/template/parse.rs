//! Reading templates.

use super::Template;
use std::str::FromStr;

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidTemplate {
    /// The byte at which it goes wrong.
    pub position: usize,
    /// What is wrong; names the operator.
    pub message: String,
    /// What was probably meant, as a clause.
    pub suggestion: Option<String>,
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(_: &str) -> Result<Self, InvalidTemplate> {
        todo!()
    }
}
