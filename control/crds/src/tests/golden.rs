//! What users get wrong, and what they are told.

use crate::{Manifest, manifest::EntryContent, object::Explained};
use std::fmt::Write;

/// Texts and what is said about them.
const GOLDEN: &str = include_str!("golden.txt");

/// To accept what is said now, after reading it: `SLUICE_UPDATE_GOLDEN=1 cargo test -p sluice-crds`.
#[test]
fn mistakes_are_explained() {
    let mut now = String::new();
    for (index, case) in GOLDEN.split("=====\n").enumerate() {
        let (text, _) = case.split_once("\n=>\n").unwrap();
        let between = if index > 0 { "=====\n" } else { "" };
        write!(now, "{between}{text}\n=>\n{}", say(text)).unwrap();
    }
    if std::env::var_os("SLUICE_UPDATE_GOLDEN").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/golden.txt"), &now).unwrap();
    } else {
        assert!(now == GOLDEN, "{now}");
    }
}

fn say(text: &str) -> String {
    let manifest = Manifest::read(text);
    let told = |about: &str, told: Explained| {
        format!("{}:{} {} {about}: {}\n", told.line, told.column, told.severity, told.message)
    };
    let mut said: String =
        manifest.malformed.iter().map(|problem| told("file", Explained::new(problem, false))).collect();
    for entry in &manifest.entries {
        match &entry.content {
            EntryContent::Object(object) => {
                let name = object.name().to_string();
                said.extend(object.explained().into_iter().map(|problem| told(&name, problem)));
            }
            EntryContent::Invalid(problem) => said += &told("object", Explained::new(problem, false)),
            EntryContent::Other { api_version, kind } => {
                let at = entry.position;
                writeln!(said, "{}:{} not read: {api_version} {kind}", at.line, at.column).unwrap();
            }
        }
    }
    said
}
