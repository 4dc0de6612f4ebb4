//! Snippets: lines of nginx's configuration in annotations. They are never run; what a route can carry is translated, and
//! the rest refused, a snippet as a whole.

use super::{
    annotations::Annotations,
    location::{Location, Scene},
};
use crate::{
    nginx::{self, Directive, Policy},
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
        Err(refused) => {
            let protects = text.split_whitespace().any(|word| nginx::protects(&Directive::named(word)));
            return Some(Refusal { message: refused.to_string(), protects });
        }
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

/// Does what the snippet of a location says.
pub(super) fn apply(scene: &mut Scene<'_, '_>, location: &Location<'_>, route: &mut Route) {
    for policy in policies(&location.annotations, scene.settings) {
        policy.apply(route);
    }
}

fn policies(annotations: &Annotations, settings: &Settings) -> Vec<Policy> {
    match annotations.get("configuration-snippet") {
        Some(Value::Text(text)) if settings.ingress.allow_snippet_annotations => {
            nginx::parse(text).and_then(|directives| nginx::translate(&directives)).unwrap_or_default()
        }
        _ => Vec::new(),
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
