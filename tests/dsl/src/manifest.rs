//! Texts of Kubernetes objects.

use serde_json::Value;

/// The objects of a text of YAML documents, in its order.
///
/// # Panics
/// When the text is not YAML.
pub fn objects(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .unwrap_or_else(|error| panic!("the manifest is no YAML: {error}\n{text}"));
    documents.into_iter().filter(Value::is_object).collect()
}
