//! The YAML 1.2 core schema (YAML 1.2.2 section 10.3.2): what a plain scalar means.

use super::Content;

/// What a plain scalar means.
pub(super) fn resolve(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        _ => integer(text).or_else(|| float(text)).unwrap_or_else(|| Content::Text(text.into())),
    }
}

/// A whole number: decimal, `0o` octal or `0x` hexadecimal. Beyond 128 bits it is read as a float.
pub(super) fn integer(text: &str) -> Option<Content> {
    let radix = |digits: &str, radix| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain { i128::from_str_radix(digits, radix).ok() } else { None }
    };
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8).map(Content::Integer);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16).map(Content::Integer);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().map(Content::Integer)
}

/// Any other number, with `.inf` and `.nan`.
pub(super) fn float(text: &str) -> Option<Content> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match (unsigned, text) {
        (".inf" | ".Inf" | ".INF", _) => {
            let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
            return Some(Content::Float(sign * f64::INFINITY));
        }
        (_, ".nan" | ".NaN" | ".NAN") => return Some(Content::Float(f64::NAN)),
        _ => {}
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_ok = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_ok = exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent));
    if mantissa_ok && exponent_ok { text.parse().ok().map(Content::Float) } else { None }
}
