//! What is wrong with a value, as data; words are made last, when it is known whether the value may be shown.

use crate::tree::{Path, Position};
use std::fmt::Write;

/// Something wrong at a place in a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Where in the text.
    pub position: Position,
    /// Where in the document, with keys as they are written.
    pub path: Path,
    /// What.
    pub reason: Reason,
}

/// What is wrong. `expected` lists are what serde knows of the type.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// The text is not the YAML that it tries to be.
    Syntax {
        /// What is wrong; never quotes the text.
        message: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// A key stands twice in one map.
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of the first one.
        first: usize,
    },
    /// A key that the type does not have.
    UnknownField {
        /// The key.
        field: String,
        /// Keys that it has.
        expected: &'static [&'static str],
    },
    /// A name that is none of the type's variants.
    UnknownVariant {
        /// The name.
        variant: String,
        /// The names of the variants.
        expected: &'static [&'static str],
    },
    /// Several keys where one chooses a variant.
    SeveralVariants {
        /// The keys.
        keys: Vec<String>,
    },
    /// A variant that needs content stands alone, or the other way round.
    VariantShape {
        /// The variant.
        variant: String,
        /// Whether it lacks content.
        lacks_content: bool,
    },
    /// A key that must be there is not.
    MissingField {
        /// The key.
        field: &'static str,
    },
    /// A value of another type.
    Type {
        /// What stands there.
        found: Found,
        /// What should, in serde's words.
        expected: String,
        /// The fields, where it should be a map of a known kind.
        fields: &'static [&'static str],
    },
    /// A value of the right type that is not acceptable. The message may quote the value.
    Value {
        /// What is wrong.
        message: String,
    },
}

/// What stands where another type should.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number as text.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    Sequence,
    /// A map.
    Mapping,
}

impl Reason {
    /// What is wrong, in words. With `redact`, nothing of what the user wrote is quoted.
    pub fn message(&self, redact: bool) -> String {
        let quote = |text: &str| if redact { String::new() } else { format!(" `{}`", brief(text)) };
        match self {
            Self::Syntax { message, .. } => message.clone(),
            Self::DuplicateKey { key, first } => format!("key{} is already in line {first}", quote(key)),
            Self::UnknownField { field, .. } => format!("unknown field{}", quote(field)),
            Self::UnknownVariant { variant, .. } => format!("unknown choice{}", quote(variant)),
            Self::SeveralVariants { keys } => {
                let keys: String = keys.iter().map(|key| quote(key)).collect::<Vec<_>>().join(" and");
                format!("only one choice is possible, here are several:{keys}")
            }
            Self::VariantShape { variant, lacks_content: true } => {
                format!("choice{} needs content", quote(variant))
            }
            Self::VariantShape { variant, .. } => format!("choice{} takes no content", quote(variant)),
            Self::MissingField { field } => format!("field `{field}` is missing"),
            Self::Type { found, expected, .. } => {
                format!("expected {}, found {}", expectation(expected), found.words(redact))
            }
            Self::Value { .. } if redact => "the value is not acceptable".to_owned(),
            Self::Value { message } => message.clone(),
        }
    }

    /// What was probably meant, as a clause. With `redact`, nothing of what the user wrote is quoted.
    pub fn suggestion(&self, redact: bool) -> Option<String> {
        match self {
            Self::Syntax { suggestion, .. } => suggestion.clone(),
            Self::UnknownField { field, .. } if field == "<<" => {
                Some("merge keys are not part of YAML 1.2; write the fields out".to_owned())
            }
            Self::UnknownField { field: found, expected }
            | Self::UnknownVariant { variant: found, expected } => {
                Some(nearest(found, expected.iter().copied()).map_or_else(|| one_of(expected), did_you_mean))
            }
            Self::SeveralVariants { .. } => Some("keep one of them".to_owned()),
            Self::VariantShape { variant, lacks_content } if !redact => Some(if *lacks_content {
                format!("write `{}: ...`", brief(variant))
            } else {
                format!("write just `{}`, without a colon", brief(variant))
            }),
            Self::Type { found, expected, fields } => type_suggestion(found, expected, fields, redact),
            _ => None,
        }
    }
}

impl Found {
    fn words(&self, redact: bool) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Sequence => "a list".to_owned(),
            Self::Mapping => "a map".to_owned(),
            Self::Bool(_) | Self::Number(_) | Self::Text(_) if redact => "another value".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Number(text) => format!("the number {text}"),
            Self::Text(text) => format!("the text `{}`", brief(text)),
        }
    }
}

/// Serde's expectations in the words of a YAML file.
fn expectation(expected: &str) -> String {
    let range = |low: &str, high: &str| format!("a whole number from {low} to {high}");
    match expected {
        "a string" | "str" | "string" | "a borrowed string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" | "an array" => "a list".to_owned(),
        "a map" => "a map".to_owned(),
        "u8" => range("0", "255"),
        "u16" => range("0", "65535"),
        "u32" => range("0", "4294967295"),
        "u64" | "usize" => range("0", "18446744073709551615"),
        "i8" => range("-128", "127"),
        "i16" => range("-32768", "32767"),
        "i32" => range("-2147483648", "2147483647"),
        "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "socket address" => "an address and port such as `127.0.0.1:8080` or `[::]:8080`".to_owned(),
        _ if expected.starts_with("struct ") => "a map".to_owned(),
        _ => match expected.strip_prefix("enum ") {
            Some(_) => "a choice: a name, or a map with one key".to_owned(),
            None => expected.to_owned(),
        },
    }
}

fn type_suggestion(found: &Found, expected: &str, fields: &[&str], redact: bool) -> Option<String> {
    match (found, expected) {
        (Found::Text(text), "a boolean") => match &*text.to_ascii_lowercase() {
            "yes" | "on" | "y" | "true" => Some("write `true`".to_owned()),
            "no" | "off" | "n" | "false" => Some("write `false`".to_owned()),
            _ => None,
        },
        (Found::Text(text), "u8" | "u16" | "u32" | "u64" | "i32" | "i64" | "f64")
            if text.parse::<f64>().is_ok() =>
        {
            Some("remove the quotes".to_owned())
        }
        (Found::Bool(_) | Found::Number(_), "a string" | "string") if redact => {
            Some("put it in quotes".to_owned())
        }
        (Found::Bool(value), "a string" | "string") => Some(format!("put it in quotes: `\"{value}\"`")),
        (Found::Number(text), "a string" | "string") => Some(format!("put it in quotes: `\"{text}\"`")),
        (Found::Null, "a sequence") => Some("leave the key out, or write `[]`".to_owned()),
        (Found::Null, _) => Some("leave the key out, or give it a value".to_owned()),
        (Found::Text(text), "a sequence") if !redact && text.len() < 40 && !text.contains(['\n', ',']) => {
            Some(format!("write `[{text}]`"))
        }
        (Found::Text(text), "f32" | "f64") if text.trim_end().ends_with('%') => {
            Some("write the number alone, without `%`".to_owned())
        }
        (Found::Sequence, "a string" | "string") => {
            Some("put text that begins with `[` in quotes, and write one value without `-`".to_owned())
        }
        (Found::Mapping, "a string" | "string") => Some("put text that begins with `{` in quotes".to_owned()),
        (Found::Bool(_) | Found::Number(_) | Found::Text(_), _) if !fields.is_empty() => {
            Some(format!("its fields are {}", list(fields, " and ")))
        }
        (Found::Mapping, "a sequence") => Some("begin each element with `- `".to_owned()),
        (Found::Sequence, _) if expected.starts_with("struct ") => Some("remove the `-`".to_owned()),
        _ => None,
    }
}

/// `did you mean ...?` for a name.
pub(crate) fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

fn one_of(expected: &[&str]) -> String {
    let text = list(expected, " or ");
    match expected.len() {
        0 => "there is nothing to write here".to_owned(),
        1 => format!("only {text} is known here"),
        _ => format!("write {text}"),
    }
}

fn list(names: &[&str], last: &str) -> String {
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        let between = match index {
            0 => "",
            _ if index + 1 == names.len() => last,
            _ => ", ",
        };
        let _ = write!(text, "{between}`{name}`");
    }
    text
}

/// The known name that `wrong` was probably meant to be.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 128;
    if wrong.is_empty() || wrong.len() > LONGEST {
        return None;
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '_', ' '], "");
    let wrong_plain = plain(wrong);
    let allowed = match wrong_plain.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .filter(|name| name.len() <= LONGEST && name.len().abs_diff(wrong.len()) <= allowed + 4)
        .filter_map(|name| {
            let name_plain = plain(name);
            let distance = strsim::osa_distance(&wrong_plain, &name_plain);
            let half = wrong_plain.chars().count().max(name_plain.chars().count()).div_ceil(2);
            (distance <= allowed && distance < half).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A piece of the user's text that fits a line: short, and without control characters.
pub fn brief(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut brief = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            brief.push('…');
            break;
        }
        if c.is_control() {
            brief.extend(c.escape_default());
        } else {
            brief.push(c);
        }
    }
    brief
}
