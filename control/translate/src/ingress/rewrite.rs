//! `rewrite-target` and `x-forwarded-prefix`.

use super::{
    location::{Location, Scene, unavailable},
    paths::Matching,
};
use crate::{
    nginx,
    report::{Level, Reason},
};
use sluice_model::{
    spec::{Action, HeaderValue, PathRewrite, Route},
    value::Regex,
};

/// The whole path becomes the target, with what the path of the rule captures in it.
pub(super) fn apply(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let prefix = location.annotations.text("x-forwarded-prefix");
    let Some(target) = location.rewrite_target() else {
        if prefix.is_some() {
            let message = "it is sent only together with a `rewrite-target`";
            scene.report_annotation(
                location,
                "x-forwarded-prefix",
                Level::Warning,
                Reason::NoEffect,
                message,
            );
        }
        return;
    };
    if let Some((scheme, rest)) = nginx::absolute(target) {
        match nginx::away(scheme, rest, location.pattern(), true) {
            Ok(redirect) => route.action = Action::Redirect(redirect),
            Err(message) => {
                route.action = unavailable();
                let message = format!("{message}; its paths answer 503");
                scene.report_annotation(
                    location,
                    "rewrite-target",
                    Level::Error,
                    Reason::NotInEffect,
                    message,
                );
            }
        }
        return;
    }
    let pattern = location.pattern();
    match nginx::replacement(target, pattern.as_ref().map_or(0, Regex::captures)) {
        Ok(replacement) => {
            route.rewrite.path = Some(match pattern {
                Some(pattern) => PathRewrite::Regex(nginx::whole(pattern, replacement, true)),
                None => PathRewrite::Whole(replacement),
            });
            if let Some(prefix) = prefix
                && let Ok(name) = "x-forwarded-prefix".parse()
            {
                let value = prefix.replace('%', "%%");
                route.headers.request.set.push(HeaderValue { name, value });
            }
        }
        Err(message) => {
            route.action = unavailable();
            let message = format!("{message}; its paths answer 503");
            scene.report_annotation(location, "rewrite-target", Level::Error, Reason::Invalid, message);
        }
    }
}

impl Location<'_> {
    /// Its path, where that is compared as a regular expression.
    fn pattern(&self) -> Option<Regex> {
        (self.matching == Matching::Expression).then(|| self.path.parse().ok()).flatten()
    }
}
