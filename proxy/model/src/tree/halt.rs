//! Where reading cannot go on: what is said about it, and what was probably meant.

use super::{Position, parse::position};
use saphyr_parser::ScanError;

/// The largest text in which an unquoted scalar is read as what was meant: each of them means reading the text once more.
const MAX_GUESS_BYTES: usize = 1 << 20;

/// Where reading cannot go on.
pub(super) enum Halt {
    Yaml(ScanError),
    Bound(Position, String),
}

// === impl Halt ===

impl Halt {
    /// Place, message and what to do about it.
    pub(super) fn explain(&self, text: &str) -> (Position, String, Option<String>) {
        let error = match self {
            Self::Bound(position, message) => return (*position, message.clone(), None),
            Self::Yaml(error) => error,
        };
        let info = error.info();
        let suggestion = match info {
            _ if info.contains("tab") => Some("indent with spaces"),
            _ if info.contains("mapping values are not allowed") => {
                Some("check the indentation, and put a value that contains `: ` in quotes")
            }
            _ if info.contains("end of stream") => Some("a closing quote is missing"),
            _ if info.contains("expected ',' or") => Some("a closing bracket or a comma is missing"),
            _ if info.contains("escape") => Some("write `\\\\` for a backslash, or use single quotes"),
            _ if info.contains("double-quoted scalar") => Some("quote the whole value"),
            _ if info.contains("expected key")
                || info.contains("indicator")
                || info.contains("indent")
                || info.contains("simple key") =>
            {
                Some("check the indentation")
            }
            _ => None,
        };
        let info = info.rsplit_once("while ").map_or(info, |(_, info)| info);
        let info = info.split_once(", ").map_or(info, |(_, info)| info);
        let mut place = position(*error.marker());
        if error.info().contains("tab")
            && let Some(line) = first_tab(text, place.line)
        {
            place = line;
        }
        (place, format!("this is not YAML: {info}"), suggestion.map(str::to_owned))
    }
}

/// Reads an unquoted scalar that begins with an indicator as text: the text with that one character replaced, and where.
pub(super) fn guess(text: &str, halt: &Halt) -> Option<(String, Position)> {
    let Halt::Yaml(error) = halt else { return None };
    if text.len() > MAX_GUESS_BYTES {
        return None;
    }
    let alias = error.info().contains("anchor");
    let wanted = |c: char| if alias { c == '*' } else { matches!(c, '%' | '@' | '`') };
    if !alias && !error.info().contains("unexpected character") {
        return None;
    }
    // Some errors point behind the indicator.
    let marker = error.marker();
    let mut around = text.char_indices().skip(marker.index().saturating_sub(1)).take(2);
    let (at, behind) = match (marker.index(), around.next(), around.next()) {
        (1.., _, Some((here, c))) if wanted(c) => (here, false),
        (1.., Some((before, c)), _) if wanted(c) => (before, true),
        (0, Some((here, c)), _) if wanted(c) => (here, false),
        _ => return None,
    };
    let reported = position(*marker);
    let place = if behind {
        Position { column: reported.column.saturating_sub(1).max(1), ..reported }
    } else {
        reported
    };
    let mut repaired = String::with_capacity(text.len());
    repaired.push_str(&text[..at]);
    repaired.push('x');
    repaired.push_str(&text[at + 1..]);
    Some((repaired, place))
}

/// The first line from this one on that is indented with a tab: errors point at what came before it.
fn first_tab(text: &str, from: usize) -> Option<Position> {
    let lines = text.lines().enumerate().skip(from.saturating_sub(1));
    lines.take(2).find_map(|(index, line)| {
        let indent = line.chars().take_while(|c| c.is_whitespace());
        let column = indent.into_iter().position(|c| c == '\t')?;
        Some(Position { line: index + 1, column: column + 1 })
    })
}
