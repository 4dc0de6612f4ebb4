//! `rewrite`: a path by what an expression captures of another, or a redirect there.

use super::{Directive, Policy, answer::answer, variables::Place};
use sluice_model::{
    convert::brief,
    spec::{Redirect, RedirectCode, RedirectPath, RegexRewrite, Scheme},
    value::{InvalidValue, Regex},
};
use std::fmt::Write;

/// What a directive does with paths in which its expression is found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PathRule {
    /// Where it stands in the snippet.
    pub(crate) line: usize,
    pub(crate) pattern: Regex,
    pub(crate) then: Then,
}

/// What becomes of such a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Then {
    /// Clients are sent elsewhere.
    Redirect(Redirect),
    /// Servers get another one.
    Path(RegexRewrite),
}

/// Expressions that are found in every path.
const ALL: [&str; 12] =
    ["^", "/", "^/", ".*", "^.*", "^.*$", "(.*)", "^(.*)", "^(.*)$", "^/.*$", "^/(.*)", "^/(.*)$"];

impl PathRule {
    /// Whether it is for every path.
    pub(crate) fn takes_all(&self) -> bool {
        ALL.contains(&self.pattern.as_str())
    }

    /// Whether it is for no other paths than those that begin with this text. What cannot be told is not.
    pub(crate) fn stays_below(&self, start: &str) -> bool {
        self.beginning().is_some_and(|beginning| beginning.starts_with(start))
    }

    /// Whether it is for no path that begins with this text.
    pub(crate) fn stays_off(&self, start: &str) -> bool {
        self.beginning()
            .is_some_and(|beginning| !beginning.starts_with(start) && !start.starts_with(&*beginning))
    }

    /// Whether it is for this path alone, with a slash behind it or without.
    pub(crate) fn is_for(&self, path: &str) -> bool {
        let rest = self.pattern.as_str().strip_prefix('^').and_then(|rest| rest.strip_prefix(path));
        let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_~".contains(&byte));
        plain && matches!(rest, Some("$" | "/$" | "/?$"))
    }

    /// What every path begins with that it is for, as far as that can be told: an alternative begins anew, and the last
    /// character may be optional.
    fn beginning(&self) -> Option<String> {
        let rest = self.pattern.as_str().strip_prefix('^').filter(|rest| !rest.contains('|'))?;
        let mut beginning = String::new();
        let mut chars = rest.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' if chars.peek() == Some(&'.') => beginning.extend(chars.next()),
                '?' | '*' | '{' => {
                    beginning.pop();
                    break;
                }
                c if c.is_ascii_alphanumeric() || "/-_~".contains(c) => beginning.push(c),
                _ => break,
            }
        }
        Some(beginning)
    }
}

/// `rewrite` as policies: a redirect of every path may lead to a place with variables.
pub(super) fn policies(
    directive: &Directive,
    words: &[&str],
    place: &Place<'_>,
) -> Result<Vec<Policy>, String> {
    if let [pattern, target, flag @ ("redirect" | "permanent")] = words
        && ALL.contains(pattern)
        && target.contains("$request_uri")
    {
        let code = if *flag == "permanent" { "301" } else { "302" };
        return answer(&[code, target.trim_end_matches('?')], place);
    }
    rewrite(directive, words).map(|rule| vec![Policy::Path(rule)])
}

/// `rewrite EXPRESSION TARGET redirect|permanent|break`. A target that is a URL is a redirect whatever stands behind it.
fn rewrite(directive: &Directive, words: &[&str]) -> Result<PathRule, String> {
    let (pattern, target, flag) = match words {
        [pattern, target] => (pattern, target, ""),
        [pattern, target, flag] => (pattern, target, *flag),
        _ => return Err("has not the words that it needs".to_owned()),
    };
    let pattern: Regex =
        pattern.parse().map_err(|error: InvalidValue| format!("has a wrong expression: {error}"))?;
    let (target, strip_query) = match target.strip_suffix('?') {
        Some(target) => (target, true),
        None => (*target, false),
    };
    let url = absolute(target);
    let code = match (flag, url) {
        ("permanent", _) => RedirectCode::MovedPermanently,
        ("redirect", _) | (_, Some(_)) => RedirectCode::Found,
        ("break", None) if !strip_query => {
            let replacement = replacement(target, pattern.captures())?;
            let then = Then::Path(whole(pattern.clone(), replacement, false));
            return Ok(PathRule { line: directive.line, pattern, then });
        }
        ("break", None) => return Err("drops the query, which is always kept".to_owned()),
        ("" | "last", None) => {
            return Err(
                "looks for another location with the new path; write `break`, `redirect` or `permanent` \
                        behind it"
                    .to_owned(),
            );
        }
        (flag, None) => {
            return Err(format!("has `{}` where `break`, `redirect` or `permanent` should be", brief(flag)));
        }
    };
    let redirect = match url {
        Some((scheme, rest)) => away(scheme, rest, Some(pattern.clone()), false)?,
        None => {
            let replacement = replacement(target, pattern.captures())?;
            let path = RedirectPath::Regex(whole(pattern.clone(), replacement, false));
            Redirect { path: Some(path), ..Redirect::default() }
        }
    };
    let then = Then::Redirect(Redirect { code, strip_query, ..redirect });
    Ok(PathRule { line: directive.line, pattern, then })
}

/// What an expression captures, in the place of the whole path.
pub(crate) fn whole(pattern: Regex, replacement: String, ignore_case: bool) -> RegexRewrite {
    RegexRewrite { pattern, replacement, ignore_case, replace_whole: true }
}

/// The scheme of a target that is a URL, and what stands behind it. Such a target is a redirect.
pub(crate) fn absolute(target: &str) -> Option<(Scheme, &str)> {
    let http = target.strip_prefix("http://").map(|rest| (Scheme::Http, rest));
    http.or_else(|| target.strip_prefix("https://").map(|rest| (Scheme::Https, rest)))
}

/// A redirect to a URL, with the query of the request. Captures of the pattern may stand in its path.
pub(crate) fn away(
    scheme: Scheme,
    rest: &str,
    pattern: Option<Regex>,
    ignore_case: bool,
) -> Result<Redirect, String> {
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
                Some(pattern) => RedirectPath::Regex(whole(pattern, replacement, ignore_case)),
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
pub(crate) fn replacement(target: &str, captures: usize) -> Result<String, String> {
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
    fn a_rule_tells_whether_it_is_for_all_paths_or_below_one() {
        let rule = |pattern: &str| PathRule {
            line: 1,
            pattern: pattern.parse().unwrap(),
            then: Then::Redirect(Redirect::default()),
        };
        assert!(rule("^(.*)$").takes_all() && !rule("^/a").takes_all());
        assert!(rule("^/a/(.*)$").stays_below("/a") && rule("^/v1\\.0/x").stays_below("/v1.0"));
        assert!(
            rule("^/z/(.*)$").stays_off("/a")
                && !rule("^/(.*)$").stays_off("/a")
                && !rule("/z").stays_off("/a")
        );
        assert!(rule("^/a/?$").is_for("/a") && !rule("^/a.?$").is_for("/a"));
        for (pattern, path) in
            [("/a", "/a"), ("^/b", "/a"), ("^/a|/b", "/a"), ("^/v1.0", "/v1.0"), ("^/ab?", "/ab")]
        {
            assert!(!rule(pattern).stays_below(path), "{pattern}");
        }
    }

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
