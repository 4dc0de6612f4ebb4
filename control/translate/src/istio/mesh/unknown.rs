//! What becomes of requests for hosts that are not known.

use crate::{
    istio::virtual_service::UNBOUNDED,
    output::{Output, TableKey},
    settings::Settings,
};
use sluice_crds::istio::OutboundTrafficMode;
use sluice_model::{
    spec::{Action, Cluster, DirectResponse, Forward, Route, RouteOrder, VirtualHost},
    value::{HostPattern, StatusCode},
};
use std::sync::Arc;

/// Istio's name for the cluster of connections that are let through.
const PASSTHROUGH: &str = "PassthroughCluster";

/// At a port.
pub(super) fn at_port(settings: &Settings, port: u16, unknown: OutboundTrafficMode, output: &mut Output) {
    output.ports.push(port);
    if let Some(host) = virtual_host(settings, unknown, output) {
        output.hosts.push((TableKey { port, server: None }, Arc::new(host)));
    }
}

/// For connections that were on their way to a port which nobody has. Nobody knows what is spoken there, so that those which
/// are not let through are closed, not answered.
pub(super) fn at_other_ports(settings: &Settings, unknown: OutboundTrafficMode, output: &mut Output) {
    if unknown == OutboundTrafficMode::AllowAny {
        output.other_ports = virtual_host(settings, unknown, output).map(Arc::new);
    }
}

/// The virtual host of everything else; `None` where a request gets 404: what is let through has to have said where it was on
/// its way to.
fn virtual_host(
    settings: &Settings,
    unknown: OutboundTrafficMode,
    output: &mut Output,
) -> Option<VirtualHost> {
    let (name, action) = match unknown {
        OutboundTrafficMode::RegistryOnly => {
            let status = StatusCode::new(502).ok()?;
            ("block_all", Action::Respond(DirectResponse { status, body: String::new(), content_type: None }))
        }
        OutboundTrafficMode::AllowAny if settings.role.knows_destinations() => {
            output.clusters.push(Arc::new(Cluster::original_destination(PASSTHROUGH.to_owned())));
            ("allow_any", Action::Forward(Forward::to(PASSTHROUGH.to_owned())))
        }
        OutboundTrafficMode::AllowAny => return None,
    };
    let mut route = Route::new(name.to_owned(), action);
    route.timeouts = UNBOUNDED;
    Some(VirtualHost {
        name: name.to_owned(),
        hosts: vec![HostPattern::Any],
        order: RouteOrder::Explicit,
        routes: vec![route],
    })
}
