//! Conditions of a rule: `HTTPMatchRequest`.

use super::notes::Notes;
use crate::report::Reason;
use regex_automata::meta;
use sluice_crds::istio::{HttpMatchRequest, StringMatch};
use sluice_model::{
    convert::brief,
    spec::{
        HeaderMatch, PathMatch, PathRegex, PseudoHeader, PseudoHeaderMatch, QueryMatch, RegexAnchor,
        RouteMatch, Scheme, ValueMatch,
    },
    value::{HeaderName, Regex},
};
use std::collections::BTreeMap;

/// The longest expression that Istio takes.
const MAX_REGEX: usize = 1024;

/// The conditions of a match; `None` where no request can ever meet them, which is noted, or where one is wrong.
pub(super) fn conditions(matching: &HttpMatchRequest, at: &str, notes: &mut Notes<'_>) -> Option<RouteMatch> {
    let mut found = RouteMatch::default();
    let mut possible = true;
    let errors = notes.errors();
    if let Some(uri) = &matching.uri {
        let at = format!("{at}.uri");
        match path(uri, &at, notes) {
            Ok(path) => {
                found.ignore_path_case = matching.ignore_uri_case
                    && matches!(path, Some(PathMatch::Exact(_) | PathMatch::StringPrefix(_)));
                found.path = path;
            }
            Err(Hopeless) => possible = false,
        }
    }
    if let Some(scheme) = &matching.scheme {
        match self::scheme(scheme, &format!("{at}.scheme"), notes) {
            Ok(scheme) => found.scheme = scheme,
            Err(Hopeless) => possible = false,
        }
    }
    if let Some(method) = &matching.method {
        method_into(&mut found, method, &format!("{at}.method"), notes);
    }
    if let Some(authority) = &matching.authority {
        found.authority = value(authority, &format!("{at}.authority"), notes).map(lower);
    }
    possible &= headers(&matching.headers, &format!("{at}.headers"), &mut found, notes);
    possible &= without(&matching.without_headers, &format!("{at}.withoutHeaders"), &mut found, notes);
    for (name, comparison) in &matching.query_params {
        let at = format!("{at}.queryParams[{name}]");
        if name.is_empty() {
            notes.invalid(&at, "a parameter needs a name");
        } else if let Some(value) = value(comparison, &at, notes) {
            found.query.push(QueryMatch { name: name.clone(), value, invert: false });
        }
    }
    (possible && notes.errors() == errors).then_some(found)
}

/// Whether every request meets the conditions, as Istio sees it: such a route ends its VirtualService, and is asked after
/// those of all others. What is written counts, not what it comes to: a condition that always holds keeps its place.
pub(super) fn is_catch_all(written: Option<&HttpMatchRequest>, found: &RouteMatch) -> bool {
    let conditional = written.is_some_and(|written| {
        let one_of = [&written.scheme, &written.method, &written.authority];
        one_of.into_iter().any(Option::is_some)
            || !written.headers.is_empty()
            || !written.without_headers.is_empty()
            || !written.query_params.is_empty()
    });
    let any_path = match &found.path {
        None => true,
        Some(PathMatch::StringPrefix(path)) => path == "/",
        Some(PathMatch::Regex(regex)) => regex.pattern.as_str() == ".*",
        Some(PathMatch::Exact(_) | PathMatch::Prefix(_)) => false,
    };
    let path = RouteMatch {
        path: found.path.clone(),
        ignore_path_case: found.ignore_path_case,
        ..RouteMatch::default()
    };
    !conditional && any_path && *found == path
}

/// No request can meet the condition.
struct Hopeless;

/// `None` matches every path.
fn path(uri: &StringMatch, at: &str, notes: &mut Notes<'_>) -> Result<Option<PathMatch>, Hopeless> {
    let (text, path) = match uri {
        StringMatch::Present => return Ok(None),
        StringMatch::Prefix(prefix) if prefix.is_empty() => return Ok(None),
        StringMatch::Exact(path) => (path, PathMatch::Exact(path.clone())),
        StringMatch::Prefix(path) => (path, PathMatch::StringPrefix(path.clone())),
        StringMatch::Regex(text) => {
            let pattern = regex(text, at, notes).ok_or(Hopeless)?;
            return Ok(Some(PathMatch::Regex(PathRegex { pattern, anchor: RegexAnchor::Full })));
        }
    };
    // `OPTIONS *` is the one target without a slash.
    let star = text == "*" && matches!(uri, StringMatch::Exact(_));
    let wrong = if !star && !text.starts_with('/') {
        "a path begins with `/`"
    } else if text.contains('?') {
        "a path does not include the query; match it with `queryParams`"
    } else if text.contains('#') {
        "a path does not include a fragment"
    } else if text.contains(|c: char| c.is_control() || !c.is_ascii() || matches!(c, ' ' | '"' | '<' | '>')) {
        "a path is percent-encoded"
    } else {
        return Ok(Some(path));
    };
    notes.odd(Reason::Unreachable, at, format!("`{}` never matches: {wrong}", brief(text)));
    Err(Hopeless)
}

/// There are but two schemes, so any comparison comes down to both, one or none of them.
fn scheme(comparison: &StringMatch, at: &str, notes: &mut Notes<'_>) -> Result<Option<Scheme>, Hopeless> {
    let Some(value) = value(comparison, at, notes) else { return Err(Hopeless) };
    let holds = |scheme: Scheme| holds_for(&value, scheme.as_str());
    match (holds(Scheme::Http), holds(Scheme::Https)) {
        (true, true) => Ok(None),
        (true, false) => Ok(Some(Scheme::Http)),
        (false, true) => Ok(Some(Scheme::Https)),
        (false, false) => {
            notes.odd(Reason::Unreachable, at, "never matches: a scheme is `http` or `https`");
            Err(Hopeless)
        }
    }
}

fn method_into(found: &mut RouteMatch, comparison: &StringMatch, at: &str, notes: &mut Notes<'_>) {
    match value(comparison, at, notes) {
        Some(ValueMatch::Exact(method)) => found.methods = vec![method],
        Some(ValueMatch::Present) | None => {}
        Some(other) => found.method = Some(other),
    }
}

/// Whether the conditions can be met.
fn headers(
    wanted: &BTreeMap<String, StringMatch>,
    at: &str,
    found: &mut RouteMatch,
    notes: &mut Notes<'_>,
) -> bool {
    let mut possible = true;
    for (name, comparison) in wanted {
        let at = format!("{at}[{name}]");
        match name.as_str() {
            pseudo if pseudo.starts_with(':') => match pseudo_header(pseudo) {
                Some(name) => {
                    let value = pseudo_value(name, comparison, &at, notes);
                    let value = value.map(|value| PseudoHeaderMatch { name, value, invert: false });
                    found.pseudo_headers.extend(value);
                }
                None => {
                    let message = format!("never matches: no request has `{}`", brief(pseudo));
                    notes.odd(Reason::Unreachable, &at, message);
                    possible = false;
                }
            },
            claim if claim.starts_with("@request.auth.") => {
                let message = "not in effect yet: it needs authentication; until then this match never holds";
                notes.odd(Reason::FailsClosed, &at, message);
                possible = false;
            }
            name => {
                let Some(name) = header_name(name, &at, notes) else { continue };
                if let Some(value) = value(comparison, &at, notes) {
                    found.headers.push(HeaderMatch {
                        name,
                        value,
                        invert: false,
                        missing_as_empty: false,
                        ignore_case: false,
                    });
                }
            }
        }
    }
    possible
}

/// A field that must not be like this; one that is not there counts as empty, unless the question is whether it is there.
/// Whether the conditions can be met.
fn without(
    unwanted: &BTreeMap<String, StringMatch>,
    at: &str,
    found: &mut RouteMatch,
    notes: &mut Notes<'_>,
) -> bool {
    let mut possible = true;
    for (name, comparison) in unwanted {
        let at = format!("{at}[{name}]");
        if name.starts_with("@request.auth.") {
            // A claim that is not there counts as empty. A condition that never held could open what its rule shuts.
            let message = "not in effect yet: it needs authentication; until then nobody has claims, so this always holds";
            notes.odd(Reason::NotInEffect, &at, message);
            continue;
        }
        if name.starts_with(':') {
            match pseudo_header(name) {
                Some(name) => {
                    let value = pseudo_value(name, comparison, &at, notes);
                    let value = value.map(|value| PseudoHeaderMatch { name, value, invert: true });
                    found.pseudo_headers.extend(value);
                }
                None => {
                    // What is not there counts as empty.
                    let value = value(comparison, &at, notes);
                    possible &= value.is_none_or(|value| !holds_for(&value, ""));
                    let message =
                        format!("no request has `{}`, so this decides nothing about any", brief(name));
                    notes.odd(Reason::NoEffect, &at, message);
                }
            }
            continue;
        }
        let Some(name) = header_name(name, &at, notes) else { continue };
        let Some(value) = value(comparison, &at, notes) else { continue };
        let (value, negated) = match value {
            ValueMatch::Present => (ValueMatch::Absent, false),
            value => (value, true),
        };
        found.headers.push(HeaderMatch {
            name,
            value,
            invert: negated,
            missing_as_empty: negated,
            ignore_case: false,
        });
    }
    possible
}

/// The part of the request line that goes by this name.
fn pseudo_header(name: &str) -> Option<PseudoHeader> {
    use PseudoHeader::{Authority, Method, Path, Scheme};
    [Authority, Method, Path, Scheme].into_iter().find(|part| part.as_str() == name)
}

fn pseudo_value(
    name: PseudoHeader,
    comparison: &StringMatch,
    at: &str,
    notes: &mut Notes<'_>,
) -> Option<ValueMatch> {
    let value = value(comparison, at, notes)?;
    Some(if name == PseudoHeader::Authority { lower(value) } else { value })
}

/// Whether a value that is there meets a condition; but for substrings and the like, which Istio does not have.
fn holds_for(value: &ValueMatch, text: &str) -> bool {
    match value {
        ValueMatch::Exact(wanted) => wanted == text,
        ValueMatch::Prefix(wanted) => text.starts_with(wanted.as_str()),
        ValueMatch::Regex(pattern) => {
            meta::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|compiled| compiled.is_match(text))
        }
        ValueMatch::Present | ValueMatch::Suffix(_) | ValueMatch::Contains(_) => !text.is_empty(),
        ValueMatch::Absent => false,
    }
}

fn header_name(name: &str, at: &str, notes: &mut Notes<'_>) -> Option<HeaderName> {
    name.parse().map_err(|error: sluice_model::value::InvalidValue| notes.invalid(at, error.to_string())).ok()
}

/// A comparison of anything but a path. The regular expression `*`, which is none, asks whether there is a value.
fn value(comparison: &StringMatch, at: &str, notes: &mut Notes<'_>) -> Option<ValueMatch> {
    Some(match comparison {
        StringMatch::Present => ValueMatch::Present,
        StringMatch::Exact(text) => ValueMatch::Exact(text.clone()),
        StringMatch::Prefix(text) if text.is_empty() => {
            notes.invalid(
                at,
                "an empty prefix is one of everything; write `{}` to ask whether there is a value",
            );
            return None;
        }
        StringMatch::Prefix(text) => ValueMatch::Prefix(text.clone()),
        StringMatch::Regex(text) if text == "*" => ValueMatch::Present,
        StringMatch::Regex(text) => ValueMatch::Regex(regex(text, at, notes)?),
    })
}

/// Authorities are compared in lower case.
fn lower(value: ValueMatch) -> ValueMatch {
    match value {
        ValueMatch::Exact(text) => ValueMatch::Exact(text.to_ascii_lowercase()),
        ValueMatch::Prefix(text) => ValueMatch::Prefix(text.to_ascii_lowercase()),
        other => other,
    }
}

/// An expression in RE2 syntax; what RE2 does not have is named.
pub(super) fn regex(text: &str, at: &str, notes: &mut Notes<'_>) -> Option<Regex> {
    if text.is_empty() {
        notes.invalid(
            at,
            "an empty expression matches nothing but an empty text; write `exact: \"\"` for that",
        );
        return None;
    }
    if text.len() > MAX_REGEX {
        notes.invalid(at, format!("the expression has {} bytes; {MAX_REGEX} are allowed", text.len()));
        return None;
    }
    text.parse().map_err(|error: sluice_model::value::InvalidValue| notes.invalid(at, error.to_string())).ok()
}
