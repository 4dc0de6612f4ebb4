//! Paths: what each matches, and which comes first.

use super::select::Personality;
use crate::store::Of;
use sluice_crds::core::{Ingress, IngressBackend, PathType};
use sluice_model::spec::{PathMatch, RouteMatch};
use std::cmp::Reverse;

/// A path of a host and the Ingress that has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Location<'s> {
    pub(super) ingress: Of<'s, Ingress>,
    pub(super) personality: Personality,
    pub(super) path: &'s str,
    pub(super) kind: PathType,
    pub(super) backend: &'s IngressBackend,
}

impl Location<'_> {
    /// Whether both claim the same requests in the same way.
    pub(super) fn same_place(&self, other: &Location<'_>) -> bool {
        (self.path, self.kind) == (other.path, other.kind)
    }

    /// What it matches.
    pub(super) fn matching(&self) -> RouteMatch {
        let path = self.path.to_owned();
        let condition = match self.kind {
            PathType::Exact => PathMatch::Exact(path),
            PathType::Prefix => PathMatch::Prefix(path),
            PathType::ImplementationSpecific => match self.personality {
                Personality::Compat => PathMatch::StringPrefix(path),
                Personality::Spec => PathMatch::Prefix(path),
            },
        };
        RouteMatch { path: Some(condition), ..RouteMatch::default() }
    }

    /// Unique in the host.
    pub(super) fn route_name(&self) -> String {
        let kind = match self.kind {
            PathType::Exact => "exact",
            PathType::Prefix => "prefix",
            PathType::ImplementationSpecific => "path",
        };
        format!("{kind} {}", self.path)
    }
}

/// Exact paths first, then the longer ones; whole segments before a prefix of the same length.
pub(super) fn order(location: &Location<'_>) -> (bool, Reverse<usize>, bool, String) {
    let length = location.path.trim_end_matches('/').len();
    (
        location.kind != PathType::Exact,
        Reverse(length),
        location.kind != PathType::Prefix,
        location.path.to_owned(),
    )
}
