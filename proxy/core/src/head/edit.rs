//! From compiled edits to recorded ones.

use crate::edits::{CompiledEdits, CompiledField, FieldValue};
use crate::template::{self, Facts};
use sluice_filter::Edits;

/// Records the edits of one level, in the order remove, set, add, with values computed from the heads as they were
/// received. A value that comes out empty leaves its edit out. `scratch` is written on.
pub(crate) fn apply(compiled: &CompiledEdits, facts: &Facts<'_>, edits: &mut Edits, scratch: &mut Vec<u8>) {
    for name in &compiled.remove {
        let _ = edits.remove(name);
    }
    each(&compiled.set, facts, scratch, |name, value| {
        let _ = edits.set(name, value);
    });
    each(&compiled.add, facts, scratch, |name, value| {
        let _ = edits.add(name, value);
    });
    if let Some(host) = &compiled.host {
        let host = evaluate(host, facts, scratch);
        if let Ok(host) = str::from_utf8(host) {
            edits.override_authority(host);
        }
    }
}

fn each(
    fields: &[CompiledField],
    facts: &Facts<'_>,
    scratch: &mut Vec<u8>,
    mut record: impl FnMut(&str, &[u8]),
) {
    for field in fields {
        let value = evaluate(&field.value, facts, scratch);
        if !value.is_empty() {
            record(&field.name, value);
        }
    }
}

fn evaluate<'a>(value: &'a FieldValue, facts: &Facts<'_>, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    match value {
        FieldValue::Static(text) => text.as_bytes(),
        FieldValue::Variable(template) => {
            scratch.clear();
            template::evaluate(template, facts, template::Missing::Nothing, scratch);
            scratch.trim_ascii()
        }
    }
}
