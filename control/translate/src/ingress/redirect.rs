//! Answers that send clients elsewhere: from http to https, and where the annotations of an Ingress say.

use super::location::{Location, Scene, respond, unavailable};
use crate::{
    name,
    report::{Level, Reason},
    settings::Settings,
};
use sluice_model::{
    spec::{Action, HeaderValue, PathMatch, Redirect, RedirectCode, RedirectPath, Route, RouteMatch, Scheme},
    value::StatusCode,
};
use std::fmt::Write;

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
    match (template(target, relative), StatusCode::new(code.unwrap_or(usual)), "location".parse()) {
        (Ok(value), Ok(status), Ok(name)) => {
            route.action = respond(status);
            route.headers.response.set.push(HeaderValue { name, value });
        }
        (value, _, _) => {
            route.action = unavailable();
            let reason = value.err().unwrap_or_default();
            let message = format!("{reason}; its paths answer 503");
            scene.report_annotation(location, name, Level::Error, Reason::Invalid, message);
        }
    }
}

/// Whether redirects to a path stay paths: those of the annotations and to a slash, as in nginx; those to https and to
/// other hosts never do.
pub(super) fn are_relative(settings: &Settings, location: &Location<'_>) -> bool {
    location.annotations.flag("relative-redirects").unwrap_or(settings.ingress.relative_redirects)
}

/// The URL as a value with variables of the model. A path becomes absolute unless it shall stay relative.
fn template(target: &str, relative: bool) -> Result<String, String> {
    /// Of nginx and of the model.
    const VARIABLES: [(&str, &str); 8] = [
        ("scheme", "%REQ(:SCHEME)%"),
        ("best_http_host", "%REQ(:AUTHORITY)%"),
        ("http_host", "%REQ(:AUTHORITY)%"),
        ("host", "%REQ(:AUTHORITY)%"),
        ("request_uri", "%REQ(:PATH)%"),
        ("request_method", "%REQ(:METHOD)%"),
        ("remote_addr", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
        ("ssl_server_name", "%REQUESTED_SERVER_NAME%"),
    ];
    let mut value = String::with_capacity(target.len());
    if target.starts_with('/') && !relative {
        value.push_str("%REQ(:SCHEME)%://%REQ(:AUTHORITY)%");
    }
    let mut rest = target;
    while let Some(at) = rest.find('$') {
        value.push_str(&rest[..at].replace('%', "%%"));
        let name = rest[at + 1..].trim_start_matches('{');
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        let (name, behind) = name.split_at(end);
        match VARIABLES.iter().find(|(known, _)| *known == name) {
            Some((_, variable)) => value.push_str(variable),
            None if name.starts_with("http_") && name.len() > 5 => {
                let _ = write!(value, "%REQ({})%", name[5..].replace('_', "-"));
            }
            None => {
                return Err(format!(
                    "nginx's variable `${name}` has no counterpart here; write a URL without it"
                ));
            }
        }
        rest = behind.strip_prefix('}').unwrap_or(behind);
    }
    value.push_str(&rest.replace('%', "%%"));
    Ok(value)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_keep_their_text_and_get_the_variables_of_the_model() {
        let made = |target| template(target, false).unwrap();
        assert_eq!(made("https://a.example/100%25"), "https://a.example/100%%25");
        assert_eq!(made("https://a.example$request_uri"), "https://a.example%REQ(:PATH)%");
        assert_eq!(made("${scheme}://x/$http_x_user/"), "%REQ(:SCHEME)%://x/%REQ(x-user)%/");
        assert_eq!(made("/new"), "%REQ(:SCHEME)%://%REQ(:AUTHORITY)%/new");
        assert_eq!(template("/new", true).unwrap(), "/new");
        assert!(template("https://a.example/$uri", false).unwrap_err().contains("`$uri`"));
    }
}
