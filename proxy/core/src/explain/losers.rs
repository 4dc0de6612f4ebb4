//! Why the other rules of a virtual host do not serve a request.

use super::{Loser, View};
use crate::route::{MatchInfo, MatchScratch, Route, VirtualHost, pattern::Pattern};
use sluice_model::spec::{PathMatch, RouteMatch};
use std::sync::Arc;

/// As many are shown.
const MOST: usize = 5;

/// How near a losing rule came; nearer ones are smaller.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    /// Only the order spoke against it.
    Order,
    /// The path matched, and so many conditions failed.
    Conditions(usize),
    /// Not even the path.
    Path,
}

/// The nearest rules that lose, one for each route.
pub(super) fn nearest(
    virtual_host: &VirtualHost,
    winner: Option<MatchInfo>,
    route: Option<&Arc<Route>>,
    request: &View<'_>,
) -> Vec<Loser> {
    let mut scratch = MatchScratch::default();
    let mut found: Vec<(Distance, usize, Loser)> = Vec::new();
    for (rank, rule) in virtual_host.rules().iter().enumerate() {
        let of = &virtual_host.routes()[rule.route];
        let wins = winner == Some(rule.info) && route.is_some_and(|route| Arc::ptr_eq(route, of));
        if wins || route.is_some_and(|route| Arc::ptr_eq(route, of)) {
            continue;
        }
        let matching = written(virtual_host, rule.route, rule.info);
        let failed: Vec<String> = rule
            .conditions
            .iter()
            .filter(|condition| !condition.holds(request, &mut scratch.patterns, &mut scratch.values))
            .map(ToString::to_string)
            .collect();
        let (distance, reason) = if !path_holds(&matching, request.path) {
            (Distance::Path, format!("the path is not {}", describe(&matching)))
        } else if failed.is_empty() {
            (Distance::Order, "it matches too, but is asked later".to_owned())
        } else {
            (Distance::Conditions(failed.len()), format!("this does not hold: {}", failed.join("; ")))
        };
        found.push((
            distance,
            rank,
            Loser { route: of.name.to_string(), origin: of.origin.as_deref().map(str::to_owned), reason },
        ));
    }
    found.sort_by(|(left, left_rank, _), (right, right_rank, _)| (left, left_rank).cmp(&(right, right_rank)));
    let mut losers: Vec<Loser> = Vec::new();
    for (_, _, loser) in found {
        if losers.len() < MOST && !losers.iter().any(|other| other.route == loser.route) {
            losers.push(loser);
        }
    }
    losers
}

/// The conditions of the match that won, in words.
pub(super) fn held(virtual_host: &VirtualHost, route: &Arc<Route>, info: MatchInfo) -> Vec<String> {
    let Some(rule) = virtual_host
        .rules()
        .iter()
        .find(|rule| rule.info == info && Arc::ptr_eq(&virtual_host.routes()[rule.route], route))
    else {
        return Vec::new();
    };
    let matching = written(virtual_host, rule.route, info);
    let path = matching.path.is_some().then(|| format!("path {}", describe(&matching)));
    path.into_iter().chain(rule.conditions.iter().map(ToString::to_string)).collect()
}

fn written(virtual_host: &VirtualHost, route: usize, info: MatchInfo) -> RouteMatch {
    virtual_host.spec().routes[route].matches.get(info.index).cloned().unwrap_or_default()
}

/// Whether the path condition of one match holds, asked plainly: what the index has to agree with.
pub(crate) fn path_holds(matching: &RouteMatch, path: &str) -> bool {
    let fold =
        |text: &str| if matching.ignore_path_case { text.to_ascii_lowercase() } else { text.to_owned() };
    match &matching.path {
        None => true,
        Some(PathMatch::Exact(wanted)) => fold(path) == fold(wanted),
        Some(PathMatch::StringPrefix(prefix)) => fold(path).starts_with(&fold(prefix)),
        Some(PathMatch::Prefix(prefix)) => fold(path)
            .strip_prefix(&fold(prefix.strip_suffix('/').unwrap_or(prefix)))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        Some(PathMatch::Regex(regex)) => {
            let pattern = Pattern::new(regex.pattern.as_str(), regex.anchor, matching.ignore_path_case);
            pattern.is_match(path.as_bytes(), &mut MatchScratch::default().patterns)
        }
    }
}

fn describe(matching: &RouteMatch) -> String {
    let case = if matching.ignore_path_case { ", in any case" } else { "" };
    match &matching.path {
        None => "anything".to_owned(),
        Some(PathMatch::Exact(path)) => format!("exactly `{path}`{case}"),
        Some(PathMatch::Prefix(path)) => format!("`{path}` or below it{case}"),
        Some(PathMatch::StringPrefix(path)) => format!("beginning with `{path}`{case}"),
        Some(PathMatch::Regex(regex)) => format!("matching `{}`{case}", regex.pattern),
    }
}
