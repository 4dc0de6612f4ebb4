//! Who has which path of a host, which canaries stand beside it, and whose is what no path takes.

use super::{
    Host,
    location::{Location, Target},
    select::{Member, Personality},
};
use crate::{
    report::{Level, Reason, Report},
    store::Of,
};
use sluice_crds::core::{Ingress, IngressBackend, PathType};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

/// What an Ingress with nothing but a default backend does not do to the hosts that nobody has.
const NOT_FOR_UNKNOWN_HOSTS: [&str; 9] = [
    "rewrite-target",
    "use-regex",
    "app-root",
    "ssl-redirect",
    "force-ssl-redirect",
    "permanent-redirect",
    "permanent-redirect-code",
    "temporal-redirect",
    "temporal-redirect-code",
];

/// Locations that serve on their own.
pub(super) struct Mains<'c, 's> {
    host: &'c Host,
    /// In the order in which they were claimed.
    pub(super) locations: Vec<Location<'s>>,
    places: HashMap<(&'s str, PathType), usize>,
}

impl<'c, 's> Mains<'c, 's> {
    pub(super) fn new(host: &'c Host) -> Self {
        Self { host, locations: Vec::new(), places: HashMap::new() }
    }

    /// The first that claims a place has it.
    pub(super) fn claim(&mut self, location: Location<'s>, reports: &mut Vec<Report>) {
        match self.places.entry((location.path, location.kind)) {
            Entry::Vacant(place) => {
                place.insert(self.locations.len());
                self.locations.push(location);
            }
            Entry::Occupied(place) => {
                let first = &self.locations[*place.get()];
                let (path, host) = (location.path, self.host);
                let message = if first.ingress.name() == location.ingress.name() {
                    format!("path `{path}` of host `{host}` stands here twice; the first one is served")
                } else {
                    let owner = first.ingress.name();
                    format!("{owner} has path `{path}` of host `{host}` already; the older one serves it")
                };
                let report = Report::new(location.ingress.held(), Level::Warning, Reason::Conflict, message);
                reports.push(report.at(location.field));
            }
        }
    }

    /// A canary stands beside the location of the same path and kind.
    pub(super) fn join(&mut self, canary: Location<'s>, reports: &mut Vec<Report>) {
        match self.places.get(&(canary.path, canary.kind)) {
            Some(place) => self.locations[*place].canaries.push(canary),
            None => {
                let message = format!(
                    "no Ingress has path `{}` of host `{}` with this pathType, so nothing reaches this canary",
                    canary.path, self.host,
                );
                let report = Report::new(canary.ingress.held(), Level::Warning, Reason::Unreachable, message);
                reports.push(report.at(canary.field));
            }
        }
    }

    /// What no path takes. ingress-nginx gives it to a location with the annotations of the host's first Ingress, so that
    /// what they demand holds there too.
    pub(super) fn rest(&mut self, members: &[(&Member, Of<'s, Ingress>)], reports: &mut Vec<Report>) {
        let host = self.host;
        let mains = || members.iter().filter(|(member, _)| !member.is_canary());
        let backend = |ingress: &Of<'s, Ingress>| {
            let backend = ingress.object().content.default_backend.as_ref();
            backend.and_then(|backend: &IngressBackend| backend.service.as_ref())
        };
        // With rules, a default backend is for the hosts of these rules only, among which ingress-nginx does not count those
        // that nobody has.
        let is_for_host = |(member, ingress): &&(&Member, Of<'s, Ingress>)| {
            let of_unknown = ingress.content.rules.is_empty() || member.personality != Personality::Compat;
            backend(ingress).is_some() && (!host.is_catch_all() || of_unknown)
        };
        let root = |kind| Some(self.locations[*self.places.get(&("/", kind))?].ingress);
        let root = root(PathType::Prefix).or_else(|| root(PathType::ImplementationSpecific));
        let owner = match mains().next() {
            _ if root.is_some() => None,
            Some(first) if first.0.personality == Personality::Compat && !host.is_catch_all() => Some(first),
            _ => mains().find(is_for_host),
        };
        let served = root.or(owner.map(|(_, ingress)| *ingress)).map(|ingress| ingress.name());
        for (_, ingress) in mains().filter(is_for_host) {
            let name = ingress.name();
            let Some(served) = served.as_ref().filter(|served| **served != name) else { continue };
            let message = format!(
                "what no other path of host `{host}` takes goes where {served} says, so nothing of that reaches this default \
                 backend"
            );
            let report = Report::new(ingress.held(), Level::Warning, Reason::Conflict, message);
            reports.push(report.at("spec.defaultBackend"));
        }
        let Some((member, ingress)) = owner else { return };
        let target = backend(ingress).map_or(Target::Default, Target::Service);
        let field = "spec.defaultBackend".to_owned();
        let mut location = Location::new(*ingress, member, "/", PathType::Prefix, target, field);
        if member.personality != Personality::Compat {
            location.annotations = Arc::new(member.annotations.only_refused());
        } else if host.is_catch_all() {
            location.annotations = Arc::new(member.annotations.without(&NOT_FOR_UNKNOWN_HOSTS));
        }
        // Canaries stand beside a service, not beside the default backend of the gateway.
        if matches!(target, Target::Service(_)) {
            self.places.insert(("/", PathType::Prefix), self.locations.len());
        }
        self.locations.push(location);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests;
    use sluice_model::{spec::Action, value::HostPattern};

    const FRAME: &str = "apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: plain }
spec: { controller: sluice.dev/ingress }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { clusterIP: 10.9.0.1, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: web, namespace: shop }
subsets: [{ addresses: [{ ip: 127.0.0.1 }], ports: [{ port: 8080 }] }]
";

    fn ingress(name: &str, class: &str, rules: &str) -> String {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{ name: {name}, namespace: shop }}\nspec:\n  \
             {class}defaultBackend: {{ service: {{ name: web, port: {{ number: 80 }} }} }}\n  rules: {rules}\n"
        )
    }

    fn rule(host: &str, path: &str) -> String {
        format!(
            "[{{ {host}http: {{ paths: [{{ path: {path}, pathType: Prefix, backend: {{ service: {{ name: web, port: \
             {{ number: 80 }} }} }} }}] }} }}]"
        )
    }

    /// Whose routes hosts that nobody has are served by, and who is told that its default backend is not.
    fn served(ingresses: &[String]) -> (Vec<String>, Vec<String>) {
        let translation = tests::translate(&(FRAME.to_owned() + &ingresses.concat()));
        let hosts = translation.config.route_tables[0].virtual_hosts.iter();
        let all = hosts.filter(|host| host.hosts == [HostPattern::Any]).flat_map(|host| &host.routes);
        let forwarded = all.filter(|route| matches!(route.action, Action::Forward(_)));
        let lost = translation.reports.iter().filter(|report| report.field == "spec.defaultBackend");
        (
            forwarded
                .map(|route| format!("{} of {}", route.name, route.origin.clone().unwrap_or_default()))
                .collect(),
            lost.map(|report| report.object.name.clone()).collect(),
        )
    }

    #[test]
    fn in_spec_a_default_backend_beside_rules_without_host_takes_what_these_do_not() {
        let spec = ingress("spec", "ingressClassName: plain\n  ", &rule("", "/a"));
        let wanted =
            ["prefix /a of Ingress shop/spec".to_owned(), "prefix / of Ingress shop/spec".to_owned()];
        assert_eq!(served(&[spec]), (wanted.to_vec(), Vec::new()));
        // ingress-nginx keeps it for the hosts that it names.
        let compat = ingress("compat", "", &rule("", "/a"));
        assert_eq!(served(&[compat]), (vec!["prefix /a of Ingress shop/compat".to_owned()], Vec::new()));
    }

    #[test]
    fn a_default_backend_that_another_one_goes_before_is_told() {
        let bare = |name: &str| ingress(name, "", "[]");
        let (routes, lost) = served(&[bare("first"), bare("second")]);
        assert_eq!(
            (routes.as_slice(), lost),
            (&["prefix / of Ingress shop/first".to_owned()][..], vec!["second".to_owned()])
        );
        let (_, lost) = served(&[ingress("root", "", &rule("", "/")), bare("bare")]);
        assert_eq!(lost, ["bare"], "a path of its own needs no default backend");
        let host = |name: &str, path: &str| ingress(name, "", &rule("host: a.example, ", path));
        assert_eq!(served(&[host("first", "/a"), host("second", "/b")]).1, ["second"]);
        assert_eq!(served(&[host("first", "/")]).1, [] as [String; 0]);
    }
}
