//! Changes to header fields, and which of two levels wins.

use super::notes::Notes;
use crate::report::Reason;
use sluice_crds::istio::{HeaderOperations, Headers};
use sluice_model::{
    spec::{HeaderEdits, HeaderValue, RouteHeaders},
    value::HeaderName,
};

/// The edits of one level.
pub(super) fn edits(headers: Option<&Headers>, at: &str, notes: &mut Notes<'_>) -> RouteHeaders {
    let Some(headers) = headers else { return RouteHeaders::default() };
    let mut one = |operations: Option<&HeaderOperations>, direction: Direction| {
        operations.map(|operations| direction_edits(operations, at, direction, notes)).unwrap_or_default()
    };
    RouteHeaders {
        request: one(headers.request.as_ref(), Direction::Request),
        response: one(headers.response.as_ref(), Direction::Response),
    }
}

/// Route and destination as one level, for the route that has one destination: what the destination sets wins. The host is
/// the exception.
pub(super) fn joined(mut route: RouteHeaders, destination: RouteHeaders) -> RouteHeaders {
    join(&mut route.request, destination.request);
    join(&mut route.response, destination.response);
    route
}

fn join(route: &mut HeaderEdits, destination: HeaderEdits) {
    let host = |field: &HeaderValue| field.name.as_str() == "host";
    let route_has_host = route.set.iter().any(host);
    for name in destination.remove {
        if !route.remove.contains(&name) {
            route.remove.push(name);
        }
    }
    for field in destination.set {
        if host(&field) && route_has_host {
            continue;
        }
        route.set.retain(|own| own.name != field.name);
        route.set.push(field);
    }
    route.add.extend(destination.add);
}

/// Whether a level says which host the upstream sees.
pub(super) fn sets_host(headers: Option<&Headers>) -> bool {
    let request = headers.and_then(|headers| headers.request.as_ref());
    request.is_some_and(|request| request.set.keys().chain(request.add.keys()).any(|name| is_host(name)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
}

fn direction_edits(
    operations: &HeaderOperations,
    at: &str,
    direction: Direction,
    notes: &mut Notes<'_>,
) -> HeaderEdits {
    let at = match direction {
        Direction::Request => format!("{at}.request"),
        Direction::Response => format!("{at}.response"),
    };
    let mut edits = HeaderEdits::default();
    for (index, name) in operations.remove.iter().enumerate() {
        let at = format!("{at}.remove[{index}]");
        if is_host(name) {
            notes.invalid(&at, "the host cannot be removed; `set` it to another value");
        } else if let Some(name) = self::name(name, &at, notes) {
            edits.remove.push(name);
        }
    }
    for (key, written) in [("set", &operations.set), ("add", &operations.add)] {
        for (name, value) in written {
            let at = format!("{at}.{key}[{name}]");
            let host = is_host(name);
            if host && direction == Direction::Response {
                notes.invalid(&at, "a response has no host");
                continue;
            }
            let Some(name) = self::name(if host { "host" } else { name }, &at, notes) else { continue };
            if value.is_empty() {
                notes.odd(
                    Reason::NoEffect,
                    &at,
                    "an empty value changes nothing; use `remove` to take a field away",
                );
                continue;
            }
            let field = HeaderValue { name, value: value.clone() };
            if !host {
                if key == "set" { edits.set.push(field) } else { edits.add.push(field) }
            } else if !edits.set.iter().any(|own| own.name == field.name) {
                // There is but one host, so adding it is setting it.
                edits.set.push(field);
            }
        }
    }
    edits
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}

fn name(name: &str, at: &str, notes: &mut Notes<'_>) -> Option<HeaderName> {
    if name.starts_with(':') {
        notes.invalid(at, format!("`{name}` cannot be changed here; `rewrite` changes the path"));
        return None;
    }
    name.parse().map_err(|error: sluice_model::value::InvalidValue| notes.invalid(at, error.to_string())).ok()
}
