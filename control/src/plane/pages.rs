//! What objects add to the admin endpoint.

use super::situation::Shared;
use sluice_proxy::{Extension, Family, PageContent};
use std::sync::Arc;

/// The pages and metrics of a process that serves objects.
#[derive(Debug)]
pub(super) struct Pages(pub(super) Arc<Shared>);

impl Extension for Pages {
    fn pages(&self) -> &'static [(&'static str, &'static str)] {
        &[("/status", "what became of each Kubernetes object, and what is wrong with it")]
    }

    fn page(&self, _: &str, _: &str) -> PageContent {
        PageContent::Json(format!("{:#}\n", self.0.status()))
    }

    fn explain(&self, authority: &str) -> String {
        self.0.contenders(authority)
    }

    fn metrics(&self) -> Vec<Family> {
        self.0.metrics()
    }
}
