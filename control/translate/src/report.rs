//! What is to be said about an object.

use crate::store::{Held, Place};
use sluice_crds::{ObjectName, Verdict};
use sluice_model::{Severity, convert::brief};
use std::fmt;

/// One thing that is to be said about an object: to its author, in status and events, by `sluice check`, in the log. Prints
/// as `WARNING Ingress shop/web: spec.rules[0].host: ...`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Report {
    /// What it is about.
    pub object: ObjectName,
    /// An error says that the object, or a part of it, is not served.
    pub severity: Level,
    /// A word for machines.
    pub reason: Reason,
    /// The field, `spec.http[0].timeout`; empty for the object as a whole.
    pub field: String,
    /// What is the matter, and the way out.
    pub message: String,
    /// Where the object, or the field, stands in a folder.
    pub place: Option<Place>,
}

/// [`Severity`], ordered so that errors come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The object, or a part of it, is not served.
    Error,
    /// It is served, but hardly as meant.
    Warning,
    /// Something has no effect.
    Info,
}

/// Why something is said, in a word that machines can compare; the reasons of events and conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A value cannot be what it is.
    Invalid,
    /// A field that the kind does not have.
    UnknownField,
    /// Another, older object has it already.
    Conflict,
    /// An object that is named is not there.
    NotFound,
    /// An object of another namespace is named, and nothing allows that.
    NotGranted,
    /// It works only when something is built that is not there yet.
    NotInEffect,
    /// It protects something and is not in effect, so nothing is served.
    FailsClosed,
    /// Never served, or never reached.
    Unreachable,
    /// It has no effect here.
    NoEffect,
    /// The same object stands in two places.
    Duplicate,
    /// The address of its port cannot be listened on.
    NotListening,
}

// === impl Report ===

impl Report {
    /// Something about an object as a whole.
    pub fn new(held: &Held, severity: Level, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            object: held.object().name(),
            severity,
            reason,
            field: String::new(),
            message: message.into(),
            place: held.place().cloned(),
        }
    }

    /// Something about an object that a flag names, and that may not be there.
    pub(crate) fn of_named(object: ObjectName, severity: Level, reason: Reason, message: String) -> Self {
        Self { object, severity, reason, field: String::new(), message, place: None }
    }

    /// The same about a field.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// What becomes of an annotation or a key that is not simply in effect. Where it protects something, `refused` says what
    /// is done about it; `unprotected` says that it is served all the same.
    pub(crate) fn of_verdict(
        held: &Held,
        verdict: Verdict,
        refused: &str,
        unprotected: bool,
    ) -> Option<Self> {
        let (severity, reason) = match verdict {
            Verdict::InEffect => return None,
            Verdict::FailsClosed(_) | Verdict::NeverFailsClosed(_) if unprotected => {
                let message = format!(
                    "NOT PROTECTED: {verdict:#}, and it is served all the same; leave out `--allow-unprotected` to refuse it"
                );
                return Some(Self::new(held, Level::Warning, Reason::NotInEffect, message));
            }
            Verdict::FailsClosed(_) => {
                let message = format!("{verdict:#}; until then {refused}");
                return Some(Self::new(held, Level::Error, Reason::FailsClosed, message));
            }
            Verdict::NeverFailsClosed(_) => {
                let message = format!("{verdict:#}, so {refused}");
                return Some(Self::new(held, Level::Error, Reason::FailsClosed, message));
            }
            Verdict::NotYet(_) => (Level::Warning, Reason::NotInEffect),
            Verdict::Never(_) => (Level::Warning, Reason::NoEffect),
            Verdict::NoEffect(_) => (Level::Info, Reason::NoEffect),
        };
        Some(Self::new(held, severity, reason, verdict.to_string()))
    }

    /// A name that no table knows, and what was probably meant.
    pub(crate) fn of_unknown(held: &Held, name: &str, meant: Option<&str>) -> Self {
        let way_out = meant.map_or_else(
            || "it is ignored; remove it".to_owned(),
            |meant| format!("it is ignored; did you mean `{meant}`?"),
        );
        let message = format!("`{}` is not known: {way_out}", brief(name));
        Self::new(held, Level::Warning, Reason::UnknownField, message)
    }

    /// The same without its severity, for logs that have levels of their own: `Ingress shop/web: spec...`.
    pub fn without_severity(&self) -> String {
        let field = if self.field.is_empty() { String::new() } else { format!("{}: ", self.field) };
        format!("{}: {field}{}", self.object, self.message)
    }

    /// What reading an object found wrong with it.
    pub(crate) fn of_problems(held: &Held) -> Vec<Self> {
        let reports = held.object().explained().into_iter().map(|explained| {
            let severity = Level::from(explained.severity);
            let reason = if severity == Level::Error { Reason::Invalid } else { Reason::UnknownField };
            let mut report = Self::new(held, severity, reason, explained.message);
            if let Some(place) = &mut report.place {
                place.line = explained.line;
            }
            report
        });
        reports.collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.severity, self.without_severity())
    }
}

// === impl Level ===

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Error => Self::Error,
            Severity::Warning => Self::Warning,
            Severity::Info => Self::Info,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
        })
    }
}

// === impl Reason ===

impl Reason {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::UnknownField => "UnknownField",
            Self::Conflict => "Conflict",
            Self::NotFound => "NotFound",
            Self::NotGranted => "NotGranted",
            Self::NotInEffect => "NotInEffect",
            Self::FailsClosed => "FailsClosed",
            Self::Unreachable => "Unreachable",
            Self::NoEffect => "NoEffect",
            Self::Duplicate => "Duplicate",
            Self::NotListening => "NotListening",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}
