//! What metrics say of the routes of a location.

use super::{Host, location::Location};
use crate::settings::Settings;
use sluice_model::spec::RouteLabels;

impl Location<'_> {
    /// Host, path and service of its rule; `None` where nobody asked for them.
    pub(super) fn labels(&self, settings: &Settings, host: &Host) -> Option<RouteLabels> {
        settings.metric_labels.rules.then(|| RouteLabels {
            host: if host.is_catch_all() { "_".to_owned() } else { host.to_string() },
            path: self.path.to_owned(),
            service: self.service().map_or_else(String::new, |service| service.name.clone()),
        })
    }
}
