//! Regular expressions in RE2 syntax.

use super::{InvalidValue, text_value};
use crate::convert::brief;
use regex_automata::{PatternID, meta};
use std::{fmt, str::FromStr};

/// A regular expression in RE2 syntax, known to compile within [`Regex::MAX_COMPILED_BYTES`].
///
/// Look-around and back-references do not exist in RE2 and are refused by name: matching time stays linear in
/// the input, whatever a manifest says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Regex(Box<str>);

text_value!(Regex, "Regex", "A regular expression in RE2 syntax (no look-around, no back-references).", None);

impl Regex {
    /// The longest pattern that is accepted, in bytes.
    pub const MAX_PATTERN_BYTES: usize = 4096;
    /// The most memory that one compiled pattern may take.
    pub const MAX_COMPILED_BYTES: usize = 1 << 20;

    /// How many captures it has; `\0`, the whole match, is not one of them.
    pub fn captures(&self) -> usize {
        let groups = |regex: meta::Regex| regex.group_info().group_len(PatternID::ZERO);
        meta::Regex::new(&self.0).map_or(0, |regex| groups(regex).saturating_sub(1))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Regex {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text.len() > Self::MAX_PATTERN_BYTES {
            return Err(InvalidValue(format!(
                "`{}` is a regular expression of {} bytes; {} are allowed",
                brief(text),
                text.len(),
                Self::MAX_PATTERN_BYTES
            )));
        }
        meta::Regex::builder()
            .configure(meta::Config::new().nfa_size_limit(Some(Self::MAX_COMPILED_BYTES)))
            .build(text)
            .map_err(|error| {
                InvalidValue(format!("`{}` is not a regular expression: {}", brief(text), reason(&error)))
            })?;
        Ok(Self(text.into()))
    }
}

/// In one line; what the parser has to say spans several, the last of which is the reason.
fn reason(error: &meta::BuildError) -> String {
    if error.size_limit().is_some() {
        return format!("it takes more than {} bytes when compiled", Regex::MAX_COMPILED_BYTES);
    }
    let text = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
    let last = text.lines().last().unwrap_or_default();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    if last.starts_with("look-around") || last.starts_with("backreferences") {
        format!("{last} in RE2 syntax")
    } else {
        last.to_owned()
    }
}

impl fmt::Display for Regex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "/{}/", self.0)
    }
}
