//! A host at a port: its rules, or the way to what is behind it.

use crate::{
    istio::{
        destination,
        notes::Notes,
        registry::Host,
        retry,
        site::{By, Here},
        virtual_service::{self, UNBOUNDED},
    },
    output::{Output, TableKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
};
use sluice_crds::{ObjectName, istio::VirtualService};
use sluice_model::{
    spec::{Action, Forward, Route, RouteOrder, Scheme, VirtualHost},
    value::HostPattern,
};
use std::{net::IpAddr, sync::Arc};

/// A host at a port, and what has a say there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outbound {
    /// Under which names the pod asks for it.
    pub(super) domains: Vec<HostPattern>,
    /// VirtualServices, in the order in which they count.
    pub(super) claims: Vec<ObjectName>,
    /// The Service or ServiceEntry; `None` for a host that only VirtualServices know.
    pub(super) behind: Option<ObjectName>,
    /// Addresses whose connections are for it, whatever host they name.
    pub(super) addresses: Vec<IpAddr>,
}

/// The virtual host of a host.
pub(super) fn virtual_host(
    view: &View<'_>,
    settings: &Settings,
    port: u16,
    name: &str,
    host: &Outbound,
    output: &mut Output,
) {
    let here = Here {
        by: By::Mesh,
        port,
        scheme: Scheme::Http,
        labels: &settings.labels,
        namespace: &settings.pod_namespace,
        retries: settings.mesh.retries.as_ref(),
    };
    let claims: Vec<_> = host.claims.iter().map(|claim| (claim, here)).collect();
    let merged = virtual_service::merged(view, settings, name, &claims, Vec::new(), output);
    report_merge(view, name, &merged.owners, output);
    let mut routes = merged.routes;
    if routes.is_empty()
        && let Some(behind) = &host.behind
    {
        routes.extend(default_route(view, settings, port, name, behind, output));
    }
    if routes.is_empty() || host.domains.is_empty() {
        return;
    }
    let table = TableKey { port, server: None };
    let virtual_host = VirtualHost {
        name: format!("{name}:{port}"),
        hosts: host.domains.clone(),
        order: RouteOrder::Explicit,
        routes,
    };
    for address in &host.addresses {
        let own = TableKey { port, server: Some(address.to_string().into()) };
        let everything = VirtualHost { hosts: vec![HostPattern::Any], ..virtual_host.clone() };
        output.hosts.push((own.clone(), Arc::new(everything)));
        output.addresses.push((*address, own));
    }
    output.owners.extend(host.behind.iter().chain(&host.claims).cloned());
    output.hosts.push((table, Arc::new(virtual_host)));
}

/// Says that several VirtualServices have rules for a host, where Istio would take but the first one's.
fn report_merge(view: &View<'_>, host: &str, owners: &[ObjectName], output: &mut Output) {
    let Some((first, others)) = owners.split_first() else { return };
    for other in others {
        let Some(object) = view.get::<VirtualService>(&other.namespace, &other.name) else { continue };
        let message = format!(
            "{first} has rules for host `{host}` too and comes first; here the rules of both count, but a sidecar of Istio would leave these out: put them into one VirtualService"
        );
        let report = Report::new(object.held(), Level::Warning, Reason::Conflict, message);
        output.reports.push(report.at("spec.hosts"));
    }
}

/// Everything to the service, as where no VirtualService says anything.
fn default_route(
    view: &View<'_>,
    settings: &Settings,
    port: u16,
    host: &str,
    behind: &ObjectName,
    output: &mut Output,
) -> Option<Route> {
    let found = Host::named(view, behind)?.resolved(view, settings);
    let cluster = destination::whole(view, settings, host, found, port, output)?;
    let mut route = Route::new("default".to_owned(), Action::Forward(Forward::to(cluster)));
    route.timeouts = UNBOUNDED;
    // What is wrong with the default is said where it is written.
    let mut notes = Notes::about(found.held());
    route.retry = retry::retry(settings.mesh.retries.as_ref(), "", &mut notes);
    route.origin = Some(behind.to_string());
    Some(route)
}
