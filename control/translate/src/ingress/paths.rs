//! Paths: what each matches, and which comes first.

use super::{location::Location, select::Personality};
use sluice_crds::core::PathType;
use sluice_model::spec::{PathMatch, PathRegex, RegexAnchor, RouteMatch};
use std::cmp::Reverse;

/// How a path is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matching {
    /// The whole path.
    Whole,
    /// Whole segments.
    Segments,
    /// As text.
    Text,
    /// As a regular expression from the start, in any case.
    Expression,
}

impl Matching {
    /// How a path of a kind is compared in a host that is in regex mode or not.
    pub(super) fn of(kind: PathType, personality: Personality, regex_host: bool, own_regex: bool) -> Self {
        match (personality, kind) {
            (Personality::Compat, _) if regex_host => Self::Expression,
            (Personality::Spec, PathType::ImplementationSpecific) if own_regex => Self::Expression,
            (_, PathType::Exact) => Self::Whole,
            (Personality::Compat, PathType::ImplementationSpecific) => Self::Text,
            (_, PathType::Prefix | PathType::ImplementationSpecific) => Self::Segments,
        }
    }
}

impl Location<'_> {
    /// Whether both claim the same requests in the same way.
    pub(super) fn same_place(&self, other: &Location<'_>) -> bool {
        (self.path, self.kind) == (other.path, other.kind)
    }

    /// Whether it makes all paths of its host regular expressions.
    pub(super) fn asks_for_regex(&self) -> bool {
        self.personality == Personality::Compat
            && (self.annotations.flag("use-regex") == Some(true) || self.rewrite_target().is_some())
    }

    /// What the whole path becomes; `None` also where it would stay as it is.
    pub(super) fn rewrite_target(&self) -> Option<&str> {
        self.annotations.text("rewrite-target").filter(|target| *target != self.path)
    }

    /// What it matches; an expression that is none matches nothing else either, and never gets here.
    pub(super) fn conditions(&self) -> RouteMatch {
        let path = || self.path.to_owned();
        let condition = match self.matching {
            Matching::Whole => PathMatch::Exact(path()),
            Matching::Segments => PathMatch::Prefix(path()),
            Matching::Text => PathMatch::StringPrefix(path()),
            Matching::Expression => match self.path.parse() {
                Ok(pattern) => PathMatch::Regex(PathRegex { pattern, anchor: RegexAnchor::Start }),
                Err(_) => PathMatch::Exact(path()),
            },
        };
        RouteMatch {
            path: Some(condition),
            ignore_path_case: self.matching == Matching::Expression,
            ..RouteMatch::default()
        }
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

    /// Whole paths first, then the longer ones, whole segments before a text of the same length (as nginx, that sees
    /// `/a/` in them); expressions by their length alone, the longest first, and from the end of the alphabet.
    pub(super) fn order(&self) -> (bool, Reverse<usize>, bool, Reverse<String>) {
        let trimmed = self.path.trim_end_matches('/').len();
        let length = match self.matching {
            Matching::Segments => trimmed + 1,
            Matching::Whole | Matching::Text | Matching::Expression => self.path.len(),
        };
        (
            self.matching != Matching::Whole,
            Reverse(length),
            self.matching != Matching::Segments,
            Reverse(self.path.to_owned()),
        )
    }
}
