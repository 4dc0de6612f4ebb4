//! Requests to an API server.

use super::{
    lines::{Lines, collect},
    trouble::{Trouble, chain},
};
use hyper::{Request, Response, header};
use kube::{
    Client,
    client::Body,
    core::{
        Request as Listing,
        params::{ListParams, WatchParams},
    },
};
use serde_json::Value;
use std::{fmt, time::Duration};
use tokio::time;

/// The longest wait for the head of an answer, and between two pieces of a list.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest wait for the whole of an answer about one object.
const ONE: Duration = Duration::from_secs(10);
/// A page of 500 objects of the largest size that etcd takes stays below it.
const MAX_PAGE: usize = 1 << 30;
/// An object, or a page of Pods.
const MAX_ONE: usize = 32 << 20;
/// Of an error nobody reads more.
const MAX_ERROR: usize = 64 << 10;
const JSON: &str = "application/json";
/// Asks for metadata in place of objects, as lists and as events of a watch.
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// Who writes, in the field `managedFields` of objects.
const MANAGER: &str = "sluice";

/// An API server.
#[derive(Clone)]
pub(crate) struct Api(Client);

/// What is to be done, as RBAC calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Create,
    Update,
    /// With a merge patch.
    Patch,
}

// === impl Api ===

impl Api {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    /// A page of a list, as text, of the objects at a path or of their metadata.
    pub(crate) async fn list(
        &self,
        path: &str,
        what: &ListParams,
        metadata_only: bool,
    ) -> Result<String, Trouble> {
        let request = Listing::new(path).list(what).map_err(|error| unsendable(&error))?;
        let response = self.send(request, if metadata_only { METADATA_LIST } else { JSON }).await?;
        let bytes = collect(response.into_body(), MAX_PAGE, ANSWER).await?;
        String::from_utf8(bytes.into()).map_err(|_| Trouble::Nonsense("bytes that are no UTF-8".to_owned()))
    }

    /// What happens to the objects at a path from a version on, or to their metadata, event by event.
    pub(crate) async fn watch(
        &self,
        path: &str,
        what: &WatchParams,
        version: &str,
        metadata_only: bool,
    ) -> Result<Lines, Trouble> {
        let request = Listing::new(path).watch(what, version).map_err(|error| unsendable(&error))?;
        let response = self.send(request, if metadata_only { METADATA } else { JSON }).await?;
        Ok(Lines::of(response.into_body()))
    }

    /// Does something with one object, or lists a few. `body` counts for verbs that write.
    pub(crate) async fn ask(&self, verb: Verb, path: &str, body: &Value) -> Result<Value, Trouble> {
        let (method, kind) = match verb {
            Verb::Get | Verb::List => ("GET", ""),
            Verb::Create => ("POST", JSON),
            Verb::Update => ("PUT", JSON),
            Verb::Patch => ("PATCH", "application/merge-patch+json"),
        };
        let request = Request::builder().method(method);
        let request = if kind.is_empty() {
            request.uri(path).body(Vec::new())
        } else {
            let request = request.uri(format!("{path}?fieldManager={MANAGER}"));
            request.header(header::CONTENT_TYPE, kind).body(body.to_string().into_bytes())
        };
        let request = request.map_err(|error| unsendable(&error))?;
        let answer = async {
            let response = self.send(request, JSON).await?;
            let bytes = collect(response.into_body(), MAX_ONE, ONE).await?;
            serde_json::from_slice(&bytes)
                .map_err(|_| Trouble::Nonsense("something that is no JSON".to_owned()))
        };
        time::timeout(ONE, answer).await.unwrap_or(Err(Trouble::Silent(ONE)))
    }

    async fn send(&self, request: Request<Vec<u8>>, accept: &'static str) -> Result<Response<Body>, Trouble> {
        let mut request = request.map(Body::from);
        request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static(accept));
        let response = time::timeout(ANSWER, self.0.send(request))
            .await
            .map_err(|_| Trouble::Silent(ANSWER))?
            .map_err(|error| Trouble::Broken(chain(&error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let asked = response.headers().get(header::RETRY_AFTER);
        let asked = asked.and_then(|value| value.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
        let answer = collect(response.into_body(), MAX_ERROR, ANSWER).await.unwrap_or_default();
        Err(Trouble::refused(code, &answer, asked))
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Api")
    }
}

/// Names that cannot stand in a URL; no API server has them.
fn unsendable(error: &(dyn std::error::Error + 'static)) -> Trouble {
    Trouble::Nonsense(chain(error))
}

// === impl Verb ===

impl Verb {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
        }
    }
}
