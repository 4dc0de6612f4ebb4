//! What is wrong with a configuration, said so that a user can mend it: where, what, and what was probably meant.

use crate::redact::Visible;
use std::{fmt, sync::Arc};

/// One file of a configuration: the name that diagnostics show, and its text.
#[derive(Clone)]
pub struct Source {
    /// How the user knows the file, usually its path as given on the command line.
    pub name: Arc<str>,
    /// The whole text, YAML 1.2 (and so also JSON).
    pub text: Arc<str>,
}

impl Source {
    /// A file under the name that diagnostics show.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// The text may hold inline secrets, so it is not shown.
impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Source({}, {} bytes)", self.name, self.text.len())
    }
}

/// How much a diagnostic weighs. The order is the order of weight: an error is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is wrong, but something has no effect.
    Info,
    /// It works, but hardly as meant.
    Warning,
    /// The configuration is refused.
    Error,
}

impl Severity {
    /// `error`, `warning` or `info`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// One thing that is wrong, or odd, in a configuration. Prints as one line,
/// `file:line:column: error: path: message; suggestion`, and never holds the content of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the configuration is refused for it.
    pub severity: Severity,
    /// The name of the file.
    pub source: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Where in the configuration: `route_tables[0].virtual_hosts[1].hosts[0]`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What was probably meant, as a clause: "did you mean `reviews`?".
    pub suggestion: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}: {}: ", self.source, self.line, self.column, self.severity)?;
        if !self.path.is_empty() {
            write!(out, "{}: ", self.path)?;
        }
        out.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(out, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with a configuration, in the order of the file. Prints one line for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// In the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Prints each diagnostic with the line that it is about, where that line may be shown: never one that may hold a
    /// secret. `source` is the file that the diagnostics are about.
    pub fn with_excerpts<'a>(&'a self, source: &'a Source) -> impl fmt::Display + 'a {
        Excerpts { diagnostics: self, source }
    }

    /// How many there are, of any severity.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Whether the configuration is refused.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }
}

impl From<Vec<Diagnostic>> for Diagnostics {
    /// Sorts by place in the file; at the same place what came first stays first.
    fn from(mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        Self(diagnostics)
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            diagnostic.fmt(out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

struct Excerpts<'a> {
    diagnostics: &'a Diagnostics,
    source: &'a Source,
}

impl fmt::Display for Excerpts<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDEST: usize = 120;
        let visible = Visible::of(&self.source.text);
        let lines: Vec<&str> = self.source.text.lines().collect();
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            diagnostic.fmt(out)?;
            let line = lines.get(diagnostic.line.wrapping_sub(1)).filter(|_| visible.shows(diagnostic.line));
            if let Some(line) = line
                && diagnostic.column <= WIDEST
            {
                let shown: String = line
                    .trim_start_matches('\u{feff}')
                    .chars()
                    .take(WIDEST)
                    .map(|c| if c.is_control() { ' ' } else { c })
                    .collect();
                let number = diagnostic.line.to_string();
                let margin = number.len();
                let caret = diagnostic.column;
                write!(out, "\n {number} | {shown}\n {:margin$} | {:>caret$}", "", "^")?;
            }
        }
        Ok(())
    }
}
