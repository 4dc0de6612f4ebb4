//! What RBAC denies: said once, with the rule that is missing.

use crate::api_server::Trouble;
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// What was said already.
#[derive(Debug, Default)]
pub(super) struct Forbidden(Mutex<BTreeSet<String>>);

impl Forbidden {
    /// Says it, if this is a denial and was not said before; whether it is a denial.
    pub(super) fn say(&self, trouble: &Trouble, group: &str, resources: &str, verbs: &str) -> bool {
        let Trouble::Refused { code: 403, message, .. } = trouble else { return false };
        let rule = format!("{{ apiGroups: [\"{group}\"], resources: [{resources}], verbs: [{verbs}] }}");
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(rule.clone()) {
            tracing::error!("{resources} cannot be written: {message}; add to the rules of the role: {rule}");
        }
        true
    }
}
