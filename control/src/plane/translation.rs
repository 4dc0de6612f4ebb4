//! `GET /debug/translation`: what one object became.

use super::objects::find;
use crate::status::shown_event;
use serde_json::{Value, json};
use sluice_crds::{
    Kind, Known, ObjectName,
    istio::{Gateway, VirtualService},
};
use sluice_model::spec::{Action, Config, Route};
use sluice_translate::{Held, Marks, Report, gateway_of_reference};
use std::collections::{BTreeMap, BTreeSet};

/// What the objects were made into.
pub(super) struct Made<'a> {
    pub(super) config: &'a Config,
    pub(super) marks: &'a Marks,
}

/// The parts of the configuration that an object was made into, or that stand for it, and what is said about it. Routes
/// and clusters name the objects that they were made from, or have the names of theirs in their own, as secrets have; the
/// marks say where an object has a hand in parts that are not its own.
pub(super) fn show<'r>(
    objects: &BTreeMap<ObjectName, Held>,
    made: &Made<'_>,
    reports: impl Iterator<Item = &'r Report>,
    query: &str,
) -> Result<Value, String> {
    let (object, held) = find(objects, query)?;
    let config = made.config;
    let named = names(object);
    let is_named = |name: &str| named.iter().any(|object| contains_word(name, object));
    let origin = object.to_string();
    let own: BTreeSet<&str> = config
        .clusters
        .iter()
        .filter(|cluster| cluster.origins.contains(&origin) || is_named(&cluster.name))
        .map(|cluster| cluster.name.as_str())
        .collect();
    let marks = made.marks.get(object).into_iter().flatten();
    let marked: BTreeSet<(&str, Option<&str>)> =
        marks.map(|mark| (mark.route_table.as_str(), mark.virtual_host.as_deref())).collect();
    let comes_by = by_gateway(objects, object);
    let (mut tables, mut used) = (BTreeSet::new(), BTreeSet::new());
    tables.extend(marked.iter().map(|(table, _)| *table));
    let mut hosts = Vec::new();
    for table in &config.route_tables {
        let in_table = marked.contains(&(table.name.as_str(), None));
        for host in &table.virtual_hosts {
            let shut = marked.contains(&(table.name.as_str(), Some(host.name.as_str())));
            let is_of = |route: &&Route| {
                let from = route.origin.as_deref();
                shut || from == Some(&origin)
                    || route.delegate.as_ref() == Some(&origin)
                    || clusters(route).any(|name| own.contains(name) || is_named(name))
                    || in_table && from.is_some_and(|from| comes_by.contains(from))
            };
            let routes: Vec<&Route> = host.routes.iter().filter(is_of).collect();
            if routes.is_empty() {
                continue;
            }
            tables.insert(table.name.as_str());
            used.extend(routes.iter().flat_map(|route| clusters(route)));
            hosts.push(json!({
                "route_table": table.name,
                "name": host.name,
                "hosts": host.hosts,
                "routes": routes,
            }));
        }
    }
    let listeners = config.listeners.iter().filter(|listener| {
        let scopes =
            listener.tls.iter().flat_map(|tls| &tls.scopes).filter_map(|scope| scope.route_table.as_deref());
        let certificates = listener.tls.iter().flat_map(|tls| {
            tls.certificates.iter().chain(tls.scopes.iter().flat_map(|scope| &scope.certificates))
        });
        std::iter::once(listener.route_table.as_str()).chain(scopes).any(|table| tables.contains(table))
            || certificates.into_iter().any(|name| is_named(name))
    });
    let listeners: Vec<Value> = listeners
        .map(|listener| json!({ "name": listener.name, "address": listener.address, "tls": listener.tls.is_some() }))
        .collect();
    let found = config.clusters.iter();
    let found =
        found.filter(|cluster| used.contains(cluster.name.as_str()) || own.contains(cluster.name.as_str()));
    let secrets = config.secrets.iter().map(|secret| &secret.name).filter(|name| is_named(name));
    let reports = reports.filter(|report| report.object == *object).map(shown_event);
    Ok(json!({
        "kind": object.kind,
        "namespace": object.namespace,
        "name": object.name,
        "resourceVersion": held.object().metadata().resource_version,
        "listeners": listeners,
        "virtual_hosts": hosts,
        "clusters": found.collect::<Vec<_>>(),
        "secrets": secrets.collect::<Vec<_>>(),
        "events": reports.collect::<Vec<_>>(),
    }))
}

/// The VirtualServices that come to their places through a Gateway, as routes name them.
fn by_gateway(objects: &BTreeMap<ObjectName, Held>, object: &ObjectName) -> BTreeSet<String> {
    if object.kind != Gateway::KIND {
        return BTreeSet::new();
    }
    let names_it = |name: &ObjectName, service: &VirtualService| {
        let gateways = service.gateways.iter();
        gateways
            .filter_map(|written| gateway_of_reference(written, &name.namespace))
            .any(|gateway| gateway == (object.namespace.as_str(), object.name.as_str()))
    };
    let services = objects.iter().filter_map(|(name, held)| Some((name, VirtualService::of(held.object())?)));
    services
        .filter(|(name, service)| names_it(name, &service.content))
        .map(|(name, _)| name.to_string())
        .collect()
}

/// How clusters and secrets name an object.
fn names(object: &ObjectName) -> Vec<String> {
    let ObjectName { kind, namespace, name } = object;
    match *kind {
        "Service" => vec![format!("{namespace}/{name}"), format!("{name}.{namespace}.svc.")],
        "Gateway" | "Secret" => vec![format!("{namespace}/{name}")],
        _ => Vec::new(),
    }
}

/// Whether it stands there on its own, not as a part of another name. A word that ends with a dot goes on.
fn contains_word(text: &str, word: &str) -> bool {
    let is_part =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte));
    let bytes = text.as_bytes();
    text.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        !is_part(before) && (word.ends_with('.') || !is_part(bytes.get(at + word.len())))
    })
}

/// Every cluster that a route names.
fn clusters(route: &Route) -> impl Iterator<Item = &str> {
    let forward = match &route.action {
        Action::Forward(forward) => Some(forward),
        Action::Redirect(_) | Action::Respond(_) => None,
    };
    let to = forward.into_iter().flat_map(|forward| {
        let destinations = forward.destinations.iter().map(|destination| destination.cluster.as_str());
        destinations.chain(forward.canaries.iter().map(|canary| canary.cluster.as_str()))
    });
    to.chain(route.mirrors.iter().map(|mirror| mirror.cluster.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_in_names_that_are_its_own_only() {
        let service = ObjectName { kind: "Service", namespace: "shop".to_owned(), name: "web".to_owned() };
        let named = |text: &str| names(&service).iter().any(|name| contains_word(text, name));
        assert!(named("shop/web:80") && named("outbound|80|v1|web.shop.svc.cluster.local"));
        assert!(
            !named("shop/web-2:80")
                && !named("the-shop/web:80")
                && !named("outbound|80||my-web.shop.svc.cluster.local")
        );
    }
}
