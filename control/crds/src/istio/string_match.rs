//! How a text is compared.

use crate::message::message;
use serde::{Deserialize, Serialize};

/// How a text is compared; case-sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum StringMatch {
    /// `{}`: whatever it is, if only it is there.
    #[default]
    Present,
    /// This text.
    Exact(String),
    /// Text that begins with this.
    Prefix(String),
    /// Text of which the whole matches this expression (RE2 syntax).
    Regex(String),
}

message! {
    #[serde(rename = "StringMatch")]
    struct Written {
        pub exact: Option<String>,
        pub prefix: Option<String>,
        pub regex: Option<String>,
    }
}

impl TryFrom<Written> for StringMatch {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        match (written.exact, written.prefix, written.regex) {
            (None, None, None) => Ok(Self::Present),
            (Some(exact), None, None) => Ok(Self::Exact(exact)),
            (None, Some(prefix), None) => Ok(Self::Prefix(prefix)),
            (None, None, Some(regex)) => Ok(Self::Regex(regex)),
            _ => Err("only one of `exact`, `prefix` and `regex` can be set"),
        }
    }
}

impl From<StringMatch> for Written {
    fn from(comparison: StringMatch) -> Self {
        match comparison {
            StringMatch::Present => Self::default(),
            StringMatch::Exact(exact) => Self { exact: Some(exact), ..Self::default() },
            StringMatch::Prefix(prefix) => Self { prefix: Some(prefix), ..Self::default() },
            StringMatch::Regex(regex) => Self { regex: Some(regex), ..Self::default() },
        }
    }
}
