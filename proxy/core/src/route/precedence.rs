//! Which of two matches of a virtual host is asked first.

use sluice_model::spec::{PathMatch, RouteMatch};
use std::cmp::Reverse;

/// The place of a match in the order of precedence; smaller is asked first. In this order count
///
/// 1. the kind of path condition: exact, segment prefix, string prefix, regex, none;
/// 2. the longer path (for a regex, the longer expression; a trailing slash of a segment prefix does not count);
/// 3. more of the other conditions, kind by kind: method, headers, query, cookies, source, port, scheme, authority;
/// 4. the route, and in it the match, that is written first.
///
/// The last rule makes the order total: no two matches of a virtual host are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Precedence {
    path: PathKind,
    length: Reverse<usize>,
    conditions: Reverse<[usize; 9]>,
    written: (usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PathKind {
    Exact,
    Prefix,
    StringPrefix,
    Regex,
    None,
}

impl Precedence {
    /// `written` is the number of the route and of the match in it.
    pub(crate) fn of(matching: &RouteMatch, written: (usize, usize)) -> Self {
        let (path, length) = match &matching.path {
            Some(PathMatch::Exact(path)) => (PathKind::Exact, path.len()),
            Some(PathMatch::Prefix(path)) => (PathKind::Prefix, segments(path).len()),
            Some(PathMatch::StringPrefix(path)) => (PathKind::StringPrefix, path.len()),
            Some(PathMatch::Regex(regex)) => (PathKind::Regex, regex.pattern.as_str().len()),
            None => (PathKind::None, 0),
        };
        let conditions = [
            usize::from(!matching.methods.is_empty() || matching.method.is_some()),
            matching.headers.len(),
            matching.query.len(),
            matching.cookies.len(),
            usize::from(!matching.source.is_empty()),
            usize::from(matching.port.is_some()),
            usize::from(matching.scheme.is_some()),
            usize::from(matching.authority.is_some()),
            matching.pseudo_headers.len(),
        ];
        Self { path, length: Reverse(length), conditions: Reverse(conditions), written }
    }
}

/// A segment prefix without its trailing slash: what has to stand before the end of the path or a slash.
pub(crate) fn segments(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}
