//! What objects add to the admin endpoint.

use super::situation::Shared;
use sluice_proxy::{Extension, Family, NginxMetrics, PageContent, Unbound};
use std::sync::Arc;

/// The pages and metrics of a process that serves objects.
#[derive(Debug)]
pub(super) struct Pages(pub(super) Arc<Shared>);

impl Extension for Pages {
    fn pages(&self) -> &'static [(&'static str, &'static str)] {
        &[
            (
                "/status",
                "what became of each Kubernetes object, what is wrong with it, with files and with listeners",
            ),
            (
                "/debug/objects",
                "the objects that are held; ?object=KIND/NAMESPACE/NAME shows one, secrets left out",
            ),
            ("/debug/translation", "what one object became: ?object=KIND/NAMESPACE/NAME"),
        ]
    }

    fn page(&self, path: &str, query: &str) -> PageContent {
        let document = match path {
            "/debug/objects" => self.0.objects(query),
            "/debug/translation" => self.0.translation(query),
            _ => Ok(self.0.status()),
        };
        match document {
            Ok(document) => PageContent::Json(format!("{document:#}\n")),
            Err(why) => PageContent::BadQuery(why),
        }
    }

    fn failure(&self) -> Option<String> {
        self.0.failure()
    }

    fn explain(&self, authority: &str) -> String {
        self.0.contenders(authority)
    }

    fn wanted_by(&self, listener: &str) -> String {
        self.0.wanted_by(listener)
    }

    fn unbound(&self, listeners: &[Unbound]) {
        self.0.set_unbound(listeners);
    }

    fn metrics(&self) -> Vec<Family> {
        self.0.metrics()
    }

    fn nginx_metrics(&self, told: &NginxMetrics) -> Vec<Family> {
        self.0.nginx_metrics(told)
    }
}
