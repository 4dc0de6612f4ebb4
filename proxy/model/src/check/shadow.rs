//! Routes that no request reaches.

use super::{At, Context};
use crate::{
    convert::brief,
    spec::{PathMatch, Route, RouteMatch, RouteOrder, VirtualHost},
};
use std::{borrow::Cow, collections::HashMap};

/// A route is never reached when all its matches are: each stands word by word in an earlier route (in both orders the
/// first one wins then), or, in the written order, something that matches everything comes before.
pub(super) fn check(cx: &mut Context<'_>, host: &VirtualHost, routes: At<'_>) {
    let mut earlier: HashMap<Cow<'_, RouteMatch>, usize> = HashMap::new();
    let mut catch_all: Option<usize> = None;
    for (index, route) in host.routes.iter().enumerate() {
        if let Some(first) = catch_all.filter(|_| host.order == RouteOrder::Explicit) {
            let name = brief(&host.routes[first].name);
            cx.warning(
                routes.index(index),
                format!("never reached: route `{name}` above matches every request"),
            )
            .rests_on(routes.index(first).key("match"))
            .suggest("move it up");
            continue;
        }
        let owners: Vec<Option<usize>> = matches(route).map(|each| earlier.get(&each).copied()).collect();
        if let Some(Some(first)) = owners.first()
            && owners.iter().all(Option::is_some)
        {
            let name = brief(&host.routes[*first].name);
            cx.warning(
                routes.index(index),
                format!("never reached: route `{name}` above has the same conditions"),
            )
            .rests_on(routes.index(*first).key("match"))
            .rests_on(routes.index(index).key("match"));
        }
        for each in matches(route) {
            earlier.entry(each).or_insert(index);
        }
        if matches(route).any(|each| everything(&each)) {
            catch_all = catch_all.or(Some(index));
        }
    }
}

/// The conditions in a form in which equal ones are equal: an empty list is one that always holds.
fn matches(route: &Route) -> impl Iterator<Item = Cow<'_, RouteMatch>> {
    let default = route.matches.is_empty().then(|| Cow::Owned(RouteMatch::default()));
    default.into_iter().chain(route.matches.iter().map(|each| match &each.path {
        Some(PathMatch::Prefix(path)) if path.len() > 1 && path.ends_with('/') => {
            let path = Some(PathMatch::Prefix(path.trim_end_matches('/').to_owned()));
            Cow::Owned(RouteMatch { path, ..each.clone() })
        }
        _ => Cow::Borrowed(each),
    }))
}

fn everything(each: &RouteMatch) -> bool {
    let any_path = match &each.path {
        None => true,
        Some(PathMatch::Prefix(path) | PathMatch::StringPrefix(path)) => path == "/",
        Some(_) => false,
    };
    any_path
        && *each
            == RouteMatch {
                path: each.path.clone(),
                ignore_path_case: each.ignore_path_case,
                ..RouteMatch::default()
            }
}
