//! The checked-in schema is current, and everything in `configs/` agrees with it and loads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use serde_json::Value;
use sluice_model::{
    ReadFile, Source,
    convert::{Reason, Repairs, convert},
    json_schema, load, spec,
    tree::{Path, Tree, parse},
};
use std::{collections::HashSet, fs, io, path::PathBuf};

const UPDATE: &str = "SLUICE_UPDATE_SCHEMA";

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs"))
}

fn examples() -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut examples: Vec<_> = yaml.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    examples.sort();
    assert!(!examples.is_empty());
    examples
}

struct Folder;

impl ReadFile for Folder {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(folder().join(path))
    }
}

/// The text as JSON, by the same reading of YAML.
fn json(text: &str) -> Value {
    let parsed = parse(text);
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    whole(&parsed.tree).0.unwrap()
}

fn whole<T: serde::de::DeserializeOwned>(tree: &Tree) -> (Option<T>, Vec<sluice_model::convert::Problem>) {
    convert(tree, tree.root().unwrap(), &Path::root(), &mut Repairs::new(tree))
}

fn reasons(value: &Value) -> Vec<Reason> {
    let parsed = parse(&value.to_string());
    whole::<spec::Config>(&parsed.tree).1.into_iter().map(|problem| problem.reason).collect()
}

#[test]
fn the_checked_in_schema_is_current() {
    let path = folder().join("sluice.schema.json");
    let current = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, &current).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == current, "write it anew: {UPDATE}=1 cargo test -p sluice-model --test configs");
}

#[test]
fn every_example_is_valid_and_loads_without_a_warning() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    for (path, text) in examples() {
        let errors: Vec<String> = schema
            .iter_errors(&json(&text))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        let source = Source::new(path.display().to_string(), text);
        match load(&source, &Folder) {
            Ok(loaded) => assert!(loaded.warnings.is_empty(), "{}", loaded.warnings),
            Err(diagnostics) => panic!("{diagnostics}"),
        }
    }
}

/// Whatever is changed in the examples: where the types take it the schema takes it too, and both know the same fields.
#[test]
fn schema_and_types_agree() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    for (path, text) in examples() {
        for (good, pointer) in places(&json(&text)) {
            for change in changes(&good, &pointer) {
                let reasons = reasons(&change);
                let valid = schema.is_valid(&change);
                let at = || format!("{} at {pointer}: {reasons:?}", path.display());
                if reasons.is_empty() {
                    assert!(valid, "only the types take {}", at());
                }
                let shape = reasons.iter().any(|reason| {
                    matches!(
                        reason,
                        Reason::UnknownField { .. }
                            | Reason::MissingField { .. }
                            | Reason::UnknownVariant { .. }
                            | Reason::SeveralVariants { .. }
                            | Reason::VariantShape { .. }
                    )
                });
                assert!(!(shape && valid), "only the schema takes {}", at());
            }
        }
    }
}

/// One pointer to each kind of place, and a document that holds little else.
fn places(whole: &Value) -> Vec<(Value, String)> {
    let mut pointers = Vec::new();
    walk(whole, String::new(), &mut pointers);
    let mut kinds = HashSet::new();
    pointers.retain(|pointer| {
        let kind: Vec<&str> =
            pointer.split('/').map(|step| if step.parse::<usize>().is_ok() { "*" } else { step }).collect();
        kinds.insert(kind.join("/"))
    });
    pointers.into_iter().map(|pointer| alone(whole, &pointer)).collect()
}

/// The document without the elements of lists and the sections that the pointer does not pass.
fn alone(whole: &Value, pointer: &str) -> (Value, String) {
    let Some((step, below)) =
        pointer.strip_prefix('/').map(|rest| rest.split_once('/').unwrap_or((rest, "")))
    else {
        return (whole.clone(), String::new());
    };
    let below = if pointer[1..].contains('/') { format!("/{below}") } else { String::new() };
    match whole {
        Value::Array(values) => {
            let (value, below) = alone(&values[step.parse::<usize>().unwrap()], &below);
            (vec![value].into(), format!("/0{below}"))
        }
        Value::Object(object) => {
            let key = step.replace("~1", "/").replace("~0", "~");
            let mut object = object.clone();
            object.retain(|other, value| {
                *other == key || !(value.is_array() || value.is_object()) || required(other)
            });
            let (value, below) = alone(&object[&key], &below);
            object.insert(key, value);
            (object.into(), format!("/{step}{below}"))
        }
        value => (value.clone(), String::new()),
    }
}

fn required(key: &str) -> bool {
    [
        "hosts",
        "action",
        "destinations",
        "value",
        "kind",
        "certificate",
        "key",
        "certificates",
        "abort",
        "status",
    ]
    .contains(&key)
}

fn walk(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                walk(value, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), pointers);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                walk(value, format!("{pointer}/{index}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(pointer);
}

/// The document with one place changed: other types in it, an unknown key added, each key removed.
fn changes(good: &Value, pointer: &str) -> Vec<Value> {
    let with = |value: Value| {
        let mut changed = good.clone();
        if let Some(place) = changed.pointer_mut(pointer) {
            *place = value;
        }
        changed
    };
    let others =
        [Value::Null, true.into(), 5.into(), "text".into(), serde_json::json!([]), serde_json::json!({})];
    let mut changes: Vec<Value> = others.into_iter().map(&with).collect();
    if let Some(object) = good.pointer(pointer).and_then(Value::as_object) {
        let mut more = object.clone();
        more.insert("zzzzzzzzzzzz".to_owned(), 1.into());
        changes.push(with(more.into()));
        for key in object.keys() {
            let mut less = object.clone();
            less.remove(key);
            changes.push(with(less.into()));
        }
    }
    changes
}
