//! Objects that want the host of a request, and did not get all of it: what `explain` says besides the routes.

use sluice_core::route;
use sluice_crds::{
    Known, ObjectName,
    core::Ingress,
    istio::{Gateway, VirtualService},
};
use sluice_translate::{Alias, Held, Level, Reason, Report, aliases};
use std::{collections::BTreeSet, fmt::Write};

/// As many are shown.
const MOST: usize = 10;

/// Lines about the objects that name a host and of which something is not served, or never reached; empty where there are
/// none. `authority` is the host of a request, with or without a port; `prefix` stands before the annotations of Ingresses.
pub(crate) fn text<'a>(
    objects: impl Iterator<Item = &'a Held> + Clone,
    reports: &[Report],
    authority: &str,
    prefix: &str,
) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let asked = asked(objects.clone(), reports, &host.trim_end_matches('.').to_ascii_lowercase(), prefix);
    let concerned: BTreeSet<_> = objects
        .filter(|held| asked.hosts.iter().any(|host| wants(held, host)))
        .map(|held| held.object().name())
        .chain(asked.by_alias)
        .collect();
    let lost = |report: &&Report| {
        let matters = match report.reason {
            Reason::Conflict | Reason::Unreachable | Reason::FailsClosed | Reason::NotFound => true,
            _ => report.severity == Level::Error,
        };
        // A report about a host names it in this way; one that names another is not about this one.
        let named = || asked.hosts.iter().chain(&asked.written).any(|name| names(&report.message, name));
        let elsewhere = report.message.contains("host `") && !named();
        matters && (!elsewhere || host_is_pattern(&report.message)) && concerned.contains(&report.object)
    };
    let mut lost: Vec<&Report> = reports.iter().filter(lost).collect();
    lost.sort();
    lost.dedup();
    if lost.is_empty() {
        return String::new();
    }
    let mut text = "\nobjects of this host that are not served as written\n".to_owned();
    for report in lost.iter().take(MOST) {
        let _ = writeln!(text, "  {}", report.without_severity());
    }
    if lost.len() > MOST {
        let _ = writeln!(text, "  and {} more; `sluice check` and /status have them all", lost.len() - MOST);
    }
    text
}

/// What a request for a host is about.
#[derive(Debug, PartialEq)]
struct Asked {
    /// The host, and those that it is an alias of.
    hosts: BTreeSet<String>,
    /// The aliases that stand for it, as they are written.
    written: BTreeSet<String>,
    /// The Ingresses that have such an alias, also where another one got it.
    by_alias: BTreeSet<ObjectName>,
}

/// An alias leads to the hosts of its Ingress, unless something else has that name.
fn asked<'a>(objects: impl Iterator<Item = &'a Held>, reports: &[Report], host: &str, prefix: &str) -> Asked {
    let mut asked =
        Asked { hosts: [host.to_owned()].into(), written: BTreeSet::new(), by_alias: BTreeSet::new() };
    for held in objects {
        let Some(ingress) = Ingress::of(held.object()) else { continue };
        let own = aliases(ingress, prefix);
        for Alias { written, .. } in own.into_iter().filter(|alias| route::covers(&alias.pattern, host)) {
            let name = held.object().name();
            let refused = reports.iter().any(|report| {
                report.object == name && report.reason == Reason::Conflict && names(&report.message, &written)
            });
            if !refused {
                let rules = ingress.content.rules.iter().filter(|rule| !rule.host.is_empty());
                asked.hosts.extend(rules.map(|rule| rule.host.to_ascii_lowercase()));
            }
            asked.written.insert(written);
            asked.by_alias.insert(name);
        }
    }
    asked
}

/// Whether a message speaks of a name.
fn names(message: &str, name: &str) -> bool {
    message.contains(&format!("`{name}`"))
}

/// Whether the host that a report names stands for several.
fn host_is_pattern(message: &str) -> bool {
    message.contains("host `*")
}

/// Whether an object names a host, or a pattern for it.
fn wants(held: &Held, host: &str) -> bool {
    if let Some(ingress) = Ingress::of(held.object()) {
        let content = &ingress.content;
        let any = content.rules.is_empty() && content.default_backend.is_some();
        return any
            || content.rules.iter().any(|rule| rule.host.is_empty() || covers(&rule.host, host, true));
    }
    if let Some(gateway) = Gateway::of(held.object()) {
        let hosts = gateway.content.servers.iter().flat_map(|server| &server.hosts);
        let bare = hosts.map(|host| host.split_once('/').map_or(host.as_str(), |(_, host)| host));
        return bare.into_iter().any(|name| covers(name, host, false));
    }
    VirtualService::of(held.object())
        .is_some_and(|service| service.content.hosts.iter().any(|name| covers(name, host, false)))
}

/// `*.x` of an Ingress is one label before `x`, that of a VirtualService any number.
fn covers(pattern: &str, host: &str, one_label: bool) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix('*') {
        None => pattern == host,
        Some(suffix) => host
            .strip_suffix(suffix)
            .is_some_and(|label| !label.is_empty() && (!one_label || !label.contains('.'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_leads_to_the_host_that_it_stands_for_and_a_lost_one_to_whoever_lost_it() {
        const PREFIX: &str = sluice_crds::annotations::PREFIX;
        let ingress = |name: &str, host: &str, alias: &str| {
            format!(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
                 metadata: {{ name: {name}, namespace: shop, annotations: {{ {PREFIX}/server-alias: '{alias}' }} }}\nspec:\n  \
                 rules:\n  - host: {host}\n    http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: \
                 {{ name: web, port: {{ number: 80 }} }} }} }}] }}\n---\n"
            )
        };
        let service = "apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: shop }\n\
                       spec: { ports: [{ port: 80 }] }\n---\n";
        let text = [
            service.to_owned(),
            ingress("first", "a.example", "~^v[0-9]+\\."),
            ingress("late", "a.example", ""),
            ingress("other", "b.example", "~^v[0-9]+\\."),
            ingress("far", "c.example", ""),
        ];
        let mut settings = sluice_translate::Settings::default();
        settings.classes.without_class = true;
        let mut translator = sluice_translate::Translator::new(settings);
        let mut objects = Vec::new();
        for (entry, order) in sluice_crds::Manifest::read(&text.concat()).entries.into_iter().zip(0..) {
            let sluice_crds::manifest::EntryContent::Object(object) = entry.content else { continue };
            let held = Held::new(object, None, order);
            objects.push(held.clone());
            translator.apply(sluice_translate::Change::Put(held));
        }
        let reports = translator.translate().reports;
        let said = super::text(objects.iter(), &reports, "V2.shop.example:8080", PREFIX);
        let lines: Vec<&str> = said.lines().skip(2).collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines[0].starts_with("  Ingress shop/late: spec.rules[0].http.paths[0].path"), "{said}");
        assert!(
            lines[1].starts_with("  Ingress shop/other: ")
                && lines[1].contains("belongs to host `a.example`")
        );
        assert_eq!(super::text(objects.iter(), &reports, "c.example", PREFIX), "");
    }

    #[test]
    fn a_pattern_covers_what_its_kind_says() {
        assert!(covers("Shop.Example", "shop.example", true));
        assert!(covers("*.example", "shop.example", true));
        assert!(!covers("*.example", "a.shop.example", true));
        assert!(covers("*.example", "a.shop.example", false));
        assert!(!covers("*.example", "example", false));
        assert!(covers("*", "example", false));
    }
}
