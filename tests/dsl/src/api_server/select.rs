//! Label and field selectors.

use super::{refusal::Refusal, resource::Resource};
use serde_json::Value;

/// Which objects of a kind are wanted.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub(super) resource: &'static Resource,
    /// Empty for all.
    pub(super) namespace: String,
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Debug, Clone)]
enum Requirement {
    /// Or absent, where it is negated.
    In {
        key: String,
        values: Vec<String>,
        negated: bool,
    },
    Exists {
        key: String,
        negated: bool,
    },
}

impl Selection {
    pub(super) fn new(
        resource: &'static Resource,
        namespace: &str,
        labels: &str,
        fields: &str,
    ) -> Result<Self, Refusal> {
        let fields: Vec<Requirement> = parse(fields)?;
        for field in &fields {
            let (Requirement::In { key, .. } | Requirement::Exists { key, .. }) = field;
            let known = ["metadata.name", "metadata.namespace"];
            if !known.contains(&key.as_str()) && !resource.selectable.contains(&key.as_str()) {
                return Err(Refusal::bad_request(format!("field label not supported: {key}")));
            }
        }
        Ok(Self { resource, namespace: namespace.to_owned(), labels: parse(labels)?, fields })
    }

    pub(super) fn has(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let label = |key: &str| metadata["labels"][key].as_str();
        let field = |key: &str| key.split('.').try_fold(object, |value, part| value.get(part))?.as_str();
        (self.namespace.is_empty() || metadata["namespace"] == *self.namespace)
            && self.labels.iter().all(|requirement| requirement.holds(label))
            && self.fields.iter().all(|requirement| requirement.holds(field))
    }
}

impl Requirement {
    fn holds<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> bool {
        match self {
            Self::Exists { key, negated } => value(key).is_some() != *negated,
            Self::In { key, values, negated } => {
                value(key).is_some_and(|value| values.iter().any(|wanted| wanted == value)) != *negated
            }
        }
    }
}

/// `a=b,c!=d,e,!f,g in (h,i),j notin (k)`.
fn parse(text: &str) -> Result<Vec<Requirement>, Refusal> {
    let mut depth = 0_usize;
    let parts = text.split(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).map(requirement).collect()
}

fn requirement(text: &str) -> Result<Requirement, Refusal> {
    let one = |key: &str, value: &str, negated| Requirement::In {
        key: key.trim().to_owned(),
        values: vec![value.trim().to_owned()],
        negated,
    };
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(one(key, value, true));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(one(key, value, false));
    }
    for (word, negated) in [(" notin ", true), (" in ", false)] {
        if let Some((key, values)) = text.split_once(word) {
            let values = values.trim().strip_prefix('(').and_then(|values| values.strip_suffix(')'));
            let values = values.ok_or_else(|| Refusal::bad_request(format!("unable to parse `{text}`")))?;
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            return Ok(Requirement::In { key: key.trim().to_owned(), values, negated });
        }
    }
    let (key, negated) = text.strip_prefix('!').map_or((text, false), |key| (key, true));
    Ok(Requirement::Exists { key: key.trim().to_owned(), negated })
}
