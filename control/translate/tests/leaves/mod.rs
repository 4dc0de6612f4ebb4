//! Objects as trees, whose leaves tests take away or replace.

#![allow(dead_code, reason = "not every test uses all of it")]

use serde_json::Value;
use sluice_crds::{AnyObject, Manifest};

/// Where a leaf is: keys, and the numbers of list elements.
pub(crate) type Leaf = Vec<String>;

/// Every object as it was read, in its order.
pub(crate) fn objects(text: &str) -> Vec<AnyObject> {
    let manifest = Manifest::read(text);
    assert!(manifest.malformed.is_empty(), "{:?}", manifest.malformed);
    manifest.objects().cloned().collect()
}

/// The leaves below a place: whatever holds nothing more.
pub(crate) fn leaves(value: &Value, at: &Leaf, found: &mut Vec<Leaf>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    if inside.is_empty() {
        found.push(at.clone());
    }
    for (key, value) in inside {
        leaves(value, &[at.clone(), vec![key]].concat(), found);
    }
}

/// What is at a place, to be replaced.
pub(crate) fn at<'v>(value: &'v mut Value, leaf: &[String]) -> &'v mut Value {
    leaf.iter().fold(value, |value, key| match value {
        Value::Array(elements) => &mut elements[key.parse::<usize>().unwrap()],
        value => value.get_mut(key).unwrap(),
    })
}

/// The object without a leaf.
pub(crate) fn without(value: &Value, leaf: &[String]) -> Value {
    let mut value = value.clone();
    let (last, above) = leaf.split_last().unwrap();
    match at(&mut value, above) {
        Value::Array(elements) => drop(elements.remove(last.parse().unwrap())),
        parent => drop(parent.as_object_mut().unwrap().remove(last)),
    }
    value
}
