//! Kubernetes objects as types: what a user of Istio or of ingress-nginx has in a cluster or in a folder of manifests.
//!
//! - [`istio`] and [`core`] hold the kinds, each a plain serde type with every field of its API.
//! - [`Object`] is one object of a kind with its metadata and with all that is wrong with it. It reads whatever has a
//!   name: a mistake in one field is a [`Problem`] of this object and hides no other, an unknown field is reported and left
//!   out. That also holds for what an API server sends ([`AnyObject::of_server`]), so one bad object never spoils a list.
//! - [`manifest`] reads a text with any number of objects in it, YAML or JSON.
//! - [`annotations`], [`configmap`] and [`flags`] are the tables of ingress-nginx, [`istio::rows`] the one of Istio's fields: for each row what its value looks like and the
//!   [`Verdict`] on it. A row that something new makes work is changed there and nowhere else.
//! - [`definition`] writes the CustomResourceDefinitions of Istio's kinds.
//!
//! Nothing here knows a cluster, a clock or a file system, and nothing here decides what an object means: the checks
//! between fields and between objects belong to the translation.

mod message;

pub mod annotations;
pub mod configmap;
pub mod core;
pub mod definition;
pub mod flags;
pub mod istio;
pub mod manifest;
pub mod object;
pub mod proto;
mod verdict;

pub use manifest::{AnyObject, Known, Manifest};
pub use object::{Kind, Object, ObjectName};
pub use sluice_model::convert::{Problem, Reason};
pub use verdict::{Need, Verdict};

#[cfg(test)]
mod tests;
