//! What can go wrong between an API server and us.

use serde::Deserialize;
use std::{error::Error, fmt, time::Duration};

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The server refused, with what it said about it.
    Refused { code: u16, message: String, retry_after: Option<Duration> },
    /// There is no connection, or it broke.
    Broken(String),
    /// Nothing came for this long.
    Silent(Duration),
    /// What came is not what a Kubernetes API server sends.
    Nonsense(String),
}

/// A `Status` of Kubernetes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    code: u16,
    message: String,
    details: Option<StatusDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StatusDetails {
    retry_after_seconds: Option<u64>,
}

// === impl Trouble ===

impl Trouble {
    /// The server refused with this code and this answer, which may be no [`Status`].
    pub(super) fn refused(code: u16, answer: &[u8], retry_after: Option<Duration>) -> Self {
        let status: Status = serde_json::from_slice(answer).unwrap_or_default();
        let message = if status.message.is_empty() {
            String::from_utf8_lossy(answer).trim().chars().take(200).collect()
        } else {
            status.message.clone()
        };
        Self::Refused { code, message, retry_after: status.retry_after().or(retry_after) }
    }

    /// The status of the answer, where there was one.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// How long the server wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether it is about the server, so that whatever else is sent fails as well.
    pub(crate) fn is_of_server(&self) -> bool {
        self.code().is_none_or(|code| code == 429 || code >= 500)
    }

    /// A word for metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Refused { code: 403, .. } => "forbidden",
            Self::Refused { code: 404, .. } => "not_found",
            Self::Refused { code: 409, .. } => "conflict",
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

// === impl Status ===

impl Status {
    fn retry_after(&self) -> Option<Duration> {
        self.details.as_ref().and_then(|details| details.retry_after_seconds).map(Duration::from_secs)
    }
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        Self::Refused { code: status.code, retry_after: status.retry_after(), message: status.message }
    }
}

/// An error with its causes, without repeating what an error says of its cause.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_server_said_or_what_it_sent_instead() {
        let status =
            br#"{"kind":"Status","code":429,"message":"slow down","details":{"retryAfterSeconds":7}}"#;
        let refused = Trouble::refused(429, status, Some(Duration::from_secs(1)));
        assert_eq!(refused.to_string(), "the API server answered 429: slow down");
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(7)));
        let other = Trouble::refused(502, b" <html>bad gateway</html> ", Some(Duration::from_secs(1)));
        assert_eq!(other.to_string(), "the API server answered 502: <html>bad gateway</html>");
        assert_eq!(other.retry_after(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_is_about_the_server_is_told_from_what_is_about_a_request() {
        for (trouble, of_server) in [
            (Trouble::refused(409, b"", None), false),
            (Trouble::refused(403, b"", None), false),
            (Trouble::refused(429, b"", None), true),
            (Trouble::refused(503, b"", None), true),
            (Trouble::Silent(Duration::ZERO), true),
        ] {
            assert_eq!(trouble.is_of_server(), of_server, "{trouble}");
        }
    }
}
