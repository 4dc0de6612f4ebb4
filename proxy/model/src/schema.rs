//! The JSON schema of the written form.

use serde_json::Value;

/// The schema of a static file, for editors and for checks outside Sluice. A checked-in copy is
/// `configs/sluice.schema.json`.
///
/// It knows the shape of a file: fields, types, choices. Rules between fields, and values such as regular expressions,
/// are for [`crate::load`] alone.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(crate::spec::Config).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "Sluice configuration".into());
    }
    unwrap_lines(&mut schema);
    schema
}

/// Doc comments are wrapped at the width of the source; editors wrap by themselves.
fn unwrap_lines(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                match value {
                    Value::String(text) if key == "description" => {
                        let paragraphs: Vec<String> = text
                            .split("\n\n")
                            .map(|lines| {
                                if lines.starts_with('|') {
                                    lines.to_owned()
                                } else {
                                    lines.replace('\n', " ")
                                }
                            })
                            .collect();
                        *text = paragraphs.join("\n\n");
                    }
                    value => unwrap_lines(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(unwrap_lines),
        _ => {}
    }
}
