//! One host: the paths of its Ingresses, in the order in which they are compared.

use super::{
    Host, Site, backend, error_pages,
    guard::{self, Guard},
    location::{self, Location, Scene, Target, unavailable},
    mains::Mains,
    names,
    paths::{self, Matching},
    probe, redirect,
    select::{Member, Personality},
    sound,
    tls::{self, HostTls},
    virtual_host::Served,
};
use crate::{
    name,
    output::{Output, Server, TableKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::core::{Ingress, PathType};
use sluice_model::{
    spec::{Action, Forward, Route, RouteLabels, RouteOrder, Scheme, TlsScope, VirtualHost},
    value::HostPattern,
};
use std::sync::Arc;

/// The virtual hosts of a host: without TLS and, where it has some, with it.
pub(crate) fn translate(view: &View<'_>, settings: &Settings, host: &Host, site: &Site) -> Output {
    let mut output = Output::default();
    let Some(pattern) = host.pattern() else { return output };
    let mut scene = Scene { view, settings, host, output: &mut output, detours: Vec::new() };
    let mut locations = locations(&mut scene, site);
    let guards = guard::guards(&scene, &site.members);
    guard::close(&mut scene, &guards, &mut locations);
    locations.sort_by_cached_key(Location::order);
    let mut found = Vec::with_capacity(locations.len());
    for location in &locations {
        let Some(route) = location::route(&mut scene, location) else { continue };
        found.extend(scene.detours.drain(..).map(|detour| (location, detour)));
        found.push((location, route));
    }
    let found = sound::hold_back(&mut scene, found);
    let app_root = app_root(&mut scene, &locations);
    let rest = rest(&mut scene, &locations, &guards);
    let compat = |member: &Member| member.personality == Personality::Compat && !member.is_canary();
    let probed = host.is_catch_all() && (site.members.is_empty() || site.members.iter().any(compat));
    let own = |location: &Location<'_>| location.path == settings.health_path;
    let probe = (probed && !locations.iter().any(own)).then(|| probe::route(settings));
    let served = Served { settings, host, probe, app_root, locations: found, rest };

    let tls = tls::of_host(view, settings, host, &site.members, &mut output);
    let above = || {
        let parent = host.parent();
        parent.is_some_and(|parent| {
            tls::of_host(view, settings, &parent, &site.parents, &mut Output::default()).is_on()
        })
    };
    // Nobody has a certificate for a name that nobody knows.
    let certified = !host.is_catch_all() && (tls.is_on() || above());
    let mut serve = |port: u16, scheme: Scheme| {
        let mut add = |name: String, hosts: Vec<HostPattern>, routes: Vec<Route>| {
            let key = TableKey { port, server: None };
            let host = VirtualHost { name, hosts, order: RouteOrder::Explicit, routes };
            // What is served alike at both ports is one thing.
            let known = output.hosts.iter().find(|(_, known)| **known == host);
            let host = known.map_or_else(|| Arc::new(host), |(_, known)| Arc::clone(known));
            output.hosts.push((key, host));
        };
        add(name::fit(host.to_string()), vec![pattern.clone()], served.routes(scheme, certified));
        let (certified, others): (Vec<_>, Vec<_>) =
            site.aliases.iter().cloned().partition(|alias| tls.is_for(alias));
        if !certified.is_empty() {
            let name = name::fit(format!("certified aliases of {host}"));
            add(name, certified, served.routes(scheme, true));
        }
        if !others.is_empty() {
            let name = name::fit(format!("aliases of {host}"));
            add(name, others, served.routes(scheme, false));
        }
        if let Some((other, pattern)) =
            site.counterpart.as_ref().and_then(|other| Some((other, other.pattern()?)))
        {
            let route = redirect::to_host(&host.0, settings.ingress.http_redirect_code);
            add(name::fit(other.to_string()), vec![pattern], vec![route]);
        }
    };
    serve(settings.http_port, Scheme::Http);
    if tls.is_on() || site.members.is_empty() || site.members.iter().any(compat) {
        serve(settings.https_port, Scheme::Https);
    }
    if site.members.iter().any(compat) {
        output.as_nginx.extend([settings.http_port, settings.https_port]);
    }
    let refused = |member: &Member| !member.is_canary() && member.annotations.handshakes_refused;
    if site.members.iter().any(refused) {
        output.servers.extend(refusal(settings, host, pattern, &site.aliases));
    } else {
        match tls {
            // As everywhere in ingress-nginx, the default certificate stands in; there it has to be said.
            HostTls::None if settings.ingress.ssl_reject_handshake && site.members.iter().any(compat) => {
                output.default_certificate.push(settings.https_port);
            }
            HostTls::None => {}
            HostTls::Default => output.default_certificate.push(settings.https_port),
            HostTls::Own(certificate) => {
                output.reports.extend(names::uncertified_counterpart(
                    view,
                    settings,
                    host,
                    site,
                    &certificate,
                ));
                output.certificates.push((settings.https_port, certificate.secret));
            }
        }
    }
    output
}

/// A scope without certificates: handshakes for the host fail, and what asks for it on other connections gets 421. There is
/// none where no handshake can be for it, an address say: then the paths alone refuse.
fn refusal(
    settings: &Settings,
    host: &Host,
    pattern: HostPattern,
    aliases: &[HostPattern],
) -> Option<Server> {
    let named = std::iter::once(pattern).chain(aliases.iter().cloned());
    let server_names: Vec<HostPattern> = named.filter(HostPattern::is_server_name).collect();
    (!server_names.is_empty()).then(|| Server {
        key: TableKey { port: settings.https_port, server: None },
        scope: TlsScope {
            name: name::fit(format!("refused {host}")),
            server_names,
            certificates: Vec::new(),
            route_table: None,
            require_known_name: false,
        },
        secrets: Vec::new(),
    })
}

/// Where `/` of the host goes: where the first location says that has something to say about it.
fn app_root(scene: &mut Scene<'_, '_>, locations: &[Location<'_>]) -> Option<Route> {
    let (location, route) =
        locations.iter().find_map(|location| Some((location, redirect::app_root(location)?)))?;
    // It is for `/`, whatever paths the Ingress has that asks for it.
    let labels = location.labels(scene.settings, scene.host);
    let labels = labels.map(|own| RouteLabels { path: "/".to_owned(), service: String::new(), ..own });
    let route = Route { labels, ..route };
    if sound::takes(scene, &route) {
        return Some(route);
    }
    let message = "it is no path; `/` is not redirected";
    scene.report_annotation(location, "app-root", Level::Error, Reason::Invalid, message);
    None
}

/// What no location takes, where the gateway has a default backend.
fn rest(scene: &mut Scene<'_, '_>, locations: &[Location<'_>], guards: &[Guard<'_>]) -> Option<Route> {
    if locations.iter().any(Location::is_root) {
        return None;
    }
    let cluster = backend::default_backend(scene)?;
    let refused = !scene.settings.allow_unprotected && !scene.settings.ingress.refused.is_empty();
    if refused || guard::close_everything(guards) {
        return Some(Route::new("default".to_owned(), unavailable()));
    }
    let mut route = Route::new("default".to_owned(), Action::Forward(Forward::to(cluster.name.clone())));
    error_pages::replace_rest(scene.settings, &mut route, &cluster.name);
    scene.output.clusters.push(Arc::new(cluster));
    Some(route)
}

/// The paths of the host: of those that claim the same, the oldest. Canaries stand beside the path that they are for.
pub(super) fn locations<'s>(scene: &mut Scene<'_, 's>, site: &Site) -> Vec<Location<'s>> {
    let found = site.members.iter().filter_map(|member| {
        Some((member, scene.view.get::<Ingress>(&member.name.namespace, &member.name.name)?))
    });
    let members: Vec<(&Member, Of<'s, Ingress>)> = found.collect();
    let mut mains = Mains::new(scene.host);
    for (member, ingress) in members.iter().filter(|(member, _)| !member.is_canary()) {
        for location in written(scene, member, *ingress) {
            mains.claim(location, &mut scene.output.reports);
        }
    }
    let regex_host = mains.locations.iter().any(Location::asks_for_regex);
    mains.rest(&members, &mut scene.output.reports);
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
        && scene.host.is_catch_all()
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
            let (path, kind) = paths::of(written, member.personality);
            let target = Target::Service(service);
            let field = format!("{field}.path");
            locations.push(Location::new(ingress, member, path, kind, target, field));
        }
    }
    locations
}

impl<'s> Location<'s> {
    pub(super) fn new(
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
            closed_by: None,
        }
    }
}
