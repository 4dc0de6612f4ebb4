//! One host: the paths of its Ingresses, in the order in which they are compared.

use super::{
    Host, Site,
    location::{self, Location, Scene},
    paths::Matching,
    select::Member,
};
use crate::{
    output::{Output, TableKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::core::{HttpIngressPath, Ingress, PathType};
use sluice_model::{
    spec::{RouteOrder, VirtualHost},
    value::HostPattern,
};
use std::sync::Arc;

/// The virtual host of a host.
pub(crate) fn translate(view: &View<'_>, settings: &Settings, host: &Host, site: &Site) -> Output {
    let mut output = Output::default();
    let Some(pattern) = pattern(host) else { return output };
    let mut scene = Scene { view, settings, host, output: &mut output };
    let mut locations = locations(&mut scene, site);
    locations.sort_by_cached_key(Location::order);
    let routes = locations.iter().map(|location| location::route(&mut scene, location)).collect();
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

/// The paths of the host: of those that claim the same, the oldest. Canaries stand beside the path that they are for.
fn locations<'s>(scene: &mut Scene<'_, 's>, site: &Site) -> Vec<Location<'s>> {
    let (mut mains, mut canaries) = (Vec::new(), Vec::new());
    for member in &site.members {
        let Some(ingress) = scene.view.get::<Ingress>(&member.name.namespace, &member.name.name) else {
            continue;
        };
        let written = written(scene.host, member, ingress);
        if member.is_canary() { canaries.extend(written) } else { mains.extend(written) }
    }
    let regex_host = mains.iter().any(Location::asks_for_regex);
    let mut locations: Vec<Location<'s>> = Vec::new();
    for mut location in mains {
        location.matching = Matching::of(
            location.kind,
            location.personality,
            regex_host,
            location.annotations.flag("use-regex") == Some(true),
        );
        if let Some(first) = locations.iter().find(|first| first.same_place(&location)) {
            let message = format!(
                "{} has path `{}` of host `{}` already; the older one serves it",
                first.ingress.name(),
                location.path,
                scene.host,
            );
            let report = Report::new(location.ingress.held(), Level::Warning, Reason::Conflict, message);
            scene.output.reports.push(report.at(location.field));
        } else {
            locations.push(location);
        }
    }
    for canary in canaries {
        match locations.iter_mut().find(|main| main.same_place(&canary)) {
            Some(main) => main.canaries.push(canary),
            None => {
                let message = format!(
                    "no Ingress has path `{}` of host `{}` with this pathType, so nothing reaches this canary",
                    canary.path, scene.host,
                );
                let report = Report::new(canary.ingress.held(), Level::Warning, Reason::Unreachable, message);
                scene.output.reports.push(report.at(canary.field));
            }
        }
    }
    locations
}

/// The paths that an Ingress has in a host, in the order of its text.
fn written<'s>(host: &Host, member: &Member, ingress: Of<'s, Ingress>) -> Vec<Location<'s>> {
    let rules = ingress.object().content.rules.iter().enumerate();
    let paths = rules.filter(|(_, rule)| Host::of(&rule.host) == *host).flat_map(|(rule_index, rule)| {
        let paths = rule.http.iter().flat_map(|http| http.paths.iter().enumerate());
        paths.map(move |(index, path)| (format!("spec.rules[{rule_index}].http.paths[{index}].path"), path))
    });
    paths.map(|(field, path)| Location::new(ingress, member, field, path)).collect()
}

impl<'s> Location<'s> {
    fn new(ingress: Of<'s, Ingress>, member: &Member, field: String, written: &'s HttpIngressPath) -> Self {
        let (path, kind) = match written.path.as_str() {
            "" => ("/", PathType::ImplementationSpecific),
            path => (path, written.path_type),
        };
        Self {
            ingress,
            annotations: Arc::clone(&member.annotations),
            personality: member.personality,
            path,
            kind,
            matching: Matching::of(kind, member.personality, false, false),
            backend: Some(&written.backend),
            canaries: Vec::new(),
            field,
        }
    }
}
