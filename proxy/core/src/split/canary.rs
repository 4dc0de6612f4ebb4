//! Header and cookie rules of canaries (the ingress-nginx `canary-by-*` family).

use crate::route::{MatchScratch, condition::cookie, pattern::Pattern};
use sluice_filter::Fields;
use sluice_model::spec::{self, CanaryHeaderRule, RegexAnchor};

/// A header rule.
#[derive(Debug)]
pub(super) struct Rule {
    name: Box<str>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    AlwaysNever,
    Present,
    Never,
    Value(Box<str>),
    Regex(Pattern),
}

/// What a rule decides, where it decides at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    /// This canary gets the request.
    Take,
    /// It does not; the others go on.
    Never,
}

impl Rule {
    pub(super) fn compile(header: &spec::CanaryHeader) -> Self {
        Self {
            name: header.name.as_str().into(),
            kind: match &header.rule {
                CanaryHeaderRule::AlwaysNever => Kind::AlwaysNever,
                CanaryHeaderRule::Present => Kind::Present,
                CanaryHeaderRule::Never => Kind::Never,
                CanaryHeaderRule::Value(value) => Kind::Value(value.as_str().into()),
                CanaryHeaderRule::Regex(regex) => {
                    Kind::Regex(Pattern::new(regex.as_str(), RegexAnchor::Search, false))
                }
            },
        }
    }

    pub(super) fn ask<F: Fields + ?Sized>(&self, fields: &F, scratch: &mut MatchScratch) -> Option<Ruling> {
        let value = fields.first(&self.name)?;
        match &self.kind {
            Kind::AlwaysNever => always_never(value),
            Kind::Present => Some(Ruling::Take),
            Kind::Never => Some(Ruling::Never),
            Kind::Value(wanted) => (wanted.as_bytes() == value).then_some(Ruling::Take),
            Kind::Regex(pattern) => pattern.is_match(value, &mut scratch.patterns).then_some(Ruling::Take),
        }
    }
}

/// A cookie rule.
#[derive(Debug)]
pub(super) struct CookieRule {
    name: Box<str>,
    /// The value that takes; where there is none, `always` takes and `never` rules out. Anything else goes on.
    value: Option<Box<str>>,
}

impl CookieRule {
    pub(super) fn compile(canary: &spec::Canary) -> Option<Self> {
        let name = canary.cookie.as_deref()?.into();
        Some(Self { name, value: canary.cookie_value.as_deref().map(Into::into) })
    }

    pub(super) fn ask<F: Fields + ?Sized>(&self, fields: &F, scratch: &mut MatchScratch) -> Option<Ruling> {
        let found = scratch.values.value_mut();
        if !cookie(fields, &self.name, found) {
            return None;
        }
        match &self.value {
            None => always_never(found),
            Some(wanted) => (wanted.as_bytes() == &**found).then_some(Ruling::Take),
        }
    }
}

/// ingress-nginx compares with regard to case.
fn always_never(value: &[u8]) -> Option<Ruling> {
    match value {
        b"always" => Some(Ruling::Take),
        b"never" => Some(Ruling::Never),
        _ => None,
    }
}
