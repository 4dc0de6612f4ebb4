//! AuthorizationPolicy, RequestAuthentication and PeerAuthentication: which of them are about this gateway, and what it
//! refuses because of them.
//!
//! None of them is in effect. Of what a pod has to enforce, this process enforces its own part: whatever an
//! AuthorizationPolicy or a RequestAuthentication that selects the gateway's pod can concern answers 503, whichever object
//! the route comes from. Policies of other pods are theirs to enforce, and so are those of connections that come to them.

use super::port::within;
use crate::{
    marks::{Mark, Marks},
    output::{Output, TableKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::{Role, Settings},
    store::Held,
};
use sluice_crds::{
    Kind, Known, Object, ObjectName, Verdict,
    istio::{
        AuthorizationAction, AuthorizationPolicy, Operation, PeerAuthentication, PolicySelector,
        PolicyTargetReference, RequestAuthentication, rows,
    },
};
use sluice_model::{
    spec::{Action, DirectResponse, Route, VirtualHost},
    tree::Path,
    value::{HostPattern, StatusCode},
};
use std::sync::Arc;

/// On policies that are only tried out.
const DRY_RUN: &str = "istio.io/dry-run";

/// The labels of pods that serve a Gateway of the Gateway API, and the class of it.
const GATEWAY_NAME_LABELS: [&str; 2] = ["gateway.networking.k8s.io/gateway-name", "istio.io/gateway-name"];
const GATEWAY_CLASS_LABEL: &str = "gateway.networking.k8s.io/gateway-class-name";

/// The policies that close routes, and what is to be said of all.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Policies {
    closing: Vec<Closing>,
    pub(crate) reports: Vec<Report>,
}

/// A policy that is not in effect, so that what it can concern is refused.
#[derive(Debug, PartialEq)]
struct Closing {
    policy: ObjectName,
    concerns: Concerns,
}

/// What a policy can concern.
#[derive(Debug, Clone, PartialEq)]
enum Concerns {
    /// Any request.
    Everything,
    /// Requests that come to one of these.
    Only(Vec<Target>),
    /// None, for this reason.
    Nothing(&'static str),
}

/// Hosts and ports, all where there are none.
#[derive(Debug, Clone, PartialEq)]
struct Target {
    hosts: Vec<String>,
    ports: Vec<u16>,
}

/// Looks at all policies.
pub(crate) fn look(view: &View<'_>, settings: &Settings) -> Policies {
    let mut policies = Policies::default();
    for (held, object) in every::<AuthorizationPolicy>(view) {
        let content = &object.content;
        let targets = content.target_ref.iter().chain(&content.target_refs);
        if selects(content.selector.as_ref(), targets, object, settings) {
            let concerns = if is_unclear(object) { Concerns::Everything } else { of_authorization(object) };
            policies.judge(held, AuthorizationPolicy::KIND, concerns, settings);
        } else {
            policies.of_others(held, AuthorizationPolicy::KIND, settings);
        }
    }
    for (held, object) in every::<RequestAuthentication>(view) {
        let content = &object.content;
        let targets = content.target_ref.iter().chain(&content.target_refs);
        if !selects(content.selector.as_ref(), targets, object, settings) {
            policies.of_others(held, RequestAuthentication::KIND, settings);
        } else if content.jwt_rules.is_empty() && !is_unclear(object) {
            let concerns = Concerns::Nothing("no effect: it has no `jwtRules`");
            policies.judge(held, RequestAuthentication::KIND, concerns, settings);
        } else {
            policies.judge(held, RequestAuthentication::KIND, Concerns::Everything, settings);
        }
    }
    for (held, _) in every::<PeerAuthentication>(view) {
        let verdict = rows::verdict(PeerAuthentication::KIND, &Path::root());
        let refused = "connections to the pods that it selects are theirs to refuse";
        policies.reports.extend(Report::of_verdict(held, verdict, refused, false));
    }
    policies
}

/// Whether something of what a policy says could not be read, be it a field that nobody knows: `rule` may mean `rules`, and
/// without those it would shut nothing.
fn is_unclear<K: Known>(object: &Object<K>) -> bool {
    object.is_rejected() || object.problems.iter().any(|problem| problem.path.to_string().starts_with("spec"))
}

/// All objects of a kind, also those with mistakes: a policy that cannot be read is one all the same.
fn every<'s, K: Known>(view: &View<'s>) -> impl Iterator<Item = (&'s Held, &'s Object<K>)> {
    view.written::<K>().filter_map(|held| Some((held, K::of(held.object())?)))
}

/// Whether a policy is about the gateway's pod.
fn selects<'o, K: Known>(
    selector: Option<&PolicySelector>,
    targets: impl Iterator<Item = &'o PolicyTargetReference>,
    object: &Object<K>,
    settings: &Settings,
) -> bool {
    // Policies are about what comes to a pod; a sidecar serves what goes out.
    if settings.role != Role::Gateway {
        return false;
    }
    let own = object.metadata.namespace.as_deref().unwrap_or_default();
    let root = own == settings.root_namespace;
    if own != settings.pod_namespace && !root {
        return false;
    }
    // Whom it is about is among what cannot be read.
    let unknown = object.problems.iter().any(|problem| {
        let path = problem.path.to_string();
        path == "spec" || path.starts_with("spec.selector") || path.starts_with("spec.targetRef")
    });
    if object.is_rejected() && (unknown || object.problems.is_empty()) {
        return true;
    }
    let label = |label: &str, name: &str| settings.labels.get(label).is_some_and(|value| value == name);
    let mut targets = targets.peekable();
    if targets.peek().is_some() {
        return targets.any(|target| match (target.group.as_str(), target.kind.as_str()) {
            ("gateway.networking.k8s.io", "Gateway") => {
                own == settings.pod_namespace
                    && GATEWAY_NAME_LABELS.iter().any(|key| label(key, &target.name))
            }
            ("gateway.networking.k8s.io", "GatewayClass") => root && label(GATEWAY_CLASS_LABEL, &target.name),
            _ => false,
        });
    }
    selector.is_none_or(|selector| within(&selector.match_labels, &settings.labels))
}

/// What an AuthorizationPolicy can concern.
fn of_authorization(object: &Object<AuthorizationPolicy>) -> Concerns {
    let content = &object.content;
    if object.annotation(DRY_RUN) == Some("true") {
        return Concerns::Nothing("it is tried out only (`istio.io/dry-run`), so nothing is refused");
    }
    match content.action {
        AuthorizationAction::Audit => Concerns::Nothing("AUDIT notes down and refuses nothing"),
        AuthorizationAction::Allow => {
            let always = content
                .rules
                .iter()
                .any(|rule| rule.from.is_empty() && rule.to.is_empty() && rule.when.is_empty());
            if always { Concerns::Nothing("it allows everything") } else { Concerns::Everything }
        }
        AuthorizationAction::Deny | AuthorizationAction::Custom if content.rules.is_empty() => {
            Concerns::Nothing("it has no `rules`, so it matches nothing")
        }
        AuthorizationAction::Deny | AuthorizationAction::Custom => {
            if content.rules.iter().any(|rule| rule.to.is_empty()) {
                return Concerns::Everything;
            }
            let operations = content.rules.iter().flat_map(|rule| &rule.to);
            let targets = operations.map(|to| to.operation.as_ref().map(Target::of));
            targets.collect::<Option<_>>().map_or(Concerns::Everything, Concerns::Only)
        }
    }
}

// === impl Policies ===

impl Policies {
    fn judge(&mut self, held: &Held, kind: &'static str, concerns: Concerns, settings: &Settings) {
        let verdict = rows::verdict(kind, &Path::root());
        let refused = match &concerns {
            Concerns::Nothing(why) => {
                let message = (*why).to_owned();
                self.reports.push(Report::new(held, Level::Info, Reason::NoEffect, message));
                return;
            }
            Concerns::Everything => "it selects this gateway, so all routes answer 503",
            Concerns::Only(_) => {
                "it selects this gateway, so the routes of the hosts and ports that it names answer 503"
            }
        };
        self.reports.extend(Report::of_verdict(held, verdict, refused, settings.allow_unprotected));
        if verdict.fails_closed() && !settings.allow_unprotected {
            self.closing.push(Closing { policy: held.object().name(), concerns });
        }
    }

    /// It is about pods that are not this one.
    fn of_others(&mut self, held: &Held, kind: &'static str, settings: &Settings) {
        if let Verdict::FailsClosed(need) = rows::verdict(kind, &Path::root()) {
            let why = match settings.role {
                Role::Gateway => {
                    "it does not select this gateway, and the pods that it selects have to enforce it"
                }
                Role::Sidecar(_) => {
                    "the pods that it selects have to enforce it where requests come in, and here they go out"
                }
            };
            let message = format!("{}; {why}", Verdict::NotYet(need));
            self.reports.push(Report::new(held, Level::Info, Reason::NotInEffect, message));
        }
    }

    /// Whether both refuse the same.
    pub(crate) fn refuse_as(&self, other: &Self) -> bool {
        self.closing == other.closing
    }

    /// The virtual hosts of outputs that are shut, each under the policies that shut it.
    pub(crate) fn marks<'o>(&self, settings: &Settings, outputs: impl Iterator<Item = &'o Output>) -> Marks {
        let mut marks = Marks::new();
        if self.closing.is_empty() {
            return marks;
        }
        for (table, host) in outputs.flat_map(|output| &output.hosts) {
            for closing in self.closing.iter().filter(|closing| closing.concerns.host(settings, table, host))
            {
                let virtual_host = Some(host.name.clone());
                let mark = Mark { route_table: table.to_string(), virtual_host };
                marks.entry(closing.policy.clone()).or_default().insert(mark);
            }
        }
        marks
    }

    /// Lets the routes that the policies can concern answer 503.
    pub(crate) fn close(&self, settings: &Settings, output: &mut Output) {
        if self.closing.is_empty() {
            return;
        }
        let mut open = false;
        let Output { hosts, closed, .. } = output;
        for (table, host) in hosts {
            let closing = self.closing.iter().find(|closing| closing.concerns.host(settings, table, host));
            let Some(closing) = closing else {
                open = true;
                continue;
            };
            Arc::make_mut(host).routes.iter_mut().for_each(refuse);
            if !closed.contains(&closing.policy) {
                closed.push(closing.policy.clone());
            }
        }
        if !open {
            output.clusters.clear();
            output.missing.clear();
            output.secrets.clear();
        }
    }
}

/// What it matches is kept, so that nothing else takes its requests.
fn refuse(route: &mut Route) {
    let action = Action::Respond(DirectResponse {
        status: StatusCode::SERVICE_UNAVAILABLE,
        body: String::new(),
        content_type: None,
    });
    let bare = Route::new(std::mem::take(&mut route.name), action);
    *route = Route { matches: std::mem::take(&mut route.matches), origin: route.origin.take(), ..bare };
}

// === impl Concerns ===

impl Concerns {
    fn host(&self, settings: &Settings, table: &TableKey, host: &VirtualHost) -> bool {
        match self {
            Self::Everything => true,
            Self::Nothing(_) => false,
            Self::Only(targets) => targets.iter().any(|target| target.meets(settings, table, host)),
        }
    }
}

// === impl Target ===

impl Target {
    /// Paths and methods may be met by any route; so may what a rule excludes.
    fn of(operation: &Operation) -> Self {
        let ports: Option<Vec<u16>> = operation.ports.iter().map(|port| port.parse().ok()).collect();
        Self { hosts: operation.hosts.clone(), ports: ports.unwrap_or_default() }
    }

    fn meets(&self, settings: &Settings, table: &TableKey, host: &VirtualHost) -> bool {
        let port = self.ports.is_empty()
            || self.ports.contains(&table.port)
            || self.ports.contains(&settings.address(table.port).port());
        let named = || self.hosts.iter().any(|own| host.hosts.iter().any(|pattern| may_meet(own, pattern)));
        port && (self.hosts.is_empty() || named())
    }
}

/// Whether a request for one of the pattern's hosts may be for the host of a policy, which is exact, `prefix*`, `*suffix`
/// or `*`, with or without a port.
fn may_meet(host: &str, pattern: &HostPattern) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host.split_once(':').map_or(&*host, |(host, _)| host);
    match (pattern, host.strip_prefix('*'), host.strip_suffix('*')) {
        (HostPattern::Exact(name), Some(end), _) => name.ends_with(end),
        (HostPattern::Exact(name), None, Some(begin)) => name.starts_with(begin),
        (HostPattern::Exact(name), None, None) => **name == *host,
        (HostPattern::Suffix(suffix), Some(end), _) => suffix.ends_with(end) || end.ends_with(&**suffix),
        (HostPattern::Suffix(suffix), None, None) => host.ends_with(&**suffix),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
