//! What load balancers ask the ports of Ingresses: as with ingress-nginx, whoever names a host that nobody has is told at one
//! path (`--health-check-path`) that the gateway is well.

use super::paths::encoded;
use crate::settings::Settings;
use sluice_model::{
    spec::{Action, DirectResponse, PathMatch, Route, RouteMatch, RouteOrder, VirtualHost},
    value::{HostPattern, StatusCode},
};
use std::sync::Arc;

/// The route that says so.
pub(super) fn route(settings: &Settings) -> Route {
    // Whatever the flag says is a path: a percent sign in it stands for itself.
    let path = PathMatch::Exact(encoded(&settings.health_path.replace('%', "%25")));
    let well = DirectResponse { status: StatusCode::OK, body: String::new(), content_type: None };
    Route {
        matches: vec![RouteMatch { path: Some(path), ..RouteMatch::default() }],
        ..Route::new("health".to_owned(), Action::Respond(well))
    }
}

/// All hosts of a port that nobody has; the one among `before` where it is there already.
pub(crate) fn virtual_host(settings: &Settings, before: &[Arc<VirtualHost>]) -> Arc<VirtualHost> {
    let host = VirtualHost {
        name: "health".to_owned(),
        hosts: vec![HostPattern::Any],
        order: RouteOrder::Explicit,
        routes: vec![route(settings)],
    };
    let known = before.iter().rev().find(|known| ***known == host);
    known.map_or_else(|| Arc::new(host), Arc::clone)
}
