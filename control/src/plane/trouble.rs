//! What `GET /status` says besides objects: files that are wrong, and listeners that do not listen.

use super::translation::Made;
use crate::source::Finding;
use serde_json::{Value, json};
use sluice_crds::{Kind, ObjectName, core::Ingress, istio::Gateway};
use sluice_model::spec::{Listener, RouteTable};
use sluice_proxy::Unbound;
use sluice_translate::{Held, Level, Mark, Reason, Report};
use std::collections::{BTreeMap, BTreeSet};

/// As many objects are named; of the others it is said how many there are.
const MOST: usize = 5;

/// An entry for each file with which something is wrong, with all of that.
pub(super) fn of_files(findings: &[Finding]) -> Vec<Value> {
    let mut by_file: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for finding in findings {
        by_file.entry(&finding.file).or_default().push(warning("Invalid", &finding.without_severity()));
    }
    by_file.into_iter().map(|(file, events)| entry("File", file, events)).collect()
}

/// An entry for each listener that does not listen, with who needs it.
pub(super) fn of_listeners(unbound: &[Unbound], made: &Made<'_>) -> Vec<Value> {
    let entries = unbound.iter().map(|listener| {
        let wanted = wanted_by(made, &listener.name);
        let wanted = if wanted.is_empty() { wanted } else { format!("; wanted by {wanted}") };
        let message = format!("{}{wanted}; it is tried again", listener.why);
        entry("Listener", &listener.name, vec![warning("NotListening", &message)])
    });
    entries.collect()
}

/// What those are told that name the port of a listener that does not listen. Of Ingresses, which name none, the entry of the
/// listener has the first.
pub(super) fn unheard(
    unbound: &[Unbound],
    made: &Made<'_>,
    objects: &BTreeMap<ObjectName, Held>,
) -> Vec<Report> {
    let mut reports = Vec::new();
    for listener in unbound {
        let Some(spec) = made.config.listeners.iter().find(|one| one.name == listener.name) else { continue };
        let tables = tables(spec);
        let held = gateways(made, &tables).filter_map(|name| objects.get(name));
        let message = format!("{}; it is tried again", listener.why);
        reports.extend(held.map(|held| {
            Report::new(held, Level::Error, Reason::NotListening, message.clone()).at("spec.servers")
        }));
    }
    reports
}

/// The Gateways that have a server in one of these tables.
fn gateways<'m>(made: &Made<'m>, tables: &'m BTreeSet<&str>) -> impl Iterator<Item = &'m ObjectName> {
    let has_one =
        move |marks: &BTreeSet<Mark>| marks.iter().any(|mark| tables.contains(mark.route_table.as_str()));
    let gateways = made.marks.iter().filter(|(object, _)| object.kind == Gateway::KIND);
    gateways.filter(move |(_, marks)| has_one(marks)).map(|(object, _)| object)
}

fn entry(kind: &str, name: &str, events: Vec<Value>) -> Value {
    json!({ "kind": kind, "namespace": "", "name": name, "status": {}, "events": events })
}

fn warning(reason: &str, message: &str) -> Value {
    json!({ "type": "Warning", "reason": reason, "message": message })
}

/// The objects that need a listener, in words: those that name its port or, where none does, whose routes it has.
pub(super) fn wanted_by(made: &Made<'_>, listener: &str) -> String {
    let Some(listener) = made.config.listeners.iter().find(|one| one.name == listener) else {
        return String::new();
    };
    let tables = tables(listener);
    let is_here = |table: &RouteTable| tables.contains(table.name.as_str());
    let routes = made.config.route_tables.iter().filter(|table| is_here(table));
    let routes = routes.flat_map(|table| &table.virtual_hosts).flat_map(|host| &host.routes);
    let origins: BTreeSet<&str> = routes.filter_map(|route| route.origin.as_deref()).collect();
    let is_ingress =
        |origin: &&&str| origin.strip_prefix(Ingress::KIND).is_some_and(|rest| rest.starts_with(' '));
    let ingresses = origins.iter().filter(is_ingress).map(|origin| (*origin).to_owned());
    let mut names: Vec<String> = gateways(made, &tables).map(ToString::to_string).chain(ingresses).collect();
    if names.is_empty() {
        names = origins.into_iter().map(str::to_owned).collect();
    }
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.join(", ") + &more
}

/// The route tables of a listener, those of its TLS scopes among them.
fn tables(listener: &Listener) -> BTreeSet<&str> {
    let scopes =
        listener.tls.iter().flat_map(|tls| &tls.scopes).filter_map(|scope| scope.route_table.as_deref());
    scopes.chain([listener.route_table.as_str()]).collect()
}
