//! What the model says to a piece of a configuration before it joins the others: a piece that it refuses would keep all of
//! them from being served.

use sluice_model::{Diagnostics, NoFiles, Severity, spec};

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

/// Whether a secret has the shape it needs, or what is wrong with it.
pub(super) fn secret(secret: &spec::Secret) -> Result<(), String> {
    let alone = spec::Config { secrets: vec![secret.clone()], ..spec::Config::default() };
    match sluice_model::validate("secret", alone, &NoFiles) {
        Ok(_) => Ok(()),
        Err(found) => Err(errors(&found).map(|(_, message)| message).collect::<Vec<_>>().join("; ")),
    }
}
