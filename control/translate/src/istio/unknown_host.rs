//! DestinationRules for hosts that nobody has: they are ignored.

use super::{destination_rule, names, registry};
use crate::{
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
};
use sluice_crds::{
    core::Service,
    istio::{DestinationRule, ServiceEntry},
};
use std::collections::HashSet;

/// What is to be said of them. A wildcard is for whatever comes.
pub(super) fn reports(view: &View<'_>, settings: &Settings) -> Vec<Report> {
    let entries = view.all::<ServiceEntry>();
    let entries: HashSet<String> =
        entries.flat_map(|entry| &entry.object().content.hosts).map(|host| names::plain(host)).collect();
    let mut found = Vec::new();
    for rule in view.all::<DestinationRule>().filter(|rule| destination_rule::is_sound(*rule)) {
        let written = &rule.object().content.host;
        let host = names::whole(written, rule.namespace(), &settings.cluster_domain);
        let service = names::split_service(&host, &settings.cluster_domain);
        let is_service =
            service.is_some_and(|(namespace, name)| view.get::<Service>(namespace, name).is_some());
        if host.starts_with('*') || is_service || entries.contains(&host) {
            continue;
        }
        let meant = registry::meant(view, settings, &host);
        let message = format!("there is no service `{host}`, so this rule has no effect{meant}");
        found.push(Report::new(rule.held(), Level::Warning, Reason::NotFound, message).at("spec.host"));
    }
    found
}
