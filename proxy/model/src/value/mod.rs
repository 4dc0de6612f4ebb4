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

use serde::de::{Error, Unexpected, Visitor};
use std::{fmt, marker::PhantomData, str::FromStr};

/// Why a piece of text is not the value it should be. The text is a sentence fragment that completes
/// "`<field>` ...", for example "is not a duration: write `5s`, `250ms` or `1h30m`".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub(crate) String);

/// Implements serde (as a string) and the JSON schema for a type with `FromStr` and `Display`. With `or zero`, the number
/// 0 may stand for itself, and other numbers get the type's own explanation.
macro_rules! text_value {
    ($type:ty, $name:literal, $description:literal, $pattern:expr) => {
        text_value!(@impl $type, $name, $description, $pattern, false);
    };
    ($type:ty, $name:literal, $description:literal, $pattern:expr, or zero) => {
        text_value!(@impl $type, $name, $description, $pattern, true);
    };
    (@impl $type:ty, $name:literal, $description:literal, $pattern:expr, $zero:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($crate::value::TextVisitor::<$type, $zero>::default())
            }
        }
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let pattern: Option<&str> = $pattern;
                let mut schema = schemars::json_schema!({ "type": "string", "description": $description });
                if let Some(pattern) = pattern {
                    schema.insert("pattern".to_owned(), pattern.into());
                }
                if $zero {
                    schema.insert("type".to_owned(), serde_json::json!(["string", "integer"]));
                    schema.insert("minimum".to_owned(), 0.into());
                    schema.insert("maximum".to_owned(), 0.into());
                }
                schema
            }
        }
    };
}
pub(crate) use text_value;

/// Reads a value from text; with `NUMBERS`, also from a number as it prints.
pub(crate) struct TextVisitor<T, const NUMBERS: bool>(PhantomData<T>);

impl<T, const NUMBERS: bool> Default for TextVisitor<T, NUMBERS> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: FromStr<Err = InvalidValue>, const NUMBERS: bool> TextVisitor<T, NUMBERS> {
    fn number<E: Error>(number: &dyn fmt::Display, unexpected: Unexpected<'_>) -> Result<T, E> {
        if NUMBERS {
            number.to_string().parse().map_err(E::custom)
        } else {
            Err(E::invalid_type(unexpected, &"a string"))
        }
    }
}

impl<T: FromStr<Err = InvalidValue>, const NUMBERS: bool> Visitor<'_> for TextVisitor<T, NUMBERS> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Self::number(&number, Unexpected::Unsigned(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Self::number(&number, Unexpected::Signed(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Self::number(&number, Unexpected::Float(number))
    }
}

/// For `with`: an address and port, with an explanation of its own.
pub(crate) mod socket_address {
    use super::{InvalidValue, TextVisitor};
    use serde::{Deserializer, Serializer};
    use std::{net::SocketAddr, str::FromStr};

    pub(super) struct Explained(pub(super) SocketAddr);

    impl FromStr for Explained {
        type Err = InvalidValue;

        fn from_str(text: &str) -> Result<Self, InvalidValue> {
            text.parse().map(Self).map_err(|_| {
                let text = crate::convert::brief(text);
                let hint = match text.rsplit_once(':') {
                    Some(("" | "*" | "localhost", port)) => {
                        format!("write `0.0.0.0:{port}` or `127.0.0.1:{port}`")
                    }
                    Some((_, port)) if port.parse::<u16>().is_ok() => {
                        "write an IP address and a port, such as `127.0.0.1:8080` or `[::]:8080`".to_owned()
                    }
                    _ if text.parse::<u16>().is_ok() => {
                        format!("write `0.0.0.0:{text}` or `127.0.0.1:{text}`")
                    }
                    _ => "write an IP address and a port, such as `127.0.0.1:8080` or `[::]:8080`".to_owned(),
                };
                InvalidValue(format!("`{text}` is not an address and port: {hint}"))
            })
        }
    }

    pub(crate) fn serialize<S: Serializer>(address: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
        deserializer.deserialize_any(TextVisitor::<Explained, true>::default()).map(|explained| explained.0)
    }
}

/// For `with`: a list of addresses and ports.
pub(crate) mod socket_addresses {
    use super::{TextVisitor, socket_address::Explained};
    use serde::{Deserialize, Deserializer, Serializer};
    use std::net::SocketAddr;

    struct One(SocketAddr);

    impl<'de> Deserialize<'de> for One {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer
                .deserialize_any(TextVisitor::<Explained, true>::default())
                .map(|explained| Self(explained.0))
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        addresses: &[SocketAddr],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(addresses)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SocketAddr>, D::Error> {
        Ok(Vec::<One>::deserialize(deserializer)?.into_iter().map(|one| one.0).collect())
    }
}

#[cfg(test)]
mod tests;
