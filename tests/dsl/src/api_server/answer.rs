//! What the server answers when nothing goes wrong.

use super::{
    Shared,
    call::Call,
    refusal::Refusal,
    resource::{RESOURCES, Resource},
    select::Selection,
    store::{Key, Page, Store, key},
    write,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The versions that are served, by group.
pub(super) type Groups = BTreeMap<String, Vec<String>>;

/// Answers everything but watches: a status and a document.
pub(super) fn answer(shared: &Shared, call: &Call) -> Result<(u16, Value), Refusal> {
    let mut world = shared.world();
    if call.verb == "discover" {
        return discover(&world.groups, &call.resource).map(|document| (200, document));
    }
    let (resource, sub) = resource(&world.groups, call)?;
    let store = &mut world.store;
    let status_only = match sub {
        "" => false,
        "status" if resource.has_status => true,
        _ => return Err(Refusal::of_status(404, call)),
    };
    let key: Key = (resource.group, resource.plural, call.namespace.clone(), call.name.clone());
    let shown = |object: &Value| show(resource, call, object);
    match call.verb.as_str() {
        "list" => list(store, resource, call).map(|document| (200, document)),
        "get" => store.get(&key).map(|object| (200, shown(object))).ok_or_else(|| unknown(resource, call)),
        "create" => write::create(store, resource, call).map(|object| (201, shown(&object))),
        "update" => {
            write::update(store, &key, resource, call, status_only).map(|object| (200, shown(&object)))
        }
        "patch" => {
            let (created, object) = write::patch(store, &key, resource, call, status_only)?;
            Ok((if created { 201 } else { 200 }, shown(&object)))
        }
        "delete" if call.name.is_empty() => Err(Refusal::new(405, "MethodNotAllowed", "name an object")),
        "delete" => {
            let gone = store.delete(resource, &key).ok_or_else(|| unknown(resource, call))?;
            Ok((200, shown(&gone)))
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "the server does not allow this method")),
    }
}

/// The kind that a request is about, and which part of it.
pub(super) fn resource<'c>(groups: &Groups, call: &'c Call) -> Result<(&'static Resource, &'c str), Refusal> {
    let (plural, sub) = call.resource.split_once('/').unwrap_or((&call.resource, ""));
    groups
        .get(&call.group)
        .filter(|versions| versions.contains(&call.version))
        .and_then(|_| Resource::of_plural(&call.group, plural))
        .map(|resource| (resource, sub))
        .ok_or_else(|| Refusal::of_status(404, call))
}

fn unknown(resource: &Resource, call: &Call) -> Refusal {
    Refusal::not_found(&resource.long_name(), &call.name)
}

/// An object in the version and the form that was asked for.
pub(super) fn show(resource: &Resource, call: &Call, object: &Value) -> Value {
    if call.wants_metadata() {
        return json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"],
        });
    }
    let mut object = object.clone();
    object["apiVersion"] = json!(resource.api_version(&call.version));
    object
}

fn list(store: &mut Store, resource: &'static Resource, call: &Call) -> Result<Value, Refusal> {
    let selection = selection(resource, call)?;
    let limit = call.parameter("limit").parse().unwrap_or(0);
    let Page { version, items, next, remaining } = match call.parameter("continue") {
        "" => store.page(&selection, limit),
        token => store.next_page(token, limit).ok_or_else(Refusal::expired)?,
    };
    let mut metadata = Map::from_iter([("resourceVersion".to_owned(), json!(version.to_string()))]);
    if !next.is_empty() {
        metadata.insert("continue".to_owned(), json!(next));
        metadata.insert("remainingItemCount".to_owned(), json!(remaining));
    }
    let items: Vec<Value> = items
        .iter()
        .map(|object| {
            let mut item = show(resource, call, object);
            // Items of a list do not say what they are.
            if let Some(item) = item.as_object_mut().filter(|_| !call.wants_metadata()) {
                item.remove("apiVersion");
                item.remove("kind");
            }
            item
        })
        .collect();
    let (version, kind) = if call.wants_metadata() {
        ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList".to_owned())
    } else {
        (resource.api_version(&call.version), format!("{}List", resource.kind))
    };
    Ok(json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "items": items }))
}

pub(super) fn selection(resource: &'static Resource, call: &Call) -> Result<Selection, Refusal> {
    Selection::new(
        resource,
        &call.namespace,
        call.parameter("labelSelector"),
        call.parameter("fieldSelector"),
    )
}

fn discover(groups: &Groups, path: &str) -> Result<Value, Refusal> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let missing = || Refusal::new(404, "NotFound", "the server could not find the requested resource");
    let versions =
        |group: &str| groups.get(group).filter(|versions| !versions.is_empty()).ok_or_else(missing);
    match parts[..] {
        ["version"] => Ok(json!({ "major": "1", "minor": "34", "gitVersion": "v1.34.0" })),
        ["healthz" | "livez" | "readyz"] => Ok(json!("ok")),
        ["api"] => Ok(json!({ "kind": "APIVersions", "versions": versions("")? })),
        ["apis"] => {
            let groups = groups.iter().filter(|(name, versions)| !name.is_empty() && !versions.is_empty());
            let groups: Vec<Value> = groups.map(|(name, versions)| group_document(name, versions)).collect();
            Ok(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
        }
        ["apis", group] => Ok(group_document(group, versions(group)?)),
        ["api", version] => kinds("", version, versions("")?).ok_or_else(missing),
        ["apis", group, version] => kinds(group, version, versions(group)?).ok_or_else(missing),
        _ => Err(missing()),
    }
}

fn group_document(name: &str, versions: &[String]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({ "groupVersion": format!("{name}/{version}"), "version": version }))
        .collect();
    json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": name,
        "preferredVersion": versions.first(), "versions": versions,
    })
}

fn kinds(group: &str, version: &str, served: &[String]) -> Option<Value> {
    if !served.iter().any(|served| served == version) {
        return None;
    }
    let mut resources = Vec::new();
    for resource in RESOURCES.iter().filter(|resource| resource.group == group) {
        let verbs = json!(["create", "delete", "get", "list", "patch", "update", "watch"]);
        resources.push(json!({
            "name": resource.plural, "singularName": resource.kind.to_lowercase(), "kind": resource.kind,
            "namespaced": resource.namespaced, "verbs": verbs,
        }));
        if resource.has_status {
            resources.push(json!({
                "name": format!("{}/status", resource.plural), "singularName": "", "kind": resource.kind,
                "namespaced": resource.namespaced, "verbs": ["get", "patch", "update"],
            }));
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    }))
}

/// Takes in a manifest, whatever it says; returns where it is.
pub(super) fn admit(store: &mut Store, mut object: Value) -> Key {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    let resource = Resource::of_kind(group, &kind)
        .unwrap_or_else(|| panic!("the scripted API server has no kind {kind} of {version}"));
    if resource.namespaced && object["metadata"]["namespace"].is_null() {
        object["metadata"]["namespace"] = json!("default");
    }
    write::encode_secret(&mut object);
    let key = key(resource, &object);
    // As with `kubectl apply`, what others reported stays.
    if object["status"].is_null() {
        let status = store.get(&key).map(|old| old["status"].clone()).filter(|status| !status.is_null());
        match status {
            Some(status) => object["status"] = status,
            None => drop(object.as_object_mut().and_then(|object| object.remove("status"))),
        }
    }
    store.put(resource, object);
    key
}
