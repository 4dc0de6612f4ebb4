//! A Kubernetes API server as its clients use it: how it is reached, requests, and what can go wrong. Each request is bounded in
//! time and bytes, and none is tried again here: who asks knows when that makes sense.

mod access;
mod api;
mod lines;
mod trouble;

pub(crate) use access::Access;
pub(crate) use api::{Api, Verb};
pub(crate) use lines::Lines;
pub(crate) use trouble::{Status, Trouble};

/// The path of all objects of a kind, or of those in a namespace.
pub(crate) fn path(group: &str, version: &str, namespace: Option<&str>, plural: &str) -> String {
    let base = match group {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    };
    match namespace {
        Some(namespace) => format!("{base}/namespaces/{namespace}/{plural}"),
        None => format!("{base}/{plural}"),
    }
}
