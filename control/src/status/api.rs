//! Requests of the status writer to the API server, each bounded in time and bytes.

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::{Request, header};
use kube::{Client, client::Body};
use serde_json::Value;
use std::{fmt, time::Duration};
use tokio::time;

/// The longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// An object, or a page of Pods; nothing here is longer.
const MAX_ANSWER: usize = 32 << 20;
/// Who writes, in the field `managedFields` of objects.
const MANAGER: &str = "sluice";

/// The API server, as the status writer uses it.
#[derive(Clone)]
pub(super) struct Api(pub(super) Client);

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) verb: Verb,
    pub(super) path: String,
    pub(super) body: Value,
}

/// What is to be done, as RBAC calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Verb {
    Get,
    List,
    Create,
    Update,
    /// With a merge patch.
    Patch,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server refused.
    Refused { code: u16, message: String, retry_after: Option<Duration> },
    /// There is no answer, or no sense in it.
    Broken(String),
}

// === impl Api ===

impl Api {
    pub(super) async fn ask(&self, wish: Wish) -> Result<Value, Trouble> {
        time::timeout(ANSWER, self.ask_patiently(wish))
            .await
            .unwrap_or_else(|_| Err(Trouble::Broken(format!("the API server sent nothing for {ANSWER:?}"))))
    }

    async fn ask_patiently(&self, wish: Wish) -> Result<Value, Trouble> {
        let (method, kind) = match wish.verb {
            Verb::Get | Verb::List => ("GET", ""),
            Verb::Create => ("POST", "application/json"),
            Verb::Update => ("PUT", "application/json"),
            Verb::Patch => ("PATCH", "application/merge-patch+json"),
        };
        let mut request = Request::builder().method(method).header(header::ACCEPT, "application/json");
        let body = if kind.is_empty() {
            request = request.uri(&wish.path);
            Vec::new()
        } else {
            request = request.uri(format!("{}?fieldManager={MANAGER}", wish.path));
            request = request.header(header::CONTENT_TYPE, kind);
            wish.body.to_string().into_bytes()
        };
        let broken = |error: &dyn std::error::Error| Trouble::Broken(chain(error));
        let request = request.body(Body::from(body)).map_err(|error| broken(&error))?;
        let response = self.0.send(request).await.map_err(|error| broken(&error))?;
        let code = response.status().as_u16();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let succeeded = response.status().is_success();
        let mut body = response.into_body();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Trouble::Broken(chain(&error)))?;
            if let Ok(data) = frame.into_data() {
                if bytes.len() + data.len() > MAX_ANSWER {
                    return Err(Trouble::Broken(format!("the API server sent more than {MAX_ANSWER} bytes")));
                }
                bytes.extend_from_slice(&data);
            }
        }
        let answer: Result<Value, _> = serde_json::from_slice(&bytes);
        if succeeded {
            return answer
                .map_err(|_| Trouble::Broken("the API server sent something that is no JSON".to_owned()));
        }
        let said = answer.ok().and_then(|status| Some(status["message"].as_str()?.to_owned()));
        let message =
            said.unwrap_or_else(|| String::from_utf8_lossy(&bytes).trim().chars().take(200).collect());
        Err(Trouble::Refused { code, message, retry_after: retry_after.map(Duration::from_secs) })
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Api")
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
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

// === impl Verb ===

impl Verb {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
        }
    }
}

// === impl Trouble ===

impl Trouble {
    /// The status of the answer; 0 where there was none.
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Broken(_) => 0,
        }
    }

    /// A word for metrics.
    pub(super) fn word(&self) -> &'static str {
        match self.code() {
            0 => "connection",
            403 => "forbidden",
            404 => "not_found",
            409 => "conflict",
            429 => "too_many_requests",
            _ => "refused",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message, .. } => write!(out, "the API server answered {code}: {message}"),
            Self::Broken(why) => write!(out, "no answer from the API server: {why}"),
        }
    }
}
