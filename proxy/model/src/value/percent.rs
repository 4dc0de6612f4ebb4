//! Shares with four decimals.

use super::InvalidValue;
use std::fmt;

/// A share between 0 and 100 percent, exact to four decimals (Istio's and Envoy's finest grain), written as a
/// number: `0.0001`, `12.5`, `100`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

impl Percent {
    /// Every one.
    pub const ALL: Self = Self(1_000_000);
    /// Not a single one.
    pub const NONE: Self = Self(0);

    /// So many percent; more than 100 are 100.
    pub const fn whole(percent: u32) -> Self {
        Self(if percent < 100 { percent * 10_000 } else { 1_000_000 })
    }

    /// Parts per million: 0 to 1,000,000.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// Rounds to four decimals; refuses what is not between 0 and 100.
    pub fn from_percent(percent: f64) -> Result<Self, InvalidValue> {
        if percent > 0.0 && percent < 0.000_05 {
            return Err(InvalidValue(format!("`{percent}` is finer than the finest percentage, 0.0001")));
        }
        if (0.0..=100.0).contains(&percent) {
            Ok(Self((percent * 10_000.0).round() as u32))
        } else {
            Err(InvalidValue(format!("`{percent}` is not a percentage: write a number from 0 to 100")))
        }
    }
}

impl Default for Percent {
    fn default() -> Self {
        Self::ALL
    }
}

impl serde::Serialize for Percent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(10_000) {
            serializer.serialize_u32(self.0 / 10_000)
        } else {
            serializer.serialize_f64(f64::from(self.0) / 10_000.0)
        }
    }
}

impl<'de> serde::Deserialize<'de> for Percent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_percent(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "number", "minimum": 0, "maximum": 100,
            "description": "A share from 0 to 100, exact to four decimals."
        })
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", f64::from(self.0) / 10_000.0)
    }
}

impl fmt::Debug for Percent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}%")
    }
}
