//! Creating and changing objects.

use super::{
    call::Call,
    refusal::Refusal,
    resource::Resource,
    store::{Key, Store, key},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

pub(super) fn create(store: &mut Store, resource: &'static Resource, call: &Call) -> Result<Value, Refusal> {
    let mut object = call.body.clone();
    check(resource, &object)?;
    if resource.namespaced {
        object["metadata"]["namespace"] = json!(call.namespace);
    }
    if let Some(prefix) = object["metadata"]["generateName"].as_str().map(ToOwned::to_owned) {
        object["metadata"]["name"] = json!(store.new_name(&prefix));
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err(Refusal::new(
            422,
            "Invalid",
            "metadata.name: Required value: name or generateName is required",
        ));
    }
    let place = key(resource, &object);
    if store.get(&place).is_some() {
        let message = format!("{} \"{name}\" already exists", resource.long_name());
        return Err(Refusal::new(409, "AlreadyExists", message));
    }
    if resource.has_status {
        object.as_object_mut().and_then(|object| object.remove("status"));
    }
    encode_secret(&mut object);
    Ok(store.put(resource, object))
}

pub(super) fn update(
    store: &mut Store,
    place: &Key,
    resource: &'static Resource,
    call: &Call,
    status_only: bool,
) -> Result<Value, Refusal> {
    let old = store.get(place).cloned();
    let old = old.ok_or_else(|| Refusal::not_found(&resource.long_name(), &call.name))?;
    check(resource, &call.body)?;
    store_over(store, resource, call, &old, call.body.clone(), status_only)
}

/// The object, and whether it is new.
pub(super) fn patch(
    store: &mut Store,
    place: &Key,
    resource: &'static Resource,
    call: &Call,
    status_only: bool,
) -> Result<(bool, Value), Refusal> {
    let old = store.get(place).cloned();
    let applies = call.content_type.starts_with("application/apply-patch");
    if applies && call.parameter("fieldManager").is_empty() {
        return Err(Refusal::new(
            422,
            "Invalid",
            "fieldManager: Required value: is required for apply patch",
        ));
    }
    if !applies && !call.content_type.starts_with("application/merge-patch+json") {
        return Err(Refusal::new(415, "UnsupportedMediaType", "only merge and apply patches are understood"));
    }
    let Some(old) = old else {
        if applies && !status_only {
            let mut call = call.clone();
            call.body["metadata"]["name"] = json!(call.name);
            return create(store, resource, &call).map(|object| (true, object));
        }
        return Err(Refusal::not_found(&resource.long_name(), &call.name));
    };
    let mut new = old.clone();
    merge(&mut new, &call.body);
    store_over(store, resource, call, &old, new, status_only).map(|object| (false, object))
}

/// Writes what a part of the API may write, unless somebody else has written meanwhile.
fn store_over(
    store: &mut Store,
    resource: &'static Resource,
    call: &Call,
    old: &Value,
    mut new: Value,
    status_only: bool,
) -> Result<Value, Refusal> {
    let seen = call.body["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if !seen.is_empty() && old["metadata"]["resourceVersion"] != *seen {
        return Err(Refusal::conflict(call));
    }
    let version = new["apiVersion"].take();
    new["apiVersion"] = if version.is_null() { old["apiVersion"].clone() } else { version };
    if status_only {
        let status = new["status"].take();
        new = old.clone();
        new["status"] = status;
    } else if resource.has_status {
        new["status"] = old["status"].clone();
    }
    if new["status"].is_null() {
        new.as_object_mut().and_then(|object| object.remove("status"));
    }
    for field in ["name", "namespace", "uid"] {
        if !old["metadata"][field].is_null() {
            new["metadata"][field] = old["metadata"][field].clone();
        }
    }
    encode_secret(&mut new);
    Ok(store.put(resource, new))
}

fn check(resource: &Resource, object: &Value) -> Result<(), Refusal> {
    match object["kind"].as_str() {
        Some(kind) if kind == resource.kind => Ok(()),
        _ => Err(Refusal::bad_request(format!("the object provided is no {}", resource.kind))),
    }
}

/// RFC 7396. What is applied is merged too: who owns which field is not kept.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().and_then(|object| object.remove(key));
        } else {
            merge(&mut into[key], value);
        }
    }
}

/// Servers keep what `stringData` says in `data`.
pub(super) fn encode_secret(object: &mut Value) {
    if object["kind"] != "Secret" {
        return;
    }
    let plain = object.as_object_mut().and_then(|object| object.remove("stringData"));
    for (key, text) in plain.iter().filter_map(Value::as_object).flatten() {
        object["data"][key] = json!(STANDARD.encode(text.as_str().unwrap_or_default()));
    }
    if object["type"].is_null() {
        object["type"] = json!("Opaque");
    }
}
