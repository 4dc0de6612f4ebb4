//! The routes of a host as they are served: without TLS, with it, and under other names.

use super::{Host, location::Location, redirect, upstream};
use crate::settings::{Hsts, Settings};
use sluice_model::spec::{HeaderValue, Route, Scheme};
use std::collections::HashSet;

/// What a host serves, in the order in which paths are compared.
pub(super) struct Served<'l, 's> {
    pub(super) settings: &'l Settings,
    pub(super) host: &'l Host,
    /// What load balancers ask.
    pub(super) probe: Option<Route>,
    /// What `/` gets.
    pub(super) app_root: Option<Route>,
    pub(super) locations: Vec<(&'l Location<'s>, Route)>,
    /// For what no location takes.
    pub(super) rest: Option<Route>,
}

impl Served<'_, '_> {
    /// What clients of a scheme get. `certified`: the name that they ask for has a certificate.
    pub(super) fn routes(&self, scheme: Scheme, certified: bool) -> Vec<Route> {
        let first = self.probe.iter().chain(&self.app_root).cloned();
        let mut routes: Vec<Route> = first.chain(self.slashes(scheme)).collect();
        for (location, route) in &self.locations {
            let moved = match scheme {
                Scheme::Http if !location.answers_at_once() => {
                    redirect::to_https(self.settings, location, certified)
                }
                Scheme::Http | Scheme::Https => None,
            };
            let Some(action) = moved else {
                routes.push(upstream::towards(location, route, scheme));
                continue;
            };
            let mut away = Route {
                matches: route.matches.clone(),
                origin: route.origin.clone(),
                labels: route.labels.clone(),
                ..Route::new(route.name.clone(), action)
            };
            // Whom we trust may have told us that the client came over TLS.
            if self.settings.ingress.believes_schemes() {
                away.name = format!("to https: {}", route.name);
                away.matches.iter_mut().for_each(|each| each.scheme = Some(Scheme::Http));
                routes.push(away);
                routes.push(route.clone());
            } else {
                routes.push(away);
            }
        }
        routes.extend(self.rest.clone());
        if let (Scheme::Https, true, Some(hsts)) = (scheme, certified, self.settings.ingress.hsts) {
            for route in &mut routes {
                route.headers.response.set.extend(header(hsts));
            }
        }
        // They are large, and most hosts have one.
        routes.shrink_to_fit();
        routes
    }

    /// Paths that lack a slash at their end, where nothing else has them.
    fn slashes(&self, scheme: Scheme) -> Vec<Route> {
        // Whom we trust knows the client's scheme, and with it the port, better.
        let port = (!self.settings.ingress.believes_schemes()).then_some(scheme.default_port());
        let lacking = slashed(self.locations.iter().map(|(location, _)| *location));
        let redirects = lacking.filter_map(|location| {
            let labels = location.labels(self.settings, self.host);
            let relative = redirect::are_relative(self.settings, location);
            Some(Route { labels, ..location.slash_redirect(port, relative)? })
        });
        redirects.collect()
    }
}

/// The locations that clients are sent to who leave out the slash at their end.
pub(super) fn slashed<'l, 's: 'l>(
    locations: impl Iterator<Item = &'l Location<'s>> + Clone,
) -> impl Iterator<Item = &'l Location<'s>> {
    let taken: HashSet<&str> = locations.clone().map(|location| location.path).collect();
    let mut seen: HashSet<&str> = HashSet::new();
    locations.filter(move |location| {
        location.without_slash().is_some_and(|path| !taken.contains(path) && seen.insert(path))
    })
}

/// `strict-transport-security`.
fn header(hsts: Hsts) -> Option<HeaderValue> {
    let mut value = format!("max-age={}", hsts.max_age);
    if hsts.include_subdomains {
        value.push_str("; includeSubDomains");
    }
    if hsts.preload {
        value.push_str("; preload");
    }
    Some(HeaderValue { name: "strict-transport-security".parse().ok()?, value })
}
