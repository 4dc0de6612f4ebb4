//! Snippets: lines of nginx's configuration in annotations. They are never run; what a route can carry is translated, and
//! the rest refused, a snippet as a whole.

use super::location::{Location, Scene};
use crate::{
    nginx::{self, Directive},
    settings::Settings,
};
use sluice_crds::annotations::Value;
use sluice_model::spec::Route;

/// A snippet that is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Why, with the lines and the directives.
    pub(super) message: String,
    /// Whether it says who may come, so that leaving it out would let everybody in.
    pub(super) protects: bool,
}

/// The annotations that hold snippets for routes and hosts.
pub(super) const ROWS: [&str; 2] = ["configuration-snippet", "server-snippet"];

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
        nginx::translate(&directives).err()?.to_string()
    };
    Some(Refusal { message, protects: directives.iter().any(nginx::protects) })
}

/// Does what the snippet of the controller says, and then that of the location.
pub(super) fn apply(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    let defaults = &scene.settings.ingress;
    let own = match location.annotations.get("configuration-snippet") {
        Some(Value::Text(text)) if defaults.allow_snippet_annotations => text,
        _ => "",
    };
    for text in [defaults.location_snippet.as_str(), own] {
        let policies = nginx::parse(text).and_then(|directives| nginx::translate(&directives));
        for policy in policies.unwrap_or_default() {
            policy.apply(route);
        }
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
