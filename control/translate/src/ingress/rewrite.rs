//! `rewrite-target` and `x-forwarded-prefix`.

use super::{
    location::{Location, Scene, unavailable},
    paths::Matching,
};
use crate::report::{Level, Reason};
use sluice_model::{
    spec::{
        Action, HeaderValue, PathRewrite, Redirect, RedirectCode, RedirectPath, RegexRewrite, Route, Scheme,
    },
    value::Regex,
};
use std::fmt::Write;

/// The whole path becomes the target, with what the path of the rule captures in it.
pub(super) fn apply(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let prefix = location.annotations.text("x-forwarded-prefix");
    let Some(target) = location.rewrite_target() else {
        if prefix.is_some() {
            let message = "it is sent only together with a `rewrite-target`";
            scene.report_annotation(
                location,
                "x-forwarded-prefix",
                Level::Warning,
                Reason::NoEffect,
                message,
            );
        }
        return;
    };
    if let Some((scheme, rest)) = absolute(target) {
        match away(scheme, rest, location.pattern()) {
            Ok(redirect) => route.action = Action::Redirect(redirect),
            Err(message) => {
                route.action = unavailable();
                let message = format!("{message}; its paths answer 503");
                scene.report_annotation(
                    location,
                    "rewrite-target",
                    Level::Error,
                    Reason::NotInEffect,
                    message,
                );
            }
        }
        return;
    }
    let pattern = location.pattern();
    match replacement(target, pattern.as_ref().map_or(0, Regex::captures)) {
        Ok(replacement) => {
            route.rewrite.path = Some(match pattern {
                Some(pattern) => PathRewrite::Regex(whole(pattern, replacement)),
                None => PathRewrite::Whole(replacement),
            });
            if let Some(prefix) = prefix
                && let Ok(name) = "x-forwarded-prefix".parse()
            {
                let value = prefix.replace('%', "%%");
                route.headers.request.set.push(HeaderValue { name, value });
            }
        }
        Err(message) => {
            route.action = unavailable();
            let message = format!("{message}; its paths answer 503");
            scene.report_annotation(location, "rewrite-target", Level::Error, Reason::Invalid, message);
        }
    }
}

/// What the path of the rule captures, in a new path.
fn whole(pattern: Regex, replacement: String) -> RegexRewrite {
    RegexRewrite { pattern, replacement, ignore_case: true, replace_whole: true }
}

impl Location<'_> {
    /// Its path, where that is compared as a regular expression.
    fn pattern(&self) -> Option<Regex> {
        (self.matching == Matching::Expression).then(|| self.path.parse().ok()).flatten()
    }
}

/// The scheme of a target that is a URL, and what stands behind it. Such a target is a redirect.
pub(super) fn absolute(target: &str) -> Option<(Scheme, &str)> {
    let http = target.strip_prefix("http://").map(|rest| (Scheme::Http, rest));
    http.or_else(|| target.strip_prefix("https://").map(|rest| (Scheme::Https, rest)))
}

/// A redirect to a URL, with the query of the request. Captures of the pattern may stand in its path.
fn away(scheme: Scheme, rest: &str, pattern: Option<Regex>) -> Result<Redirect, String> {
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let good_host =
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
    let good_path = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>".contains(&byte));
    if !good_host || !good_path {
        return Err("the target is no URL; captures may stand in its path alone".to_owned());
    }
    let path = match pattern {
        _ if path.is_empty() => RedirectPath::Whole("/".to_owned()),
        _ if !path.contains('$') => RedirectPath::Whole(path.to_owned()),
        pattern => {
            let replacement = replacement(path, pattern.as_ref().map_or(0, Regex::captures))?;
            match pattern {
                Some(pattern) => RedirectPath::Regex(whole(pattern, replacement)),
                None => RedirectPath::Whole(replacement),
            }
        }
    };
    let code = RedirectCode::Found;
    Ok(Redirect {
        scheme: Some(scheme),
        host: Some(host.to_owned()),
        path: Some(path),
        code,
        ..Redirect::default()
    })
}

/// A target of nginx as a replacement of the model: `$1` is `\1`, and captures that the pattern does not have are empty.
fn replacement(target: &str, captures: usize) -> Result<String, String> {
    if !target.starts_with(['/', '$']) {
        return Err("the target begins with `/`".to_owned());
    }
    if let Some(wrong) = target.chars().find(|c| !c.is_ascii_graphic() || "?#\"<>".contains(*c)) {
        return Err(format!(
            "the target is a path alone and cannot hold `{}`; percent-encode it",
            wrong.escape_default()
        ));
    }
    let mut replacement = String::with_capacity(target.len());
    let mut chars = target.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => replacement.push_str("\\\\"),
            '$' => match chars.next().and_then(|c| c.to_digit(10)) {
                Some(digit @ 1..) => {
                    if digit as usize <= captures {
                        let _ = write!(replacement, "\\{digit}");
                    }
                }
                _ => {
                    return Err("behind `$` stands the number of a capture, 1 to 9; \
                                variables of nginx are not evaluated in a path"
                        .to_owned());
                }
            },
            c => replacement.push(c),
        }
    }
    if replacement.is_empty() { Ok("/".to_owned()) } else { Ok(replacement) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_written_as_the_model_has_them_and_missing_ones_are_empty() {
        assert_eq!(replacement("/new/$2", 2).unwrap(), r"/new/\2");
        assert_eq!(replacement("/$1/$3", 1).unwrap(), r"/\1/");
        assert_eq!(replacement("$1", 0).unwrap(), "/");
        assert_eq!(replacement(r"/a\b", 0).unwrap(), r"/a\\b");
        for wrong in ["new", "/$uri", "/a?b=c", "/$0", "/$", "/ä"] {
            assert!(replacement(wrong, 9).is_err(), "{wrong}");
        }
    }
}
