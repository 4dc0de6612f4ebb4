//! Replacements with captures.

use super::{At, Context};
use crate::value::Regex;

/// What a replacement holds beside captures.
pub(super) struct Literal {
    pub(super) text: String,
    pub(super) begins_with_capture: bool,
}

/// Every capture exists in the pattern, and backslashes are written as they are meant. `None` where they are not.
pub(super) fn check(cx: &mut Context<'_>, pattern: &Regex, replacement: &str, at: At<'_>) -> Option<Literal> {
    let captures = pattern.captures();
    let mut literal = String::new();
    let mut begins_with_capture = false;
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            literal.push(c);
            continue;
        }
        match chars.next() {
            Some('\\') => literal.push('\\'),
            Some(digit @ '0'..='9') => {
                begins_with_capture |= literal.is_empty();
                let wanted = digit as usize - '0' as usize;
                if wanted > captures {
                    cx.error(at, format!("the pattern has no capture `\\{wanted}`"));
                }
            }
            _ => {
                cx.error(at, "behind `\\` stands a digit or another `\\`")
                    .suggest("write `\\\\` for a backslash");
                return None;
            }
        }
    }
    let dollar =
        literal.split('$').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '{'));
    if dollar {
        cx.warning(at, "`$` stands for itself in a replacement").suggest("captures are written `\\1`");
    }
    Some(Literal { text: literal, begins_with_capture })
}
