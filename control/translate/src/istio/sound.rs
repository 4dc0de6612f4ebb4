//! What the model says to a piece of a configuration before it joins the others: a piece that it refuses would keep all of
//! them from being served.

use sluice_model::{
    Diagnostics, NoFiles, Severity,
    spec::{self, Cluster, ClusterTls, ServerVerification},
};
use std::sync::Arc;

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
    alone(spec::Config { secrets: vec![Arc::new(secret.clone())], ..spec::Config::default() })
}

/// Whether a name can be asked for in a handshake and be proven, or what is wrong with it.
pub(super) fn server_name(name: &str) -> Result<(), String> {
    let tls = ClusterTls { server_name: Some(name.to_owned()), verify: ServerVerification::Insecure };
    let cluster = Cluster { tls: Some(tls), ..Cluster::new("cluster".to_owned(), Vec::new()) };
    alone(spec::Config { clusters: vec![Arc::new(cluster)], ..spec::Config::default() })
}

fn alone(config: spec::Config) -> Result<(), String> {
    match sluice_model::validate("piece", config, &NoFiles) {
        Ok(_) => Ok(()),
        Err(found) => Err(errors(&found).map(|(_, message)| message).collect::<Vec<_>>().join("; ")),
    }
}
