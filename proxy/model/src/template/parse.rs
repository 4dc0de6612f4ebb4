//! Reading templates.

use super::{Operator, RequestField, Segment, Template, TimeFormat};
use crate::{
    convert::{brief, did_you_mean, nearest},
    value::HeaderName,
};
use std::str::FromStr;

/// The longest template that is read, in bytes.
const MAX_BYTES: usize = 16 << 10;

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

impl InvalidTemplate {
    pub(super) fn new(position: usize, message: impl Into<String>) -> Self {
        Self { position, message: message.into(), suggestion: None }
    }

    fn suggesting(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        if text.len() > MAX_BYTES {
            let message = format!("the text has {} bytes; {MAX_BYTES} are allowed", text.len());
            return Err(InvalidTemplate::new(0, message));
        }
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while at < text.len() {
            let Some(length) = text[at..].find('%') else {
                literal.push_str(&text[at..]);
                break;
            };
            let percent = at + length;
            literal.push_str(&text[at..percent]);
            if text[percent + 1..].starts_with('%') {
                literal.push('%');
                at = percent + 2;
                continue;
            }
            if !literal.is_empty() {
                segments.push(Segment::Literal(std::mem::take(&mut literal).into()));
            }
            let (variable, end) = variable(text, percent)?;
            segments.push(variable);
            at = end;
        }
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal.into()));
        }
        Ok(Self { segments })
    }
}

/// The variable that begins with the percent sign at `start`, and where the text goes on.
fn variable(text: &str, start: usize) -> Result<(Segment, usize), InvalidTemplate> {
    let inner = &text[start + 1..];
    let name_length = inner.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let name = &inner[..name_length];
    let lone = || {
        InvalidTemplate::new(start, format!("byte {start}: a `%` begins a variable that does not end"))
            .suggesting("write `%%` for a percent sign")
    };
    if name.is_empty() {
        return Err(lone());
    }
    let mut rest = start + 1 + name_length;
    let argument = if text[rest..].starts_with('(') {
        let open = rest + 1;
        // The first `)` that ends the variable; formats of time may hold others.
        let close = text[open..]
            .match_indices(')')
            .find(|(at, _)| matches!(text.as_bytes().get(open + at + 1), Some(b'%' | b':')))
            .ok_or_else(|| {
                InvalidTemplate::new(
                    start,
                    format!("byte {start}: the parenthesis of `%{name}(` is not closed"),
                )
            })?;
        rest = open + close.0 + 1;
        Some(&text[open..open + close.0])
    } else {
        None
    };
    let max_len = if let Some(length) = text[rest..].strip_prefix(':') {
        let digits = length.bytes().take_while(u8::is_ascii_digit).count();
        rest += 1 + digits;
        let length = length[..digits].parse().ok().filter(|length| *length > 0 && digits <= 9);
        Some(length.ok_or_else(|| {
            InvalidTemplate::new(
                start,
                format!("byte {start}: `%{name}`: a length is a number of bytes, as in `:10`"),
            )
        })?)
    } else {
        None
    };
    if !text[rest..].starts_with('%') {
        return Err(match Operator::named(name) {
            Some(_) => {
                InvalidTemplate::new(start, format!("byte {start}: `%{name}` is not closed with a `%`"))
            }
            None => lone(),
        });
    }
    let operator = operator(name, argument).map_err(|mut error| {
        error.position = start;
        error.message = format!("byte {start}: {}", error.message);
        error
    })?;
    Ok((Segment::Variable { operator, max_len }, rest + 1))
}

fn operator(name: &str, argument: Option<&str>) -> Result<Operator, InvalidTemplate> {
    let wrong = |message: String| InvalidTemplate::new(0, message);
    let needs = || wrong(format!("`%{name}%` needs a name, as in `%{name}(x-user)%`"));
    let pair = |argument: Option<&str>| -> Result<(String, Option<String>), InvalidTemplate> {
        let argument = argument.map(str::trim).filter(|argument| !argument.is_empty()).ok_or_else(needs)?;
        Ok(match argument.split_once('?') {
            Some((first, second)) => (first.trim().to_owned(), Some(second.trim().to_owned())),
            None => (argument.to_owned(), None),
        })
    };
    let header = |text: &str| -> Result<HeaderName, InvalidTemplate> {
        text.parse().map_err(|_| wrong(format!("`%{name}%`: `{}` is not a header name", brief(text))))
    };
    match name {
        "REQ" => {
            let (first, second) = pair(argument)?;
            let field = |text: &str| request_field(text).map_or_else(|| header_field(name, text), Ok);
            Ok(Operator::Req(field(&first)?, second.as_deref().map(field).transpose()?))
        }
        "RESP" | "TRAILER" => {
            let (first, second) = pair(argument)?;
            let (first, second) = (header(&first)?, second.as_deref().map(header).transpose()?);
            Ok(if name == "RESP" { Operator::Resp(first, second) } else { Operator::Trailer(first, second) })
        }
        "QUERY_PARAM" | "COOKIE" => {
            let argument =
                argument.map(str::trim).filter(|argument| !argument.is_empty()).ok_or_else(needs)?;
            if !argument.bytes().all(|byte| byte.is_ascii_graphic() && !b"()%?&=;,".contains(&byte)) {
                return Err(wrong(format!("`%{name}%`: `{}` is not a name", brief(argument))));
            }
            let argument = argument.into();
            Ok(if name == "COOKIE" { Operator::Cookie(argument) } else { Operator::QueryParam(argument) })
        }
        "START_TIME" => {
            let format = argument.map(str::parse::<TimeFormat>).transpose()?;
            Ok(Operator::StartTime(format))
        }
        _ => {
            let operator = Operator::named(name).ok_or_else(|| {
                let error = wrong(format!("`%{}%` is not a variable that Sluice knows", brief(name)));
                match nearest(name, Operator::names()) {
                    Some(meant) => error.suggesting(did_you_mean(&format!("%{meant}%"))),
                    None => error.suggesting("write `%%` for a percent sign"),
                }
            })?;
            match argument {
                Some(_) => Err(wrong(format!("`%{name}%` takes no argument"))),
                None => Ok(operator),
            }
        }
    }
}

fn request_field(text: &str) -> Option<RequestField> {
    Some(match &*text.to_ascii_lowercase() {
        ":method" => RequestField::Method,
        ":path" => RequestField::Path,
        ":authority" => RequestField::Authority,
        ":scheme" => RequestField::Scheme,
        _ => return None,
    })
}

fn header_field(operator: &str, text: &str) -> Result<RequestField, InvalidTemplate> {
    text.parse().map(RequestField::Header).map_err(|_| {
        let error =
            InvalidTemplate::new(0, format!("`%{operator}%`: `{}` is not a header name", brief(text)));
        if text.starts_with(':') {
            error.suggesting("there are `:METHOD`, `:PATH`, `:AUTHORITY` and `:SCHEME`")
        } else {
            error
        }
    })
}
