//! Formats of points in time.

use super::InvalidTemplate;
use crate::convert::brief;
use std::{fmt, str::FromStr};

/// A format of a point in time in UTC, written as for `strftime`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    parts: Vec<TimePart>,
}

/// A piece of a time format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimePart {
    /// Text that comes out as it is.
    Literal(Box<str>),
    /// `%Y`: four digits.
    Year,
    /// `%m`: two digits.
    Month,
    /// `%b`: `Jan`.
    MonthName,
    /// `%d`: two digits.
    Day,
    /// `%a`: `Mon`.
    WeekdayName,
    /// `%H`: two digits, 00 to 23.
    Hour,
    /// `%M`: two digits.
    Minute,
    /// `%S`: two digits.
    Second,
    /// `%3f`, `%6f`, `%9f` (and `%f`, nine): so many digits of the fraction of a second.
    Fraction(u8),
    /// `%s`: whole seconds since 1970; `%3s` milliseconds, `%6s` microseconds, `%9s` nanoseconds.
    Unix(u8),
}

impl TimeFormat {
    /// In order; `%F` and `%T` are already taken apart.
    pub fn parts(&self) -> &[TimePart] {
        &self.parts
    }
}

// === impl TimeFormat ===

impl FromStr for TimeFormat {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                literal.push(c);
                continue;
            }
            let mut specifier = chars.next();
            let digits = specifier.filter(|c| matches!(c, '3' | '6' | '9')).and_then(|c| c.to_digit(10));
            if digits.is_some() {
                specifier = chars.next();
            }
            if (specifier, digits) == (Some('%'), None) {
                literal.push('%');
                continue;
            }
            let expanded = expand(specifier, digits).ok_or_else(|| {
                let specifier: String = specifier.into_iter().collect();
                InvalidTemplate::new(
                    0,
                    format!("`%START_TIME%`: `%{}` is not known in a format of time", brief(&specifier)),
                )
            })?;
            for part in expanded {
                match part {
                    TimePart::Literal(text) => literal.push_str(&text),
                    part => {
                        if !literal.is_empty() {
                            parts.push(TimePart::Literal(std::mem::take(&mut literal).into()));
                        }
                        parts.push(part);
                    }
                }
            }
        }
        if !literal.is_empty() {
            parts.push(TimePart::Literal(literal.into()));
        }
        Ok(Self { parts })
    }
}

fn expand(specifier: Option<char>, digits: Option<u32>) -> Option<Vec<TimePart>> {
    let joined = |parts: [TimePart; 3], between: &str| {
        let [first, second, third] = parts;
        let between = TimePart::Literal(between.into());
        vec![first, between.clone(), second, between, third]
    };
    let one = match (specifier?, digits.map(|digits| digits as u8)) {
        ('f', digits) => TimePart::Fraction(digits.unwrap_or(9)),
        ('s', digits) => TimePart::Unix(digits.unwrap_or(0)),
        (_, Some(_)) => return None,
        ('Y', None) => TimePart::Year,
        ('m', None) => TimePart::Month,
        ('b', None) => TimePart::MonthName,
        ('d', None) => TimePart::Day,
        ('a', None) => TimePart::WeekdayName,
        ('H', None) => TimePart::Hour,
        ('M', None) => TimePart::Minute,
        ('S', None) => TimePart::Second,
        ('z', None) => TimePart::Literal("+0000".into()),
        ('Z', None) => TimePart::Literal("UTC".into()),
        ('F', None) => return Some(joined([TimePart::Year, TimePart::Month, TimePart::Day], "-")),
        ('T', None) => return Some(joined([TimePart::Hour, TimePart::Minute, TimePart::Second], ":")),
        _ => return None,
    };
    Some(vec![one])
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                TimePart::Literal(text) => out.write_str(&text.replace('%', "%%"))?,
                TimePart::Year => out.write_str("%Y")?,
                TimePart::Month => out.write_str("%m")?,
                TimePart::MonthName => out.write_str("%b")?,
                TimePart::Day => out.write_str("%d")?,
                TimePart::WeekdayName => out.write_str("%a")?,
                TimePart::Hour => out.write_str("%H")?,
                TimePart::Minute => out.write_str("%M")?,
                TimePart::Second => out.write_str("%S")?,
                TimePart::Fraction(digits) => write!(out, "%{digits}f")?,
                TimePart::Unix(0) => out.write_str("%s")?,
                TimePart::Unix(digits) => write!(out, "%{digits}s")?,
            }
        }
        Ok(())
    }
}
