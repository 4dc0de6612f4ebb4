//! What an API server wants to know of an object.

use serde_json::Value;

/// Where a server has the versions and kinds of a group: `/api/v1`, `/apis/networking.k8s.io/v1`.
pub(super) fn base(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap_or_else(|| panic!("no apiVersion in {object}"));
    if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") }
}

/// `Ingress shop/web`, `Namespace shop`.
pub(super) fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}
