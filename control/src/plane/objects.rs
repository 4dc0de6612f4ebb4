//! `GET /debug/objects`: what is held.

use serde_json::{Value, json};
use sluice_crds::{AnyObject, ObjectName};
use sluice_translate::Held;
use std::collections::BTreeMap;

/// In the place of what must not be shown.
const REDACTED: &str = "<redacted>";

/// A line for each object, or the whole of the one that the query names.
pub(super) fn show(objects: &BTreeMap<ObjectName, Held>, query: &str) -> Result<Value, String> {
    if query.is_empty() {
        return Ok(objects.iter().map(|(name, held)| line(name, held)).collect());
    }
    let (name, held) = find(objects, query)?;
    let mut document = line(name, held);
    document["object"] = redacted(held.object());
    document["problems"] = held.object().explained().into_iter().map(|problem| problem.message).collect();
    Ok(document)
}

/// The object that `object=KIND/NAMESPACE/NAME` names, or `object=KIND/NAME` where its kind has no namespaces.
pub(super) fn find<'o>(
    objects: &'o BTreeMap<ObjectName, Held>,
    query: &str,
) -> Result<(&'o ObjectName, &'o Held), String> {
    const HOW: &str = "ask for ?object=KIND/NAMESPACE/NAME, as in ?object=Ingress/shop/web, \
                       or ?object=KIND/NAME where the kind has no namespaces";
    let text = query.strip_prefix("object=").ok_or(HOW)?.replace("%2F", "/").replace("%2f", "/");
    let (kind, namespace, name) = match text.split('/').collect::<Vec<_>>()[..] {
        [kind, namespace, name] => (kind, namespace, name),
        [kind, name] => (kind, "", name),
        _ => return Err(HOW.to_owned()),
    };
    let is_it = |found: &ObjectName| found.kind == kind && found.namespace == namespace && found.name == name;
    objects.iter().find(|(found, _)| is_it(found)).ok_or_else(|| {
        format!("no object {text} is held; GET /debug/objects says which ones are. Kinds are written as in `Ingress`")
    })
}

fn line(name: &ObjectName, held: &Held) -> Value {
    let metadata = held.object().metadata();
    let mut line = json!({
        "kind": name.kind,
        "namespace": name.namespace,
        "name": name.name,
        "rejected": held.object().is_rejected(),
    });
    if let Some(version) = &metadata.resource_version {
        line["resourceVersion"] = json!(version);
    }
    if let Some(generation) = metadata.generation {
        line["generation"] = json!(generation);
    }
    if let Some(created) = &metadata.creation_timestamp {
        line["creationTimestamp"] = json!(created);
    }
    if let Some(place) = held.place() {
        line["file"] = json!(format!("{}:{}", place.file, place.line));
    }
    line
}

/// The object as it was read; of a Secret, only which keys it has.
fn redacted(object: &AnyObject) -> Value {
    let mut document = serde_json::to_value(object).unwrap_or_default();
    if matches!(object, AnyObject::Secret(_)) {
        for part in ["data", "stringData"] {
            for value in document[part].as_object_mut().into_iter().flat_map(|values| values.values_mut()) {
                *value = json!(REDACTED);
            }
        }
        // Tools copy what they apply into annotations.
        let annotations = document["metadata"].get_mut("annotations").and_then(Value::as_object_mut);
        for value in annotations.into_iter().flat_map(|annotations| annotations.values_mut()) {
            *value = json!(REDACTED);
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_crds::Manifest;

    #[test]
    fn one_object_is_shown_whole_and_no_secret_is() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: { name: tls, namespace: shop, annotations: { copy: HUSH } }\n\
                    type: Opaque\ndata: { a: SFVTSA== }\nstringData: { b: HUSH }\n---\n\
                    apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: { name: nginx }\n\
                    spec: { controller: k8s.io/ingress-nginx }\n";
        let objects = Manifest::read(text)
            .objects()
            .map(|object| (object.name(), Held::new(object.clone(), None, 0)))
            .collect();
        let all = show(&objects, "").expect("a list");
        assert_eq!(all.as_array().map(Vec::len), Some(2));
        let secret = show(&objects, "object=Secret/shop/tls").expect("an object");
        assert_eq!(secret["object"]["data"]["a"], REDACTED);
        for page in [&all, &secret] {
            let text = page.to_string();
            assert!(!text.contains("HUSH") && !text.contains("SFVTSA"), "{text}");
        }
        let class = show(&objects, "object=IngressClass%2Fnginx").expect("an object");
        assert_eq!(class["object"]["spec"]["controller"], "k8s.io/ingress-nginx");
        assert!(
            show(&objects, "object=Secret/shop/other").is_err_and(|why| why.contains("Secret/shop/other"))
        );
        assert!(show(&objects, "name=x").is_err_and(|why| why.contains("?object=")));
    }
}
