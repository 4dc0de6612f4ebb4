//! Lengths of time as Go prints and reads them, which is what Istio accepts for `google.protobuf.Duration`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sluice_model::convert::brief;
use std::{fmt, str::FromStr};

/// A length of time: `5s`, `0.5s`, `1h30m`, `250ms`; units are `ns`, `us`, `ms`, `s`, `m` and `h`. Never negative, because
/// no field takes a negative one; at most what Go's type holds, about 292 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(std::time::Duration);

/// Why a text is no length of time, as a clause about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDuration(String);

impl Duration {
    /// The same length as the standard library's type.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl From<std::time::Duration> for Duration {
    fn from(length: std::time::Duration) -> Self {
        Self(length)
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let wrong = |hint: &str| InvalidDuration(format!("`{}` is not a duration: {hint}", brief(text)));
        let unclear = || wrong("write `5s`, `250ms` or `1h30m`");
        if text.starts_with('-') {
            return Err(wrong("it is negative"));
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self::default());
        }
        if rest.is_empty() {
            return Err(unclear());
        }
        let mut nanos: u128 = 0;
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(unclear)?;
            let unit = rest[number..]
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .map_or(rest.len(), |length| number + length);
            let factor: u128 = match &rest[number..unit] {
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" => 60_000_000_000,
                "h" => 3_600_000_000_000,
                _ => return Err(unclear()),
            };
            nanos =
                part(&rest[..number], factor).and_then(|part| nanos.checked_add(part)).ok_or_else(unclear)?;
            rest = &rest[unit..];
        }
        if nanos > i64::MAX as u128 {
            return Err(wrong("it is longer than 292 years"));
        }
        Ok(Self(std::time::Duration::from_nanos(nanos as u64)))
    }
}

/// `1.5` of a unit, rounded down to whole nanoseconds.
fn part(number: &str, factor: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || whole.len() > 20 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // More digits than this are beneath a nanosecond of an hour.
    let fraction: &str = fraction.get(..fraction.len().min(18))?;
    let below: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10_u128.checked_pow(fraction.len() as u32)?;
    whole.checked_mul(factor)?.checked_add(below.checked_mul(factor)? / scale)
}

/// As proto-JSON prints it: seconds, with as many decimals as it takes.
impl fmt::Display for Duration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = format!("{:09}", self.0.subsec_nanos());
        match nanos.trim_end_matches('0') {
            "" => write!(out, "{}s", self.0.as_secs()),
            fraction => write!(out, "{}.{fraction}s", self.0.as_secs()),
        }
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl fmt::Display for InvalidDuration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Duration;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a duration such as `5s`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("+.5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1h1m1s1ms1us1ns", 3_661_001_001_001),
            ("1.000000001s", 1_000_000_001),
            ("0.3333333333333333333h", 1_199_999_999_999),
        ] {
            let read: Duration = text.parse().unwrap();
            assert_eq!(read.get().as_nanos(), nanos, "{text}");
            assert_eq!(read.to_string().parse(), Ok(read), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-1s",
            ".s",
            "1d",
            "5sec",
            "9999999h",
            "1..5s",
            "+",
            "99999999999999999999999s",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
