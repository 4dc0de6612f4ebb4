//! Destinations become clusters: `outbound|9080|v1|reviews.default.svc.cluster.local`.
//!
//! A destination that is not there is a cluster all the same, one that is missing: the rule that names it stays, and so do
//! its other destinations.

use super::{
    names,
    notes::Notes,
    registry::{self, Host, Port},
    terms::{Terms, asks_for_more},
    traffic_policy::Security,
};
use crate::{
    hold::{self, Absent, Guarded, Missing},
    output::Output,
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::{Held, Of},
};
use sluice_crds::istio::{Destination, Resolution, VirtualService};
use sluice_model::{
    convert::brief,
    spec::{Cluster, ClusterProtocol},
};
use std::{collections::BTreeMap, sync::Arc};

/// Finds the clusters that rules name.
pub(super) trait Destinations {
    /// The name of the cluster. `at` is where the destination stands, and `gets` what it is to get.
    fn cluster(&mut self, destination: &Destination, gets: Gets, at: &str, notes: &mut Notes<'_>) -> String;
}

/// What goes to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gets {
    Requests,
    /// Copies of requests that go somewhere else.
    Copies,
}

impl Gets {
    /// What becomes of it where the destination is not there.
    const fn without(self) -> &'static str {
        match self {
            Self::Requests => "what goes there answers 503",
            Self::Copies => "nothing is copied",
        }
    }
}

/// Whatever a rule names is there: for rules that are looked at on their own.
pub(super) struct Anything;

/// What there is, seen from the gateway; what is found goes to the output.
pub(super) struct Clusters<'a, 's> {
    view: &'a View<'s>,
    settings: &'a Settings,
    object: Of<'s, VirtualService>,
    /// The port that requests come to.
    port: u16,
    output: &'a mut Output,
}

impl Anything {
    /// The only cluster.
    pub(super) const NAME: &'static str = "destination";
}

impl Destinations for Anything {
    fn cluster(&mut self, destination: &Destination, _: Gets, at: &str, notes: &mut Notes<'_>) -> String {
        if !names::is_host(&destination.host) || destination.host.starts_with('*') {
            notes.invalid(&format!("{at}.host"), format!("`{}` is not the name of a host", destination.host));
        }
        if !destination.subset.is_empty() && !names::is_subset(&destination.subset) {
            let message = format!(
                "`{}` is not a name: use a to z, 0 to 9 and, inside, `-`",
                brief(&destination.subset)
            );
            notes.invalid(&format!("{at}.subset"), message);
        }
        Self::NAME.to_owned()
    }
}

impl<'a, 's> Clusters<'a, 's> {
    pub(super) fn new(
        view: &'a View<'s>,
        settings: &'a Settings,
        object: Of<'s, VirtualService>,
        port: u16,
        output: &'a mut Output,
    ) -> Self {
        Self { view, settings, object, port, output }
    }

    fn say(&mut self, reason: Reason, at: &str, message: String) {
        self.output.reports.push(Report::new(self.object.held(), Level::Warning, reason, message).at(at));
    }
}

impl Destinations for Clusters<'_, '_> {
    fn cluster(&mut self, destination: &Destination, gets: Gets, at: &str, _: &mut Notes<'_>) -> String {
        let lost = gets.without();
        let host = names::whole(&destination.host, self.object.namespace(), &self.settings.cluster_domain);
        let subset = destination.subset.as_str();
        let wanted = destination.port.as_ref().map(|port| port.number).filter(|number| *number > 0);
        let name = |port: u16| format!("outbound|{port}|{subset}|{host}");
        let Some(found) = registry::find(self.view, self.settings, &host) else {
            let meant = registry::meant(self.view, self.settings, &host);
            let message = format!("there is no service `{host}`; {lost}{meant}");
            self.say(Reason::NotFound, &format!("{at}.host"), message);
            return self.missing(name(wanted.unwrap_or(self.port)), &[]);
        };
        let port = match found.port(wanted, self.port) {
            Ok(port) => port,
            Err(number) => {
                let way_out = if wanted.is_none() { "; name one of its ports" } else { "" };
                let message = format!("`{host}` has no port {number}; {lost}{way_out}");
                self.say(Reason::NotFound, &format!("{at}.port"), message);
                return self.missing(name(number), &[]);
            }
        };
        let name = name(port.number());
        let terms = Terms::of(self.view, self.settings, &host);
        let labels = match (subset, terms.subset(subset)) {
            ("", _) => None,
            (_, Some(found)) => Some(&found.labels),
            (_, None) => {
                let message = format!("no DestinationRule for `{host}` has a subset `{subset}`; {lost}");
                self.say(Reason::NotFound, &format!("{at}.subset"), message);
                return self.missing(name, &terms.written());
            }
        };
        let (view, settings) = (self.view, self.settings);
        let cluster = cluster(view, settings, (&host, &name), &port, &terms, (subset, labels), self.output);
        self.output.clusters.push(Arc::new(cluster));
        name
    }
}

/// The cluster of all of a host at one of its ports; `None` where it has no such port.
pub(super) fn whole(
    view: &View<'_>,
    settings: &Settings,
    host: &str,
    found: Host<'_>,
    port: u16,
    output: &mut Output,
) -> Option<String> {
    let port = found.port(Some(port), port).ok()?;
    let name = format!("outbound|{}||{host}", port.number());
    let terms = Terms::of(view, settings, host);
    let cluster = cluster(view, settings, (host, &name), &port, &terms, ("", None), output);
    output.clusters.push(Arc::new(cluster));
    Some(name)
}

impl Clusters<'_, '_> {
    /// A cluster that is not there, and the objects that might have had it.
    fn missing(&mut self, name: String, searched: &[&Held]) -> String {
        let because = std::iter::once(self.object.held()).chain(searched.iter().copied()).cloned().collect();
        self.output.missing.push(Missing { what: Absent::Cluster(name.clone()), because });
        name
    }
}

/// The cluster of this name for a host at a port, on the terms of a subset; with labels, only of what has them.
fn cluster(
    view: &View<'_>,
    settings: &Settings,
    (host, name): (&str, &str),
    port: &Port<'_>,
    terms: &Terms<'_>,
    (subset, labels): (&str, Option<&BTreeMap<String, String>>),
    output: &mut Output,
) -> Cluster {
    let policy = terms.policy(subset, port.number());
    let written = terms.written();
    let origins = std::iter::once(port.held()).chain(written.iter().copied());
    let origins: Vec<String> = origins.map(|held| held.object().name().to_string()).collect();
    let by_entry = matches!(port, Port::Entry(entry, _) if asks_for_more(*entry, settings)
        || entry.object().content.resolution == Resolution::DynamicDns);
    if by_entry || terms.ask_for_more(settings) {
        return Cluster { origins, ..Cluster::unavailable(name.to_owned()) };
    }
    let (security, by) = terms.security(view, settings, subset, port.number());
    let tls = match security {
        Security::Plain => None,
        Security::Tls(tls, secret) => {
            output.secrets.extend(secret.map(Arc::new));
            Some(tls)
        }
        Security::Refused(wrong) => {
            if wrong.as_ref().is_some_and(|(reason, _)| *reason == Reason::NotFound) {
                let because = by.iter().copied().cloned().collect();
                output.missing.push(Missing { what: Absent::Anchors(name.to_owned()), because });
            }
            let reports = by.first().zip(wrong).map(|(held, (reason, message))| {
                let message = format!("{message}; what goes to `{host}` answers 503");
                Report::new(held, Level::Error, reason, message)
            });
            output.reports.extend(reports);
            return Cluster { origins, ..Cluster::unavailable(name.to_owned()) };
        }
    };
    let protocol = match port.protocol() {
        ClusterProtocol::Http1 if policy.upgrades(settings) => ClusterProtocol::Http2,
        protocol => protocol,
    };
    let asked_for =
        matches!(port, Port::Entry(entry, _) if entry.object().content.resolution == Resolution::None);
    let endpoints = if policy.passes_through() && settings.role.knows_destinations() {
        Vec::new()
    } else {
        port.endpoints(view, settings, host, labels)
    };
    let usual = Cluster::new(name.to_owned(), endpoints);
    let (outlier_detection, panic_threshold) =
        policy.outliers().unwrap_or((usual.outlier_detection, usual.panic_threshold));
    Cluster {
        balancer: policy.balancer(),
        protocol,
        tls,
        connect_timeout: policy.connect_timeout(settings),
        keep_alive: policy.keep_alive(),
        limits: policy.limits(),
        retry_budget: policy.retry_budget(),
        outlier_detection,
        panic_threshold,
        labels: port.labels(view, settings, host),
        original_destination: (asked_for || policy.passes_through()) && settings.role.knows_destinations(),
        origins,
        ..usual
    }
}

/// A cluster that routes go on with although they will not name it any more, under the protection that objects ask for today:
/// what has to be refused is refused.
pub(crate) fn guarded(view: &View<'_>, settings: &Settings, cluster: &Arc<Cluster>) -> Guarded {
    let as_it_was = || Guarded { cluster: Arc::clone(cluster), secret: None };
    let refused = || {
        let origins = cluster.origins.clone();
        let cluster = Cluster { origins, ..Cluster::unavailable(cluster.name.clone()) };
        Guarded { cluster: Arc::new(cluster), secret: None }
    };
    let mut words = cluster.name.splitn(4, '|');
    let parts = (words.next(), words.next().and_then(|port| port.parse().ok()), words.next(), words.next());
    let (Some("outbound"), Some(port), Some(subset), Some(host)) = parts else { return as_it_was() };
    let terms = Terms::of(view, settings, host);
    if terms.ask_for_more(settings) {
        return refused();
    }
    match terms.security(view, settings, subset, port).0 {
        Security::Plain => as_it_was(),
        Security::Tls(tls, secret) => {
            let cluster = Cluster { tls: Some(tls), ..(**cluster).clone() };
            Guarded { cluster: Arc::new(cluster), secret: secret.map(Arc::new) }
        }
        Security::Refused(Some((Reason::NotFound, _))) if hold::has_anchors(cluster) => as_it_was(),
        Security::Refused(_) => refused(),
    }
}
