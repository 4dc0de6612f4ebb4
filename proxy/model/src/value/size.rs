//! Numbers of bytes, written as `64KiB`.

use super::{InvalidValue, text_value};
use crate::convert::brief;
use std::{fmt, str::FromStr};

/// A number of bytes. Units: `B`, `KiB`, `MiB`, `GiB`, and the decimal `KB`, `MB`, `GB`. A bare number is refused, except
/// `0`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(u64);

text_value!(
    Size,
    "Size",
    "A number of bytes such as 64KiB, 1MiB or 512B.",
    Some(r"^(0|[0-9]+(B|KiB|MiB|GiB|KB|MB|GB))$"), or zero
);

impl Size {
    /// A number of bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A number of units of 1,024 bytes.
    pub const fn kib(kib: u64) -> Self {
        Self(kib * 1024)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length of memory; saturates where `usize` is narrower.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Digits alone: `parse` would take a sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl FromStr for Size {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "0" {
            return Ok(Self(0));
        }
        UNITS
            .iter()
            .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, factor)))
            .and_then(|(number, factor)| digits(number)?.checked_mul(*factor))
            .map(Self)
            .ok_or_else(|| {
                InvalidValue(format!("`{}` is not a size: write `512B`, `64KiB` or `1MiB`", brief(text)))
            })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = UNITS[..3]
            .iter()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor))
            .copied()
            .unwrap_or(("B", 1));
        write!(out, "{}{unit}", self.0 / factor)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
