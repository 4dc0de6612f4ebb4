//! What the model says to the routes of a host before they join all others: one that it refuses would keep all of them from
//! being served.

use super::location::{Location, Scene, unavailable};
use crate::report::{Level, Reason, Report};
use sluice_model::{
    NoFiles, Severity,
    spec::{Cluster, Config, Listener, Route, RouteOrder, RouteTable, VirtualHost},
    value::HostPattern,
};
use std::{collections::BTreeSet, sync::Arc};

/// Where a route begins in the path of what is found.
const ROUTES: &str = "route_tables[0].virtual_hosts[0].routes[";

/// Routes that the model refuses answer 503, or are left out where it is the path that cannot be; their Ingresses are told.
pub(super) fn hold_back<'l, 's>(
    scene: &mut Scene<'_, 's>,
    mut routes: Vec<(&'l Location<'s>, Route)>,
) -> Vec<(&'l Location<'s>, Route)> {
    let mut without: BTreeSet<usize> = BTreeSet::new();
    for (index, field, message) in errors(scene, routes.iter().map(|(_, route)| route)) {
        let Some((location, route)) = routes.get_mut(index) else { continue };
        let outcome = if field.starts_with("match") {
            without.insert(index);
            "the path is left out"
        } else {
            let matches = std::mem::take(&mut route.matches);
            let (origin, labels) = (route.origin.take(), route.labels.take());
            *route = Route { matches, origin, labels, ..Route::new(route.name.clone(), unavailable()) };
            "the path answers 503"
        };
        let message = format!("{}: {message}; {outcome}", named(&field));
        let report = Report::new(location.ingress.held(), Level::Error, Reason::Invalid, message);
        scene.output.reports.push(report.at(location.field.clone()));
    }
    let mut index = 0..;
    routes.retain(|_| index.next().is_none_or(|index| !without.contains(&index)));
    routes
}

/// What authors know a part of a route by.
fn named(part: &str) -> &'static str {
    const NAMES: [(&str, &str); 10] = [
        ("match", "path"),
        ("rewrite.host", "upstream-vhost"),
        ("rewrite", "rewrite-target"),
        ("response_rewrite", "proxy-redirect and proxy-cookie annotations"),
        ("timeouts", "proxy time-outs"),
        ("retry", "proxy-next-upstream"),
        ("action.redirect", "redirect"),
        ("mirrors", "mirror-target"),
        ("error_pages", "custom-http-errors"),
        ("headers", "headers"),
    ];
    NAMES.iter().find(|(of, _)| part.starts_with(of)).map_or("backend", |(_, name)| name)
}

/// Whether the model takes a route.
pub(super) fn takes(scene: &Scene<'_, '_>, route: &Route) -> bool {
    errors(scene, std::iter::once(route)).is_empty()
}

/// The route, the field in it, and what is wrong.
fn errors<'r>(
    scene: &Scene<'_, '_>,
    routes: impl Iterator<Item = &'r Route>,
) -> Vec<(usize, String, String)> {
    let routes = routes.enumerate().map(|(index, route)| Route { name: index.to_string(), ..route.clone() });
    let host = VirtualHost {
        name: "host".to_owned(),
        hosts: vec![HostPattern::Any],
        order: RouteOrder::Explicit,
        routes: routes.collect(),
    };
    let clusters: BTreeSet<&str> = scene.output.clusters.iter().map(|cluster| &*cluster.name).collect();
    let clusters = clusters.into_iter().map(|name| Arc::new(Cluster::new(name.to_owned(), Vec::new())));
    let config = Config {
        listeners: vec![Arc::new(Listener::new("l".to_owned(), ([127, 0, 0, 1], 0).into(), "t".to_owned()))],
        route_tables: vec![Arc::new(RouteTable {
            name: "t".to_owned(),
            virtual_hosts: vec![Arc::new(host)],
        })],
        clusters: clusters.collect(),
        ..Config::default()
    };
    let Err(found) = sluice_model::validate("host", config, &NoFiles) else { return Vec::new() };
    let errors = found.iter().filter(|found| found.severity == Severity::Error).filter_map(|error| {
        let (index, field) = error.path.strip_prefix(ROUTES)?.split_once(']')?;
        let field = field.trim_start_matches('.').to_owned();
        Some((index.parse().ok()?, field, error.message.clone()))
    });
    errors.collect()
}
