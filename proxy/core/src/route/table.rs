//! Route tables: from a request to its route.

use super::{MatchScratch, Outcome, RequestView};
use sluice_filter::Fields;
use std::sync::Arc;

/// Which request goes where. Shared parts: one per virtual host.
#[derive(Debug)]
pub struct RouteTable {
    name: Arc<str>,
}

impl RouteTable {
    /// Its name; listeners refer to it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The route that serves the request. Allocates nothing once `scratch` is warm.
    pub fn find<'t, F: Fields + ?Sized>(
        &'t self,
        request: &RequestView<'_, F>,
        scratch: &mut MatchScratch,
    ) -> Outcome<'t> {
        let _ = (request, scratch);
        todo!()
    }
}
