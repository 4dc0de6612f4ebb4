//! From files to something that shards can use: everything that takes long, off the data threads.

use super::{
    ConfigSource,
    source::{Contents, ReadError},
};
use sluice_core::snapshot::{EndpointSet, Snapshot, compile};
use sluice_filters::Builtin;
use sluice_model::{Config, Diagnostics, value::EndpointAddress};
use sluice_net::Generation;
use sluice_tls::{TlsConfigError, TlsContext};
use std::{net::IpAddr, sync::Arc};

/// A configuration that may come into force.
pub(crate) struct Prepared {
    pub(crate) config: Config,
    pub(crate) warnings: Diagnostics,
    pub(crate) generation: Generation,
    /// It only holds the place of the first one that a feed will bring.
    pub(crate) frame: bool,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Read(ReadError),
    #[error("certificates, keys or trust anchors cannot be used:{}", lines(.0))]
    Tls(Vec<TlsConfigError>),
}

/// What an attempt came to, and what was read for it.
pub(crate) type Outcome = (Result<Prepared, Refusal>, Contents);

/// Reads, checks and compiles. Blocks. Parts of `old` that did not change are shared.
pub(crate) fn prepare(source: &ConfigSource, old: Option<(&Config, &Generation)>) -> Outcome {
    let attempt = source.load(old.map(|(config, _)| config));
    let frame = attempt.frame;
    let old = old.map(|(_, generation)| generation);
    let result = attempt.result.map_err(Refusal::Read).and_then(|loaded| {
        let tls = TlsContext::build(&loaded.config, old.map(|old| &*old.tls)).map_err(Refusal::Tls)?;
        let snapshot = compile(old.map(|old| &*old.snapshot), &loaded.config, &Builtin);
        let generation = Generation { snapshot: Arc::new(snapshot), tls: Arc::new(tls) };
        Ok(Prepared { config: loaded.config, warnings: loaded.warnings, generation, frame })
    });
    (result, attempt.contents)
}

fn lines(errors: &[TlsConfigError]) -> String {
    errors
        .iter()
        .flat_map(|error| {
            [
                "
"
                .to_owned(),
                error.to_string(),
            ]
        })
        .collect()
}

/// The same snapshot with every name of an endpoint resolved anew, if that changes anything.
pub(crate) fn with_addresses<'a>(
    snapshot: &Arc<Snapshot>,
    addresses: impl Fn(&str) -> &'a [IpAddr],
) -> Option<Arc<Snapshot>> {
    let mut changed: Option<Arc<Snapshot>> = None;
    if !snapshot.has_names() {
        return None;
    }
    for cluster in snapshot.clusters() {
        if !cluster
            .spec
            .endpoints
            .iter()
            .any(|endpoint| matches!(endpoint.address, EndpointAddress::Name(..)))
        {
            continue;
        }
        let endpoints = EndpointSet::resolve(&cluster.spec, |name| {
            Some(addresses(name)).filter(|known| !known.is_empty())
        });
        if endpoints != *cluster.endpoints {
            let before = changed.as_ref().unwrap_or(snapshot);
            changed = Some(Arc::new(before.with_endpoints(cluster.id, Arc::new(endpoints))));
        }
    }
    changed
}
