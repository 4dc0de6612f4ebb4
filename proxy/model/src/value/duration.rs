//! Lengths of time, written as `5s`, `250ms` or `1h30m`.

use super::{InvalidValue, text_value};
use crate::convert::brief;
use std::{fmt, str::FromStr};

/// A length of time with millisecond resolution, at most about 30,000 years.
///
/// Units: `ms`, `s`, `m`, `h`, `d`; parts add up (`1m30s`), a part may have a fraction (`0.5s`). A bare number is
/// refused, except `0`: everybody guesses another unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(std::time::Duration);

text_value!(
    Duration,
    "Duration",
    "A length of time such as 5s, 250ms, 0.5s or 1h30m; 0 means off where the field says so.",
    Some(r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+)$"),
    or zero
);

impl Duration {
    /// No time at all; most fields read it as "off".
    pub const ZERO: Self = Self(std::time::Duration::ZERO);

    /// A whole number of seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(std::time::Duration::from_secs(secs))
    }

    /// A whole number of milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(std::time::Duration::from_millis(millis))
    }

    /// Whether it is no time at all.
    pub const fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// The same length as the standard library's type.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }

    /// `None` for zero: for the fields in which `0` switches a limit off.
    pub const fn limit(self) -> Option<std::time::Duration> {
        if self.0.is_zero() { None } else { Some(self.0) }
    }
}

impl FromStr for Duration {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong =
            || InvalidValue(format!("`{}` is not a duration: write `5s`, `250ms` or `1h30m`", brief(text)));
        if text == "0" {
            return Ok(Self::ZERO);
        }
        let mut rest = text;
        let mut millis = 0_f64;
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let unit = rest[number..]
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .map_or(rest.len(), |length| number + length);
            let factor = match &rest[number..unit] {
                "ms" => 1.0,
                "s" => 1e3,
                "m" => 60e3,
                "h" => 3_600e3,
                "d" => 86_400e3,
                _ => return Err(wrong()),
            };
            let digits = &rest[..number];
            if digits.starts_with('.') || digits.ends_with('.') {
                return Err(wrong());
            }
            let value: f64 = digits.parse().map_err(|_| wrong())?;
            millis += value * factor;
            rest = &rest[unit..];
        }
        if text.is_empty() || millis > 1e15 {
            return Err(wrong());
        }
        let whole = millis.round() as u64;
        if whole == 0 && millis > 0.0 {
            return Err(InvalidValue(format!("`{}` is shorter than a millisecond", brief(text))));
        }
        Ok(Self::from_millis(whole))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        if rest == 0 {
            return out.write_str("0");
        }
        for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let count = rest / millis;
            if count > 0 {
                write!(out, "{count}{unit}")?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
