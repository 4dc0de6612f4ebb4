//! Links and cookies in answers, as clients should see them.

use super::{Part, expand, parts};
use crate::route::{MatchScratch, pattern::Pattern};
use sluice_filter::{Edits, Fields};
use sluice_model::spec::{self, RegexAnchor};
use smallvec::SmallVec;
use std::ops::Range;

/// How links and cookies in an upstream's answer change on the way down.
#[derive(Debug)]
pub struct ResponseRewrite {
    location: Box<[Rule]>,
    cookie_path: Box<[Rule]>,
    cookie_domain: Box<[Rule]>,
}

#[derive(Debug)]
enum Rule {
    Prefix { from: Box<str>, to: Box<str> },
    Domain { from: Box<str>, to: Box<str> },
    Regex { pattern: Pattern, replacement: Box<[Part]> },
}

// === impl ResponseRewrite ===

impl ResponseRewrite {
    /// Prepares what a route asks for; `None` where that is nothing.
    pub fn compile(rewrite: &spec::ResponseRewrite) -> Option<Self> {
        if *rewrite == spec::ResponseRewrite::default() {
            return None;
        }
        Some(Self {
            location: rewrite.location.iter().map(Rule::from).collect(),
            cookie_path: rewrite.cookie_path.iter().map(Rule::from).collect(),
            cookie_domain: rewrite.cookie_domain.iter().map(Rule::from).collect(),
        })
    }

    /// Records what changes in the fields of an answer. Fields that earlier edits drop are left alone, and what they
    /// brought stays as it is. `text` is only written on.
    pub(crate) fn record(
        &self,
        fields: &dyn Fields,
        edits: &mut Edits,
        scratch: &mut MatchScratch,
        text: &mut Vec<u8>,
    ) {
        if !self.location.is_empty() {
            self.reference("location", |_| Some(0), fields, edits, scratch, text);
            self.reference("refresh", behind_url, fields, edits, scratch, text);
        }
        if !(self.cookie_path.is_empty() && self.cookie_domain.is_empty()) {
            self.cookies(fields, edits, scratch, text);
        }
    }

    fn reference(
        &self,
        name: &str,
        begin: impl Fn(&[u8]) -> Option<usize>,
        fields: &dyn Fields,
        edits: &mut Edits,
        scratch: &mut MatchScratch,
        text: &mut Vec<u8>,
    ) {
        let Some(value) = fields.first(name).filter(|_| !edits.drops(name.as_bytes())) else { return };
        let Some(begin) = begin(value) else { return };
        text.clear();
        text.extend_from_slice(&value[..begin]);
        if first(&self.location, &value[begin..], scratch, text) {
            // Captures come from a field that was received, and validation has seen the rest.
            let _ = edits.set(name, text);
        }
    }

    /// All cookies are written again where one changes: their order stays.
    fn cookies(
        &self,
        fields: &dyn Fields,
        edits: &mut Edits,
        scratch: &mut MatchScratch,
        text: &mut Vec<u8>,
    ) {
        const NAME: &str = "set-cookie";
        if edits.drops(NAME.as_bytes()) {
            return;
        }
        text.clear();
        let mut cookies: SmallVec<[Range<usize>; 8]> = SmallVec::new();
        let mut changed = false;
        fields.each_value(NAME, &mut |cookie| {
            let begin = text.len();
            changed |= self.cookie(cookie, scratch, text);
            cookies.push(begin..text.len());
        });
        if !changed {
            return;
        }
        for (_, brought) in edits.brought().filter(|(name, _)| *name == NAME) {
            let begin = text.len();
            text.extend_from_slice(brought);
            cookies.push(begin..text.len());
        }
        let _ = edits.remove(NAME);
        for cookie in cookies {
            let _ = edits.add(NAME, &text[cookie]);
        }
    }

    /// Appends a cookie with other attributes, and says whether one changed.
    fn cookie(&self, cookie: &[u8], scratch: &mut MatchScratch, out: &mut Vec<u8>) -> bool {
        let mut changed = false;
        for (index, piece) in cookie.split(|byte| *byte == b';').enumerate() {
            if index > 0 {
                out.push(b';');
            }
            // The first piece is the cookie itself.
            let equals = piece.iter().position(|byte| *byte == b'=').filter(|_| index > 0);
            let rules = equals.map(|at| self.rules(piece[..at].trim_ascii())).unwrap_or_default();
            let Some(at) = equals.filter(|_| !rules.is_empty()) else {
                out.extend_from_slice(piece);
                continue;
            };
            let value = piece[at + 1..].trim_ascii();
            out.extend_from_slice(&piece[..=at]);
            if first(rules, value, scratch, out) {
                changed = true;
            } else {
                out.extend_from_slice(&piece[at + 1..]);
            }
        }
        changed
    }

    fn rules(&self, attribute: &[u8]) -> &[Rule] {
        if attribute.eq_ignore_ascii_case(b"path") {
            &self.cookie_path
        } else if attribute.eq_ignore_ascii_case(b"domain") {
            &self.cookie_domain
        } else {
            &[]
        }
    }
}

// === impl Rule ===

impl Rule {
    /// Appends the new value and says so; `false`: the rule does not fit, and nothing was appended.
    fn rewrite(&self, value: &[u8], scratch: &mut MatchScratch, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Prefix { from, to } => {
                let Some(rest) = value.strip_prefix(from.as_bytes()) else { return false };
                out.extend_from_slice(to.as_bytes());
                out.extend_from_slice(rest);
            }
            Self::Domain { from, to } => {
                let (dot, domain) = match value {
                    [b'.', domain @ ..] => (&b"."[..], domain),
                    domain => (&b""[..], domain),
                };
                if !domain.eq_ignore_ascii_case(from.as_bytes()) {
                    return false;
                }
                out.extend_from_slice(dot);
                out.extend_from_slice(to.as_bytes());
            }
            Self::Regex { pattern, replacement } => {
                let Some(captures) = pattern.find(value, 0, &mut scratch.patterns) else { return false };
                expand(replacement, value, captures, out);
            }
        }
        true
    }
}

impl From<&spec::ReferenceRewrite> for Rule {
    fn from(rule: &spec::ReferenceRewrite) -> Self {
        match rule {
            spec::ReferenceRewrite::Prefix(replacement) => {
                Self::Prefix { from: replacement.from.as_str().into(), to: replacement.to.as_str().into() }
            }
            spec::ReferenceRewrite::Regex(replacement) => replacement.into(),
        }
    }
}

impl From<&spec::DomainRewrite> for Rule {
    fn from(rule: &spec::DomainRewrite) -> Self {
        let bare = |domain: &str| domain.strip_prefix('.').unwrap_or(domain).into();
        match rule {
            spec::DomainRewrite::Exact(replacement) => {
                Self::Domain { from: bare(&replacement.from), to: bare(&replacement.to) }
            }
            spec::DomainRewrite::Regex(replacement) => replacement.into(),
        }
    }
}

impl From<&spec::RegexReplacement> for Rule {
    fn from(rule: &spec::RegexReplacement) -> Self {
        Self::Regex {
            pattern: Pattern::new(rule.pattern.as_str(), RegexAnchor::Search, rule.ignore_case),
            replacement: parts(&rule.replacement),
        }
    }
}

/// The first rule that fits.
fn first(rules: &[Rule], value: &[u8], scratch: &mut MatchScratch, out: &mut Vec<u8>) -> bool {
    rules.iter().any(|rule| rule.rewrite(value, scratch, out))
}

/// Where the URI of a `refresh` field begins.
fn behind_url(value: &[u8]) -> Option<usize> {
    const URL: &[u8] = b"url=";
    value.windows(URL.len()).position(|window| window.eq_ignore_ascii_case(URL)).map(|at| at + URL.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(json: &str) -> ResponseRewrite {
        ResponseRewrite::compile(&serde_json::from_str(json).expect("settings")).expect("some rules")
    }

    /// The fields that are sent in place of all of their name.
    fn brought(rewrite: &ResponseRewrite, fields: Vec<(&str, &str)>, mut edits: Edits) -> Vec<String> {
        rewrite.record(&fields, &mut edits, &mut MatchScratch::default(), &mut Vec::new());
        let text = |(name, value): (&str, &[u8])| format!("{name}: {}", String::from_utf8_lossy(value));
        edits.brought().map(text).collect()
    }

    #[test]
    fn the_first_rule_that_fits_rewrites_location_and_refresh() {
        let rewrite = rewrite(
            r#"{ "location": [
              { "prefix": { "from": "http://up:80/app/", "to": "/" } },
              { "regex": { "pattern": "^http://([^/]+):80/(.*)$", "replacement": "https://\\1/\\2", "ignore_case": true } },
              { "prefix": { "from": "http", "to": "never" } } ] }"#,
        );
        for (value, wanted) in [
            ("http://up:80/app/x?y", vec!["location: /x?y"]),
            ("HTTP://other:80/a", vec!["location: https://other/a"]),
            ("/relative", vec![]),
            ("HTTPS://up/", vec![]),
        ] {
            assert_eq!(brought(&rewrite, vec![("Location", value)], Edits::new()), wanted, "{value}");
        }
        let refresh = |value| brought(&rewrite, vec![("refresh", value)], Edits::new());
        assert_eq!(refresh("5; URL=http://up:80/app/"), ["refresh: 5; URL=/"]);
        assert!(refresh("5").is_empty());
    }

    #[test]
    fn attributes_of_cookies_change_and_nothing_else_does() {
        let rewrite = rewrite(
            r#"{ "cookie_path": [{ "prefix": { "from": "/app", "to": "" } }, { "prefix": { "from": "/", "to": "/x/" } }],
                 "cookie_domain": [{ "exact": { "from": ".up.internal", "to": ".shop.test" } },
                                   { "regex": { "pattern": "^([a-z]+)\\.up\\.", "replacement": "\\1.shop.test" } }] }"#,
        );
        let fields = vec![
            ("set-cookie", "path=/app; Path=/app/a;HttpOnly; domain=UP.internal"),
            ("Set-Cookie", "b=/app; Max-Age=1"),
            ("set-cookie", "c=1; DOMAIN = .up.internal; path= /z; Domain=api.up.internal"),
        ];
        assert_eq!(
            brought(&rewrite, fields, Edits::new()),
            [
                "set-cookie: path=/app; Path=/a;HttpOnly; domain=shop.test",
                "set-cookie: b=/app; Max-Age=1",
                "set-cookie: c=1; DOMAIN =.shop.test; path=/x/z; Domain=api.shop.test",
            ]
        );
        assert!(brought(&rewrite, vec![("set-cookie", "a=1; Domain=else.test")], Edits::new()).is_empty());
    }

    #[test]
    fn what_earlier_edits_did_stays() {
        let rewrite = rewrite(
            r#"{ "location": [{ "prefix": { "from": "/", "to": "/x/" } }],
                 "cookie_path": [{ "prefix": { "from": "/", "to": "/x/" } }] }"#,
        );
        let fields = || vec![("location", "/a"), ("set-cookie", "a=1; path=/")];
        let mut edits = Edits::new();
        edits.set("location", b"/mine").expect("a field");
        edits.add("set-cookie", b"b=1; path=/").expect("a field");
        let mine = ["location: /mine", "set-cookie: a=1; path=/x/", "set-cookie: b=1; path=/"];
        assert_eq!(brought(&rewrite, fields(), edits), mine);
        let mut edits = Edits::new();
        edits.remove("set-cookie").expect("a name");
        assert_eq!(brought(&rewrite, fields(), edits), ["location: /x/a"]);
    }
}
