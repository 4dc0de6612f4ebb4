//! One rule of a VirtualService becomes routes, one for each of its matches.

use super::{
    destination::{Destinations, Gets},
    fault, headers, matching, names,
    notes::Notes,
    redirect, retry, rewrite,
    site::{By, Here},
    virtual_service::UNBOUNDED,
};
use crate::report::Reason;
use sluice_crds::istio::{HttpMatchRequest, HttpMirrorPolicy, HttpRoute, Percent as Written};
use sluice_model::{
    spec::{Action, Destination, Forward, Mirror, Route, RouteHeaders, RouteMatch},
    value::{Duration, Percent},
};
use std::collections::{BTreeMap, BTreeSet};

/// A route, and what is to be known of it among others.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) route: Route,
    /// It takes every request.
    pub(super) catch_all: bool,
    /// The rule that it comes from: `spec.http[2]`.
    pub(super) rule: String,
    /// What else has to hold, settled before any request comes.
    pub(super) settled: Settled,
}

/// The conditions of a match that are settled before any request comes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Settled {
    port: u16,
    gateways: BTreeSet<String>,
    source_labels: BTreeMap<String, String>,
    source_namespace: String,
}

impl Settled {
    fn of(matching: &HttpMatchRequest) -> Self {
        Self {
            port: matching.port,
            gateways: matching.gateways.iter().cloned().collect(),
            source_labels: matching.source_labels.clone(),
            source_namespace: matching.source_namespace.clone(),
        }
    }
}

/// The routes of a rule of a VirtualService of the namespace `own`.
pub(super) fn routes(
    rule: &HttpRoute,
    own: &str,
    here: &Here<'_>,
    at: &str,
    destinations: &mut dyn Destinations,
    notes: &mut Notes<'_>,
) -> Vec<Draft> {
    // What a delegate inherits may stand beside its own action, which comes first.
    if matches!(here.by, By::Any) && !one_action(rule, at, notes) {
        return Vec::new();
    }
    if let Some(wrong) = names::wrong_label(&rule.name) {
        notes.invalid(&format!("{at}.name"), wrong);
    }
    let everything = [None];
    let listed: Vec<Option<&HttpMatchRequest>> = rule.r#match.iter().map(Some).collect();
    let matches = if listed.is_empty() { &everything[..] } else { &listed };
    let mut drafts = Vec::new();
    for (index, matching) in matches.iter().enumerate() {
        if matching.is_some_and(|matching| !here.concerns(matching, own)) {
            continue;
        }
        if let Some(wrong) = matching.and_then(|matching| names::wrong_label(&matching.name)) {
            notes.invalid(&format!("{at}.match[{index}].name"), wrong);
        }
        let conditions = match matching {
            None => Some(RouteMatch::default()),
            Some(matching) => matching::conditions(matching, &format!("{at}.match[{index}]"), notes),
        };
        // A rule for matches that nobody meets is still read, for what is wrong with it.
        let route = route(rule, *matching, here, at, destinations, notes);
        let (Some(conditions), Some(mut route)) = (conditions, route) else { continue };
        route.name = name(rule, *matching, at, index);
        let catch_all = matching::is_catch_all(*matching, &conditions);
        if conditions != RouteMatch::default() {
            route.matches = vec![conditions];
        }
        let settled = matching.map(Settled::of).unwrap_or_default();
        drafts.push(Draft { route, catch_all, rule: at.to_owned(), settled });
        if catch_all {
            break;
        }
    }
    drafts
}

/// The names of rule and match, as access logs have them; their places where they have none.
fn name(rule: &HttpRoute, matching: Option<&HttpMatchRequest>, at: &str, index: usize) -> String {
    let matching_name = matching.map_or("", |matching| &matching.name);
    match (rule.name.as_str(), matching_name) {
        ("", "") => match rule.r#match.len() {
            0 | 1 => at.trim_start_matches("spec.").to_owned(),
            _ => format!("{}.match[{index}]", at.trim_start_matches("spec.")),
        },
        (rule, "") => rule.to_owned(),
        ("", matching) => matching.to_owned(),
        (rule, matching) => format!("{rule}.{matching}"),
    }
}

/// Whether the rule says what is done, and only one thing.
fn one_action(rule: &HttpRoute, at: &str, notes: &mut Notes<'_>) -> bool {
    let said = [
        ("route", !rule.route.is_empty()),
        ("fault", rule.fault.is_some()),
        ("rewrite", rule.rewrite.is_some()),
        ("directResponse", rule.direct_response.is_some()),
    ];
    let excludes: &[&str] = if rule.redirect.is_some() {
        &["route", "fault", "rewrite", "directResponse"]
    } else if rule.direct_response.is_some() {
        &["route", "fault", "rewrite"]
    } else if rule.route.is_empty() {
        notes.invalid(at, "a rule needs one of `route`, `redirect`, `directResponse` and `delegate`");
        return false;
    } else {
        &[]
    };
    let action = if rule.redirect.is_some() { "redirect" } else { "directResponse" };
    let mut alone = true;
    for (other, _) in said.iter().filter(|(name, there)| *there && excludes.contains(name)) {
        notes.invalid(&format!("{at}.{other}"), format!("cannot stand beside `{action}`"));
        alone = false;
    }
    alone
}

/// The route of a match, without name and conditions.
fn route(
    rule: &HttpRoute,
    matching: Option<&HttpMatchRequest>,
    here: &Here<'_>,
    at: &str,
    destinations: &mut dyn Destinations,
    notes: &mut Notes<'_>,
) -> Option<Route> {
    let edits = headers::edits(rule.headers.as_ref(), &format!("{at}.headers"), notes);
    let fault = rule.fault.as_ref().and_then(|fault| fault::fault(fault, &format!("{at}.fault"), notes));
    let own_action = match (&rule.redirect, &rule.direct_response) {
        (Some(written), _) => {
            let at = format!("{at}.redirect");
            Some(redirect::redirect(written, matching, here, &at, notes).map(Action::Redirect))
        }
        (None, Some(written)) => {
            Some(redirect::respond(written, &format!("{at}.directResponse"), notes).map(Action::Respond))
        }
        (None, None) => None,
    };
    if let Some(action) = own_action {
        let mut route = Route { headers: edits, ..Route::new(String::new(), action?) };
        route.filters.extend(fault);
        return Some(route);
    }
    let (forward, edits) = forward(rule, edits, at, destinations, notes)?;
    let mut route = Route { headers: edits, ..Route::new(String::new(), Action::Forward(forward)) };
    if let Some(written) = &rule.rewrite {
        route.rewrite = rewrite::rewrite(written, matching, &format!("{at}.rewrite"), notes);
        if !written.authority.is_empty() && headers::sets_host(rule.headers.as_ref()) {
            notes.invalid(
                &format!("{at}.rewrite.authority"),
                "`headers` set the host too; only one of both can be set",
            );
        }
    }
    route.timeouts = UNBOUNDED;
    if let Some(timeout) = rule.timeout {
        let millis = timeout.get().as_millis() as u64;
        if millis == 0 && !timeout.get().is_zero() {
            notes.invalid(&format!("{at}.timeout"), "a timeout is at least `0.001s`; `0s` is none");
        }
        route.timeouts.request = Duration::from_millis(millis);
    }
    route.retry = retry::retry(rule.retries.as_ref().or(here.retries), &format!("{at}.retries"), notes);
    route.filters.extend(fault);
    route.mirrors = mirrors(rule, here, at, destinations, notes);
    Some(route)
}

/// The destinations, and the edits of the route.
fn forward(
    rule: &HttpRoute,
    edits: RouteHeaders,
    at: &str,
    destinations: &mut dyn Destinations,
    notes: &mut Notes<'_>,
) -> Option<(Forward, RouteHeaders)> {
    let mut found = Vec::new();
    for (index, written) in rule.route.iter().enumerate() {
        let at = format!("{at}.route[{index}]");
        let own = headers::edits(written.headers.as_ref(), &format!("{at}.headers"), notes);
        let Some(destination) = written.destination.as_ref().filter(|named| !named.host.is_empty()) else {
            notes.invalid(&format!("{at}.destination"), "name its `host`");
            continue;
        };
        if rule.route.len() > 1 && written.weight == 0 {
            continue;
        }
        let cluster = destinations.cluster(destination, Gets::Requests, &format!("{at}.destination"), notes);
        found.push(Destination { cluster, weight: written.weight, headers: own });
    }
    if found.is_empty() {
        if rule.route.len() > 1 {
            notes.invalid(
                &format!("{at}.route"),
                "all weights are 0; give one of the destinations a `weight`",
            );
        }
        return None;
    }
    let mut edits = edits;
    if rule.route.len() == 1
        && let Some(only) = found.first_mut()
    {
        only.weight = 1;
        edits = headers::joined(edits, std::mem::take(&mut only.headers));
    }
    let mut forward = Forward::to(String::new());
    forward.destinations = found;
    Some((forward, edits))
}

fn mirrors(
    rule: &HttpRoute,
    here: &Here<'_>,
    at: &str,
    destinations: &mut dyn Destinations,
    notes: &mut Notes<'_>,
) -> Vec<Mirror> {
    if matches!(here.by, By::Any) && rule.mirror.is_some() && !rule.mirrors.is_empty() {
        notes.invalid(&format!("{at}.mirrors"), "only one of `mirror` and `mirrors` can be set");
        return Vec::new();
    }
    let single = rule.mirror.as_ref().map(|destination| {
        let before = rule.mirror_percent.map(|percent| Written { value: f64::from(percent) });
        let percentage = rule.mirror_percentage.clone().or(before);
        (format!("{at}.mirror"), HttpMirrorPolicy { destination: Some(destination.clone()), percentage })
    });
    let listed = rule.mirrors.iter().enumerate();
    let all = listed.map(|(index, mirror)| (format!("{at}.mirrors[{index}]"), mirror.clone())).chain(single);
    all.filter_map(|(at, mirror)| {
        let percent = match mirror.percentage.map(|percentage| Percent::from_percent(percentage.value)) {
            None => Percent::ALL,
            Some(Ok(percent)) => percent,
            Some(Err(error)) => {
                notes.invalid(&at, error.to_string());
                return None;
            }
        };
        let Some(destination) = mirror.destination.filter(|named| !named.host.is_empty()) else {
            notes.invalid(&at, "name the `host` that gets the copies");
            return None;
        };
        if percent == Percent::NONE {
            notes.odd(Reason::NoEffect, &at, "copies nothing: the share is 0");
            return None;
        }
        let cluster = destinations.cluster(&destination, Gets::Copies, &at, notes);
        Some(Mirror {
            cluster,
            percent,
            target: None,
            host: None,
            headers: sluice_model::spec::HeaderEdits::default(),
        })
    })
    .collect()
}
