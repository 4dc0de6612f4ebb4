//! HTTP status codes that a proxy may send as a final answer.

use super::InvalidValue;
use std::fmt;

/// A final status code, 200 to 599 (RFC 9110 section 15).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(u16);

impl StatusCode {
    /// 200.
    pub const OK: Self = Self(200);
    /// 404.
    pub const NOT_FOUND: Self = Self(404);
    /// 503.
    pub const SERVICE_UNAVAILABLE: Self = Self(503);

    /// Refuses informational codes and what is not three digits.
    pub fn new(code: u16) -> Result<Self, InvalidValue> {
        if (200..=599).contains(&code) {
            Ok(Self(code))
        } else {
            Err(InvalidValue(format!("`{code}` is not a final status code: write 200 to 599")))
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl serde::Serialize for StatusCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for StatusCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        let code = u16::try_from(number).unwrap_or(0);
        Self::new(code).map_err(|_| {
            serde::de::Error::custom(format!("`{number}` is not a final status code: write 200 to 599"))
        })
    }
}

impl schemars::JsonSchema for StatusCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusCode".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "minimum": 200, "maximum": 599, "description": "A final HTTP status code."
        })
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
