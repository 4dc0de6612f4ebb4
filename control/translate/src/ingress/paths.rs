//! Paths: what each matches, and which comes first.

use super::{annotations::Annotations, location::Location, select::Personality};
use crate::{
    name,
    report::{Level, Reason, Report},
    settings::IngressDefaults,
    store::Of,
};
use sluice_crds::core::{HttpIngressPath, Ingress, PathType};
use sluice_model::{
    spec::{
        Action, PathMatch, PathRegex, Redirect, RedirectCode, RedirectPath, RegexAnchor, Route, RouteMatch,
    },
    value::{InvalidValue, Regex},
};
use std::{cmp::Reverse, fmt::Write};

/// The path and its kind, with what absent ones mean.
pub(super) fn of(written: &HttpIngressPath, personality: Personality) -> (&str, PathType) {
    match written.path.as_str() {
        "" => ("/", PathType::ImplementationSpecific),
        path if personality == Personality::Istio => of_istio(path, written.path_type),
        path => (path, written.path_type),
    }
}

/// Istio reads `/a.*` and `/a/*` as what begins with `/a`, and a path without such an end as the whole one.
fn of_istio(path: &str, kind: PathType) -> (&str, PathType) {
    if kind != PathType::ImplementationSpecific {
        return (path, kind);
    }
    let start =
        if path == "*" { Some("") } else { path.strip_suffix(".*").or_else(|| path.strip_suffix("/*")) };
    match start {
        None => (path, PathType::Exact),
        Some("") => ("/", kind),
        Some(start) => (start, kind),
    }
}

/// What is wrong with the paths of an Ingress on its own; each of these is a reason not to serve it at all.
pub(super) fn mistakes(
    ingress: Of<'_, Ingress>,
    personality: Personality,
    annotations: &Annotations,
    defaults: &IngressDefaults,
) -> Vec<Report> {
    let use_regex = annotations.flag("use-regex") == Some(true);
    let rewrite = annotations.text("rewrite-target");
    let mistake = |written: &HttpIngressPath| {
        let (path, kind) = of(written, personality);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        let regex = use_regex || personality == Personality::Compat && rewrite.is_some_and(|to| to != path);
        if !path.starts_with('/') {
            Some("a path begins with `/`".to_owned())
        } else if kind != PathType::ImplementationSpecific
            && personality == Personality::Compat
            && defaults.strict_validate_path_type
            && !path.bytes().all(plain)
        {
            Some(format!(
                "a path of pathType {kind:?} consists of letters, digits, `.`, `_`, `-` and `/`; \
                 write pathType ImplementationSpecific, or set `strict-validate-path-type: \"false\"`"
            ))
        } else if regex {
            path.parse::<Regex>().err().map(|error| error.to_string())
        } else {
            None
        }
    };
    let rules = ingress.object().content.rules.iter().enumerate();
    let paths = rules.flat_map(|(rule, content)| {
        let paths = content.http.iter().flat_map(|http| http.paths.iter().enumerate());
        paths.map(move |(index, path)| (rule, index, path))
    });
    let mistakes = paths.filter_map(|(rule, index, path)| Some((rule, index, mistake(path)?)));
    let reports = mistakes.map(|(rule, index, message)| {
        let message = format!("{message}; this Ingress is not served");
        Report::new(ingress.held(), Level::Error, Reason::Invalid, message)
            .at(format!("spec.rules[{rule}].http.paths[{index}].path"))
    });
    reports.collect()
}

/// A path as it stands in a request line.
pub(super) fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>#?".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

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
            (Personality::Compat | Personality::Istio, PathType::ImplementationSpecific) => Self::Text,
            (_, PathType::Prefix | PathType::ImplementationSpecific) => Self::Segments,
        }
    }
}

impl Location<'_> {
    /// Whether every path belongs to it that no other location takes.
    pub(super) fn is_root(&self) -> bool {
        self.path == "/" && self.matching != Matching::Whole
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

    /// What it matches. An expression that is none, or that RE2 does not have, is an error.
    pub(super) fn conditions(&self) -> Result<RouteMatch, InvalidValue> {
        let path = match self.matching {
            Matching::Whole => PathMatch::Exact(encoded(self.path)),
            Matching::Segments => PathMatch::Prefix(encoded(self.path)),
            Matching::Text => PathMatch::StringPrefix(encoded(self.path)),
            Matching::Expression => {
                PathMatch::Regex(PathRegex { pattern: self.path.parse()?, anchor: RegexAnchor::Start })
            }
        };
        let ignore_path_case = self.matching == Matching::Expression;
        Ok(RouteMatch { path: Some(path), ignore_path_case, ..RouteMatch::default() })
    }

    /// The path without the slash at its end, which nginx sends to the path with it: where the location ends in one and is
    /// not an expression.
    pub(super) fn without_slash(&self) -> Option<&str> {
        let nginx = self.personality == Personality::Compat && self.matching != Matching::Expression;
        self.path.strip_suffix('/').filter(|path| nginx && !path.is_empty())
    }

    /// A route that sends the path without the slash to the one with it.
    pub(super) fn slash_redirect(&self, port: Option<u16>, relative: bool) -> Option<Route> {
        let path = Some(RedirectPath::Whole(encoded(self.path)));
        let port = port.filter(|_| !relative);
        let code = RedirectCode::MovedPermanently;
        let redirect = Redirect { path, port, relative, code, ..Redirect::default() };
        let name = name::fit(format!("slash {}", self.path));
        let path = Some(PathMatch::Exact(encoded(self.without_slash()?)));
        Some(Route {
            matches: vec![RouteMatch { path, ..RouteMatch::default() }],
            origin: Some(self.ingress.name().to_string()),
            ..Route::new(name, Action::Redirect(redirect))
        })
    }

    /// Unique in the host.
    pub(super) fn route_name(&self) -> String {
        let kind = match self.kind {
            PathType::Exact => "exact",
            PathType::Prefix => "prefix",
            PathType::ImplementationSpecific => "path",
        };
        name::fit(format!("{kind} {}", self.path))
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
