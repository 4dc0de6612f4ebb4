//! What users get wrong, and what they are told.

use super::{read, say, say_route};
use crate::Severity;

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
