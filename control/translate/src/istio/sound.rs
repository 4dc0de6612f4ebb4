//! What the model says to a piece of a configuration before it joins the others: a piece that it refuses would keep all of
//! them from being served.

use sluice_model::{Diagnostics, Severity};

/// Where the errors are, and what each says.
pub(super) fn errors(found: &Diagnostics) -> impl Iterator<Item = (&str, String)> {
    found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).map(|diagnostic| {
        let message = match &diagnostic.suggestion {
            Some(suggestion) => format!("{}; {suggestion}", diagnostic.message),
            None => diagnostic.message.clone(),
        };
        (diagnostic.path.as_str(), message)
    })
}
