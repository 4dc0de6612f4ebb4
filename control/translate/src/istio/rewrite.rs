//! Changes to path and host before a request goes on.

use super::{matching, notes::Notes};
use sluice_crds::istio::{HttpMatchRequest, HttpRewrite, StringMatch};
use sluice_model::spec::{HostRewrite, PathRewrite, RegexRewrite, Rewrite};

/// The rewrite of a rule for one of its matches: what a path is replaced with depends on how it was found.
pub(super) fn rewrite(
    written: &HttpRewrite,
    matching: Option<&HttpMatchRequest>,
    at: &str,
    notes: &mut Notes<'_>,
) -> Rewrite {
    if written.uri.is_empty() && written.authority.is_empty() && written.uri_regex_rewrite.is_none() {
        notes.invalid(at, "write `uri`, `uriRegexRewrite` or `authority`");
    }
    if !written.uri.is_empty() && written.uri_regex_rewrite.is_some() {
        notes.invalid(at, "only one of `uri` and `uriRegexRewrite` can be set");
    }
    let path = match &written.uri_regex_rewrite {
        Some(regex) => {
            let at = format!("{at}.uriRegexRewrite");
            if regex.r#match.is_empty() || regex.rewrite.is_empty() {
                notes.invalid(&at, "write both `match` and `rewrite`");
                None
            } else {
                matching::regex(&regex.r#match, &format!("{at}.match"), notes).map(|pattern| {
                    PathRewrite::Regex(RegexRewrite {
                        pattern,
                        replacement: regex.rewrite.clone(),
                        ignore_case: false,
                        replace_whole: false,
                    })
                })
            }
        }
        None if written.uri.is_empty() => None,
        None => Some(of_uri(&written.uri, matching.and_then(|matching| matching.uri.as_ref()))),
    };
    let host = (!written.authority.is_empty()).then(|| HostRewrite::Literal(written.authority.clone()));
    Rewrite { path, host }
}

fn of_uri(uri: &str, found_by: Option<&StringMatch>) -> PathRewrite {
    match found_by {
        Some(StringMatch::Exact(_) | StringMatch::Regex(_)) => PathRewrite::Whole(uri.to_owned()),
        // The empty prefix is replaced too: it stands before the path.
        Some(StringMatch::Prefix(prefix)) if prefix.is_empty() => match "^".parse() {
            Ok(pattern) => PathRewrite::Regex(RegexRewrite {
                pattern,
                replacement: uri.replace('\\', "\\\\"),
                ignore_case: false,
                replace_whole: false,
            }),
            Err(_) => PathRewrite::Prefix(uri.to_owned()),
        },
        // Without a condition Istio takes the prefix `/`.
        Some(StringMatch::Prefix(_) | StringMatch::Present) | None => PathRewrite::Prefix(uri.to_owned()),
    }
}
