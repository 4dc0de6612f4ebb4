//! What the process was told besides the objects: flags, and what follows from them.

use sluice_crds::{
    ObjectName,
    annotations::Risk,
    istio::{HttpRetry, OutboundTrafficMode},
};
use sluice_model::{
    spec::{
        Believed, KeepAlive, ListenerLimits, ListenerTimeouts, NormalizePath, RedirectCode, UnderscorePolicy,
    },
    value::{Cidr, Duration, HeaderName, Size},
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Names an object in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespacedName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// What a process was told besides the objects. A change of it is a new [`Translator`](crate::Translator).
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whom it serves.
    pub role: Role,
    /// The address that listeners have.
    pub bind: IpAddr,
    /// Local ports of the ports that objects name; a port that is not here is bound as it is.
    pub port_map: BTreeMap<u16, u16>,
    /// The port of Ingresses without TLS (`--http-port`).
    pub http_port: u16,
    /// The port of Ingresses with TLS (`--https-port`).
    pub https_port: u16,
    /// What names of services end in.
    pub cluster_domain: String,
    /// The name of the pod that the process is in, or beside, where that is known. Labels and node that the settings leave
    /// empty are those of its object, as it is at the time.
    pub pod: Option<String>,
    /// Its labels: Gateways, Sidecars and rules select it by them.
    pub labels: BTreeMap<String, String>,
    /// Its namespace, where Gateways' secrets are.
    pub pod_namespace: String,
    /// Its node and zone, for endpoints that are meant for their neighbours.
    pub topology: Topology,
    /// Whether Pods are whole, with the addresses that they have; otherwise only what describes them was read.
    pub whole_pods: bool,
    /// Which Ingresses are ours.
    pub classes: Classes,
    /// The path where the ports of Ingresses say that the gateway is well, for hosts that nobody has
    /// (`--health-check-path`).
    pub health_path: String,
    /// What stands before annotations, without the slash (`--annotations-prefix`).
    pub annotations_prefix: String,
    /// The ConfigMap of the controller (`--configmap`); where it is not there, the defaults hold.
    pub configmap: Option<NamespacedName>,
    /// Who serves what no Ingress takes (`--default-backend-service`).
    pub default_backend: Option<NamespacedName>,
    /// Whose addresses stand in the status of Ingresses (`--publish-service`); only looked for here.
    pub publish_service: Option<NamespacedName>,
    /// The certificate for names that no Ingress has one for (`--default-ssl-certificate`).
    pub default_certificate: Option<NamespacedName>,
    /// What is shown where there is no such certificate; the caller makes it. Where it is absent too, clients that no
    /// certificate is for are refused.
    pub fallback_certificate: Option<PemPair>,
    /// Says which names a certificate is for.
    pub certificates: CertificateReader,
    /// Says whether trust anchors can be used.
    pub anchors: AnchorReader,
    /// What Ingresses get that do not say otherwise; the ConfigMap of the controller.
    pub ingress: IngressDefaults,
    /// What listeners get; the ConfigMap of the controller too.
    pub listener: ListenerDefaults,
    /// How long a drain may take before what is left is cut; absent is as the process has it.
    pub drain_timeout: Option<Duration>,
    /// What Istio's objects get that do not say otherwise; MeshConfig.
    pub mesh: MeshDefaults,
    /// Let all canaries of a path act, their weights summed, in place of the oldest alone.
    pub all_canaries: bool,
    /// The namespace whose objects hold for the whole mesh.
    pub root_namespace: String,
    /// Serve what asks for a protection that is not in effect (`--allow-unprotected`).
    pub allow_unprotected: bool,
    /// Whether services may stand for names outside of the cluster (`--disable-svc-external-name` says no).
    pub external_names: bool,
    /// What routes and clusters say of themselves for metrics in the words of others.
    pub metric_labels: MetricLabels,
}

/// What routes and clusters say of themselves for metrics. It costs memory, so it is off unless somebody reads it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MetricLabels {
    /// Routes name the rule of their Ingress and clusters their service, for `nginx_ingress_controller_*`.
    pub rules: bool,
    /// Clusters name their service and the workloads at their endpoints, for `istio_*`.
    pub workloads: bool,
}

/// Whom a process serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Role {
    /// Clients from outside, as Ingresses and Gateways say.
    #[default]
    Gateway,
    /// One pod, which asks for services of the mesh.
    Sidecar(SidecarOf),
}

/// How a sidecar is reached by its pod, [`Settings::pod`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SidecarOf {
    /// Connections say in a PROXY header where they were on their way to.
    pub original_destination: bool,
}

/// Knows certificates, which this crate does not: whether a chain and its key, both PEM, can be served, and the DNS names
/// that they are for, in lower case. The default one refuses all of them.
#[derive(Clone, Copy)]
pub struct CertificateReader(pub fn(certificate: &[u8], key: &[u8]) -> CertificateNames);

/// Knows trust anchors, PEM: why they cannot be used. The default one finds nothing wrong with any.
#[derive(Clone, Copy)]
pub struct AnchorReader(pub fn(anchors: &[u8]) -> Result<(), String>);

/// The names of a certificate, or why it cannot be served.
pub type CertificateNames = Result<Vec<String>, String>;

/// A certificate chain and its private key.
#[derive(Clone, PartialEq, Eq)]
pub struct PemPair {
    /// The chain, the leaf first.
    pub certificate: String,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: String,
}

/// What Ingresses get that do not say otherwise. Fields are named after the ConfigMap's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngressDefaults {
    /// Send clients without TLS to https where the host has a certificate.
    pub ssl_redirect: bool,
    /// Send them there in any case.
    pub force_ssl_redirect: bool,
    /// The status of such redirects.
    pub http_redirect_code: RedirectCode,
    /// Keep the slash at the end of the URI in them.
    pub preserve_trailing_slash: bool,
    /// Paths that begin like this are never redirected.
    pub no_tls_redirect_locations: Vec<String>,
    /// `strict-transport-security` in https answers of hosts that have a certificate.
    pub hsts: Option<Hsts>,
    /// Refuse handshakes for names that no Ingress has.
    pub ssl_reject_handshake: bool,
    /// Leave Ingresses out whose paths of type Exact or Prefix look like regular expressions.
    pub strict_validate_path_type: bool,
    /// Whose `x-forwarded-*` is believed.
    pub trusted: Vec<Cidr>,
    /// What they are believed.
    pub believed: Believed,
    /// The field that says who the client is.
    pub forwarded_for_header: HeaderName,
    /// Tell servers of all addresses on the way, not of the client's alone.
    pub compute_full_forwarded_for: bool,
    /// Let clients see what servers say of themselves in `server`.
    pub allow_backend_server_header: bool,
    /// Whether the endpoint that answers soonest is next, where an Ingress does not say it; otherwise they take turns.
    pub by_latency: bool,
    /// What requests are told apart by where an Ingress does not say it, with nginx's variables; empty for nothing.
    pub upstream_hash_by: String,
    /// How long connecting to a server may take; absent is five seconds.
    pub proxy_connect_timeout: Option<Duration>,
    /// How long a server may be silent; absent is a minute for Ingresses that behave as those of ingress-nginx.
    pub proxy_read_timeout: Option<Duration>,
    /// How long a server may take nothing; as `proxy_read_timeout`.
    pub proxy_send_timeout: Option<Duration>,
    /// The most that a request may carry, 0 for anything; absent is 1 MiB for Ingresses that behave as those of
    /// ingress-nginx, and anything for others.
    pub proxy_body_size: Option<Size>,
    /// What is tried again (nginx `proxy_next_upstream`); absent is `error timeout`.
    pub proxy_next_upstream: Option<Vec<String>>,
    /// How long after the first try another one may begin; 0 and absent are no bound.
    pub proxy_next_upstream_timeout: Option<Duration>,
    /// Let redirects to paths stay paths.
    pub relative_redirects: bool,
    /// What annotations say of TLS to servers holds for the paths of their own Ingress alone, not for the host.
    pub proxy_ssl_location_only: bool,
    /// How often a request is tried, the first time included; 0 is no bound; absent is three times.
    pub proxy_next_upstream_tries: Option<u32>,
    /// Also requests that are not idempotent.
    pub retry_non_idempotent: bool,
    /// Send requests to the address of the service rather than to its endpoints.
    pub service_upstream: bool,
    /// See the annotation of this name; `off` is nothing.
    pub proxy_redirect_from: String,
    /// See the annotation of this name.
    pub proxy_redirect_to: String,
    /// See the annotation of this name; `off` is nothing.
    pub proxy_cookie_path: String,
    /// See the annotation of this name; `off` is nothing.
    pub proxy_cookie_domain: String,
    /// How connections to servers are kept.
    pub keep_alive: KeepAlive,
    /// Whether snippets are translated; otherwise they are refused.
    pub allow_snippet_annotations: bool,
    /// The greatest risk that annotations may be of. Snippets have a switch of their own.
    pub annotations_risk_level: Risk,
    /// Words that no annotation may hold.
    pub annotation_value_word_blocklist: Vec<String>,
    /// Whether annotations may name objects of other namespaces.
    pub allow_cross_namespace_resources: bool,
    /// The ConfigMap of fields that every answer has.
    pub add_headers: Option<NamespacedName>,
    /// The ConfigMap of fields that every request to a server has.
    pub proxy_set_headers: Option<NamespacedName>,
    /// Fields that no answer has.
    pub hide_headers: Vec<HeaderName>,
    /// Names of fields that `custom-headers` may bring.
    pub global_allowed_response_headers: Vec<String>,
    /// Lines of nginx's configuration for every location.
    pub location_snippet: String,
    /// Tell servers in `x-original-uri` what the client asked for.
    pub proxy_add_original_uri_header: bool,
    /// Statuses of errors that a page of the default backend replaces.
    pub custom_http_errors: Vec<u16>,
    /// Let the errors of servers pass all the same.
    pub disable_proxy_intercept_errors: bool,
    /// Keys that protect every Ingress and are not in effect: while there is one, every path answers 503.
    pub refused: Vec<&'static str>,
}

/// What listeners get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerDefaults {
    /// Bounds in bytes and counts.
    pub limits: ListenerLimits,
    /// Bounds in time.
    pub timeouts: ListenerTimeouts,
    /// How long a request's head may take; absent is a minute at ports of Ingresses that behave as those of ingress-nginx,
    /// and what `timeouts` say at others.
    pub header_timeout: Option<Duration>,
    /// Streams of an HTTP/2 connection at a time; absent is 128 there, and what `limits` say at others.
    pub concurrent_streams: Option<u32>,
    /// Fields whose names have underscores; absent is that they are dropped there, and pass at others.
    pub underscores: Option<UnderscorePolicy>,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
    /// Whether requests without an id get one.
    pub request_id: bool,
}

/// What Istio's objects get that do not say otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeshDefaults {
    /// Who sees Services; everybody where it is empty.
    pub services_export_to: Vec<String>,
    /// Who sees VirtualServices; everybody where it is empty.
    pub virtual_services_export_to: Vec<String>,
    /// Who sees DestinationRules; everybody where it is empty.
    pub destination_rules_export_to: Vec<String>,
    /// What is tried again; absent is Istio's default.
    pub retries: Option<HttpRetry>,
    /// How long connecting to a server may take; absent is ten seconds.
    pub connect_timeout: Option<Duration>,
    /// Whether HTTP/2 is spoken to servers that did not ask for it.
    pub http2_upgrade: bool,
    /// What becomes of requests of pods to what is not known; absent is `ALLOW_ANY`.
    pub outbound: Option<OutboundTrafficMode>,
    /// So many proxies stand in front of gateways.
    pub trusted_proxies: u32,
    /// How listeners read paths; absent is as their default says.
    pub normalize_path: Option<NormalizePath>,
}

/// What `strict-transport-security` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts {
    /// Seconds.
    pub max_age: u64,
    /// Subdomains too.
    pub include_subdomains: bool,
    /// The host may be on the lists of browsers.
    pub preload: bool,
}

/// Where the gateway's pod is; unknown where empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Its node.
    pub node: String,
    /// The zone of its node.
    pub zone: String,
    /// Whether the hints of EndpointSlices count (`--enable-topology-aware-routing`).
    pub hints: bool,
}

/// Which Ingresses are ours, and how they behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// Controllers of IngressClasses whose Ingresses behave as those of ingress-nginx.
    pub compat_controllers: Vec<String>,
    /// Controllers of IngressClasses whose Ingresses behave as the text of Kubernetes says.
    pub spec_controllers: Vec<String>,
    /// The name that the old annotation `kubernetes.io/ingress.class` has to have (`--ingress-class`).
    pub annotation: String,
    /// Take the IngressClass of that name too, whatever its controller (`--ingress-class-by-name`). Other than in
    /// ingress-nginx the object need not be there: folders of manifests often lack it.
    pub by_name: bool,
    /// Take Ingresses that name no class (`--watch-ingress-without-class`).
    pub without_class: bool,
    /// Leave out Ingresses that have a default backend (`--disable-catch-all`).
    pub disable_catch_all: bool,
    /// Which Ingresses are Istio's, where the gateway is the one of Istio that serves them.
    pub istio: Option<IstioIngresses>,
}

/// Which Ingresses are Istio's, beside those of a class whose controller is `istio.io/ingress-controller`; MeshConfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IstioIngresses {
    /// The name that the old annotation `kubernetes.io/ingress.class` has to have.
    pub class: String,
    /// Those that name no class too.
    pub without_class: bool,
}

// === impl NamespacedName ===

impl NamespacedName {
    /// The object of a kind that has this name.
    pub(crate) fn object(&self, kind: &'static str) -> ObjectName {
        ObjectName { kind, namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

// === impl Topology ===

impl Default for Topology {
    fn default() -> Self {
        Self { node: String::new(), zone: String::new(), hints: true }
    }
}

// === impl Role ===

impl Role {
    /// Whether connections say where they were on their way to.
    pub(crate) fn knows_destinations(&self) -> bool {
        matches!(self, Self::Sidecar(of) if of.original_destination)
    }
}

// === impl Settings ===

impl Settings {
    /// Where the listener of a port that objects name listens.
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.bind, self.port_map.get(&port).copied().unwrap_or(port))
    }

    /// The port of the listener that listens where this port's would: where another one is mapped to the same local port, that
    /// one, as a local port is listened at once. Port 0 is another free one each time.
    pub(crate) fn listener_port(&self, port: u16) -> u16 {
        let local = self.address(port).port();
        let mapped = self.port_map.iter().find(|(_, mapped)| **mapped == local && local != 0);
        mapped.map_or(port, |(port, _)| *port)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            role: Role::Gateway,
            bind: Ipv4Addr::UNSPECIFIED.into(),
            port_map: BTreeMap::new(),
            http_port: 80,
            https_port: 443,
            cluster_domain: "cluster.local".to_owned(),
            pod: None,
            labels: BTreeMap::new(),
            pod_namespace: "default".to_owned(),
            topology: Topology::default(),
            whole_pods: true,
            classes: Classes::default(),
            health_path: "/healthz".to_owned(),
            annotations_prefix: sluice_crds::annotations::PREFIX.to_owned(),
            configmap: None,
            default_backend: None,
            publish_service: None,
            default_certificate: None,
            fallback_certificate: None,
            certificates: CertificateReader::default(),
            anchors: AnchorReader::default(),
            ingress: IngressDefaults::default(),
            listener: ListenerDefaults::default(),
            drain_timeout: None,
            mesh: MeshDefaults::default(),
            all_canaries: false,
            root_namespace: "istio-system".to_owned(),
            allow_unprotected: false,
            external_names: true,
            metric_labels: MetricLabels::default(),
        }
    }
}

// === impl CertificateReader ===

impl Default for CertificateReader {
    fn default() -> Self {
        Self(|_, _| Err("this process knows no TLS".to_owned()))
    }
}

impl PartialEq for CertificateReader {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl std::fmt::Debug for CertificateReader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("CertificateReader")
    }
}

// === impl AnchorReader ===

impl Default for AnchorReader {
    fn default() -> Self {
        Self(|_| Ok(()))
    }
}

impl PartialEq for AnchorReader {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl std::fmt::Debug for AnchorReader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("AnchorReader")
    }
}

impl std::fmt::Debug for PemPair {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("PemPair(<redacted>)")
    }
}

impl IngressDefaults {
    /// Whether somebody may say that a client came over TLS where the connection did not.
    pub fn believes_schemes(&self) -> bool {
        !self.trusted.is_empty() && self.believed == Believed::All
    }
}

impl Default for IngressDefaults {
    fn default() -> Self {
        Self {
            ssl_redirect: true,
            force_ssl_redirect: false,
            http_redirect_code: RedirectCode::PermanentRedirect,
            preserve_trailing_slash: false,
            no_tls_redirect_locations: vec!["/.well-known/acme-challenge".to_owned()],
            hsts: Some(Hsts::default()),
            ssl_reject_handshake: false,
            strict_validate_path_type: true,
            trusted: Vec::new(),
            believed: Believed::All,
            forwarded_for_header: HeaderName::x_forwarded_for(),
            compute_full_forwarded_for: false,
            allow_backend_server_header: false,
            by_latency: false,
            upstream_hash_by: String::new(),
            proxy_connect_timeout: None,
            proxy_read_timeout: None,
            proxy_send_timeout: None,
            proxy_body_size: None,
            proxy_next_upstream: None,
            proxy_next_upstream_timeout: None,
            relative_redirects: false,
            proxy_ssl_location_only: false,
            proxy_next_upstream_tries: None,
            retry_non_idempotent: false,
            service_upstream: false,
            proxy_redirect_from: "off".to_owned(),
            proxy_redirect_to: "off".to_owned(),
            proxy_cookie_path: "off".to_owned(),
            proxy_cookie_domain: "off".to_owned(),
            keep_alive: KeepAlive::default(),
            allow_snippet_annotations: false,
            annotations_risk_level: Risk::High,
            annotation_value_word_blocklist: Vec::new(),
            allow_cross_namespace_resources: false,
            add_headers: None,
            proxy_set_headers: None,
            hide_headers: Vec::new(),
            global_allowed_response_headers: Vec::new(),
            location_snippet: String::new(),
            proxy_add_original_uri_header: false,
            custom_http_errors: Vec::new(),
            disable_proxy_intercept_errors: false,
            refused: Vec::new(),
        }
    }
}

impl Default for ListenerDefaults {
    fn default() -> Self {
        Self {
            limits: ListenerLimits::default(),
            timeouts: ListenerTimeouts::default(),
            header_timeout: None,
            concurrent_streams: None,
            underscores: None,
            http2: true,
            request_id: true,
        }
    }
}

impl Default for Hsts {
    fn default() -> Self {
        Self { max_age: 31_536_000, include_subdomains: true, preload: false }
    }
}

impl Default for Classes {
    fn default() -> Self {
        Self {
            compat_controllers: vec!["k8s.io/ingress-nginx".to_owned()],
            spec_controllers: vec!["sluice.dev/ingress".to_owned()],
            annotation: "nginx".to_owned(),
            by_name: false,
            without_class: false,
            disable_catch_all: false,
            istio: None,
        }
    }
}
