//! What behaves in a way that surprises, or other than with ingress-nginx, and what is wrong with objects.

use super::{redact::Values, rows};
use crate::{
    Reason, Report, Settings,
    ingress::{Survey, SurveyedPath},
    store::Of,
};
use serde::{Serialize, Serializer};
use sluice_crds::{
    ObjectName, Verdict,
    annotations::{Lookup, ValueKind, look_up},
    core::Ingress,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Something to know about an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Behaviour {
    /// What it is about.
    pub kind: Kind,
    /// `Ingress shop/web`.
    pub object: String,
    /// The field; empty for the object as a whole.
    pub field: String,
    /// What there is to know.
    pub message: String,
    /// The file that the object stands in; absent where it comes from none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// What something is about. Prints and serialises as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// All paths of a host are regular expressions, as in ingress-nginx.
    RegexHost,
    /// A path without its slash at the end is sent to the one with it, as in ingress-nginx.
    TrailingSlash,
    /// ingress-nginx ties canaries to services, this gateway to hosts and paths.
    SharedCanaryService,
    /// What the translation reports.
    Reported(Reason),
}

/// All of it, by kind and object.
pub(super) fn of(
    survey: &Survey<'_>,
    settings: &Settings,
    reports: &[&Report],
    values: Values,
) -> Vec<Behaviour> {
    let reports = reports.iter().filter(|report| is_news(report, settings));
    let mut all: Vec<Behaviour> = reports.map(|report| Behaviour::reported(report, values)).collect();
    regex_hosts(survey, &mut all);
    trailing_slashes(survey, &mut all);
    shared_canary_services(survey, &mut all);
    all.sort();
    all
}

/// Whether a report is about Ingresses, and says more than the table of annotations and that of snippets.
fn is_news(report: &Report, settings: &Settings) -> bool {
    if !["Ingress", "IngressClass", "ConfigMap"].contains(&report.object.kind) {
        return false;
    }
    let name = report.field.strip_prefix("metadata.annotations[").and_then(|rest| rest.strip_suffix(']'));
    let Some(name) = name.and_then(|key| rows::named(key, settings)) else { return true };
    let verdict = matches!(report.reason, Reason::NotInEffect | Reason::FailsClosed | Reason::NoEffect);
    match look_up(name) {
        Lookup::Known(row) => {
            row.value != ValueKind::Snippet && (!verdict || row.verdict == Verdict::InEffect)
        }
        Lookup::WithoutEffect => false,
        Lookup::Unknown(_) => true,
    }
}

fn regex_hosts(survey: &Survey<'_>, all: &mut Vec<Behaviour>) {
    for host in &survey.hosts {
        let asking = host.paths.iter().filter_map(|path| Some((path, path.regex_because?)));
        let Some((first, _)) = asking.clone().next() else { continue };
        let why: BTreeSet<String> =
            asking.map(|(path, annotation)| format!("{annotation} of {}", path.ingress.name())).collect();
        let others = host.paths.iter().filter(|path| path.regex_because.is_none() && path.written);
        let others =
            listed(others.map(|path| format!("`{}` of {}", path.path, path.ingress.name())).collect());
        let others =
            if others.is_empty() { others } else { format!(", also {others}, which did not ask for it") };
        let message = format!(
            "all paths of host `{}` are regular expressions from their start and in any case, as in ingress-nginx, \
             because of {}{others}",
            host.name,
            listed(why),
        );
        all.push(Behaviour::new(Kind::RegexHost, first.ingress, "", message));
    }
}

fn trailing_slashes(survey: &Survey<'_>, all: &mut Vec<Behaviour>) {
    for host in &survey.hosts {
        for path in host.paths.iter().filter(|path| path.slashed) {
            let message = format!(
                "host `{}`: the path without the slash at the end of `{}` is answered with 301 to the one with it, as in \
                 ingress-nginx",
                host.name, path.path,
            );
            all.push(Behaviour::new(Kind::TrailingSlash, path.ingress, &path.field, message));
        }
    }
}

/// Canaries and services, and where else these serve.
type Shared<'s, 'p> = BTreeMap<(ObjectName, &'p str), (Of<'s, Ingress>, BTreeSet<String>)>;

/// Canaries whose service, or the one that they stand beside, is that of other paths too.
fn shared_canary_services(survey: &Survey<'_>, all: &mut Vec<Behaviour>) {
    let paths =
        || survey.hosts.iter().flat_map(|host| host.paths.iter().map(move |path| (host.name.as_str(), path)));
    let mut mains: BTreeMap<&str, Vec<(&str, &SurveyedPath<'_>)>> = BTreeMap::new();
    for (host, path) in paths() {
        if let Some(service) = &path.service {
            mains.entry(service).or_default().push((host, path));
        }
    }
    let with = |service: &str| mains.get(service).into_iter().flatten();
    let mut leaks = Shared::new();
    let mut roles = leaks.clone();
    for (_, main) in paths() {
        let (Some(canary), Some(beside)) = (&main.canary, &main.service) else { continue };
        let Some(own) = canary.service.as_ref().filter(|own| *own != beside) else { continue };
        let name = canary.ingress.name();
        let has_it =
            |path: &SurveyedPath<'_>| path.canary.as_ref().is_some_and(|its| its.ingress.name() == name);
        for (found, service, places) in [
            (&mut leaks, beside, with(beside).filter(|(_, path)| !has_it(path)).collect::<Vec<_>>()),
            (&mut roles, own, with(own).collect()),
        ] {
            if !places.is_empty() {
                let entry = found.entry((name.clone(), service.as_str()));
                let (_, shown) = entry.or_insert_with(|| (canary.ingress, BTreeSet::new()));
                shown.extend(places.iter().map(|(host, path)| format!("`{host}{}`", path.path)));
            }
        }
    }
    for ((_, service), (canary, places)) in leaks {
        let message = format!(
            "it is a canary beside service {service}, which serves {} too: ingress-nginx sends a part of their requests to \
             the canary as well; here only the hosts and paths of the canary have one",
            listed(places),
        );
        all.push(Behaviour::new(Kind::SharedCanaryService, canary, "", message));
    }
    for ((_, service), (canary, places)) in roles {
        let message = format!(
            "its service {service} also serves {} on its own: in ingress-nginx a service is a canary or a main one, and \
             loses one of both roles; here it has both",
            listed(places),
        );
        all.push(Behaviour::new(Kind::SharedCanaryService, canary, "", message));
    }
}

/// As many as fit a message.
fn listed(names: BTreeSet<String>) -> String {
    const MOST: usize = 5;
    let left = names.len().saturating_sub(MOST);
    let mut shown: Vec<String> = names.into_iter().take(MOST).collect();
    if left > 0 {
        shown.push(format!("{left} more"));
    }
    shown.join(", ")
}

impl Behaviour {
    fn new(kind: Kind, ingress: Of<'_, Ingress>, field: &str, message: String) -> Self {
        let place = ingress.held().place();
        Self {
            kind,
            object: ingress.name().to_string(),
            field: field.to_owned(),
            message,
            file: place.map(|place| place.file.to_string()),
            line: place.map(|place| place.line),
        }
    }

    fn reported(report: &Report, values: Values) -> Self {
        const ANNOTATIONS: &str = "metadata.annotations";
        let message = if report.message.starts_with(ANNOTATIONS) {
            values.in_problem(&report.message)
        } else if report.field.starts_with(ANNOTATIONS) && report.reason != Reason::UnknownField {
            values.in_message(&report.message)
        } else {
            report.message.clone()
        };
        Self {
            kind: Kind::Reported(report.reason),
            object: report.object.to_string(),
            field: report.field.clone(),
            message,
            file: report.place.as_ref().map(|place| place.file.to_string()),
            line: report.place.as_ref().map(|place| place.line),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::RegexHost => "RegexHost",
            Self::TrailingSlash => "TrailingSlash",
            Self::SharedCanaryService => "SharedCanaryService",
            Self::Reported(reason) => reason.as_str(),
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
