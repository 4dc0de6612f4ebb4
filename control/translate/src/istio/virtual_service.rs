//! VirtualServices: what each says on its own, and those of one host as one virtual host.

use super::{
    attach::Claim,
    delegate,
    destination::{Anything, Clusters},
    matching, names,
    notes::Notes,
    route_field,
    rule::{self, Draft, Settled},
    site::{By, Here},
    sound,
};
use crate::{
    output::{Output, TableKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::{Held, Of},
};
use sluice_crds::{
    ObjectName,
    istio::{HttpRoute, VirtualService, rows},
};
use sluice_model::{
    NoFiles,
    spec::{
        Action, Cluster, Config, Listener, Redirect, Route, RouteMatch, RouteOrder, RouteTable,
        RouteTimeouts, Scheme, VirtualHost,
    },
    value::{Duration, HostPattern},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

/// What is to be said of a VirtualService on its own; it is not served where an error is among it.
pub(super) fn examine(object: Of<'_, VirtualService>, settings: &Settings) -> Vec<Report> {
    let mut notes = Notes::about(object.held());
    let content = &object.object().content;
    top_level(content, &mut notes);
    let labels = BTreeMap::new();
    let here = Here {
        by: By::Any,
        port: 80,
        scheme: Scheme::Http,
        labels: &labels,
        namespace: object.namespace(),
        retries: None,
    };
    let (mut drafts, mut delegating) = (Vec::new(), Vec::new());
    let mut ended: Option<usize> = None;
    for (index, rule) in content.http.iter().enumerate() {
        let at = format!("spec.http[{index}]");
        if let Some(before) = ended {
            let message = format!("never reached: http[{before}] takes every request; move it to the end");
            notes.odd(Reason::Unreachable, &at, message);
        }
        if rule.delegate.is_some() {
            // The other one may leave some of the requests to the rules behind this one.
            let place = (object.namespace(), &here);
            delegating.extend(delegate::examine(rule, content, place, &at, &mut notes));
            continue;
        }
        drafts.extend(rule::routes(rule, object.namespace(), &here, &at, &mut Anything, &mut notes));
        if ended.is_none() && unconditional(rule, object.held()) {
            ended = Some(index);
        }
    }
    twice(&drafts, &mut notes);
    drafts.extend(delegating);
    if notes.is_sound() {
        by_model(&drafts, &mut notes);
    }
    for (path, verdict, _) in rows::judge(content) {
        let refused = "the rule is not served";
        let found = Report::of_verdict(object.held(), verdict, refused, settings.allow_unprotected);
        notes.reports.extend(found.map(|report| report.at(path.to_string())));
    }
    notes.reports
}

/// Whether a rule takes every request at every place.
fn unconditional(rule: &HttpRoute, held: &Held) -> bool {
    rule.r#match.is_empty()
        || rule.r#match.iter().any(|written| {
            let everywhere = written.port == 0
                && written.gateways.is_empty()
                && written.source_labels.is_empty()
                && written.source_namespace.is_empty();
            // What is wrong with it was said already.
            let found = matching::conditions(written, "", &mut Notes::about(held));
            everywhere && found.is_some_and(|found| matching::is_catch_all(Some(written), &found))
        })
}

fn top_level(content: &VirtualService, notes: &mut Notes<'_>) {
    for (index, host) in content.hosts.iter().enumerate() {
        let at = format!("spec.hosts[{index}]");
        if !names::is_host(host) {
            notes.invalid(&at, format!("`{host}` is not a host: write a name, `*.name`, `*` or an address"));
        } else if host == "*"
            && (content.gateways.is_empty() || content.gateways.iter().any(|name| name == "mesh"))
        {
            notes.invalid(&at, "`*` cannot be bound to `mesh`; name a Gateway in `gateways`");
        }
        for (before, other) in content.hosts[..index].iter().enumerate() {
            let hosts = names::is_host(host) && names::is_host(other);
            if hosts && names::narrower(&names::plain(host), &names::plain(other)).is_some() {
                notes.invalid(&at, format!("`{host}` overlaps with `{other}` of hosts[{before}]"));
            }
        }
    }
    if content.hosts.is_empty() {
        for (field, there) in [
            ("gateways", !content.gateways.is_empty()),
            ("tls", !content.tls.is_empty()),
            ("tcp", !content.tcp.is_empty()),
        ] {
            if there {
                let message = "without `hosts` this is one that others delegate to, which has `http` only";
                notes.invalid(&format!("spec.{field}"), message);
            }
        }
    }
    if content.http.is_empty() && content.tls.is_empty() && content.tcp.is_empty() {
        notes.invalid("spec", "write at least one rule in `http`, `tls` or `tcp`");
    }
    exports(&content.export_to, notes);
    for (index, name) in content.gateways.iter().enumerate() {
        if name.is_empty() || name.split('/').count() > 2 {
            notes.invalid(
                &format!("spec.gateways[{index}]"),
                format!("`{name}` is not `name`, `namespace/name` or `mesh`"),
            );
        }
    }
}

/// The namespaces of `exportTo`, of any kind.
pub(super) fn exports(export_to: &[String], notes: &mut Notes<'_>) {
    let mut seen = HashSet::new();
    for (index, name) in export_to.iter().enumerate() {
        let at = format!("spec.exportTo[{index}]");
        if !seen.insert(name) {
            notes.invalid(&at, format!("`{name}` is listed twice"));
        } else if name == "*" && export_to.len() > 1 {
            notes.invalid(&at, "`*` is everybody already; leave the others out");
        }
    }
}

/// Rules whose conditions stand word by word in an earlier rule.
fn twice(drafts: &[Draft], notes: &mut Notes<'_>) {
    let mut seen: HashMap<(&[RouteMatch], &Settled), &str> = HashMap::new();
    for draft in drafts.iter().filter(|draft| !draft.catch_all) {
        match seen.entry((&draft.route.matches, &draft.settled)) {
            Entry::Occupied(first) if *first.get() != draft.rule => {
                let message = format!("has a match of {} again, which comes first", first.get());
                notes.odd(Reason::Unreachable, &draft.rule, message);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(&draft.rule);
            }
        }
    }
}

/// What the model finds wrong with the routes, each named after its rule.
fn by_model(drafts: &[Draft], notes: &mut Notes<'_>) {
    let routes = drafts.iter().enumerate().map(|(index, draft)| {
        let mut route = draft.route.clone();
        route.name = index.to_string();
        route
    });
    let host = VirtualHost {
        name: "host".to_owned(),
        hosts: vec![HostPattern::Any],
        order: RouteOrder::Explicit,
        routes: routes.collect(),
    };
    let config = Config {
        listeners: vec![Arc::new(Listener::new("l".to_owned(), ([127, 0, 0, 1], 0).into(), "t".to_owned()))],
        route_tables: vec![Arc::new(RouteTable {
            name: "t".to_owned(),
            virtual_hosts: vec![Arc::new(host)],
        })],
        clusters: vec![Arc::new(Cluster::new(Anything::NAME.to_owned(), Vec::new()))],
        ..Config::default()
    };
    let Err(found) = sluice_model::validate("object", config, &NoFiles) else { return };
    let mut said = HashSet::new();
    for (path, message) in sound::errors(&found) {
        let inside = path.strip_prefix("route_tables[0].virtual_hosts[0].routes[").unwrap_or(path);
        let (index, field) = inside.split_once(']').unwrap_or((inside, ""));
        let rule = index.parse::<usize>().ok().and_then(|index| drafts.get(index));
        let field = route_field::of(field.trim_start_matches('.'));
        let rule = rule.map_or("spec.http", |draft| &draft.rule);
        if said.insert((rule, field, message.clone())) {
            let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
            notes.invalid(rule, format!("{field}{message}"));
        }
    }
}

/// Istio bounds neither a request nor how long nothing may come.
pub(super) const UNBOUNDED: RouteTimeouts =
    RouteTimeouts { request: Duration::ZERO, idle: Duration::ZERO, send: Duration::ZERO };

/// A host at a place, and what has a say there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Host {
    /// VirtualServices, in the order in which they count.
    pub(super) claims: Vec<Claim>,
    /// The Gateway that sends requests without TLS to `https`.
    pub(super) redirects: Option<ObjectName>,
}

/// The virtual host of a host.
pub(super) fn virtual_host(
    view: &View<'_>,
    settings: &Settings,
    table: &TableKey,
    name: &str,
    host: &Host,
    output: &mut Output,
) {
    let Ok(pattern) = name.parse::<HostPattern>() else { return };
    let claims: Vec<_> = host
        .claims
        .iter()
        .map(|claim| {
            let here = Here {
                by: By::Servers(&claim.through),
                port: claim.through.first().map_or(table.port, |through| through.port),
                scheme: if table.server.is_some() { Scheme::Https } else { Scheme::Http },
                labels: &settings.labels,
                namespace: &settings.pod_namespace,
                retries: settings.mesh.retries.as_ref(),
            };
            (&claim.name, here)
        })
        .collect();
    let first = host.redirects.iter().map(to_https).collect();
    let routes = merged(view, settings, name, &claims, first, output).routes;
    if routes.is_empty() {
        return;
    }
    let virtual_host =
        VirtualHost { name: name.to_owned(), hosts: vec![pattern], order: RouteOrder::Explicit, routes };
    output.owners.extend(host.claims.iter().map(|claim| claim.name.clone()));
    output.hosts.push((table.clone(), Arc::new(virtual_host)));
}

/// The rules of several VirtualServices for one host.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) routes: Vec<Route>,
    /// Those that have any rule there, in the order in which they count.
    pub(super) owners: Vec<ObjectName>,
}

/// The rules of VirtualServices, each seen from its place, as one list behind the routes that come `first`. They come in their
/// order, but what takes every request comes last, and once.
pub(super) fn merged(
    view: &View<'_>,
    settings: &Settings,
    name: &str,
    claims: &[(&ObjectName, Here<'_>)],
    first: Vec<Route>,
    output: &mut Output,
) -> Merged {
    let mut routes: Vec<Draft> = Vec::new();
    let mut owners: Vec<Of<'_, VirtualService>> = Vec::new();
    let mut merged = Merged { routes: first, owners: Vec::new() };
    for (claim, here) in claims {
        let Some(object) = view.get::<VirtualService>(&claim.namespace, &claim.name) else {
            continue;
        };
        let drafts = of_claim(view, settings, object, here, output);
        merged.owners.extend((!drafts.is_empty()).then(|| (*claim).clone()));
        owners.extend(drafts.iter().map(|_| object));
        routes.extend(drafts);
    }
    let (rest, last): (Vec<_>, Vec<_>) =
        routes.into_iter().zip(owners).partition(|(draft, _)| !draft.catch_all);
    let mut last = last.into_iter();
    let first_catch_all = last.next();
    if let Some((_, owner)) = &first_catch_all {
        for (draft, object) in last.filter(|(_, object)| object.name() != owner.name()) {
            let message = format!(
                "never reached for host `{name}`: {} takes all that no other rule takes, and comes before it",
                owner.name()
            );
            output.reports.push(
                Report::new(object.held(), Level::Warning, Reason::Conflict, message).at(draft.rule.clone()),
            );
        }
    }
    let mut taken: HashMap<String, Option<ObjectName>> =
        merged.routes.iter().map(|route| (route.name.clone(), None)).collect();
    for (draft, object) in rest.into_iter().chain(first_catch_all) {
        let mut route = draft.route;
        let owner = object.name();
        name_apart(&mut route.name, &owner, &mut taken);
        route.origin = Some(owner.to_string());
        merged.routes.push(route);
    }
    merged
}

/// Makes the name of a route its own: where another object has it, it names its object, and where its own object has it
/// already, it gets a number.
fn name_apart(name: &mut String, owner: &ObjectName, taken: &mut HashMap<String, Option<ObjectName>>) {
    if taken.get(name).is_some_and(|other| other.as_ref() != Some(owner)) {
        *name = format!("{name} of {}/{}", owner.namespace, owner.name);
    }
    let base = name.clone();
    let mut number = 2;
    while taken.contains_key(name) {
        *name = format!("{base} ({number})");
        number += 1;
    }
    taken.insert(name.clone(), Some(owner.clone()));
}

/// The routes of a VirtualService at a place. What comes behind a route for every request is not there.
fn of_claim(
    view: &View<'_>,
    settings: &Settings,
    object: Of<'_, VirtualService>,
    here: &Here<'_>,
    output: &mut Output,
) -> Vec<Draft> {
    let own = object.namespace();
    // What an object says on its own was said when it was examined.
    let mut notes = Notes::about(object.held());
    let mut drafts: Vec<Draft> = Vec::new();
    for (index, rule) in object.object().content.http.iter().enumerate() {
        let at = format!("spec.http[{index}]");
        let found = if let Some(delegate) = &rule.delegate {
            let root = delegate::Root { object, rule, at: &at };
            delegate::routes(view, settings, &root, delegate, here, output)
        } else {
            let mut clusters = Clusters::new(view, settings, object, here.port, output);
            rule::routes(rule, own, here, &at, &mut clusters, &mut notes)
        };
        drafts.extend(found);
        if drafts.last().is_some_and(|draft| draft.catch_all) {
            break;
        }
    }
    drafts
}

fn to_https(gateway: &ObjectName) -> Route {
    let redirect = Redirect { scheme: Some(Scheme::Https), ..Redirect::default() };
    let mut route = Route::new("redirect to https".to_owned(), Action::Redirect(redirect));
    route.matches = vec![RouteMatch { scheme: Some(Scheme::Http), ..RouteMatch::default() }];
    route.origin = Some(gateway.to_string());
    route
}
