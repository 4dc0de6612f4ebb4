//! Lines of nginx's configuration, directive by directive.

use super::{redact::Values, rows};
use crate::{Report, Settings, ingress::Survey, nginx};
use serde::Serialize;
use sluice_crds::annotations::{Lookup, ValueKind, look_up};

/// The only snippet whose directives are translated.
const TRANSLATED: &str = "configuration-snippet";

/// A snippet. It is in effect as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnippetUse {
    /// `Ingress shop/web`.
    pub object: String,
    /// The annotation, without the prefix.
    pub annotation: String,
    /// What becomes of it as a whole.
    pub verdict: String,
    /// Its directives; one without a name where it cannot be read.
    pub directives: Vec<SnippetDirective>,
}

/// A directive of a snippet, or a block of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnippetDirective {
    /// Its line in the snippet, from 1.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Whether a route can carry it.
    pub translatable: bool,
    /// Why not; absent where it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The words behind the name; absent where values are redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<String>>,
}

/// All snippets of Ingresses that are ours, by object.
pub(super) fn of(
    survey: &Survey<'_>,
    settings: &Settings,
    reports: &[&Report],
    values: Values,
) -> Vec<SnippetUse> {
    let mut snippets = Vec::new();
    for ingress in survey.ours.iter().map(|each| each.ingress.object()) {
        for (key, text) in ingress.metadata.annotations.iter().flatten() {
            let Some(name) = rows::named(key, settings) else { continue };
            let Lookup::Known(row) = look_up(name) else { continue };
            if row.value != ValueKind::Snippet {
                continue;
            }
            let (object, field) = (ingress.name(), rows::field(name, settings));
            let report = reports.iter().find(|report| report.object == object && report.field == field);
            snippets.push(SnippetUse {
                object: object.to_string(),
                annotation: name.to_owned(),
                verdict: report
                    .map_or_else(|| row.verdict.to_string(), |report| values.in_message(&report.message)),
                directives: directives(name, text, values),
            });
        }
    }
    snippets
}

fn directives(annotation: &str, text: &str, values: Values) -> Vec<SnippetDirective> {
    let refused = |line, message: &str| SnippetDirective {
        line,
        name: String::new(),
        translatable: false,
        reason: Some(values.in_message(message)),
        words: None,
    };
    let parsed = match nginx::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => return vec![refused(error.line, &error.message)],
    };
    let each = parsed.into_iter().map(|directive| {
        let reason = if annotation == TRANSLATED {
            let error = nginx::translate(std::slice::from_ref(&directive), &nginx::Place::default()).err();
            // The name is quoted first, and stands beside it already.
            error.map(|error| match error.message.strip_prefix(&format!("`{}` ", directive.name)) {
                Some(rest) => values.in_message(rest),
                None => values.in_message(&error.message),
            })
        } else {
            Some(format!("only directives of {TRANSLATED} are translated"))
        };
        SnippetDirective {
            line: directive.line,
            name: directive.name,
            translatable: reason.is_none(),
            reason,
            words: values.of(|| directive.words),
        }
    });
    each.collect()
}
