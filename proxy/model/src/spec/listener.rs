//! Listeners: sockets that accept traffic, and whom they trust.

use super::{OriginalDestination, is_default};
use crate::value::{Cidr, Duration, HeaderName, HostPattern, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A socket that accepts HTTP traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Unique; the listener's identity across reloads.
    pub name: String,
    /// Address and port; port 0 takes a free one (shown by `/listeners`).
    #[schemars(with = "String")]
    #[serde(with = "crate::value::socket_address")]
    pub address: SocketAddr,
    /// The port that clients know it by, where something in front of it maps that to the address's: what `port`
    /// conditions compare and `x-forwarded-port` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_port: Option<u16>,
    /// The route table that serves it.
    pub route_table: String,
    /// HTTP versions spoken. Without TLS the first bytes tell them apart; with TLS, ALPN does.
    #[serde(default = "both_protocols")]
    pub protocols: Vec<Protocol>,
    /// Refuse HTTP/1.0 with 426.
    #[serde(default, skip_serializing_if = "is_default")]
    pub require_http11: bool,
    /// TLS; absent means plaintext.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// Connections that were on their way to somewhere else, and say so; absent serves all of them where they came in.
    /// Not beside `tls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_destination: Option<OriginalDestination>,
    /// How the request path is brought to its normal form, and which form the upstream gets.
    #[serde(default, skip_serializing_if = "is_default")]
    pub path: PathPolicy,
    /// Header fields that are treated specially.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: HeaderPolicy,
    /// Whose forwarded headers are believed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forwarded: Forwarded,
    /// What happens to `x-request-id`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub request_id: RequestId,
    /// Bounds in bytes and counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: ListenerLimits,
    /// Bounds in time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: ListenerTimeouts,
}

fn both_protocols() -> Vec<Protocol> {
    vec![Protocol::Http1, Protocol::Http2]
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1 and HTTP/1.0.
    Http1,
    /// HTTP/2: over TLS by ALPN, in plaintext by prior knowledge.
    Http2,
}

/// TLS at a listener.
///
/// A client's server name (SNI) picks a scope, and the scope picks certificates and routes. What none of
/// [`scopes`](Self::scopes) names falls to the default scope, which has the certificates that stand here and the
/// listener's route table; without certificates here there is no default scope, and such handshakes are refused with
/// the alert `unrecognized_name`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerTls {
    /// Secrets of kind `tls`, those of the default scope. The server name picks the certificate whose names cover it,
    /// exact before wildcard; the first one serves clients that name none or an unknown one. May be left out where there
    /// are scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// Refuse handshakes whose server name no certificate covers, in place of serving the first certificate.
    #[serde(default, skip_serializing_if = "is_default")]
    pub require_known_name: bool,
    /// Servers of their own at the same port, as the servers of an Istio Gateway are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<TlsScope>,
}

/// One of several servers behind a TLS listener, with names, certificates and routes of its own.
///
/// A connection belongs to the scope that its server name picked. A request on it whose host belongs to another scope
/// gets 421 (RFC 9110 section 15.5.20), so that a client which sends several hosts over one HTTP/2 connection sends it
/// again on another one; the connection itself lives on. A host that belongs to no scope is served where it came in.
///
/// On a configuration swap a connection keeps its scope by name: it is served with what the scope of that name has now.
/// When there is none of that name any more, each further request on the connection gets 421.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsScope {
    /// Unique in the listener; the scope's identity across reloads.
    pub name: String,
    /// Names that belong to the scope: exact, `*.suffix` (one label or more), `?.suffix` (exactly one), or `*` for
    /// all others and for clients that name none. Exact beats suffix, a longer suffix beats a shorter one. The same
    /// patterns sort requests by their host.
    pub server_names: Vec<HostPattern>,
    /// Secrets of kind `tls`, chosen as at the listener. Without any, every handshake that asks for the scope is refused
    /// with the alert `unrecognized_name`, and none falls to another scope.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// The route table that serves it; absent takes the listener's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_table: Option<String>,
    /// Refuse handshakes whose server name no certificate of the scope covers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub require_known_name: bool,
}

impl Listener {
    /// A plaintext listener with every default.
    pub fn new(name: String, address: SocketAddr, route_table: String) -> Self {
        Self {
            name,
            address,
            public_port: None,
            route_table,
            protocols: both_protocols(),
            require_http11: false,
            tls: None,
            original_destination: None,
            path: PathPolicy::default(),
            headers: HeaderPolicy::default(),
            forwarded: Forwarded::default(),
            request_id: RequestId::default(),
            limits: ListenerLimits::default(),
            timeouts: ListenerTimeouts::default(),
        }
    }

    /// The TLS scopes beside the default one; none without TLS.
    pub fn scopes(&self) -> &[TlsScope] {
        self.tls.as_ref().map_or(&[], |tls| &tls.scopes)
    }
}

/// How the request path is brought to its normal form before matching, and which form the upstream gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PathPolicy {
    /// The normal form that routes are matched against.
    pub normalize: NormalizePath,
    /// What the upstream gets when no rewrite applies.
    pub upstream: UpstreamPath,
}

impl Default for PathPolicy {
    fn default() -> Self {
        Self { normalize: NormalizePath::Base, upstream: UpstreamPath::Normalized }
    }
}

/// Normal forms of a path, each including the one before (Istio's `pathNormalization`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormalizePath {
    /// As received.
    None,
    /// RFC 3986 dot segments removed, `\` read as `/`, percent-encoded unreserved characters decoded, hexadecimal
    /// digits in upper case.
    #[default]
    Base,
    /// Also: `//` becomes `/`.
    MergeSlashes,
    /// Also: `%2F` and `%5C` are decoded before the slashes are merged.
    DecodeAndMergeSlashes,
    /// Also: every other character that may stand in a path as it is is decoded, and what may not is percent-encoded, so that
    /// paths which nginx reads as the same have one form.
    DecodeAll,
}

/// Which form of the path the upstream gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamPath {
    /// The one that was matched: nothing behind the proxy can read the path in another way.
    #[default]
    Normalized,
    /// The received one, byte for byte.
    Received,
}

/// Header fields that are treated specially.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderPolicy {
    /// Names with underscores, which some servers read as dashes.
    pub underscores: UnderscorePolicy,
    /// What Envoy says and heeds where Istio sets it up: servers are told in `x-envoy-attempt-count` which try it is, and
    /// clients in `x-envoy-upstream-service-time` for how many milliseconds there was no answer to their whole request. Peers
    /// whose headers are believed say in `x-envoy-upstream-rq-timeout-ms` how long a request may take (`0` is no bound), and in
    /// `x-envoy-max-retries` how often it is tried again where the route tries it again at all.
    #[serde(skip_serializing_if = "is_default")]
    pub envoy: bool,
    /// The `server` field of answers: absent keeps the upstream's and adds nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// What happens to request header names with underscores. Underscore aliases of headers that Sluice itself sets
/// (`x_forwarded_for`) are always removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnderscorePolicy {
    /// Passed on.
    #[default]
    Allow,
    /// Removed (nginx's default).
    Drop,
    /// The request is refused with 400.
    Refuse,
}

/// Whose `x-forwarded-*` and `forwarded` headers are believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Forwarded {
    /// Peers whose headers are believed. From anybody else they are removed before ours are set.
    pub trusted: Vec<Cidr>,
    /// Add the peer to `x-forwarded-for`, and set `x-forwarded-proto`, `-host` and `-port` where no trusted peer has.
    /// Off: trusted ones pass unchanged, others are removed.
    pub append: bool,
    /// What trusted peers are believed.
    #[serde(skip_serializing_if = "is_default")]
    pub believed: Believed,
    /// The field that says who the client is, a list that each proxy adds to.
    #[serde(skip_serializing_if = "is_forwarded_for")]
    pub client_field: HeaderName,
    /// So many proxies stand in front, whatever their addresses, and each adds whom it sees to `client_field`: the client is
    /// the one that the outermost of them saw, and the innermost says in `x-forwarded-proto` how it came (Envoy
    /// `xff_num_trusted_hops`). Nothing else is believed because of this. Who shows fewer addresses, or none in that place, is
    /// the client itself.
    #[serde(skip_serializing_if = "is_default")]
    pub trusted_hops: u32,
    /// What upstreams are told.
    #[serde(skip_serializing_if = "is_default")]
    pub fields: ForwardedFields,
}

impl Default for Forwarded {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            append: true,
            believed: Believed::default(),
            client_field: HeaderName::x_forwarded_for(),
            trusted_hops: 0,
            fields: ForwardedFields::default(),
        }
    }
}

fn is_forwarded_for(name: &HeaderName) -> bool {
    *name == HeaderName::x_forwarded_for()
}

/// What trusted peers are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Believed {
    /// The client's address, and the scheme, host and port that it asked.
    #[default]
    All,
    /// The client's address alone (ingress-nginx `enable-real-ip`).
    Client,
}

/// What upstreams are told about the client and what it asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardedFields {
    /// `x-forwarded-for` with the peer added, and `-proto`, `-host` and `-port` where no trusted peer has set them.
    #[default]
    Standard,
    /// As `standard`, but what anybody said in `x-forwarded-for` goes on, with the peer added behind it, and
    /// `x-envoy-external-address` is the client (a gateway of Istio). Only the addresses at the end are worth anything.
    Envoy,
    /// `x-forwarded-proto` alone, where no trusted peer has set it, whatever `append` says: what is said of others goes on as
    /// `append: false` has it (a sidecar of Istio, on the way out).
    Proto,
    /// As ingress-nginx does, whatever `append` says: `x-real-ip` and `x-forwarded-for` are the client;
    /// `x-forwarded-host`, `-port`, `-proto`, `-scheme` and `x-scheme` are what it asked; `x-original-forwarded-for` and
    /// `x-original-forwarded-host` are what came. The host that a trusted peer names is the one that upstreams see.
    Nginx,
    /// The same with all addresses in `x-forwarded-for` (ingress-nginx `compute-full-forwarded-for`).
    NginxFull,
}

impl ForwardedFields {
    /// Whether upstreams are told what ingress-nginx tells them.
    pub const fn is_nginx(self) -> bool {
        matches!(self, Self::Nginx | Self::NginxFull)
    }
}

/// What happens to `x-request-id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestId {
    /// Kept from trusted peers (see `forwarded.trusted`); made anew for everybody else.
    #[default]
    KeepTrusted,
    /// Kept whoever sent it; made where absent.
    Keep,
    /// Neither made nor removed.
    Off,
}

/// Bounds in bytes and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerLimits {
    /// Request line and header fields together; more gives 431.
    pub head: Size,
    /// The request target alone; more gives 414.
    pub target: Size,
    /// Number of header fields; more gives 431.
    #[schemars(range(min = 1, max = 1000))]
    pub header_count: u16,
    /// Request body, unless the route says otherwise; more gives 413. Absent means no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Size>,
    /// Connections of this listener over all shards; more are closed at once. Absent means no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Requests on one HTTP/1 connection before it is closed (`connection: close`); 0 means no limit.
    pub requests_per_connection: u32,
    /// Concurrent streams of one HTTP/2 connection.
    #[schemars(range(min = 1, max = 10000))]
    pub concurrent_streams: u32,
}

impl ListenerLimits {
    /// The least that a head may be bound to: a request line with a host, and little else.
    pub const SMALLEST_HEAD: Size = Size::bytes(256);
    /// The most that a head may be bound to.
    pub const LARGEST_HEAD: Size = Size::kib(16 << 10);
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            head: Size::kib(64),
            target: Size::kib(16),
            header_count: 100,
            body: None,
            connections: None,
            requests_per_connection: 0,
            concurrent_streams: 100,
        }
    }
}

/// Bounds in time. `0` switches a bound off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerTimeouts {
    /// TLS handshake and protocol sniffing, from accept.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its head; then 408.
    pub header: Duration,
    /// Between two pieces of a request body; then 408.
    pub body_idle: Duration,
    /// A client that takes no byte of its answer for this long is cut.
    pub write_idle: Duration,
    /// Between two requests of a connection.
    pub keep_alive: Duration,
}

impl Default for ListenerTimeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(15),
            body_idle: Duration::from_secs(60),
            write_idle: Duration::from_secs(60),
            keep_alive: Duration::from_secs(75),
        }
    }
}
