//! What a process in which a proxy lives adds to admin: pages and metrics of its own.

use crate::telemetry::{Family, NginxMetrics};
use std::{fmt, net::SocketAddr};

/// Pages and metrics that the process in which the proxy lives adds to admin; see
/// [`Options::extension`](crate::Options::extension). All of it is called on the control thread and must not wait for
/// anything: show what is known already.
pub trait Extension: fmt::Debug + Send + Sync {
    /// Paths, each with what it shows, for the help page. None of them is a path that admin has itself.
    fn pages(&self) -> &'static [(&'static str, &'static str)];

    /// What a GET of one of these paths shows. `query` is what follows the question mark, as it was sent.
    fn page(&self, path: &str, query: &str) -> PageContent;

    /// Why the process does not do its work any more, so that it has to be started again; `GET /healthz` says it with 500.
    fn failure(&self) -> Option<String> {
        None
    }

    /// Metrics; their names get the prefix `sluice_`.
    fn metrics(&self) -> Vec<Family>;

    /// Metrics in the words of ingress-nginx that only this process knows; called where
    /// [`Options::dialects`](crate::Options::dialects) asks for them. Their names get the prefix
    /// `nginx_ingress_controller_`, and each has the labels that it wants.
    fn nginx_metrics(&self, told: &NginxMetrics) -> Vec<Family> {
        let _ = told;
        Vec::new()
    }

    /// What `/explain` says about a host, which may come with a port, besides what the configuration in force does: lines
    /// of text, or nothing.
    fn explain(&self, authority: &str) -> String {
        let _ = authority;
        String::new()
    }

    /// Who needs a listener of the configuration in force, in words: `Gateway shop/own`. Empty where nobody knows.
    fn wanted_by(&self, listener: &str) -> String {
        let _ = listener;
        String::new()
    }

    /// Takes note of the listeners that have no address now; called when these are others.
    fn unbound(&self, listeners: &[Unbound]) {
        let _ = listeners;
    }
}

/// A listener of the configuration in force that cannot listen; it is tried again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbound {
    /// The listener.
    pub name: String,
    /// Where it should listen.
    pub address: SocketAddr,
    /// Why it does not, in words.
    pub why: String,
}

/// What a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageContent {
    /// 200 with a JSON document.
    Json(String),
    /// 200 with a text.
    Text(String),
    /// 400 with a reason: the query makes no sense.
    BadQuery(String),
}
