//! What a folder of Ingresses that were written for ingress-nginx comes to: for people who think of moving.
//!
//! ```text
//! objects ─▶ survey of the hosts ─┐
//! Translation: its reports ───────┴▶ totals, a verdict for each annotation, behaviour to know about, snippets by line
//! ```
//!
//! The rules are those of the translation; this only counts, sorts and hides what annotations say.

mod behaviour;
mod redact;
mod rows;
mod snippets;

pub use behaviour::{Behaviour, Kind};
pub use rows::{AnnotationUse, Effect};
pub use snippets::{SnippetDirective, SnippetUse};

use crate::{
    Reason, Report, Settings, Store, Translation, configmap,
    ingress::{Survey, survey},
    reads::View,
};
use redact::Values;
use serde::Serialize;
use sluice_crds::{
    Known,
    core::{Ingress, Service},
};
use std::collections::{BTreeMap, BTreeSet};

/// What Ingresses come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// How much there is.
    pub totals: Totals,
    /// Each annotation that is there, the ones on most objects first.
    pub annotations: Vec<AnnotationUse>,
    /// What behaves in a way that surprises, or other than with ingress-nginx, and what is wrong.
    pub behaviour: Vec<Behaviour>,
    /// Lines of nginx's configuration, by object.
    pub snippets: Vec<SnippetUse>,
}

/// How much there is. Hosts, paths, canaries and TLS are those of the Ingresses that are ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Ingresses of a class that is ours.
    pub ours: usize,
    /// How many there are of each other class; the empty name stands for those that name none.
    pub others: BTreeMap<String, usize>,
    /// Ingresses that cannot be read as such.
    pub rejected: usize,
    /// Different hosts; rules without a host count as one.
    pub hosts: usize,
    /// Paths of rules.
    pub paths: usize,
    /// Canaries.
    pub canaries: usize,
    /// Ingresses with a `tls` entry.
    pub with_tls: usize,
    /// References to Services, Secrets and ConfigMaps that were not looked at, because there is no Service at all.
    pub unresolved: usize,
}

/// Audits the objects of a store. `told` and `translation` are what the [`Translator`](crate::Translator) of this store was
/// made with and what it gave. Values of annotations appear only with `show_values`.
pub fn audit(told: &Settings, store: &Store, translation: &Translation, show_values: bool) -> Audit {
    let view = View::new(store);
    let settings = configmap::effective(told, &view);
    let survey = survey(&view, &settings);
    let values = if show_values { Values::Shown } else { Values::Redacted };
    let resolved = store.all::<Service>().next().is_some();
    let (unresolved, reports): (Vec<&Report>, Vec<&Report>) =
        translation.reports.iter().partition(|report| !resolved && report.reason == Reason::NotFound);
    Audit {
        totals: Totals { unresolved: unresolved.len(), ..Totals::of(store, &survey) },
        annotations: rows::of(&survey, &settings, &reports, values),
        behaviour: behaviour::of(&survey, &settings, &reports, values),
        snippets: snippets::of(&survey, &settings, &reports, values),
    }
}

impl Totals {
    fn of(store: &Store, survey: &Survey<'_>) -> Self {
        let ours: BTreeSet<_> = survey.ours.iter().map(|each| each.ingress.name()).collect();
        let mut totals = Self { ours: ours.len(), ..Self::default() };
        for ingress in store.all::<Ingress>().filter(|ingress| !ours.contains(&ingress.name())) {
            let class = ingress.content.ingress_class_name.as_deref().filter(|name| !name.is_empty());
            let class = class.or_else(|| ingress.annotation(crate::ingress::CLASS_ANNOTATION));
            *totals.others.entry(class.unwrap_or_default().to_owned()).or_default() += 1;
        }
        let objects = store.iter().filter_map(|held| Ingress::of(held.object()));
        totals.rejected = objects.filter(|ingress| ingress.is_rejected()).count();
        totals.hosts = survey.ours.iter().flat_map(|each| &each.hosts).collect::<BTreeSet<_>>().len();
        let rules = survey.ours.iter().flat_map(|each| &each.ingress.object().content.rules);
        totals.paths = rules.flat_map(|rule| &rule.http).map(|http| http.paths.len()).sum();
        totals.canaries = survey.ours.iter().filter(|each| each.canary).count();
        totals.with_tls = survey.ours.iter().filter(|each| !each.ingress.content.tls.is_empty()).count();
        totals
    }
}
