//! Header fields of ConfigMaps: `custom-headers` of an Ingress, and `add-headers`, `proxy-set-headers` and `hide-headers` of
//! the controller.

use super::{
    location::{Location, Scene, unavailable},
    select::Personality,
};
use crate::{
    nginx,
    report::{Level, Reason, Report},
    settings::NamespacedName,
    store::Of,
};
use sluice_crds::{annotations::Value, core::ConfigMap};
use sluice_model::{
    spec::{Action, HeaderValue, Route},
    template::Moment,
};

/// Edits fields in both directions. What the Ingress says itself goes before what the controller says.
pub(super) fn edit(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let defaults = &scene.settings.ingress;
    let (add, set) = (defaults.add_headers.clone(), defaults.proxy_set_headers.clone());
    route.headers.response.remove.extend(defaults.hide_headers.iter().cloned());
    let servers = matches!(route.action, Action::Forward(_)) && location.personality == Personality::Compat;
    if servers && !defaults.allow_backend_server_header {
        route.headers.response.remove.extend("server".parse());
    }
    for field in of_controller(scene, location, add, Moment::Response) {
        nginx::set(&mut route.headers.response, field);
    }
    for field in of_controller(scene, location, set, Moment::Request) {
        nginx::set(&mut route.headers.request, field);
    }
    if scene.settings.ingress.proxy_add_original_uri_header
        && let Ok(name) = "x-original-uri".parse()
    {
        let value = "%REQ(:PATH)%".to_owned();
        nginx::set(&mut route.headers.request, HeaderValue { name, value });
    }
    match custom(scene, location) {
        Ok(fields) => fields.into_iter().for_each(|field| nginx::set(&mut route.headers.response, field)),
        Err(message) => {
            let message = format!("{message}; its paths answer 503");
            scene.report_annotation(location, "custom-headers", Level::Error, Reason::Invalid, message);
            route.action = unavailable();
        }
    }
}

/// The fields that the annotation asks for. Each has to be allowed by `global-allowed-response-headers`; a `$` in them is a
/// dollar sign.
fn custom(scene: &Scene<'_, '_>, location: &Location<'_>) -> Result<Vec<HeaderValue>, String> {
    let Some(Value::Object(namespace, name)) = location.annotations.get("custom-headers") else {
        return Ok(Vec::new());
    };
    let namespace = namespace.as_deref().unwrap_or(location.ingress.namespace());
    let Some(found) = scene.view.get::<ConfigMap>(namespace, name) else {
        return Err(format!("there is no ConfigMap {namespace}/{name}"));
    };
    let allowed = &scene.settings.ingress.global_allowed_response_headers;
    let fields = found.object().content.data.iter().map(|(name, value)| {
        if !allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
            return Err(format!("`{name}` is not among global-allowed-response-headers"));
        }
        nginx::literal_field(name, value)
    });
    fields.collect()
}

/// The fields of a ConfigMap that the controller's names. What cannot be is reported, and left out.
fn of_controller(
    scene: &mut Scene<'_, '_>,
    location: &Location<'_>,
    name: Option<NamespacedName>,
    moment: Moment,
) -> Vec<HeaderValue> {
    let Some(found) = name.and_then(|name| scene.view.get::<ConfigMap>(&name.namespace, &name.name)) else {
        return Vec::new();
    };
    let fields = found.object().content.data.iter();
    let place = location.place(scene.host);
    fields.filter_map(|(name, value)| field(scene, found, (name, value), &place, moment)).collect()
}

fn field(
    scene: &mut Scene<'_, '_>,
    found: Of<'_, ConfigMap>,
    (name, value): (&str, &str),
    place: &nginx::Place<'_>,
    moment: Moment,
) -> Option<HeaderValue> {
    let field = nginx::field(name, value, place, moment);
    if let Err(message) = &field {
        let message = format!("it {message}; the field is left out");
        let report = Report::new(found.held(), Level::Warning, Reason::Invalid, message);
        scene.output.reports.push(report.at(format!("data.{name}")));
    }
    field.ok()
}
