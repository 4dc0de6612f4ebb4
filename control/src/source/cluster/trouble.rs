//! What can go wrong between an API server and us, and what is to be done about it.

use std::{fmt, time::Duration};

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server refused, with what it said about it.
    Refused { code: u16, message: String, retry_after: Option<Duration> },
    /// There is no connection, or it broke.
    Broken(String),
    /// Nothing came for this long.
    Silent(Duration),
    /// What came is not what a Kubernetes API server sends.
    Nonsense(String),
}

impl Trouble {
    /// The status of the answer, where there was one.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// How long the server wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// A word for metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Refused { code: 403, .. } => "forbidden",
            Self::Refused { code: 404, .. } => "not_found",
            Self::Refused { code: 410, .. } => "expired",
            Self::Refused { code: 429, .. } => "too_many_requests",
            Self::Refused { .. } => "refused",
            Self::Broken(_) => "connection",
            Self::Silent(_) => "silent",
            Self::Nonsense(_) => "nonsense",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message, .. } => write!(out, "the API server answered {code}: {message}"),
            Self::Broken(why) => write!(out, "no connection to the API server: {why}"),
            Self::Silent(limit) => write!(out, "the API server sent nothing for {limit:?}"),
            Self::Nonsense(what) => write!(out, "the API server sent nonsense: {what}"),
        }
    }
}
