//! One host: the paths of its Ingresses, in the order in which they are compared.

use super::{
    Host, Site, backend,
    location::{self, Location, Scene, Target},
    paths::{self, Matching},
    select::{Member, Personality},
};
use crate::{
    output::{Output, TableKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::core::{Ingress, IngressBackend, PathType};
use sluice_model::{
    spec::{Action, Forward, Route, RouteOrder, VirtualHost},
    value::HostPattern,
};
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
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

/// The virtual host of a host.
pub(crate) fn translate(view: &View<'_>, settings: &Settings, host: &Host, site: &Site) -> Output {
    let mut output = Output::default();
    let Some(pattern) = pattern(host) else { return output };
    let mut scene = Scene { view, settings, host, output: &mut output };
    let mut locations = locations(&mut scene, site);
    locations.sort_by_cached_key(Location::order);
    let routes = routes(&mut scene, &locations);
    let key = TableKey { port: settings.http_port, server: None };
    let virtual_host =
        VirtualHost { name: host.to_string(), hosts: vec![pattern], order: RouteOrder::Explicit, routes };
    output.hosts.push((key, virtual_host));
    output
}

/// Wildcards of Ingresses stand for one label.
fn pattern(host: &Host) -> Option<HostPattern> {
    if host.is_catch_all() {
        return Some(HostPattern::Any);
    }
    let text = match host.0.strip_prefix("*.") {
        Some(rest) => format!("?.{rest}"),
        None => host.0.to_string(),
    };
    text.parse().ok()
}

/// The routes of locations that are in order; paths that lack a slash at their end come among the whole paths.
fn routes(scene: &mut Scene<'_, '_>, locations: &[Location<'_>]) -> Vec<Route> {
    let taken: HashSet<&str> = locations.iter().map(|location| location.path).collect();
    let port = scene.settings.ingress.trusted.is_empty().then_some(80);
    let mut slashes: HashSet<&str> = HashSet::new();
    let lacking = locations.iter().filter(|location| {
        let path = location.without_slash();
        path.is_some_and(|path| !taken.contains(path) && slashes.insert(path))
    });
    let mut routes: Vec<Route> = lacking.filter_map(|location| location.slash_redirect(port)).collect();
    routes.extend(locations.iter().filter_map(|location| location::route(scene, location)));
    if !locations.iter().any(Location::is_root)
        && let Some(cluster) = backend::default_backend(scene)
    {
        routes.push(Route::new("default".to_owned(), Action::Forward(Forward::to(cluster.name.clone()))));
        scene.output.clusters.push(cluster);
    }
    routes
}

/// The paths of the host: of those that claim the same, the oldest. Canaries stand beside the path that they are for.
fn locations<'s>(scene: &mut Scene<'_, 's>, site: &Site) -> Vec<Location<'s>> {
    let found = site.members.iter().filter_map(|member| {
        Some((member, scene.view.get::<Ingress>(&member.name.namespace, &member.name.name)?))
    });
    let members: Vec<(&Member, Of<'s, Ingress>)> = found.collect();
    let mut mains = Mains { host: scene.host, locations: Vec::new(), places: HashMap::new() };
    for (member, ingress) in members.iter().filter(|(member, _)| !member.is_canary()) {
        for location in written(scene, member, *ingress) {
            mains.claim(location, &mut scene.output.reports);
        }
    }
    let regex_host = mains.locations.iter().any(Location::asks_for_regex);
    mains.rest(scene.host, &members);
    for (member, ingress) in members.iter().filter(|(member, _)| member.is_canary()) {
        for canary in written(scene, member, *ingress) {
            mains.join(canary, &mut scene.output.reports);
        }
    }
    let mut locations = mains.locations;
    for location in &mut locations {
        let own_regex = location.annotations.flag("use-regex") == Some(true);
        location.matching = Matching::of(location.kind, location.personality, regex_host, own_regex);
    }
    locations
}

/// The paths that an Ingress has in a host, in the order of its text. Those of something that is no service are left out.
fn written<'s>(scene: &mut Scene<'_, 's>, member: &Member, ingress: Of<'s, Ingress>) -> Vec<Location<'s>> {
    let mut locations = Vec::new();
    let content = &ingress.object().content;
    if let Some(service) = content.default_backend.as_ref().and_then(|backend| backend.service.as_ref())
        && content.rules.is_empty()
        && member.is_canary()
    {
        let (target, field) = (Target::Service(service), "spec.defaultBackend".to_owned());
        locations.push(Location::new(ingress, member, "/", PathType::Prefix, target, field));
    }
    let rules = content.rules.iter().enumerate();
    for (rule_index, rule) in rules.filter(|(_, rule)| Host::of(&rule.host) == *scene.host) {
        let paths = rule.http.iter().flat_map(|http| http.paths.iter().enumerate());
        for (index, written) in paths {
            let field = format!("spec.rules[{rule_index}].http.paths[{index}]");
            let Some(service) = &written.backend.service else {
                let message =
                    "its backend is no Service, so the path is left out; name one in `backend.service`";
                let report = Report::new(ingress.held(), Level::Warning, Reason::Invalid, message);
                scene.output.reports.push(report.at(format!("{field}.backend")));
                continue;
            };
            let (path, kind) = paths::of(written);
            let target = Target::Service(service);
            let field = format!("{field}.path");
            locations.push(Location::new(ingress, member, path, kind, target, field));
        }
    }
    locations
}

/// Locations that serve on their own.
struct Mains<'c, 's> {
    host: &'c Host,
    locations: Vec<Location<'s>>,
    places: HashMap<(&'s str, PathType), usize>,
}

impl<'s> Mains<'_, 's> {
    /// The first that claims a place has it.
    fn claim(&mut self, location: Location<'s>, reports: &mut Vec<Report>) {
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
    fn join(&mut self, canary: Location<'s>, reports: &mut Vec<Report>) {
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
    fn rest(&mut self, host: &Host, members: &[(&Member, Of<'s, Ingress>)]) {
        let has_root = |kind| self.places.contains_key(&("/", kind));
        if has_root(PathType::Prefix) || has_root(PathType::ImplementationSpecific) {
            return;
        }
        let mut mains = members.iter().filter(|(member, _)| !member.is_canary());
        let backend = |ingress: &Of<'s, Ingress>| {
            let backend = ingress.object().content.default_backend.as_ref();
            backend.and_then(|backend: &IngressBackend| backend.service.as_ref())
        };
        let owner = if host.is_catch_all() {
            // With rules, a default backend is for the hosts of these rules only.
            mains.find(|(_, ingress)| ingress.content.rules.is_empty() && backend(ingress).is_some())
        } else {
            match mains.clone().next() {
                Some((first, _)) if first.personality == Personality::Compat => mains.next(),
                _ => mains.find(|(_, ingress)| backend(ingress).is_some()),
            }
        };
        let Some((member, ingress)) = owner else { return };
        let target = backend(ingress).map_or(Target::Default, Target::Service);
        let field = "spec.defaultBackend".to_owned();
        let mut location = Location::new(*ingress, member, "/", PathType::Prefix, target, field);
        if member.personality == Personality::Spec {
            location.annotations = Arc::default();
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

impl<'s> Location<'s> {
    fn new(
        ingress: Of<'s, Ingress>,
        member: &Member,
        path: &'s str,
        kind: PathType,
        target: Target<'s>,
        field: String,
    ) -> Self {
        Self {
            ingress,
            annotations: Arc::clone(&member.annotations),
            personality: member.personality,
            path,
            kind,
            matching: Matching::of(kind, member.personality, false, false),
            target,
            canaries: Vec::new(),
            field,
        }
    }
}
