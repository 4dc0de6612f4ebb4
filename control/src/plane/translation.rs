//! `GET /debug/translation`: what one object became.

use super::objects::find;
use crate::status::shown_event;
use serde_json::{Value, json};
use sluice_crds::ObjectName;
use sluice_model::spec::{Action, Config, Route};
use sluice_translate::{Held, Report};
use std::collections::{BTreeMap, BTreeSet};

/// The parts of the configuration that an object was made into, or that stand for it, and what is said about it. Routes
/// name the object that they were made from, and clusters and secrets have the names of theirs in their own.
pub(super) fn show<'r>(
    objects: &BTreeMap<ObjectName, Held>,
    config: &Config,
    reports: impl Iterator<Item = &'r Report>,
    query: &str,
) -> Result<Value, String> {
    let (object, held) = find(objects, query)?;
    let named = names(object);
    let is_named = |name: &str| named.iter().any(|object| contains_word(name, object));
    let origin = object.to_string();
    let is_of = |route: &Route| route.origin.as_deref() == Some(&origin) || clusters(route).any(is_named);
    let (mut tables, mut used) = (BTreeSet::new(), BTreeSet::new());
    let mut hosts = Vec::new();
    for table in &config.route_tables {
        for host in &table.virtual_hosts {
            // The servers of a Gateway have tables of their own, which are named after it.
            let all = is_named(&table.name);
            let routes: Vec<&Route> = host.routes.iter().filter(|route| all || is_of(route)).collect();
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
    let found = found.filter(|cluster| used.contains(cluster.name.as_str()) || is_named(&cluster.name));
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
