//! Objects, lists and events as an API server sends them.

use super::{json, kinds::Resource};
use crate::api_server::{Status, Trouble};
use serde::Deserialize;
use sluice_crds::{AnyObject, ObjectName};
use sluice_model::tree::Tree;
use std::collections::BTreeMap;

/// An object of a list or an event.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: ObjectName,
    /// Of the object, as the server counts.
    pub(super) version: String,
    /// Why it cannot be read, where it cannot.
    pub(super) object: Result<AnyObject, String>,
}

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    pub(super) version: String,
    /// Asks for the next page.
    pub(super) more: Option<String>,
}

/// A line of a watch.
#[derive(Debug)]
pub(super) enum Event {
    Put(Item),
    Gone(Item),
    /// Nothing changed until this version. `complete` ends the list at the beginning of a watch.
    Bookmark {
        version: String,
        complete: bool,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    resource_version: String,
    annotations: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListMetadata {
    resource_version: String,
    r#continue: String,
}

// === impl Item ===

impl Item {
    /// `None` where it does not even say which object it is, or at which version.
    fn read(resource: &Resource, text: &str) -> Option<Self> {
        let Named { metadata } = serde_json::from_str(text).ok()?;
        if metadata.name.is_empty() || metadata.resource_version.is_empty() {
            return None;
        }
        let namespace = if resource.namespaced { metadata.namespace } else { String::new() };
        let name = ObjectName { kind: resource.kind, namespace, name: metadata.name };
        let object = match serde_json::from_str::<Tree>(text) {
            Ok(tree) => resource.read(&tree).ok_or_else(|| "it is no map".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        Some(Self { name, version: metadata.resource_version, object })
    }
}

// === impl Page ===

impl Page {
    pub(super) fn read(resource: &Resource, text: &str) -> Result<Self, Trouble> {
        let nonsense = |what: &str| Trouble::Nonsense(format!("{what} for a list of {}", resource.name()));
        let fields = json::fields(text).ok_or_else(|| nonsense("no JSON object"))?;
        let kind = json::field(&fields, "kind").and_then(json::text).unwrap_or_default();
        if !kind.ends_with("List") {
            return Err(nonsense("an object that is no list"));
        }
        let metadata = json::field(&fields, "metadata").unwrap_or("{}");
        let metadata: ListMetadata = serde_json::from_str(metadata).map_err(|_| nonsense("no metadata"))?;
        if metadata.resource_version.is_empty() {
            return Err(nonsense("no resourceVersion"));
        }
        let items = match json::field(&fields, "items") {
            None => return Err(nonsense("no items")),
            Some("null") => Vec::new(),
            Some(items) => json::elements(items).ok_or_else(|| nonsense("items that are no array"))?,
        };
        let items = items
            .into_iter()
            .map(|item| {
                Item::read(resource, item).ok_or_else(|| nonsense("an object without a name or version"))
            })
            .collect::<Result<_, _>>()?;
        let more = Some(metadata.r#continue).filter(|token| !token.is_empty());
        Ok(Self { items, version: metadata.resource_version, more })
    }
}

// === impl Event ===

impl Event {
    pub(super) fn read(resource: &Resource, line: &str) -> Result<Self, Trouble> {
        let nonsense = |what: &str| Trouble::Nonsense(format!("{what} in a watch of {}", resource.name()));
        let fields = json::fields(line).ok_or_else(|| nonsense("a line that is no JSON object"))?;
        let object = json::field(&fields, "object").ok_or_else(|| nonsense("an event without an object"))?;
        let item =
            || Item::read(resource, object).ok_or_else(|| nonsense("an object without a name or version"));
        match json::field(&fields, "type").and_then(json::text) {
            Some("ADDED" | "MODIFIED") => Ok(Self::Put(item()?)),
            Some("DELETED") => Ok(Self::Gone(item()?)),
            Some("BOOKMARK") => {
                let Named { metadata } = serde_json::from_str(object).unwrap_or_default();
                if metadata.resource_version.is_empty() {
                    return Err(nonsense("a bookmark without a resourceVersion"));
                }
                let complete = metadata.annotations.contains_key("k8s.io/initial-events-end");
                Ok(Self::Bookmark { version: metadata.resource_version, complete })
            }
            Some("ERROR") => {
                let status: Status =
                    serde_json::from_str(object).map_err(|_| nonsense("an unknown error"))?;
                Err(status.into())
            }
            _ => Err(nonsense("an event of an unknown type")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::cluster::kinds::WATCHED;

    const INGRESS: &Resource = &WATCHED[0];

    fn page(text: &str) -> Result<Page, Trouble> {
        Page::read(INGRESS, text)
    }

    #[test]
    fn an_object_that_cannot_be_read_spoils_no_other() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let text = format!(
            r#"{{"kind":"IngressList","apiVersion":"networking.k8s.io/v1","metadata":{{"resourceVersion":"7","continue":""}},"items":[
                {{"metadata":{{"name":"deep","namespace":"shop","resourceVersion":"3"}},"spec":{deep}}},
                {{"metadata":{{"name":"odd","namespace":"shop","resourceVersion":"4","labels":7}},"spec":{{"rules":3}}}},
                {{"metadata":{{"name":"web","namespace":"shop","resourceVersion":"5"}},"spec":{{}}}}]}}"#
        );
        let page = page(&text).unwrap();
        let read: Vec<(&str, bool)> =
            page.items.iter().map(|item| (item.name.name.as_str(), item.object.is_ok())).collect();
        assert_eq!(read, [("deep", false), ("odd", true), ("web", true)]);
        assert!(page.items[1].object.as_ref().unwrap().is_rejected());
        assert_eq!((page.version.as_str(), page.more), ("7", None));
    }

    #[test]
    fn what_is_no_list_is_nonsense() {
        for wrong in [
            "",
            "<html>not found</html>",
            "{}",
            r#"{"kind":"Status","metadata":{},"status":"Success"}"#,
            r#"{"kind":"IngressList","metadata":{"resourceVersion":"1"}}"#,
            r#"{"kind":"IngressList","metadata":{},"items":[]}"#,
            r#"{"kind":"IngressList","metadata":{"resourceVersion":"1"},"items":[{}]}"#,
            r#"{"kind":"IngressList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"#,
        ] {
            assert!(matches!(page(wrong), Err(Trouble::Nonsense(_))), "{wrong}");
        }
        let empty = r#"{"kind":"IngressList","metadata":{"resourceVersion":"1"},"items":null}"#;
        assert!(page(empty).unwrap().items.is_empty());
    }

    #[test]
    fn events_are_told_apart() {
        let event = |line: &str| Event::read(INGRESS, line);
        let object = r#"{"metadata":{"name":"web","namespace":"shop","resourceVersion":"5"}}"#;
        assert!(matches!(event(&format!(r#"{{"type":"ADDED","object":{object}}}"#)), Ok(Event::Put(_))));
        assert!(matches!(event(&format!(r#"{{"type":"DELETED","object":{object}}}"#)), Ok(Event::Gone(_))));
        let end = r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        assert!(matches!(event(end), Ok(Event::Bookmark { version, complete: true }) if version == "9"));
        let gone = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
        assert_eq!(event(gone).unwrap_err().code(), Some(410));
        for wrong in [
            "",
            "{",
            r#"{"type":"ADDED"}"#,
            r#"{"type":"ODD","object":{}}"#,
            r#"{"type":"ADDED","object":{}}"#,
        ] {
            assert!(matches!(event(wrong), Err(Trouble::Nonsense(_))), "{wrong}");
        }
    }
}
