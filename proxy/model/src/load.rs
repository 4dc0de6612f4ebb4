//! From text to a validated configuration.

use crate::{
    Config, Diagnostic, Diagnostics, Severity, Source,
    check::{self, Checked, Finding, Sound},
    convert::{Problem, Reason, Repairs},
    document, redact, spec,
    tree::{self, Content, Position, Tree},
};
use std::sync::Arc;

/// Reads the files that a configuration names: certificates, keys, trust anchors. I/O stays with the caller, who
/// decides what relative paths start at (by the written form's promise: the folder of the configuration).
pub trait ReadFile {
    /// The whole content of a file. More than [`MAX_FILE_BYTES`] need not be read: it is refused anyway.
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>>;
}

/// The largest file that a secret may be read from.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// The most diagnostics of one configuration.
pub const MAX_DIAGNOSTICS: usize = 1000;

/// Where configurations name no files: every one is missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

/// A configuration that may be used, and what is odd about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings and remarks; no errors.
    pub warnings: Diagnostics,
    /// The files that were read, as the configuration names them; a change of one of them changes the configuration.
    pub files: Vec<String>,
}

/// Reads a static file. Fails with *all* that is wrong, warnings included, as soon as there is one error.
pub fn load(source: &Source, files: &dyn ReadFile) -> Result<Loaded, Diagnostics> {
    let tree::Parsed { tree, mut problems } = tree::parse(&source.text);
    let mut repairs = Repairs::new(&tree);
    let root = tree.root().filter(|root| !matches!(tree.node(*root).content, Content::Null));
    let config = match root {
        Some(root) => document::read(&tree, root, &mut repairs, &mut problems),
        None => {
            if problems.is_empty() {
                let reason = Reason::Syntax { message: "the file is empty".to_owned(), suggestion: None };
                problems.push(Problem { position: Position::START, path: tree::Path::root(), reason });
            }
            None
        }
    };
    let mut diagnostics: Vec<Diagnostic> =
        problems.iter().map(|problem| told(source, problem, repairs.top(&tree, &problem.path))).collect();
    let Some(config) = config else { return Err(bounded(source, diagnostics)) };
    let sound = Sound {
        whole: problems.is_empty() && repairs.is_empty(),
        route_tables: repairs.sound_names(&tree, "route_tables", config.route_tables.len()),
        clusters: repairs.sound_names(&tree, "clusters", config.clusters.len()),
        secrets: repairs.sound_names(&tree, "secrets", config.secrets.len()),
    };
    let mut checked = check::check(&config, files, sound, None);
    let findings = std::mem::take(&mut checked.findings).into_iter();
    diagnostics.extend(findings.filter_map(|finding| found(source, &tree, &repairs, finding)));
    finish(source, Arc::new(config), checked, None, diagnostics)
}

/// Checks a configuration that was not written as text: made by a translation, say. Diagnostics carry `name` in place
/// of a file, line 1 and column 1.
pub fn validate(
    name: &str,
    config: impl Into<Arc<spec::Config>>,
    files: &dyn ReadFile,
) -> Result<Loaded, Diagnostics> {
    validate_after(None, name, config, files)
}

/// The same for a configuration that comes after another one and shares parts with it. What both have (the same `Arc`, not
/// just something equal) is not checked again and stays what it was in the result; what is odd about such parts was
/// said before, and that nothing uses something is not said at all.
pub fn validate_after(
    old: Option<&Config>,
    name: &str,
    config: impl Into<Arc<spec::Config>>,
    files: &dyn ReadFile,
) -> Result<Loaded, Diagnostics> {
    let (source, config) = (Source::new(name, ""), config.into());
    let (tree, repairs) = (Tree::default(), Repairs::default());
    let mut checked = check::check(&config, files, Sound::ALL, old);
    let findings = std::mem::take(&mut checked.findings).into_iter();
    let diagnostics = findings.filter_map(|finding| found(&source, &tree, &repairs, finding)).collect();
    finish(&source, config, checked, old, diagnostics)
}

fn finish(
    source: &Source,
    config: Arc<spec::Config>,
    checked: Checked,
    old: Option<&Config>,
    diagnostics: Vec<Diagnostic>,
) -> Result<Loaded, Diagnostics> {
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(bounded(source, diagnostics));
    }
    let Checked { secrets, kept, files, findings: _ } = checked;
    let config = Config::new(config, secrets, kept, old);
    Ok(Loaded { config, warnings: bounded(source, diagnostics), files })
}

/// A problem of the text or of a value, in words.
fn told(source: &Source, problem: &Problem, top: Option<&str>) -> Diagnostic {
    let redact = redact::hides(problem, top);
    Diagnostic {
        severity: Severity::Error,
        source: source.name.clone(),
        line: problem.position.line,
        column: problem.position.column,
        path: if redact { redact::path(&problem.path) } else { problem.path.to_string() },
        message: problem.reason.message(redact),
        suggestion: problem.reason.suggestion(redact),
    }
}

/// A finding of the checks, unless it is about something that could not be read as written.
fn found(source: &Source, tree: &Tree, repairs: &Repairs, finding: Finding) -> Option<Diagnostic> {
    if !finding.rests_on.iter().all(|path| repairs.as_written(tree, path)) {
        return None;
    }
    let (position, path) = match repairs.locate(tree, &finding.path) {
        Some(place) if !place.sound => return None,
        Some(place) if place.path.steps().len() == finding.path.steps().len() => (place.position, place.path),
        Some(place) => (place.position, finding.path),
        None => (Position::START, finding.path),
    };
    Some(Diagnostic {
        severity: finding.severity,
        source: source.name.clone(),
        line: position.line,
        column: position.column,
        path: path.to_string(),
        message: finding.message,
        suggestion: finding.suggestion,
    })
}

/// Errors are kept before warnings where there are too many.
fn bounded(source: &Source, mut diagnostics: Vec<Diagnostic>) -> Diagnostics {
    let total = diagnostics.len();
    if total <= MAX_DIAGNOSTICS {
        return diagnostics.into();
    }
    diagnostics.sort_by_key(|diagnostic| std::cmp::Reverse(diagnostic.severity));
    diagnostics.truncate(MAX_DIAGNOSTICS);
    let severity = diagnostics.first().map_or(Severity::Error, |first| first.severity);
    let mut diagnostics = Diagnostics::from(diagnostics);
    let (line, column) = diagnostics.iter().last().map_or((1, 1), |last| (last.line, last.column));
    diagnostics.push(Diagnostic {
        severity,
        source: source.name.clone(),
        line,
        column,
        path: String::new(),
        message: format!("{} more are not listed", total - MAX_DIAGNOSTICS),
        suggestion: None,
    });
    diagnostics
}

// === impl NoFiles ===

impl ReadFile for NoFiles {
    fn read(&self, _: &str) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests;
