//! The objects, and everything that happened to them.

use super::{fault::Disturbance, resource::Resource, select::Selection};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use tokio::sync::watch;

/// Where an object is: group, plural, namespace, name.
pub(super) type Key = (&'static str, &'static str, String, String);

/// What the server holds. Versions of objects count up over all of them, as in etcd.
#[derive(Debug)]
pub(super) struct Store {
    objects: BTreeMap<Key, Value>,
    version: u64,
    /// What watches are told, oldest first.
    log: Vec<Happening>,
    /// Watches from before this version are told that it is gone.
    oldest: u64,
    /// The rest of lists that were begun, by what `continue` says.
    pages: HashMap<String, (u64, Vec<Value>)>,
    names: u64,
    /// Wakes watches.
    pub(super) news: watch::Sender<usize>,
}

/// Something that watches hear about.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Changed {
        resource: &'static Resource,
        version: u64,
        old: Option<Value>,
        new: Option<Value>,
    },
    /// The version that all have reached.
    Bookmark(u64),
    /// For watches of this plural, or all.
    Disturbed {
        plural: String,
        how: Disturbance,
    },
}

/// A part of a list.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) version: u64,
    pub(super) items: Vec<Value>,
    /// How to go on; empty at the end.
    pub(super) next: String,
    pub(super) remaining: usize,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            // Never 0: that asks for anything.
            version: 100,
            log: Vec::new(),
            oldest: 0,
            pages: HashMap::new(),
            names: 0,
            news: watch::Sender::new(0),
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    pub(super) fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.objects.values().filter(|object| object["kind"] == *kind).cloned().collect()
    }

    pub(super) fn select<'s>(&'s self, selection: &'s Selection) -> impl Iterator<Item = &'s Value> {
        let resource = selection.resource;
        let first: Key = (resource.group, resource.plural, selection.namespace.clone(), String::new());
        let among = |(group, plural, namespace, _): &Key| {
            (*group, *plural) == (resource.group, resource.plural)
                && (selection.namespace.is_empty() || *namespace == selection.namespace)
        };
        self.objects
            .range(first..)
            .take_while(move |(key, _)| among(key))
            .map(|(_, object)| object)
            .filter(|object| selection.has(object))
    }

    /// Writes an object: gives it what servers give to objects, and tells the watches. Returns it as it is now.
    ///
    /// What does not change anything is not written.
    pub(super) fn put(&mut self, resource: &'static Resource, mut object: Value) -> Value {
        let old = self.objects.get(&key(resource, &object)).cloned();
        let (unit, mut generation) = match &old {
            Some(old) => (old["metadata"].clone(), old["metadata"]["generation"].as_u64().unwrap_or(1)),
            None => (json!({}), 1),
        };
        let said = |object: &Value| {
            let mut said = object.clone();
            said["metadata"] = Value::Null;
            said["status"] = Value::Null;
            said
        };
        if old.as_ref().is_some_and(|old| said(old) != said(&object)) {
            generation += 1;
        }
        let metadata = &mut object["metadata"];
        let number = self.version + 1;
        for (field, value) in [
            ("uid", json!(format!("00000000-0000-4000-8000-{number:012}"))),
            ("creationTimestamp", json!("2026-01-02T03:04:05Z")),
            (
                "managedFields",
                json!([{ "manager": "somebody", "operation": "Update", "fieldsV1": { "f:spec": {} } }]),
            ),
        ] {
            let kept = unit.get(field).cloned().or_else(|| metadata.get(field).cloned());
            metadata[field] = kept.unwrap_or(value);
        }
        metadata["generation"] = json!(generation);
        metadata["resourceVersion"] = unit.get("resourceVersion").cloned().unwrap_or_default();
        if old.as_ref() == Some(&object) {
            return object;
        }
        self.version = number;
        object["metadata"]["resourceVersion"] = json!(number.to_string());
        self.objects.insert(key(resource, &object), object.clone());
        self.happened(Happening::Changed { resource, version: number, old, new: Some(object.clone()) });
        object
    }

    /// Removes an object, and tells the watches.
    pub(super) fn delete(&mut self, resource: &'static Resource, key: &Key) -> Option<Value> {
        let old = self.objects.remove(key)?;
        self.version += 1;
        let version = self.version;
        self.happened(Happening::Changed { resource, version, old: Some(old.clone()), new: None });
        Some(old)
    }

    pub(super) fn happened(&mut self, happening: Happening) {
        self.log.push(happening);
        let length = self.log.len();
        self.news.send_modify(|news| *news = length);
    }

    pub(super) fn bookmark(&mut self) {
        self.happened(Happening::Bookmark(self.version));
    }

    /// From here on, what came before can be neither watched nor continued.
    pub(super) fn forget(&mut self) {
        // So that nobody who is up to date can go on either.
        self.version += 1;
        self.oldest = self.version;
        self.pages.clear();
    }

    /// What happened, from a place in the log.
    pub(super) fn since(&self, place: usize) -> &[Happening] {
        &self.log[place.min(self.log.len())..]
    }

    /// The place in the log behind everything.
    pub(super) fn end(&self) -> usize {
        self.log.len()
    }

    /// The place in the log behind this version; `None` where it is forgotten.
    pub(super) fn place_after(&self, version: u64) -> Option<usize> {
        if version < self.oldest {
            return None;
        }
        let later = |happening: &Happening| matches!(happening, Happening::Changed { version: changed, .. } if *changed > version);
        Some(self.log.iter().position(later).unwrap_or(self.log.len()))
    }

    /// The first page of a list; all of it where `limit` is 0.
    pub(super) fn page(&mut self, selection: &Selection, limit: usize) -> Page {
        let items: Vec<Value> = self.select(selection).cloned().collect();
        self.turn(self.version, items, limit)
    }

    /// The next page; `None` where it is forgotten.
    pub(super) fn next_page(&mut self, token: &str, limit: usize) -> Option<Page> {
        let (version, items) = self.pages.remove(token)?;
        Some(self.turn(version, items, limit))
    }

    fn turn(&mut self, version: u64, mut items: Vec<Value>, limit: usize) -> Page {
        if limit == 0 || items.len() <= limit {
            return Page { version, items, next: String::new(), remaining: 0 };
        }
        let rest = items.split_off(limit);
        let remaining = rest.len();
        let next = self.new_name("page-");
        self.pages.insert(next.clone(), (version, rest));
        Page { version, items, next, remaining }
    }

    /// A name that nobody has.
    pub(super) fn new_name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{:05x}", self.names)
    }
}

/// Where an object belongs.
pub(super) fn key(resource: &'static Resource, object: &Value) -> Key {
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    (resource.group, resource.plural, text("namespace"), text("name"))
}
