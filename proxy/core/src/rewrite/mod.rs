//! What becomes of path and host: rewrites on the way up, the target of redirects, links and cookies on the way down.

mod redirect;
mod response;
#[cfg(test)]
mod tests;

pub use redirect::Redirect;
pub use response::ResponseRewrite;

use crate::route::{MatchInfo, MatchScratch, PathMatched, pattern::Pattern};
use regex_automata::util::captures::Captures;
use sluice_model::spec::{self, RegexAnchor};

/// How path and host change on the way up.
#[derive(Debug, Default)]
pub struct Rewrite {
    path: Option<PathRewrite>,
    host: Option<HostRewrite>,
}

/// The new host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRewrite {
    /// This host, with or without a port.
    Literal(Box<str>),
    /// [`crate::snapshot::Endpoint::authority`] of the endpoint that gets the request.
    Endpoint,
}

#[derive(Debug)]
enum PathRewrite {
    Prefix(Box<str>),
    Whole(Box<str>),
    Regex(RegexRewrite),
}

/// See [`spec::RegexRewrite`].
#[derive(Debug)]
struct RegexRewrite {
    pattern: Pattern,
    replacement: Box<[Part]>,
    replace_whole: bool,
}

/// A piece of a replacement.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Box<[u8]>),
    Capture(usize),
}

// === impl Rewrite ===

impl Rewrite {
    /// Prepares what a route asks for.
    pub fn compile(rewrite: &spec::Rewrite) -> Self {
        Self {
            path: rewrite.path.as_ref().map(|path| match path {
                spec::PathRewrite::Prefix(prefix) => PathRewrite::Prefix(prefix.as_str().into()),
                spec::PathRewrite::Whole(path) => PathRewrite::Whole(path.as_str().into()),
                spec::PathRewrite::Regex(regex) => PathRewrite::Regex(RegexRewrite::compile(regex)),
            }),
            host: rewrite.host.as_ref().map(|host| match host {
                spec::HostRewrite::Literal(host) => HostRewrite::Literal(host.as_str().into()),
                spec::HostRewrite::Endpoint => HostRewrite::Endpoint,
            }),
        }
    }

    /// The new host; absent keeps the request's.
    pub fn host(&self) -> Option<&HostRewrite> {
        self.host.as_ref()
    }

    /// Appends the new path (without the query, which is always kept) and says so; `false`: the path stays and nothing
    /// was appended.
    pub fn path(
        &self,
        path: &str,
        matched: MatchInfo,
        scratch: &mut MatchScratch,
        out: &mut Vec<u8>,
    ) -> bool {
        let begin = out.len();
        match &self.path {
            None => return false,
            Some(PathRewrite::Whole(whole)) => out.extend_from_slice(whole.as_bytes()),
            Some(PathRewrite::Prefix(prefix)) => replace_prefix(prefix, path, matched.path, out),
            Some(PathRewrite::Regex(regex)) => {
                if !regex.apply(path, scratch, out) {
                    return false;
                }
            }
        }
        if out.get(begin) != Some(&b'/') {
            out.insert(begin, b'/');
        }
        true
    }
}

impl RegexRewrite {
    fn compile(regex: &spec::RegexRewrite) -> Self {
        Self {
            pattern: Pattern::new(regex.pattern.as_str(), RegexAnchor::Search, regex.ignore_case),
            replacement: parts(&regex.replacement),
            replace_whole: regex.replace_whole,
        }
    }

    /// Appends the new path; `false` where nothing is found and nothing was appended.
    fn apply(&self, path: &str, scratch: &mut MatchScratch, out: &mut Vec<u8>) -> bool {
        if !self.replace_whole {
            return replace_all(&self.pattern, &self.replacement, path.as_bytes(), scratch, out);
        }
        let Some(captures) = self.pattern.find(path.as_bytes(), 0, &mut scratch.patterns) else {
            return false;
        };
        expand(&self.replacement, path.as_bytes(), captures, out);
        true
    }
}

/// Puts `prefix` in the place of what the route's path condition matched.
fn replace_prefix(prefix: &str, path: &str, matched: PathMatched, out: &mut Vec<u8>) {
    let rest = match matched {
        PathMatched::Exact | PathMatched::Regex => "",
        PathMatched::Any => path.strip_prefix('/').unwrap_or(path),
        PathMatched::StringPrefix(length) | PathMatched::Prefix(length) => {
            path.get(length..).unwrap_or_default()
        }
    };
    // Whole segments: what is left begins with the slash that ends the matched segment, so one of two goes.
    let segments = matches!(matched, PathMatched::Prefix(_)) && rest.starts_with('/');
    out.extend_from_slice(
        if segments { prefix.strip_suffix('/').unwrap_or(prefix) } else { prefix }.as_bytes(),
    );
    out.extend_from_slice(rest.as_bytes());
}

/// Replaces every occurrence; `false` where there is none.
fn replace_all(
    pattern: &Pattern,
    replacement: &[Part],
    path: &[u8],
    scratch: &mut MatchScratch,
    out: &mut Vec<u8>,
) -> bool {
    let (mut kept, mut search, mut found) = (0, 0, false);
    while search <= path.len() {
        let Some(captures) = pattern.find(path, search, &mut scratch.patterns) else { break };
        let Some(occurrence) = captures.get_match() else { break };
        found = true;
        out.extend_from_slice(&path[kept..occurrence.start()]);
        expand(replacement, path, captures, out);
        kept = occurrence.end();
        // An empty occurrence moves on by one character, or it would be found for ever.
        search = if occurrence.is_empty() {
            let next = path[kept..].iter().skip(1).take_while(|byte| **byte & 0xC0 == 0x80).count();
            kept + 1 + next
        } else {
            kept
        };
    }
    if found {
        out.extend_from_slice(&path[kept.min(path.len())..]);
    }
    found
}

fn expand(replacement: &[Part], path: &[u8], captures: &Captures, out: &mut Vec<u8>) {
    for part in replacement {
        match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Capture(group) => {
                if let Some(span) = captures.get_group(*group) {
                    out.extend_from_slice(&path[span.range()]);
                }
            }
        }
    }
}

/// Reads `\0` to `\9` and `\\`. Any other use of a backslash, which validation refuses, stands for itself.
fn parts(replacement: &str) -> Box<[Part]> {
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut bytes = replacement.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(digit @ b'0'..=b'9')) => {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text).into()));
                }
                parts.push(Part::Capture(usize::from(digit - b'0')));
                bytes.next();
            }
            (b'\\', Some(b'\\')) => {
                text.push(b'\\');
                bytes.next();
            }
            _ => text.push(byte),
        }
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.into()));
    }
    parts.into()
}
