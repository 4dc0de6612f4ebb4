//! How an API server says no.

use super::call::Call;
use serde_json::{Value, json};

/// A failure, as clients see it.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) code: u16,
    reason: String,
    message: String,
    /// Seconds, for the header field too.
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self { code, reason: reason.to_owned(), message: message.into(), retry_after: None }
    }

    /// What a server says that refuses a request with this status for no reason of its own.
    pub(super) fn of_status(code: u16, call: &Call) -> Self {
        match code {
            403 => Self::forbidden(call),
            404 => Self::new(code, "NotFound", "the server could not find the requested resource"),
            409 => Self::conflict(call),
            410 => Self::expired(),
            429 => Self::new(code, "TooManyRequests", "too many requests, please try again later"),
            503 => {
                Self::new(code, "ServiceUnavailable", "the server is currently unable to handle the request")
            }
            504 => Self::new(code, "Timeout", "the server was unable to return a response in time"),
            _ => Self::new(
                code,
                "InternalError",
                "an error on the server has prevented the request from succeeding",
            ),
        }
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn forbidden(call: &Call) -> Self {
        let place = match call.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let name = if call.name.is_empty() { String::new() } else { format!(" \"{}\"", call.name) };
        let (plural, sub) = call.resource.split_once('/').unwrap_or((&call.resource, ""));
        let long = if call.group.is_empty() { plural.to_owned() } else { format!("{plural}.{}", call.group) };
        let message = format!(
            "{long}{name} is forbidden: User \"system:serviceaccount:test:sluice\" cannot {} resource \"{}\" in API group \"{}\" {place}",
            call.verb,
            if sub.is_empty() { plural } else { &call.resource },
            call.group,
        );
        Self::new(403, "Forbidden", message)
    }

    pub(super) fn not_found(resource: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} \"{name}\" not found"))
    }

    pub(super) fn conflict(call: &Call) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{}\": the object has been modified; please apply your changes to the latest version and try again",
            call.resource, call.name
        );
        Self::new(409, "Conflict", message)
    }

    pub(super) fn expired() -> Self {
        Self::new(410, "Expired", "too old resource version: the requested version is no longer kept")
    }

    /// The body.
    pub(super) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(seconds) = self.retry_after {
            status["details"] = json!({ "retryAfterSeconds": seconds });
        }
        status
    }
}
