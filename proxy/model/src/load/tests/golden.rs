//! What users get wrong, and what they are told.

use super::{read, say, say_routes};
use crate::Severity;
use std::fmt::Write;

const FIFTY: &str = include_str!("fifty.yaml");

#[test]
fn fifty_mistakes_give_fifty_diagnostics() {
    let marks = FIFTY.lines().enumerate().flat_map(|(index, line)| {
        let count = if line.ends_with("# wrong twice") { 2 } else { usize::from(line.ends_with("# wrong")) };
        std::iter::repeat_n(index + 1, count)
    });
    let wanted: Vec<usize> = marks.collect();
    let diagnostics = read(FIFTY).unwrap_err();
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let lines: Vec<usize> = errors.map(|diagnostic| diagnostic.line).collect();
    assert_eq!(lines, wanted, "{diagnostics}");
    assert_eq!(wanted.len(), 50);
}

/// Texts and what is said about them. A text is a whole file, or the routes of an otherwise good one.
const GOLDEN: &str = include_str!("golden.txt");

/// To accept what is said now, after reading it: `SLUICE_UPDATE_GOLDEN=1 cargo test -p sluice-model`.
#[test]
fn mistakes_are_explained() {
    let mut now = String::new();
    for (index, case) in GOLDEN.split("=====\n").enumerate() {
        let (kind, rest) = case.split_once('\n').unwrap();
        let (text, _) = rest.split_once("\n=>\n").unwrap();
        let said = if kind == "file" { say(text) } else { say_routes(text) };
        let between = if index > 0 { "=====\n" } else { "" };
        write!(now, "{between}{kind}\n{text}\n=>\n{said}").unwrap();
    }
    if std::env::var_os("SLUICE_UPDATE_GOLDEN").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/load/tests/golden.txt"), &now).unwrap();
    } else {
        assert!(now == GOLDEN, "{now}");
    }
}
