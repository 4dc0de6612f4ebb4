//! From a location to a route, in steps.

use super::{
    Host, annotations::Annotations, answer, backend, error_pages, headers, mirror, paths::Matching, redirect,
    rewrite, select::Personality, snippet, upstream,
};
use crate::{
    hold::{Absent, Missing},
    nginx::{self, Place},
    output::Output,
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::{
    ObjectName,
    core::{Ingress, IngressServiceBackend, PathType},
};
use sluice_model::{
    spec::{Action, DirectResponse, HeaderEdits, Route},
    value::StatusCode,
};
use std::sync::Arc;

/// A path of a host and the Ingress that has it.
#[derive(Debug, Clone)]
pub(super) struct Location<'s> {
    pub(super) ingress: Of<'s, Ingress>,
    /// What the Ingress says about all of its paths.
    pub(super) annotations: Arc<Annotations>,
    pub(super) personality: Personality,
    /// As written; `/` where nothing is.
    pub(super) path: &'s str,
    pub(super) kind: PathType,
    pub(super) matching: Matching,
    /// Where its requests go.
    pub(super) target: Target<'s>,
    /// The canary Ingresses of this path, the oldest first.
    pub(super) canaries: Vec<Location<'s>>,
    /// Where the path stands in the Ingress.
    pub(super) field: String,
    /// The Ingress with a setting of the host because of which it is refused.
    pub(super) closed_by: Option<ObjectName>,
}

/// Where the requests of a location go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'s> {
    /// To a service of the Ingress's namespace.
    Service(&'s IngressServiceBackend),
    /// To the default backend of the gateway; 404 where it has none.
    Default,
}

/// What the steps look at, and where they put clusters and reports.
pub(super) struct Scene<'c, 's> {
    pub(super) view: &'c View<'s>,
    pub(super) settings: &'c Settings,
    pub(super) host: &'c Host,
    pub(super) output: &'c mut Output,
    /// Routes for some of the paths of the location that is made now, which go before its own.
    pub(super) detours: Vec<Route>,
}

/// A step adds what one family of annotations asks for. The action is that of the steps before; what only `forward` can
/// carry is dropped at the end where the action is another one.
type Step = fn(&mut Scene<'_, '_>, &Location<'_>, &mut Route);

/// The steps, in their order.
const STEPS: &[Step] = &[
    backend::forward,
    upstream::bound,
    answer::rewrite,
    mirror::copy,
    rewrite::apply,
    headers::edit,
    snippet::apply,
    error_pages::replace,
    // Redirects go before whatever protects the location.
    redirect::elsewhere,
];

/// The route of a location; `None` where its path cannot be compared, which is reported.
pub(super) fn route(scene: &mut Scene<'_, '_>, location: &Location<'_>) -> Option<Route> {
    let mut route = Route::new(location.route_name(), unavailable());
    match location.conditions() {
        Ok(conditions) => route.matches = vec![conditions],
        Err(error) => {
            let message = format!(
                "{error}; all paths of host `{}` are regular expressions, because an Ingress of it asks for that, \
                 and this one is not served",
                scene.host
            );
            let report = Report::new(location.ingress.held(), Level::Error, Reason::Invalid, message);
            scene.output.reports.push(report.at(location.field.clone()));
            return None;
        }
    }
    route.origin = Some(location.ingress.name().to_string());
    route.labels = location.labels(scene.settings, scene.host);
    if let Some(because) = location.refused_because_of() {
        scene.output.closed.push(because);
    } else {
        for step in STEPS {
            step(scene, location, &mut route);
        }
    }
    Some(if matches!(route.action, Action::Forward(_)) { route } else { without_forwarding(route) })
}

impl Location<'_> {
    /// The Ingress that asks for what cannot be had, where all requests are refused because of that.
    fn refused_because_of(&self) -> Option<ObjectName> {
        let own = self.annotations.denied.is_some().then(|| self.ingress.name());
        own.or_else(|| self.closed_by.clone())
    }

    /// Whether it answers before anything else is asked, even whether the client came over TLS.
    pub(super) fn answers_at_once(&self) -> bool {
        let redirects = ["temporal-redirect", "permanent-redirect"];
        let rewritten = self.rewrite_target().is_some_and(|target| nginx::absolute(target).is_some());
        rewritten
            || self.refused_because_of().is_some()
            || redirects.iter().any(|name| self.annotations.get(name).is_some())
    }
}

/// Only what every action can carry.
fn without_forwarding(route: Route) -> Route {
    let Route { name, matches, action, mut headers, timeouts, max_body, error_pages, origin, labels, .. } =
        route;
    let error_pages = error_pages.filter(|_| matches!(action, Action::Respond(_)));
    headers.request = HeaderEdits::default();
    Route { matches, headers, timeouts, max_body, error_pages, origin, labels, ..Route::new(name, action) }
}

/// What is answered where nothing can serve.
pub(super) fn unavailable() -> Action {
    respond(StatusCode::SERVICE_UNAVAILABLE)
}

/// An answer without a body.
pub(super) fn respond(status: StatusCode) -> Action {
    Action::Respond(DirectResponse { status, body: String::new(), content_type: None })
}

impl<'s> Location<'s> {
    /// What nginx's variables about it stand for.
    pub(super) fn place<'p>(&'p self, host: &'p Host) -> Place<'p> {
        let service = self.service();
        Place {
            namespace: self.ingress.namespace(),
            ingress: self.ingress.object().metadata.name.as_deref().unwrap_or_default(),
            service: service.map_or("", |service| service.name.as_str()),
            port: service.and_then(|service| service.port.as_ref()),
            host: if host.is_catch_all() { "_" } else { &host.0 },
            path: self.path,
        }
    }

    /// The service that it names.
    pub(super) fn service(&self) -> Option<&'s IngressServiceBackend> {
        match self.target {
            Target::Service(service) => Some(service),
            Target::Default => None,
        }
    }
}

impl Scene<'_, '_> {
    /// The Ingress of a location names something that is not there.
    pub(super) fn missing(&mut self, location: &Location<'_>, what: String) {
        let because = vec![location.ingress.held().clone()];
        self.output.missing.push(Missing { what: Absent::Object(what), because });
    }

    /// Says something about the Ingress of a location.
    pub(super) fn report(
        &mut self,
        location: &Location<'_>,
        level: Level,
        reason: Reason,
        message: impl Into<String>,
    ) {
        self.output.reports.push(Report::new(location.ingress.held(), level, reason, message));
    }

    /// Says something about an annotation of a location, given by its name without prefix.
    pub(super) fn report_annotation(
        &mut self,
        location: &Location<'_>,
        name: &str,
        level: Level,
        reason: Reason,
        message: impl Into<String>,
    ) {
        let report = Report::new(location.ingress.held(), level, reason, message);
        let field = format!("metadata.annotations[{}/{name}]", self.settings.annotations_prefix);
        self.output.reports.push(report.at(field));
    }
}
