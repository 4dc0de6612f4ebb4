//! The JSON schema of the written form.

/// The schema of a static file, for editors and for checks outside Sluice. A checked-in copy is
/// `configs/sluice.schema.json`.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(crate::spec::Config).to_value()
}
