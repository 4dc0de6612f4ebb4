//! Which route a hypothetical request would take, and why the nearest others lose.
//!
//! The answer comes from the compiled configuration, the same that serves requests; only the reasons are found by asking
//! every rule of the virtual host on its own, which no request does.

mod arrival;
mod losers;
#[cfg(test)]
pub(crate) use losers::path_holds;
mod text;

use crate::{
    normalize::normalize,
    rewrite::HostRewrite,
    route::{Action, MatchInfo, MatchScratch, RequestView, Route},
    snapshot::{Cluster, Listener, Snapshot},
    split::{Destination, Forward, Shares, Why},
};
use sluice_model::{
    spec::{Scheme, UnderscorePolicy},
    value::HostPattern,
};
use std::{collections::BTreeMap, net::IpAddr};

/// A hypothetical request.
#[derive(Debug, Clone)]
pub struct Question {
    /// The listener by name; without it, the one at `port`; without both, the first.
    pub listener: Option<String>,
    /// The port that the request comes in on: that of the listener's address, or the one that clients know it by.
    pub port: Option<u16>,
    /// The ports where listeners really listen, by name, as far as they are others than their addresses say.
    pub bound: BTreeMap<String, u16>,
    /// As sent.
    pub method: String,
    /// Host, with a port if the client would send one.
    pub authority: String,
    /// The server name of the TLS handshake; without it, the host, unless that is an address. Plaintext listeners ignore
    /// it.
    pub server_name: Option<String>,
    /// Path, with a query if there is one.
    pub target: String,
    /// In any order; cookies as `cookie` fields.
    pub fields: Vec<(String, String)>,
    /// The client, as far as trust settles it.
    pub source: IpAddr,
}

/// What would happen to it, and why. `Display` is the text that `sluice explain` prints.
#[derive(Debug)]
pub struct Answer {
    /// The listener that accepts it.
    pub listener: String,
    /// The server name and the TLS scope that it picks, where the listener has scopes.
    pub scope: Option<Picked>,
    /// The path that routes are matched against.
    pub path: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The nearest others, nearest first.
    pub losers: Vec<Loser>,
}

/// A server name and what it picks.
#[derive(Debug, PartialEq, Eq)]
pub struct Picked {
    /// Empty where the client names none.
    pub server_name: String,
    /// The scope by name; `None` is the default one.
    pub scope: Option<String>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// No listener fits the question, or several do.
    NoListener {
        /// Those that fit, in words, each with its name and ports.
        fitting: Vec<String>,
        /// All that there are.
        all: Vec<String>,
    },
    /// The TLS scope that the server name picks, by its name, has no certificate, so the handshake is refused.
    Shut {
        /// Empty where the client names none.
        server_name: String,
        /// The scope.
        scope: String,
    },
    /// No TLS scope has this server name, and there is no default one: the handshake is refused.
    NoScope {
        /// Empty where the client names none.
        server_name: String,
    },
    /// The host belongs to another TLS scope than the connection (421 `DPE`).
    Misdirected {
        /// The scope of the host, by name; `None` is the default one.
        scope: Option<String>,
    },
    /// The path has no normal form (400).
    BadPath,
    /// No virtual host answers for the host (404 `NR`).
    NoHost,
    /// A virtual host does, but none of its routes matches (404 `NR`).
    NoRoute {
        /// The virtual host.
        virtual_host: String,
        /// The pattern that the host matches.
        pattern: String,
    },
    /// A route serves it.
    Route(Box<Served>),
}

/// The route that serves a request.
#[derive(Debug)]
pub struct Served {
    /// The virtual host.
    pub virtual_host: String,
    /// The pattern that the host matches.
    pub pattern: String,
    /// The route.
    pub route: String,
    /// The object that it was made from.
    pub origin: Option<String>,
    /// The object that wrote the rule, where that one left it to another.
    pub delegate: Option<String>,
    /// The conditions that held, in words.
    pub held: Vec<String>,
    /// What is done.
    pub outcome: Outcome,
    /// What the upstream gets in place of the path, where it is rewritten.
    pub rewritten: Option<String>,
    /// The host that the upstream gets, where it is rewritten.
    pub host: Option<String>,
    /// Clusters that get a copy, with their share in percent.
    pub mirrors: Vec<(String, String)>,
}

/// What is done with a request.
#[derive(Debug)]
pub enum Outcome {
    /// It goes to one of these; one entry where something decided.
    Forward {
        /// What decides.
        why: Why,
        /// Where it may go.
        to: Vec<Target>,
        /// The percentage of the requests like this one that nobody gets (503 `NC`), as all main destinations weigh 0.
        nobody: f64,
        /// Canaries that a header or cookie rule keeps from it, with the objects that they were made from.
        ruled_out: Vec<(String, Option<String>)>,
    },
    /// Every weight that counts is 0 (503 `NC`).
    Nowhere,
    /// The client is told to go elsewhere.
    Redirect {
        /// The status.
        status: u16,
        /// The `location`.
        location: String,
    },
    /// It is answered here.
    Respond {
        /// The status.
        status: u16,
        /// Bytes of the body.
        bytes: usize,
    },
}

/// A cluster that a request may go to.
#[derive(Debug)]
pub struct Target {
    /// The cluster.
    pub cluster: String,
    /// Its share of the requests like this one, in percent.
    pub share: f64,
    /// The objects that have a say in it: that of its canary, or of the route where it has canaries, and those of the cluster.
    pub origins: Vec<String>,
    /// Where it is served, as written: names are not resolved. Empty answers 503 `UH`; `None`, where it only stands in for
    /// something that is not there, 503 `NC`.
    pub endpoints: Option<Vec<String>>,
}

/// A route that does not serve the request.
#[derive(Debug)]
pub struct Loser {
    /// The route.
    pub route: String,
    /// The object that it was made from.
    pub origin: Option<String>,
    /// Why not.
    pub reason: String,
}

/// Answers the question.
pub fn explain(snapshot: &Snapshot, question: &Question) -> Answer {
    let mut answer = Answer {
        listener: String::new(),
        scope: None,
        path: String::new(),
        verdict: Verdict::BadPath,
        losers: Vec::new(),
    };
    let listener = match arrival::listener(snapshot, question) {
        Ok(listener) => listener,
        Err(verdict) => {
            answer.verdict = verdict;
            return answer;
        }
    };
    answer.listener.clone_from(&listener.spec.name);
    let authority = question.authority.to_ascii_lowercase();
    let host = crate::hygiene::host_of(&authority);
    if let Err(verdict) = arrival::handshake(listener, question, host, &mut answer) {
        answer.verdict = verdict;
        return answer;
    }
    let (path, query) = match question.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (question.target.as_str(), None),
    };
    let mut scratch = String::new();
    let Ok(path) = normalize(listener.spec.path.normalize, path, &mut scratch) else {
        answer.verdict = Verdict::BadPath;
        return answer;
    };
    path.clone_into(&mut answer.path);
    let drops = listener.spec.headers.underscores == UnderscorePolicy::Drop;
    let heeded = |field: &&(String, String)| !(drops && field.0.contains('_'));
    let fields: Vec<(&str, &str)> =
        question.fields.iter().filter(heeded).map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = RequestView {
        method: &question.method,
        scheme: if listener.spec.tls.is_some() { Scheme::Https } else { Scheme::Http },
        authority: &authority,
        host,
        path,
        query,
        source: question.source,
        port: listener.spec.public_port.or(question.port).unwrap_or(listener.spec.address.port()),
        fields: &fields,
    };
    route(snapshot, listener, &request, &mut answer);
    answer
}

type View<'a> = RequestView<'a, Vec<(&'a str, &'a str)>>;

/// The scope that a host belongs to, for one that was misdirected.
fn scope_of(listener: &Listener, host: &str) -> Option<String> {
    let scopes = listener.scopes.as_ref()?.scopes();
    scopes.name(scopes.find(host)?).map(ToString::to_string)
}

fn route(snapshot: &Snapshot, listener: &Listener, request: &View<'_>, answer: &mut Answer) {
    let scope = answer.scope.as_ref().and_then(|picked| picked.scope.as_deref());
    let Some(table) = listener.serving(scope, request.host) else {
        answer.verdict = Verdict::Misdirected { scope: scope_of(listener, request.host) };
        return;
    };
    let mut scratch = MatchScratch::default();
    let Some(virtual_host) = table.virtual_host(request.host, &mut scratch) else {
        answer.verdict = Verdict::NoHost;
        return;
    };
    let patterns: Vec<_> = virtual_host.spec().hosts.iter().map(HostPattern::to_string).collect();
    let (name, pattern) = (virtual_host.name().to_string(), patterns.join(", "));
    let found = virtual_host.find(request, &mut scratch);
    answer.losers =
        losers::nearest(virtual_host, found.map(|(_, info)| info), found.map(|(route, _)| route), request);
    answer.verdict = match found {
        None => Verdict::NoRoute { virtual_host: name, pattern },
        Some((route, info)) => Verdict::Route(Box::new(Served {
            virtual_host: name,
            pattern,
            route: route.name.to_string(),
            origin: route.origin.as_deref().map(str::to_owned),
            delegate: route.delegate.as_deref().map(str::to_owned),
            held: losers::held(virtual_host, route, info),
            outcome: outcome(snapshot, route, info, request, &mut scratch),
            rewritten: rewritten(route, info, request, &mut scratch),
            host: route.rewrite.host().map(|host| match host {
                HostRewrite::Literal(host) => host.to_string(),
                HostRewrite::Endpoint => "that of the endpoint".to_owned(),
            }),
            mirrors: route
                .mirrors
                .iter()
                .map(|mirror| (mirror.cluster_name.to_string(), mirror.percent.to_string()))
                .collect(),
        })),
    };
}

fn rewritten(
    route: &Route,
    info: MatchInfo,
    request: &View<'_>,
    scratch: &mut MatchScratch,
) -> Option<String> {
    let mut path = Vec::new();
    route
        .rewrite
        .path(request.path, info, scratch, &mut path)
        .then(|| String::from_utf8_lossy(&path).into_owned())
}

fn outcome(
    snapshot: &Snapshot,
    route: &Route,
    info: MatchInfo,
    request: &View<'_>,
    scratch: &mut MatchScratch,
) -> Outcome {
    match &route.action {
        Action::Respond(response) => Outcome::Respond { status: response.status, bytes: response.body.len() },
        Action::Redirect(redirect) => {
            let mut location = Vec::new();
            redirect.location(request, info, scratch, &mut location);
            Outcome::Redirect {
                status: redirect.status,
                location: String::from_utf8_lossy(&location).into_owned(),
            }
        }
        Action::Forward(forward) => {
            let origin = route.origin.as_deref().filter(|_| forward.canaries().next().is_some());
            forwarded(snapshot, forward, origin, request, scratch)
        }
    }
}

/// `origin` is the object of the main destinations, where there are others.
fn forwarded(
    snapshot: &Snapshot,
    forward: &Forward,
    origin: Option<&str>,
    request: &View<'_>,
    scratch: &mut MatchScratch,
) -> Outcome {
    let Shares { why, to, nobody } = forward.shares(request, scratch);
    if to.is_empty() {
        return Outcome::Nowhere;
    }
    let target = |(destination, share): (&Destination, f64)| {
        let cluster = snapshot.cluster(destination.cluster);
        let origin = destination.origin.as_deref().or(origin).map(str::to_owned);
        Target {
            cluster: destination.cluster_name.to_string(),
            share: share * 100.0,
            // What it stands in for is said where it is unavailable too.
            origins: origin
                .into_iter()
                .chain(snapshot.origins(&destination.cluster_name).iter().cloned())
                .collect(),
            endpoints: cluster.map(|cluster| endpoints(cluster)),
        }
    };
    let to = to.into_iter().map(target).collect();
    let ruled_out = forward.ruled_out(request, scratch).into_iter();
    let named = |destination: &Destination| {
        (destination.cluster_name.to_string(), destination.origin.as_deref().map(str::to_owned))
    };
    let ruled_out = ruled_out.map(named).collect();
    Outcome::Forward { why, to, nobody: nobody * 100.0, ruled_out }
}

fn endpoints(cluster: &Cluster) -> Vec<String> {
    if cluster.spec.original_destination {
        return vec!["the address that the connection was on its way to".to_owned()];
    }
    let written = cluster.spec.endpoints.iter().filter(|endpoint| endpoint.weight > 0);
    written.map(|endpoint| endpoint.address.to_string()).collect()
}
