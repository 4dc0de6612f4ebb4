//! Canaries: Ingresses that take a part of the requests of another one.
//!
//! A canary attaches to the path of a main Ingress that has the same host, path and path type, whatever the namespaces. Its
//! own annotations say who gets it; for everything else those of the main Ingress hold. Of several canaries of a path the
//! oldest acts, as in ingress-nginx, unless [`Settings::all_canaries`](crate::Settings::all_canaries) lets all of them act.
//!
//! Annotations of our own go beyond it: `sluice.dev/canary-by-cookie-value` takes clients whose cookie has that value, and
//! `sluice.dev/canary-sticky` (`source-ip`, `header:NAME`, `cookie:NAME`, `query:NAME`) keeps each client on its side of the
//! split while the weight grows.

use super::{
    annotations::Annotations,
    backend,
    location::{Location, Scene},
    upstream,
};
use crate::{
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::{
    annotations::{Value, ValueKind},
    core::Ingress,
};
use sluice_model::{
    convert::brief,
    spec::{self, CanaryHeader, CanaryHeaderRule, Forward, HashKey, Sticky},
    value::is_token_byte,
};

/// Annotations of a canary that count; for all others the main Ingress decides.
pub(super) const HONOURED: [&str; 13] = [
    "affinity-canary-behavior",
    "canary",
    "canary-by-cookie",
    "canary-by-header",
    "canary-by-header-pattern",
    "canary-by-header-value",
    "canary-weight",
    "canary-weight-total",
    "load-balance",
    "service-upstream",
    "upstream-hash-by",
    "upstream-hash-by-subset",
    "upstream-hash-by-subset-size",
];

/// What stands before the annotations of our own.
pub(super) const OWN_PREFIX: &str = "sluice.dev/";
/// The annotations of our own.
pub(super) const OWN: [&str; 2] = ["canary-by-cookie-value", "canary-sticky"];
const COOKIE_VALUE: &str = "sluice.dev/canary-by-cookie-value";
const STICKY: &str = "sluice.dev/canary-sticky";

/// Who gets a canary.
#[derive(Debug, Clone, PartialEq)]
struct Rules {
    header: Option<CanaryHeader>,
    cookie: Option<String>,
    cookie_value: Option<String>,
    weight: u32,
    /// What the weight is a part of.
    total: u32,
}

/// Whether an Ingress is a canary. Without this, the other annotations of the family mean nothing.
pub(super) fn is_canary(annotations: &Annotations) -> bool {
    annotations.flag("canary") == Some(true)
}

/// The same before its annotations are read.
pub(super) fn is_written(ingress: Of<'_, Ingress>, settings: &Settings) -> bool {
    let text = ingress.annotation(&format!("{}/canary", settings.annotations_prefix));
    text.is_some_and(|text| ValueKind::Bool.parse(text) == Ok(Value::Bool(true)))
}

/// Gives the canaries of a location their part of its requests; only speaks about them where the location does not serve.
pub(super) fn attach(scene: &mut Scene<'_, '_>, location: &Location<'_>, forward: Option<&mut Forward>) {
    /// The model knows no more.
    const MOST: usize = 64;
    let acting = match location.canaries.as_slice() {
        [] => return,
        all if scene.settings.all_canaries => &all[..all.len().min(MOST)],
        [oldest, younger @ ..] => {
            for canary in younger {
                let message = format!(
                    "{} is a canary of path `{}` of host `{}` already; the older one acts, this one never serves",
                    oldest.ingress.name(),
                    location.path,
                    scene.host,
                );
                scene.report(canary, Level::Warning, Reason::Conflict, message);
            }
            std::slice::from_ref(oldest)
        }
    };
    let mut canaries = Vec::new();
    let mut sticky = None;
    for canary in acting {
        if sticky.is_none() {
            sticky = self::sticky(scene, canary);
        }
        if let Some((rules, cluster)) = self::canary(scene, location, canary) {
            canaries.push((rules, cluster, canary.ingress.name().to_string()));
        }
    }
    if let Some(forward) = forward
        && !canaries.is_empty()
    {
        let total = common_total(canaries.iter().map(|(rules, ..)| rules.total));
        forward.canary_total = total;
        forward.canaries = canaries
            .into_iter()
            .map(|(rules, cluster, origin)| rules.into_spec(cluster, origin, total))
            .collect();
        forward.sticky = sticky;
    }
}

/// A canary that can serve: its rules and its cluster.
fn canary(scene: &mut Scene<'_, '_>, main: &Location<'_>, canary: &Location<'_>) -> Option<(Rules, String)> {
    let service = canary.service()?;
    if main.service() == Some(service) && main.ingress.namespace() == canary.ingress.namespace() {
        let message = format!(
            "names the service of the main {} itself, so path `{}` has no canary; name another service",
            main.ingress.name(),
            main.path,
        );
        scene.report(canary, Level::Warning, Reason::NoEffect, message);
        return None;
    }
    let rules = Rules::read(scene, canary);
    let cluster = backend::cluster(scene, main, canary, service)?;
    // Without endpoints the main Ingress serves, also those who ask for the canary by name.
    if cluster.endpoints.is_empty() {
        return None;
    }
    let name = cluster.name.clone();
    upstream::add(scene, main, cluster);
    Some((rules, name))
}

/// The least number that all totals divide; where it is too great, shares are rounded to millionths.
fn common_total(totals: impl Iterator<Item = u32>) -> u32 {
    const ROUNDED: u32 = 1_000_000;
    let least =
        totals.map(u64::from).try_fold(1_u64, |all, total| (all / gcd(all, total)).checked_mul(total));
    least.and_then(|total| u32::try_from(total).ok()).unwrap_or(ROUNDED)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What keeps clients on their side.
fn sticky(scene: &mut Scene<'_, '_>, canary: &Location<'_>) -> Option<Sticky> {
    let text = canary.ingress.annotation(STICKY)?.trim();
    let name = |name: &str| (!name.is_empty() && name.bytes().all(is_token_byte)).then(|| name.to_owned());
    let key = match text.split_once(':') {
        None if text == "source-ip" => Some(HashKey::SourceIp),
        Some(("header", header)) => header.parse().ok().map(HashKey::Header),
        Some(("cookie", cookie)) => name(cookie).map(HashKey::Cookie),
        Some(("query", parameter)) => name(parameter).map(HashKey::Query),
        _ => None,
    };
    if key.is_none() {
        let message = format!(
            "`{}` says not what clients are known by: write `source-ip`, `header:NAME`, `cookie:NAME` or `query:NAME`; \
             each request is drawn on its own",
            brief(text)
        );
        let report = Report::new(canary.ingress.held(), Level::Warning, Reason::Invalid, message);
        scene.output.reports.push(report.at(format!("metadata.annotations[{STICKY}]")));
    }
    key.map(Sticky::Hash)
}

impl Rules {
    fn read(scene: &mut Scene<'_, '_>, canary: &Location<'_>) -> Self {
        const HUNDRED: u32 = 100;
        let annotations = &canary.annotations;
        let total = match annotations.int("canary-weight-total") {
            Some(total) => u32::try_from(total.max(i64::from(HUNDRED))).unwrap_or(u32::MAX),
            None => HUNDRED,
        };
        let weight = annotations.int("canary-weight").unwrap_or(0).clamp(0, i64::from(total)) as u32;
        let cookie = annotations.text("canary-by-cookie").map(str::to_owned);
        let cookie_value = canary.ingress.annotation(COOKIE_VALUE);
        if cookie_value.is_some() && cookie.is_none() {
            let message = "has no effect without canary-by-cookie, which names the cookie";
            let report = Report::new(canary.ingress.held(), Level::Warning, Reason::NoEffect, message);
            scene.output.reports.push(report.at(format!("metadata.annotations[{COOKIE_VALUE}]")));
        }
        let cookie_value = cookie_value.filter(|_| cookie.is_some());
        Self {
            header: Self::header(scene, canary),
            cookie,
            cookie_value: cookie_value.map(|value| value.trim().to_owned()),
            weight,
            total,
        }
    }

    fn header(scene: &mut Scene<'_, '_>, canary: &Location<'_>) -> Option<CanaryHeader> {
        let annotations = &canary.annotations;
        let value = annotations.text("canary-by-header-value");
        let pattern = canary
            .ingress
            .annotation(&format!("{}/canary-by-header-pattern", scene.settings.annotations_prefix));
        let pattern = pattern.map(str::trim).filter(|pattern| !pattern.is_empty());
        let mut no_effect = |name: &str, why: &str| {
            scene.report_annotation(canary, name, Level::Warning, Reason::NoEffect, why);
        };
        let Some(name) = annotations.text("canary-by-header").and_then(|name| name.parse().ok()) else {
            if value.is_some() {
                no_effect(
                    "canary-by-header-value",
                    "has no effect without canary-by-header, which names the header",
                );
            }
            if pattern.is_some() {
                no_effect(
                    "canary-by-header-pattern",
                    "has no effect without canary-by-header, which names the header",
                );
            }
            return None;
        };
        let rule = match (value, pattern) {
            (Some(value), pattern) => {
                if pattern.is_some() {
                    no_effect(
                        "canary-by-header-pattern",
                        "has no effect beside canary-by-header-value; remove one of them",
                    );
                }
                CanaryHeaderRule::Value(value.to_owned())
            }
            (None, Some(pattern)) => match pattern.parse() {
                Ok(pattern) => CanaryHeaderRule::Regex(pattern),
                Err(_) => CanaryHeaderRule::Never,
            },
            (None, None) => CanaryHeaderRule::AlwaysNever,
        };
        Some(CanaryHeader { name, rule })
    }

    fn into_spec(self, cluster: String, origin: String, total: u32) -> spec::Canary {
        let weight = u64::from(self.weight) * u64::from(total) / u64::from(self.total);
        spec::Canary {
            cluster,
            weight: u32::try_from(weight).unwrap_or(total),
            header: self.header,
            cookie: self.cookie,
            cookie_value: self.cookie_value,
            headers: spec::RouteHeaders::default(),
            origin: Some(origin),
        }
    }
}

#[cfg(test)]
mod tests;
