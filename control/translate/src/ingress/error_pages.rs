//! Pages of a default backend in the place of errors: `custom-http-errors`, `default-backend`,
//! `disable-proxy-intercept-errors`.

use super::{
    backend,
    location::{Location, Scene},
};
use crate::{
    report::{Level, Reason},
    services::PortRef,
    settings::{IngressDefaults, Settings},
};
use sluice_crds::annotations::Value;
use sluice_model::{
    spec::{ErrorPages, ErrorsOf, HeaderEdits, HeaderValue, Route},
    value::StatusCode,
};
use std::sync::Arc;

/// Has the errors of a location replaced, where it or the controller asks for that. A list of its own goes to the page that
/// it names (`default-backend`) or else, as that of the controller does, to the default backend of the gateway.
pub(super) fn replace(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let defaults = &scene.settings.ingress;
    let own = match location.annotations.get("custom-http-errors") {
        Some(Value::Codes(codes)) if !codes.is_empty() => Some(codes.clone()),
        _ => None,
    };
    let statuses = own.as_ref().unwrap_or(&defaults.custom_http_errors).clone();
    if statuses.is_empty() {
        return;
    }
    let intercepts = !location
        .annotations
        .flag("disable-proxy-intercept-errors")
        .unwrap_or(defaults.disable_proxy_intercept_errors);
    let page = own.as_ref().and_then(|_| backend::page(scene, location));
    let Some(cluster) = page.or_else(|| backend::default_backend(scene)) else {
        if own.is_some() {
            let message = "nobody has pages, so answers pass unchanged: name a Service of this namespace that has \
                           endpoints in `default-backend`, or start the gateway with `--default-backend-service`";
            scene.report_annotation(
                location,
                "custom-http-errors",
                Level::Warning,
                Reason::NoEffect,
                message,
            );
        }
        return;
    };
    let mut pages = pages(&statuses, cluster.name.clone(), intercepts);
    scene.output.clusters.push(Arc::new(cluster));
    let failed = [("x-code", "%RESPONSE_CODE%".to_owned()), ("x-original-uri", "%REQ(:PATH)%".to_owned())];
    pages.headers.set.extend(failed.into_iter().filter_map(field));
    pages.headers.set.extend(place(location).filter_map(field));
    route.error_pages = Some(pages);
}

/// Has the errors of what no location takes replaced, where the controller asks for that.
pub(super) fn replace_rest(settings: &Settings, route: &mut Route, page: &str) {
    let IngressDefaults { custom_http_errors, disable_proxy_intercept_errors, .. } = &settings.ingress;
    if custom_http_errors.is_empty() {
        return;
    }
    let mut pages = pages(custom_http_errors, page.to_owned(), !disable_proxy_intercept_errors);
    let failed = [
        ("x-code", "%RESPONSE_CODE%".to_owned()),
        ("x-original-uri", "%REQ(:PATH)%".to_owned()),
        ("x-format", "%REQ(accept)%".to_owned()),
    ];
    pages.headers.set.extend(failed.into_iter().filter_map(field));
    route.error_pages = Some(pages);
}

/// Tells a page that is shown because a service has no endpoints what it stands for, as ingress-nginx tells it.
pub(super) fn tell_stand_in(location: &Location<'_>, route: &mut Route) {
    let fields = [("x-code", "503".to_owned())].into_iter().chain(place(location));
    route.headers.request.set.extend(fields.filter_map(field));
}

fn pages(statuses: &[u16], cluster: String, intercepts: bool) -> ErrorPages {
    ErrorPages {
        statuses: statuses.iter().filter_map(|status| StatusCode::new(*status).ok()).collect(),
        cluster,
        of: if intercepts { ErrorsOf::All } else { ErrorsOf::Proxy },
        headers: HeaderEdits::default(),
    }
}

/// What the client takes, and where it was.
fn place(location: &Location<'_>) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let name = location.ingress.name();
    let service = location.service();
    let port = service.and_then(PortRef::of).map_or_else(String::new, |port| port.to_string());
    let fields = [
        ("x-format", "%REQ(accept)%".to_owned()),
        ("x-namespace", name.namespace),
        ("x-ingress-name", name.name),
        ("x-service-name", service.map_or_else(String::new, |service| service.name.clone())),
        ("x-service-port", port),
    ];
    fields.into_iter().filter(|(_, value)| !value.is_empty())
}

fn field((name, value): (&'static str, String)) -> Option<HeaderValue> {
    Some(HeaderValue { name: name.parse().ok()?, value })
}
