//! Each annotation that is there: how many objects have it, and what the table says becomes of it.

use super::redact::Values;
use crate::{Reason, Report, Settings, ingress::Survey};
use serde::Serialize;
use sluice_crds::{
    Verdict,
    annotations::{Lookup, ValueKind, look_up},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// An annotation and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnnotationUse {
    /// Without the prefix.
    pub name: String,
    /// How many Ingresses have it.
    pub objects: usize,
    /// What becomes of it.
    pub effect: Effect,
    /// The same in words, with what it needs or the reason.
    pub verdict: String,
    /// On how many of these Ingresses it makes paths or handshakes be refused.
    pub refused: usize,
    /// How often there is each value; absent where values are redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<BTreeMap<String, usize>>,
}

/// What becomes of an annotation, in a word that machines can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It does what it says.
    InEffect,
    /// Its directives are judged one by one, in [`Audit::snippets`](super::Audit::snippets).
    ByDirective,
    /// It needs something that is not there yet.
    NotYet,
    /// The same, and what it protects is refused meanwhile.
    FailsClosed,
    /// There is nothing for it to do.
    NoEffect,
    /// It will not be.
    Never,
    /// The same, and what it protects is refused.
    NeverFailsClosed,
    /// ingress-nginx has no such annotation any more either.
    Gone,
    /// There never was such an annotation.
    Unknown,
}

/// All annotations of Ingresses that are ours.
pub(super) fn of(
    survey: &Survey<'_>,
    settings: &Settings,
    reports: &[&Report],
    values: Values,
) -> Vec<AnnotationUse> {
    let mut all: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for (key, value) in
        survey.ours.iter().flat_map(|each| each.ingress.object().metadata.annotations.iter().flatten())
    {
        if let Some(name) = named(key, settings) {
            *all.entry(name).or_default().entry(value).or_default() += 1;
        }
    }
    let uses = all.into_iter().map(|(name, counts)| {
        let (effect, verdict) = judged(name);
        let field = field(name, settings);
        let refused = reports.iter().filter(|report| {
            matches!(report.reason, Reason::FailsClosed | Reason::NotGranted) && report.field == field
        });
        AnnotationUse {
            name: name.to_owned(),
            objects: counts.values().sum(),
            effect,
            verdict,
            refused: refused.map(|report| &report.object).collect::<BTreeSet<_>>().len(),
            values: values
                .of(|| counts.into_iter().map(|(value, count)| (value.to_owned(), count)).collect()),
        }
    });
    let mut uses: Vec<AnnotationUse> = uses.collect();
    uses.sort_by_key(|each| Reverse(each.objects));
    uses
}

/// The name of an annotation without the prefix; `None` where it has another one.
pub(super) fn named<'k>(key: &'k str, settings: &Settings) -> Option<&'k str> {
    key.strip_prefix(&settings.annotations_prefix)?.strip_prefix('/')
}

/// Where an annotation stands, as reports have it.
pub(super) fn field(name: &str, settings: &Settings) -> String {
    format!("metadata.annotations[{}/{name}]", settings.annotations_prefix)
}

fn judged(name: &str) -> (Effect, String) {
    let verdict = match look_up(name) {
        Lookup::Known(row) if row.value == ValueKind::Snippet && row.verdict == Verdict::InEffect => {
            return (Effect::ByDirective, "judged by its directives, see the snippets".to_owned());
        }
        Lookup::Known(row) => row.verdict,
        Lookup::WithoutEffect => {
            return (
                Effect::Gone,
                "no effect: ingress-nginx has no such annotation any more either".to_owned(),
            );
        }
        Lookup::Unknown(Some(meant)) => return (Effect::Unknown, format!("unknown: did you mean {meant}?")),
        Lookup::Unknown(None) => return (Effect::Unknown, "unknown".to_owned()),
    };
    let effect = match verdict {
        Verdict::InEffect => Effect::InEffect,
        Verdict::NotYet(_) => Effect::NotYet,
        Verdict::FailsClosed(_) => Effect::FailsClosed,
        Verdict::NoEffect(_) => Effect::NoEffect,
        Verdict::Never(_) => Effect::Never,
        Verdict::NeverFailsClosed(_) => Effect::NeverFailsClosed,
    };
    (effect, verdict.to_string())
}
