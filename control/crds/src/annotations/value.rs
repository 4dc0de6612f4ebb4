//! What the values of annotations and of ConfigMap keys look like. They are all text; this is what the text says.

use crate::proto::Duration;
use sluice_model::{
    convert::brief,
    value::{Cidr, is_token_byte},
};
use std::fmt;

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// As Go reads truth values: `true`, `True`, `TRUE`, `t`, `T`, `1` and the same for false.
    Bool,
    /// `on` or `off`.
    OnOff,
    /// A whole number, decimal.
    Int,
    /// A number, perhaps with decimals.
    Float,
    /// A whole number of seconds, without a unit.
    Seconds,
    /// A length of time as nginx reads it: `30s`, `1h 30m`, `250ms`; without a unit seconds.
    Time,
    /// A length of time as Go reads it: `30s`, `1h30m`.
    GoDuration,
    /// A number of bytes as nginx reads it: `8k`, `1m`, `1g`; without a unit bytes.
    Size,
    /// Any text.
    Text,
    /// One of these, in any case.
    OneOf(&'static [&'static str]),
    /// One of these as it stands, with spaces around it at most.
    Word(&'static [&'static str]),
    /// The name of a header field.
    HeaderName,
    /// Names of header fields, separated by commas; `*` too.
    HeaderNames,
    /// The name of a cookie.
    CookieName,
    /// Methods, separated by commas; `*` too.
    Methods,
    /// Origins, separated by commas; each `*` or `scheme://host[:port]`, with `*.` before the host if need be.
    Origins,
    /// Host names, separated by commas; each may be `*.name` or `~regex`.
    Names,
    /// Any texts, separated by commas.
    List,
    /// Addresses and networks, separated by commas.
    Addresses,
    /// HTTP statuses, separated by commas.
    Codes,
    /// A regular expression.
    Regex,
    /// A path that begins with `/`.
    Path,
    /// `http://` or `https://`, or a path; may hold variables of nginx.
    Url,
    /// The name of a Service of the same namespace.
    ServiceName,
    /// `name` or `namespace/name`.
    ObjectName,
    /// Conditions of nginx's `proxy_next_upstream`, separated by spaces.
    NextUpstream,
    /// Lines of nginx's configuration.
    Snippet,
}

/// What a value says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A length of time.
    Time(std::time::Duration),
    /// A number of bytes.
    Size(u64),
    /// A text, without spaces around it; a choice in the table's spelling.
    Text(String),
    /// Texts, without the empty ones.
    List(Vec<String>),
    /// Addresses and networks.
    Addresses(Vec<Cidr>),
    /// HTTP statuses.
    Codes(Vec<u16>),
    /// Perhaps a namespace, and a name.
    Object(Option<String>, String),
}

impl Value {
    /// Whether it asks for nothing: a switch that is off, or an empty list or text.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Bool(on) => !on,
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Addresses(list) => list.is_empty(),
            Self::Codes(list) => list.is_empty(),
            Self::Int(_) | Self::Float(_) | Self::Time(_) | Self::Size(_) | Self::Object(..) => false,
        }
    }
}

/// Why a text is not what it should be, with the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    message: String,
    expression: bool,
}

impl InvalidValue {
    fn new(message: String) -> Self {
        Self { message, expression: false }
    }

    /// Whether it is a regular expression that only backtracking could match: it has look-around or back-references.
    pub fn needs_backtracking(&self) -> bool {
        self.expression && self.message.ends_with("in RE2 syntax")
    }

    /// Whether it is a regular expression that is wrong, or uses what RE2 does not have.
    pub const fn is_expression(&self) -> bool {
        self.expression
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for InvalidValue {}

fn wrong<T>(text: &str, is_not: &str, instead: &str) -> Result<T, InvalidValue> {
    Err(InvalidValue::new(format!("`{}` is not {is_not}: {instead}", brief(text))))
}

fn check(good: bool, text: &str, is_not: &str, instead: &str) -> Result<(), InvalidValue> {
    if good { Ok(()) } else { wrong(text, is_not, instead) }
}

fn text_if(good: bool, text: &str, is_not: &str, instead: &str) -> Result<Value, InvalidValue> {
    check(good, text, is_not, instead).map(|()| Value::Text(text.to_owned()))
}

impl ValueKind {
    /// Reads a value.
    pub fn parse(self, written: &str) -> Result<Value, InvalidValue> {
        let text = written.trim();
        match self {
            Self::Bool => bool(text).map(Value::Bool),
            Self::OnOff => match text {
                "on" => Ok(Value::Bool(true)),
                "off" => Ok(Value::Bool(false)),
                _ => wrong(text, "`on` or `off`", "write one of them"),
            },
            Self::Int => int(text).map(Value::Int),
            Self::Float => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Float(number)),
                _ => wrong(text, "a number", "write `0.5`, say"),
            },
            Self::Seconds => match int(text) {
                Ok(seconds) if seconds >= 0 => {
                    Ok(Value::Time(std::time::Duration::from_secs(seconds as u64)))
                }
                _ => wrong(text, "a number of seconds", "write a whole number without a unit"),
            },
            Self::Time => time(text).map(Value::Time),
            Self::GoDuration => match text.parse::<Duration>() {
                Ok(length) => Ok(Value::Time(length.get())),
                Err(error) => Err(InvalidValue::new(error.to_string())),
            },
            Self::Size => size(text).map(Value::Size),
            Self::Text => Ok(Value::Text(text.to_owned())),
            Self::Snippet => Ok(Value::Text(written.to_owned())),
            Self::OneOf(choices) => match choices.iter().find(|choice| choice.eq_ignore_ascii_case(text)) {
                Some(choice) => Ok(Value::Text((*choice).to_owned())),
                None => wrong(text, "known here", &format!("write `{}`", choices.join("` or `"))),
            },
            Self::Word(words) => match words.iter().find(|word| **word == written.trim_matches(' ')) {
                Some(word) => Ok(Value::Text((*word).to_owned())),
                None => wrong(written, "known here", &format!("write `{}`", words.join("` or `"))),
            },
            Self::HeaderName | Self::CookieName => {
                text_if(token(text), text, "a name", "use letters, digits, `-` and `_`")
            }
            Self::HeaderNames => list(text, |name| {
                check(token(name), name, "the name of a header field", "use letters, digits, `-` and `_`")
            }),
            Self::Methods => list(text, |name| {
                check(
                    name.bytes().all(|byte| byte.is_ascii_alphabetic()) || name == "*",
                    name,
                    "a method",
                    "write `GET, POST`, say",
                )
            }),
            Self::Origins => list(text, origin),
            Self::Names => list(text, server_name),
            Self::List => list(text, |_| Ok(())),
            // Spaces alone are no list that was left empty.
            Self::Addresses if text.is_empty() => addresses(written).map(Value::Addresses),
            Self::Addresses => addresses(text).map(Value::Addresses),
            Self::Codes => codes(text).map(Value::Codes),
            Self::Regex => regex(text).map(|()| Value::Text(text.to_owned())),
            Self::Path => text_if(
                text.starts_with('/') && !text.starts_with("//") && printable(text),
                text,
                "a path",
                "begin it with one `/`",
            ),
            Self::Url => url(text).map(Value::Text),
            Self::ServiceName => {
                text_if(dns_label(text), text, "the name of a Service", "name one of the same namespace")
            }
            Self::ObjectName => object_name(text),
            Self::NextUpstream => next_upstream(text),
        }
    }
}

fn bool(text: &str) -> Result<bool, InvalidValue> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => wrong(text, "a truth value", "write `true` or `false`"),
    }
}

fn int(text: &str) -> Result<i64, InvalidValue> {
    text.parse().or_else(|_| wrong(text, "a whole number", "write digits alone, without a unit"))
}

/// Number and unit pairs, as nginx has them.
fn time(text: &str) -> Result<std::time::Duration, InvalidValue> {
    let unclear = || wrong(text, "a length of time", "write `30s`, `250ms` or `1h 30m`");
    let mut total: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return unclear();
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = rest[digits..]
            .find(|c: char| !c.is_ascii_alphabetic())
            .map_or(rest.len(), |length| digits + length);
        let millis: u64 = match &rest[digits..unit] {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "M" => 2_592_000_000,
            "y" => 31_536_000_000,
            _ => return unclear(),
        };
        let part = rest[..digits].parse::<u64>().ok().and_then(|number| number.checked_mul(millis));
        let Some(sum) = part.and_then(|part| total.checked_add(part)) else { return unclear() };
        total = sum;
        rest = rest[unit..].trim_start();
    }
    Ok(std::time::Duration::from_millis(total))
}

fn size(text: &str) -> Result<u64, InvalidValue> {
    let unclear = || wrong(text, "a size", "write `8k`, `1m` or `1g`, or bytes without a unit");
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1_u64),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = digits.parse::<u64>().ok().filter(|_| plain).and_then(|number| number.checked_mul(factor));
    bytes.map_or_else(unclear, Ok)
}

fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|element| !element.is_empty())
}

fn list(text: &str, check: impl Fn(&str) -> Result<(), InvalidValue>) -> Result<Value, InvalidValue> {
    let checked = elements(text).map(|element| check(element).map(|()| element.to_owned()));
    checked.collect::<Result<_, _>>().map(Value::List)
}

fn addresses(text: &str) -> Result<Vec<Cidr>, InvalidValue> {
    if !text.is_empty() && elements(text).next().is_none() {
        return wrong(text, "a list of addresses", "write `192.0.2.1, 10.0.0.0/8`, or leave it out");
    }
    let address = |element: &str| {
        let cidr = element.parse();
        cidr.or_else(|_| wrong(element, "an address or a network", "write `192.0.2.1` or `10.0.0.0/8`"))
    };
    elements(text).map(address).collect()
}

fn codes(text: &str) -> Result<Vec<u16>, InvalidValue> {
    let code = |element: &str| match element.parse() {
        Ok(code @ 300..=599) => Ok(code),
        _ => wrong(element, "the status of an error", "write numbers from 300 to 599, such as `404, 503`"),
    };
    elements(text).map(code).collect()
}

fn origin(text: &str) -> Result<(), InvalidValue> {
    let Some((scheme, host)) = text.split_once("://") else {
        // Items without a scheme are skipped, but for the star.
        return if text == "*" {
            Ok(())
        } else {
            wrong(text, "an origin", "write `https://www.example.com` or `*`")
        };
    };
    let scheme_ok = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let name = host.strip_prefix("*.").unwrap_or(host);
    let name_ok = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if scheme_ok && name_ok && !scheme.is_empty() && !name.is_empty() {
        Ok(())
    } else {
        wrong(text, "an origin", "write `https://www.example.com`, with `*.` before the host at most")
    }
}

fn regex(text: &str) -> Result<(), InvalidValue> {
    match text.parse::<sluice_model::value::Regex>() {
        Ok(_) => Ok(()),
        Err(error) => Err(InvalidValue { message: error.to_string(), expression: true }),
    }
}

fn server_name(text: &str) -> Result<(), InvalidValue> {
    if let Some(expression) = text.strip_prefix('~') {
        return regex(expression);
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    let good = name.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    });
    if good {
        Ok(())
    } else {
        wrong(text, "a host name", "write `www.example.com`, `*.example.com` or `~regex`")
    }
}

fn url(text: &str) -> Result<String, InvalidValue> {
    let absolute = ["http://", "https://", "$scheme://"]
        .iter()
        .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    if (absolute || text.starts_with('/') || text.starts_with('$')) && printable(text) {
        Ok(text.to_owned())
    } else {
        wrong(text, "a URL", "begin it with `http://`, `https://` or `/`")
    }
}

fn object_name(text: &str) -> Result<Value, InvalidValue> {
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    };
    let good = name.split('.').all(dns_label) && namespace.is_none_or(dns_label);
    if good {
        Ok(Value::Object(namespace.map(str::to_owned), name.to_owned()))
    } else {
        wrong(text, "the name of an object", "write `name` or `namespace/name`")
    }
}

fn next_upstream(text: &str) -> Result<Value, InvalidValue> {
    const KNOWN: [&str; 12] = [
        "error",
        "timeout",
        "invalid_header",
        "http_500",
        "http_502",
        "http_503",
        "http_504",
        "http_403",
        "http_404",
        "http_429",
        "non_idempotent",
        "off",
    ];
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    match words.iter().find(|word| !KNOWN.contains(&&***word)) {
        Some(word) => wrong(word, "a condition for another server", "write `error timeout http_503`, say"),
        None => Ok(Value::List(words)),
    }
}

fn token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn dns_label(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 253
        && text.bytes().all(good)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
