//! Which errors of a route are replaced, and by what.

use crate::{edits::CompiledEdits, snapshot::ClusterId};
use sluice_model::spec::{self, ErrorsOf};
use std::sync::Arc;

/// See [`spec::ErrorPages`].
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorPages {
    /// Who has the pages.
    pub cluster: ClusterId,
    /// Its name.
    pub cluster_name: Arc<str>,
    /// Edits of the request for a page.
    pub edits: CompiledEdits,
    statuses: Box<[u16]>,
    of: ErrorsOf,
}

impl ErrorPages {
    pub(crate) fn compile(pages: &spec::ErrorPages, cluster: ClusterId) -> Self {
        Self {
            cluster,
            cluster_name: pages.cluster.as_str().into(),
            edits: CompiledEdits::compile(&pages.headers),
            statuses: pages.statuses.iter().map(|status| status.get()).collect(),
            of: pages.of,
        }
    }

    /// Whether an answer with this status is replaced. `own`: the proxy made it itself.
    pub fn replaces(&self, status: u16, own: bool) -> bool {
        self.statuses.contains(&status) && (own || self.of == ErrorsOf::All)
    }
}
