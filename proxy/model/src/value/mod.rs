//! Leaf values: strings and numbers of the written form that are checked while they are read.
//!
//! Each type parses from text ([`std::str::FromStr`]), prints back what it would parse ([`std::fmt::Display`])
//! and takes part in serde and in the JSON schema through the `text_value!` macro.

mod address;
mod duration;
mod header;
mod host;
mod percent;
mod regex;
mod size;
mod status;

pub use address::{Cidr, EndpointAddress};
pub use duration::Duration;
pub use header::{HeaderName, is_token_byte};
pub use host::HostPattern;
pub use percent::Percent;
pub use regex::Regex;
pub use size::Size;
pub use status::StatusCode;

/// Why a piece of text is not the value it should be. The text is a sentence fragment that completes
/// "`<field>` ...", for example "is not a duration: write `5s`, `250ms` or `1h30m`".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub(crate) String);

/// Implements serde (as a string) and the JSON schema for a type with `FromStr` and `Display`.
macro_rules! text_value {
    ($type:ty, $name:literal, $description:literal, $pattern:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let pattern: Option<&str> = $pattern;
                match pattern {
                    Some(pattern) => {
                        schemars::json_schema!({ "type": "string", "description": $description, "pattern": pattern })
                    }
                    None => schemars::json_schema!({ "type": "string", "description": $description }),
                }
            }
        }
    };
}
pub(crate) use text_value;
