//! Pages in the place of errors.

use super::{HeaderEdits, is_default};
use crate::value::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shows clients a page of another cluster in the place of an error (nginx `error_page 503 = @page`).
///
/// The page is asked for with the method of the request, without its body, at `/` with its query, and with the fields that
/// the client sent; edits and rewrites of the route do not apply to it. What it is answered with, status included, is the
/// answer to the client. It is never replaced itself; where it cannot be had, the client gets the status of the error and no
/// body. gRPC calls and requests for another protocol keep their errors, and so do requests that are malformed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorPages {
    /// Answers with these statuses are replaced, 300 to 599.
    pub statuses: Vec<StatusCode>,
    /// Who has the pages.
    pub cluster: String,
    /// Whose answers are replaced.
    #[serde(default, skip_serializing_if = "is_default")]
    pub of: ErrorsOf,
    /// Edits of the head of the request for the page; `%RESPONSE_CODE%` is the status of the error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: HeaderEdits,
}

/// Whose errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorsOf {
    /// Of servers, and our own (nginx `proxy_intercept_errors on`).
    #[default]
    All,
    /// Our own alone: no endpoint, a timeout, a body that is too large.
    Proxy,
}
