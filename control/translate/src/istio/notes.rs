//! What is noted down about one object while it is read or translated.

use crate::{
    report::{Level, Reason, Report},
    store::Held,
};

/// What there is to say about an object. Places are fields below the object: `spec.http[0].match[1].uri`.
#[derive(Debug)]
pub(super) struct Notes<'h> {
    held: &'h Held,
    pub(super) reports: Vec<Report>,
}

// === impl Notes ===

impl<'h> Notes<'h> {
    pub(super) fn about(held: &'h Held) -> Self {
        Self { held, reports: Vec::new() }
    }

    pub(super) fn say(&mut self, level: Level, reason: Reason, at: &str, message: impl Into<String>) {
        self.reports.push(Report::new(self.held, level, reason, message).at(at));
    }

    /// A value that cannot be what it is: the whole object is not served.
    pub(super) fn invalid(&mut self, at: &str, message: impl Into<String>) {
        self.say(Level::Error, Reason::Invalid, at, message);
    }

    /// Something that hardly does what it seems to.
    pub(super) fn odd(&mut self, reason: Reason, at: &str, message: impl Into<String>) {
        self.say(Level::Warning, reason, at, message);
    }

    /// Whether the object is served nevertheless.
    pub(super) fn is_sound(&self) -> bool {
        self.errors() == 0
    }

    pub(super) fn errors(&self) -> usize {
        self.reports.iter().filter(|report| report.severity == Level::Error).count()
    }
}
