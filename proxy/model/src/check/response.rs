//! Rewriting of links and cookies in answers.

use super::{At, Context, replacement, text};
use crate::spec::{DomainRewrite, ReferenceRewrite, RegexReplacement, ResponseRewrite, TextReplacement};

/// Where a new value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Field,
    /// An attribute of a cookie, which a semicolon would end.
    Attribute,
}

pub(super) fn check(cx: &mut Context<'_>, rewrite: &ResponseRewrite, at: At<'_>) {
    for (key, rules, place) in [
        ("location", &rewrite.location, Place::Field),
        ("cookie_path", &rewrite.cookie_path, Place::Attribute),
    ] {
        let at = at.key(key);
        for (index, rule) in rules.iter().enumerate() {
            let at = at.index(index);
            match rule {
                ReferenceRewrite::Prefix(replacement) => literal(cx, replacement, place, at.key("prefix")),
                ReferenceRewrite::Regex(replacement) => regex(cx, replacement, place, at.key("regex")),
            }
        }
    }
    let at = at.key("cookie_domain");
    for (index, rule) in rewrite.cookie_domain.iter().enumerate() {
        let at = at.index(index);
        match rule {
            DomainRewrite::Exact(replacement) => literal(cx, replacement, Place::Attribute, at.key("exact")),
            DomainRewrite::Regex(replacement) => regex(cx, replacement, Place::Attribute, at.key("regex")),
        }
    }
}

fn literal(cx: &mut Context<'_>, replacement: &TextReplacement, place: Place, at: At<'_>) {
    let TextReplacement { from, to } = replacement;
    if from.is_empty() {
        cx.error(at.key("from"), "is empty, so it fits every value");
    } else if from == to {
        cx.warning(at, "has no effect: `from` and `to` are the same");
    }
    value(cx, to, place, at.key("to"));
}

fn regex(cx: &mut Context<'_>, rule: &RegexReplacement, place: Place, at: At<'_>) {
    let at = at.key("replacement");
    if let Some(literal) = replacement::check(cx, &rule.pattern, &rule.replacement, at) {
        value(cx, &literal.text, place, at);
    }
}

fn value(cx: &mut Context<'_>, literal: &str, place: Place, at: At<'_>) {
    text::header_value(cx, at, literal);
    if place == Place::Attribute && literal.contains(';') {
        cx.error(at, "a `;` would end the attribute of the cookie");
    }
}
