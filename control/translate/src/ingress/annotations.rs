//! The annotations of one Ingress, read by the table.

use super::{canary, verdict};
use crate::{
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::{
    annotations::{Annotation, BadValue, Lookup, Value, canonical, look_up},
    core::Ingress,
};

/// What the annotations of one Ingress say, without those whose value was bad. Aliases stand under the name that they are
/// for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Annotations {
    values: Vec<(&'static Annotation, Value)>,
    /// Why all paths of the Ingress answer 503.
    pub(super) denied: Option<&'static str>,
    /// Those of its refused annotations that are settings of its hosts, so that they hold for the paths of others too.
    pub(super) refused_for_hosts: Vec<&'static str>,
    /// Whether TLS handshakes for its hosts have to be refused.
    pub(super) handshakes_refused: bool,
    /// Whether the Ingress is left out.
    pub(super) dropped: bool,
}

impl Annotations {
    /// Reads all of them, and says what is wrong with each.
    pub(super) fn read(ingress: Of<'_, Ingress>, settings: &Settings) -> (Self, Vec<Report>) {
        let mut all = Self::default();
        let mut reports = Vec::new();
        let canary = canary::is_written(ingress, settings);
        for (key, text) in ingress.object().metadata.annotations.iter().flatten() {
            let Some(name) =
                key.strip_prefix(&settings.annotations_prefix).and_then(|rest| rest.strip_prefix('/'))
            else {
                continue;
            };
            let mut say = |level, reason, message: String| {
                let report = Report::new(ingress.held(), level, reason, message);
                reports.push(report.at(format!("metadata.annotations[{key}]")));
            };
            match look_up(name) {
                Lookup::Known(row) => match row.parse(text) {
                    Ok(value) => {
                        if let Some(other) = all.add(row, value) {
                            let message =
                                format!("`{other}` means the same and goes before it; remove one of them");
                            say(Level::Warning, Reason::NoEffect, message);
                        }
                    }
                    Err(error) => {
                        let outcome = row.bad_value(&error);
                        let (level, consequence) = match outcome {
                            BadValue::Ignored => (Level::Warning, "the annotation is ignored"),
                            BadValue::KeepsMain => {
                                (Level::Warning, "whoever sends the header stays with the main Ingress")
                            }
                            // What it says of protection says nothing of the paths of its main Ingress.
                            BadValue::Denied if canary => {
                                let without_effect = "it has no effect on a canary in any case; remove it";
                                say(Level::Warning, Reason::NoEffect, format!("{error}; {without_effect}"));
                                continue;
                            }
                            BadValue::Denied
                                if verdict::of_handshakes(row) && !settings.allow_unprotected =>
                            {
                                all.handshakes_refused = true;
                                (
                                    Level::Error,
                                    "TLS handshakes for its hosts are refused and its paths answer 503",
                                )
                            }
                            BadValue::Denied => (Level::Error, "the paths of this Ingress answer 503"),
                            BadValue::Dropped => (Level::Error, "this Ingress is not served"),
                        };
                        match outcome {
                            BadValue::Ignored | BadValue::KeepsMain => {}
                            BadValue::Denied => all.denied = Some(row.name),
                            BadValue::Dropped => all.dropped = true,
                        }
                        say(level, Reason::Invalid, format!("{error}; {consequence}"));
                    }
                },
                Lookup::WithoutEffect => say(
                    Level::Info,
                    Reason::NoEffect,
                    "ingress-nginx has no such annotation any more either; remove it".to_owned(),
                ),
                Lookup::Unknown(meant) => {
                    let way_out = match meant {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => "remove it".to_owned(),
                    };
                    say(
                        Level::Warning,
                        Reason::UnknownField,
                        format!("there is no such annotation; {way_out}"),
                    );
                }
            }
        }
        (all, reports)
    }

    /// The canonical name, which comes first in the alphabet, goes before its alias unless it asks for nothing. The name
    /// because of which a row is left out.
    fn add(&mut self, row: &'static Annotation, value: Value) -> Option<&'static str> {
        let name = canonical(row.name);
        match self.values.iter_mut().find(|(known, _)| canonical(known.name) == name) {
            Some(slot) if slot.1.is_nothing() => *slot = (row, value),
            Some((known, _)) => return Some(known.name),
            None => self.values.push((row, value)),
        }
        None
    }

    /// Nothing but that they are refused, where they are.
    pub(super) fn only_refused(&self) -> Self {
        Self { denied: self.denied, ..Self::default() }
    }

    /// Without some rows.
    pub(super) fn without(&self, names: &[&str]) -> Self {
        let mut less = self.clone();
        less.values.retain(|(row, _)| !names.contains(&row.name));
        less
    }

    /// The rows that the Ingress has with their values, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(&'static Annotation, Value)> {
        self.values.iter()
    }

    /// What a row says; `None` where it is absent or its value was bad.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(row, _)| canonical(row.name) == name).map(|(_, value)| value)
    }

    /// A truth value.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A whole number.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Texts.
    pub(super) fn list(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }
}
