//! Snippets: lines of nginx's configuration in annotations. They are never run; what a route can carry is translated, and
//! the rest refused, a snippet as a whole. Lines that are safe to leave out are left out, and said.

use super::{
    location::{Location, Scene},
    paths::Matching,
};
use crate::{
    name,
    nginx::{self, Directive, Note, PathRule, Place, Then},
    report::{Level, Reason},
    settings::Settings,
};
use sluice_crds::annotations::Value;
use sluice_model::spec::{
    Action, PathMatch, PathRegex, PathRewrite, RegexAnchor, Route, RouteLabels, RouteMatch,
};

/// A snippet that is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Why, with the lines and the directives.
    pub(super) message: String,
    /// Whether it says who may come, so that leaving it out would let everybody in.
    pub(super) protects: bool,
}

/// The annotation for routes.
const OWN: &str = "configuration-snippet";
/// The key of the controller's ConfigMap for all of them.
const CONTROLLERS: &str = "location-snippet";
/// The annotations that hold snippets for routes and hosts.
pub(super) const ROWS: [&str; 2] = [OWN, "server-snippet"];

/// Why a snippet is refused; `None` where it is translated, or empty.
pub(super) fn refusal(name: &str, text: &str, settings: &Settings) -> Option<Refusal> {
    let directives = match nginx::parse(text) {
        Ok(directives) => directives,
        // Nobody can say what it would have protected.
        Err(refused) => return Some(Refusal { message: refused.to_string(), protects: true }),
    };
    if directives.is_empty() {
        return None;
    }
    let message = if !settings.ingress.allow_snippet_annotations {
        format!("snippets are refused where allow-snippet-annotations is off: {}", listed(&directives))
    } else if name == "server-snippet" {
        format!(
            "nothing is translated for a whole host: {}; write configuration-snippet",
            listed(&directives)
        )
    } else {
        nginx::translate(&directives, &Place::default()).err()?.to_string()
    };
    Some(Refusal { message, protects: directives.iter().any(nginx::protects) })
}

/// About the directives of a snippet that is translated which change nothing.
pub(super) fn notes(name: &str, text: &str, settings: &Settings) -> Vec<Note> {
    if name == "server-snippet" || !settings.ingress.allow_snippet_annotations {
        return Vec::new();
    }
    let directives = nginx::parse(text);
    let translated = directives.and_then(|directives| nginx::translate(&directives, &Place::default()));
    translated.map(|translated| translated.notes).unwrap_or_default()
}

/// Does what the snippet of the controller says, and then that of the location.
pub(super) fn apply(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let defaults = &scene.settings.ingress;
    let own = match location.annotations.get(OWN) {
        Some(Value::Text(text)) if defaults.allow_snippet_annotations => text.clone(),
        _ => String::new(),
    };
    for (text, name) in [(defaults.location_snippet.clone(), CONTROLLERS), (own, OWN)] {
        let place = location.place(scene.host);
        let translated = nginx::parse(&text).and_then(|directives| nginx::translate(&directives, &place));
        for policy in translated.unwrap_or_default().policies {
            if let Some(rule) = policy.apply(route) {
                path_rule(scene, location, route, rule, name);
            }
        }
    }
}

/// A rule for some paths changes what servers get, or has a route of its own before that of the location, as far as all of
/// these paths are the location's.
fn path_rule(
    scene: &mut Scene<'_, '_>,
    location: &Location<'_>,
    route: &mut Route,
    rule: PathRule,
    snippet: &'static str,
) {
    let takes_all = rule.takes_all();
    let line = rule.line;
    let mut leave_out = |why: &str| {
        let message = format!("line {line}: `rewrite` {why}; it is left out");
        if snippet == OWN {
            scene.report_annotation(location, OWN, Level::Warning, Reason::NotInEffect, message);
        } else {
            let message = format!("`{snippet}` of the controller's ConfigMap: {message}");
            scene.report(location, Level::Warning, Reason::NotInEffect, message);
        }
    };
    let path = location.path.trim_end_matches('/');
    let (own_paths, others) = match location.matching {
        _ if location.is_root() => (true, false),
        Matching::Segments => {
            (rule.stays_below(&format!("{path}/")) || rule.is_for(path), rule.stays_off(path))
        }
        Matching::Text => (rule.stays_below(location.path), rule.stays_off(location.path)),
        Matching::Whole => (rule.is_for(path) && path == location.path, rule.stays_off(path)),
        Matching::Expression => (false, false),
    };
    match rule.then {
        _ if others && snippet == OWN => leave_out("is for none of the paths of the rule"),
        _ if others => {}
        Then::Path(_) if route.rewrite.path.is_some() => {
            leave_out("stands beside another rewrite of the path, `rewrite-target` or a line before it");
        }
        Then::Path(rewrite) => route.rewrite.path = Some(PathRewrite::Regex(rewrite)),
        // Whatever answers already goes first.
        Then::Redirect(_) if !matches!(route.action, Action::Forward(_)) => {}
        Then::Redirect(redirect) if takes_all => route.action = Action::Redirect(redirect),
        Then::Redirect(redirect) if own_paths => {
            let expression = PathRegex { pattern: rule.pattern, anchor: RegexAnchor::Search };
            let matches = RouteMatch { path: Some(PathMatch::Regex(expression)), ..RouteMatch::default() };
            let nth = scene.detours.len() + 1;
            let labels = route.labels.clone().map(|own| RouteLabels { service: String::new(), ..own });
            scene.detours.push(Route {
                matches: vec![matches],
                origin: route.origin.clone(),
                labels,
                ..Route::new(
                    name::fit(format!("rewrite {nth} of {}", route.name)),
                    Action::Redirect(redirect),
                )
            });
        }
        Then::Redirect(_) => leave_out(
            "may be for paths of other rules of the host, too: begin its expression with `^` and the path of the rule",
        ),
    }
}

/// Lines and directives, as many as fit a message.
fn listed(directives: &[Directive]) -> String {
    const MOST: usize = 5;
    let shown = directives.iter().take(MOST);
    let mut shown: Vec<String> = shown.map(|each| format!("line {} `{}`", each.line, each.name)).collect();
    if directives.len() > MOST {
        shown.push(format!("and {} more", directives.len() - MOST));
    }
    shown.join(", ")
}
