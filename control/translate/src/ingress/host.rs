//! One host: the paths of its Ingresses, in the order in which they are compared.

use super::{
    Host, Members, backend,
    paths::{self, Location},
    select::Personality,
};
use crate::{
    output::{Output, TableKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
};
use sluice_crds::core::{HttpIngressPath, Ingress, PathType};
use sluice_model::{
    spec::{Action, DirectResponse, Route, RouteOrder, VirtualHost},
    value::{HostPattern, StatusCode},
};

/// The virtual host of a host.
pub(crate) fn translate(view: &View<'_>, settings: &Settings, host: &Host, members: &Members) -> Output {
    let mut output = Output::default();
    let Some(pattern) = pattern(host) else { return output };
    let mut locations: Vec<Location<'_>> = Vec::new();
    for member in members {
        let Some(ingress) = view.get::<Ingress>(&member.name.namespace, &member.name.name) else { continue };
        let rules = ingress.object().content.rules.iter().enumerate();
        for (rule_index, rule) in rules.filter(|(_, rule)| Host::of(&rule.host) == *host) {
            let written = rule.http.iter().flat_map(|http| http.paths.iter().enumerate());
            for (path_index, path) in written {
                let location = Location::new(ingress, member.personality, path);
                if let Some(first) = locations.iter().find(|first| first.same_place(&location)) {
                    let message = format!(
                        "{} has path `{}` of host `{host}` already; the older one serves it",
                        first.ingress.name(),
                        location.path,
                    );
                    let report = Report::new(ingress.held(), Level::Warning, Reason::Conflict, message);
                    output
                        .reports
                        .push(report.at(format!("spec.rules[{rule_index}].http.paths[{path_index}].path")));
                    continue;
                }
                locations.push(location);
            }
        }
    }
    locations.sort_by_cached_key(paths::order);
    let routes = locations.iter().map(|location| route(view, settings, location, &mut output)).collect();
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

fn route(view: &View<'_>, settings: &Settings, location: &Location<'_>, output: &mut Output) -> Route {
    let action = match backend::resolve(view, settings, location, output) {
        Some(forward) => Action::Forward(forward),
        None => unavailable(),
    };
    let mut route = Route::new(location.route_name(), action);
    route.matches = vec![location.matching()];
    route.origin = Some(location.ingress.name().to_string());
    route
}

/// What is answered where nothing can serve.
fn unavailable() -> Action {
    Action::Respond(DirectResponse {
        status: StatusCode::SERVICE_UNAVAILABLE,
        body: String::new(),
        content_type: None,
    })
}

impl<'s> Location<'s> {
    fn new(
        ingress: crate::store::Of<'s, Ingress>,
        personality: Personality,
        written: &'s HttpIngressPath,
    ) -> Self {
        let (path, kind) = match written.path.as_str() {
            "" => ("/", PathType::ImplementationSpecific),
            path => (path, written.path_type),
        };
        Self { ingress, personality, path, kind, backend: &written.backend }
    }
}
