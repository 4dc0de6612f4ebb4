//! Rules that leave the decision to another VirtualService: one level deep.

use super::{
    destination::{Anything, Clusters},
    names,
    notes::Notes,
    rule::{self, Draft},
    site::Here,
    virtual_service,
};
use crate::{
    hold::{Absent, Missing},
    output::Output,
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::istio::{
    Delegate, Destination, HttpMatchRequest, HttpRoute, HttpRouteDestination, StringMatch, VirtualService,
};
use std::collections::BTreeMap;

/// The rule that delegates.
pub(super) struct Root<'a, 's> {
    pub(super) object: Of<'s, VirtualService>,
    pub(super) rule: &'a HttpRoute,
    /// Where it stands: `spec.http[0]`.
    pub(super) at: &'a str,
}

/// What is wrong with a rule that delegates, whomever it delegates to; and what it passes on to the other's rules, as routes
/// to nowhere.
pub(super) fn examine(
    rule: &HttpRoute,
    content: &VirtualService,
    (own, here): (&str, &Here<'_>),
    at: &str,
    notes: &mut Notes<'_>,
) -> Vec<Draft> {
    if content.hosts.is_empty() {
        notes.invalid(&format!("{at}.delegate"), "this one is delegated to itself; there is but one level");
    }
    if rule.delegate.as_ref().is_some_and(|delegate| delegate.name.is_empty()) {
        notes.invalid(&format!("{at}.delegate.name"), "name the VirtualService that is delegated to");
    }
    for (field, there) in [("route", !rule.route.is_empty()), ("redirect", rule.redirect.is_some())] {
        if there {
            notes.invalid(&format!("{at}.{field}"), "cannot stand beside `delegate`");
        }
    }
    let nowhere = Destination { host: Anything::NAME.to_owned(), ..Destination::default() };
    let route = HttpRouteDestination { destination: Some(nowhere), ..HttpRouteDestination::default() };
    let inherited = HttpRoute {
        delegate: None,
        redirect: None,
        route: if rule.direct_response.is_some() { Vec::new() } else { vec![route] },
        ..rule.clone()
    };
    rule::routes(&inherited, own, here, at, &mut Anything, notes)
}

/// The routes of the VirtualService that a rule delegates to, as far as the rule leaves them.
pub(super) fn routes(
    view: &View<'_>,
    settings: &Settings,
    root: &Root<'_, '_>,
    delegate: &Delegate,
    here: &Here<'_>,
    output: &mut Output,
) -> Vec<Draft> {
    let own = root.object.namespace();
    let namespace = if delegate.namespace.is_empty() { own } else { &delegate.namespace };
    let at = format!("{}.delegate", root.at);
    let mut missing = |reason, message: String| {
        output.reports.push(Report::new(root.object.held(), Level::Warning, reason, message).at(&at));
    };
    let name = format!("{namespace}/{}", delegate.name);
    let Some(leaf) = view.get::<VirtualService>(namespace, &delegate.name) else {
        missing(
            Reason::NotFound,
            format!("there is no VirtualService {name}, so the rule is not there either"),
        );
        output.missing.push(Missing {
            what: Absent::Object(format!("VirtualService {name}")),
            because: vec![root.object.held().clone()],
        });
        return Vec::new();
    };
    let content = &leaf.object().content;
    let wrong = if !content.hosts.is_empty() {
        Some((Reason::Invalid, "has hosts of its own, so nobody can delegate to it"))
    } else if names::seen_by(&content.export_to, &settings.mesh.virtual_services_export_to, namespace, own)
        .is_none()
    {
        Some((Reason::NotGranted, "is not exported to this namespace; add it to its `exportTo`"))
    } else if virtual_service::examine(leaf, settings).iter().any(|report| report.severity == Level::Error) {
        Some((Reason::NotFound, "has errors"))
    } else {
        None
    };
    if let Some((reason, why)) = wrong {
        missing(reason, format!("VirtualService {name} {why}, so the rule is not there"));
        return Vec::new();
    }
    let mut drafts = Vec::new();
    for (index, below) in content.http.iter().enumerate() {
        if below.delegate.is_some() {
            continue;
        }
        let Some(merged) = merge(root, below, namespace, &settings.cluster_domain) else {
            let message = format!(
                "{} of {} delegates here with other matches, so this rule is not served there",
                root.at,
                root.object.name()
            );
            let report = Report::new(leaf.held(), Level::Warning, Reason::Conflict, message);
            output.reports.push(report.at(format!("spec.http[{index}].match")));
            continue;
        };
        let mut notes = Notes::about(leaf.held());
        let mut clusters = Clusters::new(view, settings, leaf, here.port, output);
        let at = format!("{at}.http[{index}]");
        let found = rule::routes(&merged, namespace, here, &at, &mut clusters, &mut notes);
        drafts.extend(found.into_iter().map(|mut draft| {
            draft.route.delegate = Some(leaf.name().to_string());
            Draft { rule: root.at.to_owned(), ..draft }
        }));
        if drafts.last().is_some_and(|draft| draft.catch_all) {
            break;
        }
    }
    drafts
}

/// A rule of the delegate with what the root says where it says nothing; `None` where their matches have nothing in common.
fn merge(root: &Root<'_, '_>, leaf: &HttpRoute, namespace: &str, domain: &str) -> Option<HttpRoute> {
    let own = root.object.namespace();
    let above = whole(root.rule, own, domain);
    let below = whole(leaf, namespace, domain);
    let matches = merge_matches(&above.r#match, &below.r#match)?;
    Some(HttpRoute {
        name: joined(&above.name, &below.name),
        r#match: matches,
        delegate: None,
        rewrite: below.rewrite.or(above.rewrite),
        direct_response: below.direct_response.or(above.direct_response),
        timeout: below.timeout.or(above.timeout),
        retries: below.retries.or(above.retries),
        fault: below.fault.or(above.fault),
        mirror: below.mirror.or(above.mirror),
        mirrors: if below.mirrors.is_empty() { above.mirrors } else { below.mirrors },
        mirror_percent: below.mirror_percent.or(above.mirror_percent),
        mirror_percentage: below.mirror_percentage.or(above.mirror_percentage),
        cors_policy: below.cors_policy.or(above.cors_policy),
        headers: below.headers.or(above.headers),
        ..below
    })
}

fn joined(root: &str, leaf: &str) -> String {
    match (root, leaf) {
        ("", name) | (name, "") => name.to_owned(),
        (root, leaf) => format!("{root}-{leaf}"),
    }
}

/// A rule with the names in it as they mean the same in every namespace.
fn whole(rule: &HttpRoute, namespace: &str, domain: &str) -> HttpRoute {
    let mut rule = rule.clone();
    let full = |destination: &mut Option<Destination>| {
        if let Some(destination) = destination {
            destination.host = names::whole(&destination.host, namespace, domain);
        }
    };
    full(&mut rule.mirror);
    rule.mirrors.iter_mut().for_each(|mirror| full(&mut mirror.destination));
    for gateway in rule.r#match.iter_mut().flat_map(|matching| &mut matching.gateways) {
        if let Some((namespace, name)) = names::gateway(gateway, namespace) {
            *gateway = format!("{namespace}/{name}");
        }
    }
    rule
}

/// Each match of the delegate has to fit one of the root's.
fn merge_matches(root: &[HttpMatchRequest], leaf: &[HttpMatchRequest]) -> Option<Vec<HttpMatchRequest>> {
    if root.is_empty() || leaf.is_empty() {
        return Some(if root.is_empty() { leaf } else { root }.to_vec());
    }
    let mut merged = Vec::new();
    for below in leaf {
        let before = merged.len();
        merged.extend(root.iter().filter(|above| fits(above, below)).map(|above| merge_match(above, below)));
        if merged.len() == before {
            return None;
        }
    }
    Some(merged)
}

fn merge_match(root: &HttpMatchRequest, leaf: &HttpMatchRequest) -> HttpMatchRequest {
    fn union<V: Clone>(root: &BTreeMap<String, V>, leaf: &BTreeMap<String, V>) -> BTreeMap<String, V> {
        root.iter().chain(leaf).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
    // What says less than the root does not widen it.
    let one = |root: &Option<StringMatch>, leaf: &Option<StringMatch>| match (root, leaf) {
        (Some(root), None | Some(StringMatch::Present)) => Some(root.clone()),
        (_, leaf) => leaf.clone(),
    };
    let narrowest = |root: &BTreeMap<String, StringMatch>, leaf: &BTreeMap<String, StringMatch>| {
        let mut all = union(root, leaf);
        let vague = leaf.iter().filter(|(_, leaf)| **leaf == StringMatch::Present);
        for (key, root) in vague.filter_map(|(key, _)| root.get_key_value(key)) {
            all.insert(key.clone(), root.clone());
        }
        all
    };
    // Of two exclusions under one key, the root's is the wider one, but for that of every value.
    let widest = |root: &BTreeMap<String, StringMatch>, leaf: &BTreeMap<String, StringMatch>| {
        let mut all = union(leaf, root);
        let every = leaf.iter().filter(|(_, leaf)| **leaf == StringMatch::Present);
        all.extend(every.map(|(key, leaf)| (key.clone(), leaf.clone())));
        all
    };
    let text = |leaf: &String, root: &String| if leaf.is_empty() { root.clone() } else { leaf.clone() };
    HttpMatchRequest {
        name: joined(&root.name, &leaf.name),
        uri: one(&root.uri, &leaf.uri),
        scheme: one(&root.scheme, &leaf.scheme),
        method: one(&root.method, &leaf.method),
        authority: one(&root.authority, &leaf.authority),
        headers: narrowest(&root.headers, &leaf.headers),
        without_headers: widest(&root.without_headers, &leaf.without_headers),
        query_params: narrowest(&root.query_params, &leaf.query_params),
        source_labels: union(&root.source_labels, &leaf.source_labels),
        port: if leaf.port == 0 { root.port } else { leaf.port },
        gateways: if leaf.gateways.is_empty() { root.gateways.clone() } else { leaf.gateways.clone() },
        ignore_uri_case: leaf.ignore_uri_case,
        source_namespace: text(&leaf.source_namespace, &root.source_namespace),
        stat_prefix: text(&leaf.stat_prefix, &root.stat_prefix),
    }
}

/// Whether a match of the delegate narrows one of the root.
fn fits(root: &HttpMatchRequest, leaf: &HttpMatchRequest) -> bool {
    let one = |root: &Option<StringMatch>, leaf: &Option<StringMatch>| match (root, leaf) {
        (Some(root), Some(leaf)) => narrows(root, leaf),
        _ => true,
    };
    let each = |root: &BTreeMap<String, StringMatch>, leaf: &BTreeMap<String, StringMatch>| {
        leaf.iter().all(|(key, leaf)| root.get(key).is_none_or(|root| narrows(root, leaf)))
    };
    let same = |root: &str, leaf: &str| root.is_empty() || leaf.is_empty() || root == leaf;
    one(&root.uri, &leaf.uri)
        && one(&root.scheme, &leaf.scheme)
        && one(&root.method, &leaf.method)
        && one(&root.authority, &leaf.authority)
        && each(&root.headers, &leaf.headers)
        && each(&root.without_headers, &leaf.without_headers)
        && each(&root.query_params, &leaf.query_params)
        && root.ignore_uri_case == leaf.ignore_uri_case
        && (root.port == 0 || leaf.port == 0 || root.port == leaf.port)
        && same(&root.source_namespace, &leaf.source_namespace)
        && leaf
            .source_labels
            .iter()
            .all(|(key, value)| root.source_labels.get(key).is_none_or(|own| own == value))
        && (root.gateways.is_empty() || leaf.gateways.iter().all(|name| root.gateways.contains(name)))
}

/// Whether a comparison of the delegate keeps within one of the root; nobody can say that of expressions.
fn narrows(root: &StringMatch, leaf: &StringMatch) -> bool {
    match (root, leaf) {
        (StringMatch::Present, _) | (_, StringMatch::Present) => true,
        (StringMatch::Regex(_), _) | (_, StringMatch::Regex(_)) => false,
        (StringMatch::Exact(root), StringMatch::Exact(leaf)) => root == leaf,
        (StringMatch::Exact(_), StringMatch::Prefix(_)) => false,
        (StringMatch::Prefix(root), StringMatch::Exact(leaf) | StringMatch::Prefix(leaf)) => {
            leaf.starts_with(root)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delegate_never_widens_what_the_root_matches() {
        let exact = |text: &str| StringMatch::Exact(text.to_owned());
        let prefix = |text: &str| StringMatch::Prefix(text.to_owned());
        let conditions = |uri: StringMatch, with: StringMatch, without: StringMatch| HttpMatchRequest {
            uri: Some(uri),
            headers: [("a".to_owned(), with.clone())].into(),
            query_params: [("q".to_owned(), with)].into(),
            without_headers: [("b".to_owned(), without)].into(),
            ..HttpMatchRequest::default()
        };
        let merged = |root: &HttpMatchRequest, leaf: &HttpMatchRequest| {
            assert!(fits(root, leaf), "{root:?} {leaf:?}");
            merge_match(root, leaf)
        };
        let root = conditions(prefix("/a"), exact("x"), prefix("y"));
        let vague = conditions(StringMatch::Present, StringMatch::Present, exact("yes"));
        assert_eq!(merged(&root, &vague), root);
        let narrow = conditions(exact("/a/b"), exact("x"), StringMatch::Present);
        assert_eq!(merged(&root, &narrow), narrow);
        assert_eq!(merged(&root, &HttpMatchRequest::default()), root);
        assert_eq!(merged(&HttpMatchRequest::default(), &narrow), narrow);
    }

    #[test]
    fn a_delegate_narrows_what_the_root_matches() {
        let exact = |text: &str| StringMatch::Exact(text.to_owned());
        let prefix = |text: &str| StringMatch::Prefix(text.to_owned());
        let regex = |text: &str| StringMatch::Regex(text.to_owned());
        for (root, leaf, fits) in [
            (exact("/a"), exact("/a"), true),
            (exact("/a"), exact("/b"), false),
            (exact("/a"), prefix("/a"), false),
            (prefix("/a"), exact("/ab"), true),
            (prefix("/a"), prefix("/a/b"), true),
            (prefix("/a/b"), prefix("/a"), false),
            (regex("a"), regex("a"), false),
            (prefix("/a"), regex("/a.*"), false),
            (StringMatch::Present, regex("a"), true),
        ] {
            assert_eq!(narrows(&root, &leaf), fits, "{root:?} {leaf:?}");
        }
    }
}
