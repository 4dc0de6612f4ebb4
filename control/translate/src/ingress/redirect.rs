//! Answers that send clients elsewhere: from http to https, and where the annotations of an Ingress say.

use super::location::{Location, Scene, respond, unavailable};
use crate::{
    name, nginx,
    report::{Level, Reason},
    settings::Settings,
};
use sluice_model::{
    spec::{Action, PathMatch, Redirect, RedirectCode, RedirectPath, Route, RouteMatch, Scheme},
    value::StatusCode,
};

/// The location answers with a redirect of its own, whatever its backend.
pub(super) fn elsewhere(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let annotations = &location.annotations;
    let temporal =
        annotations.text("temporal-redirect").map(|target| ("temporal-redirect", target, 302, 307));
    let permanent =
        annotations.text("permanent-redirect").map(|target| ("permanent-redirect", target, 301, 308));
    let relative = are_relative(scene.settings, location);
    let Some((name, target, usual, most)) = temporal.or(permanent) else { return };
    if temporal.is_some() && permanent.is_some() {
        let message = "`temporal-redirect` goes before it; remove one of them";
        scene.report_annotation(location, "permanent-redirect", Level::Warning, Reason::NoEffect, message);
    }
    let code_name = format!("{name}-code");
    let code = annotations.int(&code_name).and_then(|code| {
        let status = u16::try_from(code).ok().filter(|code| (300..=most).contains(code));
        if status.is_none() {
            let message = format!("`{code}` is not from 300 to {most}; {usual} is answered");
            scene.report_annotation(location, &code_name, Level::Warning, Reason::Invalid, message);
        }
        status
    });
    let to = nginx::location(target, &location.place(scene.host), relative);
    match (to, StatusCode::new(code.unwrap_or(usual))) {
        (Ok(to), Ok(status)) => {
            route.action = respond(status);
            route.headers.response.set.push(to);
        }
        (to, _) => {
            route.action = unavailable();
            let reason = to.err().unwrap_or_default();
            let message = format!("it {reason}; its paths answer 503");
            scene.report_annotation(location, name, Level::Error, Reason::Invalid, message);
        }
    }
}

/// Whether redirects to a path stay paths: those of the annotations and to a slash, as in nginx; those to https and to
/// other hosts never do.
pub(super) fn are_relative(settings: &Settings, location: &Location<'_>) -> bool {
    location.annotations.flag("relative-redirects").unwrap_or(settings.ingress.relative_redirects)
}

/// What sends clients without TLS to https, where the location asks for it.
pub(super) fn to_https(settings: &Settings, location: &Location<'_>, certified: bool) -> Option<Action> {
    let (annotations, defaults) = (&location.annotations, &settings.ingress);
    let asked = |name, default| annotations.flag(name).unwrap_or(default);
    let wanted = asked("force-ssl-redirect", defaults.force_ssl_redirect)
        || certified && asked("ssl-redirect", defaults.ssl_redirect);
    let exempt =
        defaults.no_tls_redirect_locations.iter().any(|start| location.path.starts_with(start.as_str()));
    if !wanted || exempt {
        return None;
    }
    let own_port = annotations.flag("use-port-in-redirects") == Some(true);
    Some(Action::Redirect(Redirect {
        scheme: Some(Scheme::Https),
        port: Some(if own_port { settings.https_port } else { Scheme::Https.default_port() }),
        trim_slash: !asked("preserve-trailing-slash", defaults.preserve_trailing_slash),
        code: defaults.http_redirect_code,
        ..Redirect::default()
    }))
}

/// The route of a name that does nothing but send clients to a host.
pub(super) fn to_host(host: &str, code: RedirectCode) -> Route {
    let redirect = Redirect { host: Some(host.to_owned()), trim_slash: true, code, ..Redirect::default() };
    Route::new(name::fit(format!("to {host}")), Action::Redirect(redirect))
}

/// The route that sends `/` of the host to `app-root`.
pub(super) fn app_root(location: &Location<'_>) -> Option<Route> {
    let target = location.annotations.text("app-root")?;
    let redirect = Redirect {
        path: Some(RedirectPath::Whole(target.to_owned())),
        strip_query: true,
        code: RedirectCode::Found,
        ..Redirect::default()
    };
    let mut route = Route::new("app-root".to_owned(), Action::Redirect(redirect));
    route.matches =
        vec![RouteMatch { path: Some(PathMatch::Exact("/".to_owned())), ..RouteMatch::default() }];
    route.origin = Some(location.ingress.name().to_string());
    Some(route)
}
