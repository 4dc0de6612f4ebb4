//! Which route serves a request: hosts first, then the routes of the host.
//!
//! A [`RouteTable`] is compiled once and shared; finding a route allocates nothing and costs the same whatever the number
//! of hosts and paths. What a look-up needs to write on is a [`MatchScratch`], one per shard.

pub(crate) mod condition;
mod error_pages;
mod host;
pub(crate) mod pattern;
mod precedence;
mod radix;
mod retry;
mod table;
#[cfg(test)]
mod tests;
mod virtual_host;

pub use error_pages::ErrorPages;
pub(crate) use host::HostIndex;
pub use host::covers;
pub use retry::Retry;
pub use table::RouteTable;
pub use virtual_host::VirtualHost;

use crate::{
    edits::{CompiledEdits, RouteEdits},
    rewrite::{Redirect, ResponseRewrite, Rewrite},
    snapshot::ClusterId,
    split::Forward,
};
use sluice_filter::{Chain, Fields};
pub use sluice_model::spec::Scheme;
use sluice_model::{
    spec::{self, MirrorTarget},
    value::Percent,
};
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

/// What matching looks at. `host`, `authority` and `path` are what the hygiene table made of the request.
#[derive(Debug)]
pub struct RequestView<'a, F: Fields + ?Sized> {
    /// As sent.
    pub method: &'a str,
    /// As far as trust settles it.
    pub scheme: Scheme,
    /// Host and port as sent, in lower case.
    pub authority: &'a str,
    /// In lower case, without port and trailing dot; empty where the request named none.
    pub host: &'a str,
    /// The path without query, in the listener's normal form.
    pub path: &'a str,
    /// Without `?`.
    pub query: Option<&'a str>,
    /// The client, as far as trust settles it.
    pub source: IpAddr,
    /// The port that the request came in on.
    pub port: u16,
    /// The header fields as received.
    pub fields: &'a F,
}

/// What a look-up needs to write on: regex caches and a few buffers. One per shard; its memory is reused, and grows with
/// the expressions that requests met.
#[derive(Debug, Default)]
pub struct MatchScratch {
    pub(crate) patterns: pattern::PatternCaches,
    pub(crate) values: condition::ValueScratch,
    /// Candidate lists of the look-up under way.
    lists: Vec<(u32, u32)>,
    /// The path in lower case.
    folded: Vec<u8>,
}

/// The answer of a look-up.
#[derive(Debug)]
pub enum Outcome<'t> {
    /// This route serves the request.
    Found(&'t Arc<Route>, MatchInfo),
    /// The host is known, but none of its routes matches.
    NoRoute,
    /// No virtual host has a pattern for the host.
    NoHost,
}

/// What rewrites need to know about the match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchInfo {
    /// Which of the route's matches it was; 0 too where the route has none and so matches everything.
    pub index: usize,
    /// The path condition that held.
    pub path: PathMatched,
}

/// The path condition that held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathMatched {
    /// The match has no path condition.
    Any,
    /// The whole path.
    Exact,
    /// Whole segments; so many bytes, a trailing slash of the condition not counted.
    Prefix(usize),
    /// So many bytes.
    StringPrefix(usize),
    /// A regular expression.
    Regex,
}

/// A route, ready to serve. A request that uses it keeps it alive through a swap.
pub struct Route {
    /// Unique in its virtual host.
    pub name: Arc<str>,
    /// Its virtual host.
    pub virtual_host: Arc<str>,
    /// The object that it was made from.
    pub origin: Option<Arc<str>>,
    /// See [`spec::Route::delegate`].
    pub delegate: Option<Arc<str>>,
    /// The rule of that object, for metrics.
    pub labels: Option<Arc<spec::RouteLabels>>,
    /// What is done with the request.
    pub action: Action,
    /// How path and host change on the way up.
    pub rewrite: Rewrite,
    /// How links and cookies in answers change; `None` for most routes.
    pub response_rewrite: Option<Box<ResponseRewrite>>,
    /// Header edits of the route; those of the destination run before them.
    pub edits: RouteEdits,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// What is tried again.
    pub retry: Retry,
    /// Request body in bytes; absent takes the listener's limit.
    pub max_body: Option<u64>,
    /// Pages in the place of errors; `None` for most routes.
    pub error_pages: Option<Box<ErrorPages>>,
    /// Copies that go elsewhere.
    pub mirrors: Box<[Mirror]>,
    /// Filters; `None` where there is none, so that most requests make no virtual call.
    pub chain: Option<Arc<dyn Chain>>,
}

/// What is done with a request.
#[derive(Debug)]
pub enum Action {
    /// Send it to a cluster, or split it over several.
    Forward(Forward),
    /// Tell the client to go elsewhere.
    Redirect(Redirect),
    /// Answer it here.
    Respond(DirectResponse),
}

/// Bounds in time; `None` is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// See [`spec::RouteTimeouts::request`].
    pub request: Option<Duration>,
    /// See [`spec::RouteTimeouts::idle`].
    pub idle: Option<Duration>,
    /// See [`spec::RouteTimeouts::send`].
    pub send: Option<Duration>,
}

/// An answer that needs no upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectResponse {
    /// 200 to 599.
    pub status: u16,
    /// May be empty.
    pub body: bytes::Bytes,
    /// `None` where there is no body and none was asked for.
    pub content_type: Option<Box<str>>,
}

/// A copy of the request that goes elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirror {
    /// The cluster that gets the copy.
    pub cluster: ClusterId,
    /// Its name.
    pub cluster_name: Arc<str>,
    /// How many requests are copied.
    pub percent: Percent,
    /// The host that the copy carries in place of the request's.
    pub host: Option<Box<str>>,
    /// What the copy asks for in place of what the request does.
    pub target: Option<MirrorTarget>,
    /// Edits of the copy's head, after the route's.
    pub edits: CompiledEdits,
}

// === impl Route ===

impl fmt::Debug for Route {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Route")
            .field("name", &self.name)
            .field("virtual_host", &self.virtual_host)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

// === impl Timeouts ===

impl From<&spec::RouteTimeouts> for Timeouts {
    fn from(timeouts: &spec::RouteTimeouts) -> Self {
        let spec::RouteTimeouts { request, idle, send } = timeouts;
        Self { request: request.limit(), idle: idle.limit(), send: send.limit() }
    }
}
