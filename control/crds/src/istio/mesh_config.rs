//! `MeshConfig`: what holds for the whole mesh. It is no object but the text under the key `mesh` of the ConfigMap
//! `istio` in Istio's namespace.

use super::{H2UpgradePolicy, HttpRetry, OutboundTrafficMode};
use crate::{
    message::{choice, message},
    object::Explained,
    proto::Duration,
    verdict::{
        Need,
        Verdict::{self, NoEffect, NotYet},
    },
};
use serde::de::DeserializeOwned;
use sluice_model::{
    convert::{self, Reason, Repairs},
    tree::{self, Path, Step, Tree},
};

message! {
    /// The fields that do something here. All others are in [`look_up`]'s table.
    pub struct MeshConfig {
        /// The namespace whose objects hold for the whole mesh.
        pub root_namespace: String,
        /// Who sees Services that do not say it.
        pub default_service_export_to: Vec<String>,
        /// Who sees VirtualServices that do not say it.
        pub default_virtual_service_export_to: Vec<String>,
        /// Who sees DestinationRules that do not say it.
        pub default_destination_rule_export_to: Vec<String>,
        /// What is tried again where a VirtualService does not say it.
        pub default_http_retry_policy: Option<HttpRetry>,
        /// To connect, where a DestinationRule does not say it; 10s where absent.
        pub connect_timeout: Option<Duration>,
        /// Whether HTTP/2 is spoken to servers that did not ask for it, where a DestinationRule does not say it.
        pub h2_upgrade_policy: H2UpgradePolicy,
        /// How paths are read.
        pub path_normalization: Option<PathNormalization>,
        /// What becomes of requests of pods to what is not known.
        pub outbound_traffic_policy: Option<MeshOutboundTrafficPolicy>,
        /// Which Ingresses are served.
        pub ingress_controller_mode: IngressControllerMode,
        /// The class of Ingresses that are served; `istio` where it is empty.
        pub ingress_class: String,
        /// The label `istio` of the gateway that serves them; `ingressgateway` where it is empty.
        pub ingress_selector: String,
        /// What holds for each proxy.
        pub default_config: Option<ProxyConfig>,
    }
}

message! {
    /// What holds for a proxy: a field of MeshConfig, and the annotation [`PROXY_CONFIG`] of its pod.
    pub struct ProxyConfig {
        /// What stands in front of a gateway.
        pub gateway_topology: Option<GatewayTopology>,
    }
}

message! {
    /// What stands in front of a gateway.
    pub struct GatewayTopology {
        /// So many proxies add to `x-forwarded-for` before the gateway does.
        pub num_trusted_proxies: u32,
    }
}

/// The annotation of a pod that says what holds for its proxy.
pub const PROXY_CONFIG: &str = "proxy.istio.io/config";

message! {
    /// What becomes of requests of pods to what is not known.
    pub struct MeshOutboundTrafficPolicy {
        /// What; absent is `ALLOW_ANY`, other than in a Sidecar.
        pub mode: Option<OutboundTrafficMode>,
    }
}

message! {
    /// How paths are read.
    pub struct PathNormalization {
        /// How.
        pub normalization: NormalizationType,
    }
}

choice! {
    /// How paths are read, by rules and by policies alike.
    pub enum NormalizationType {
        /// As `BASE`.
        #[default]
        Default,
        /// As they come.
        None,
        /// As RFC 3986 says, with `\` as `/`.
        Base,
        /// And `//` as `/`.
        MergeSlashes,
        /// And `%2F` and `%5C` as slashes.
        DecodeAndMergeSlashes,
    }
}

choice! {
    /// Which Ingresses are served.
    pub enum IngressControllerMode {
        /// As `STRICT`.
        #[default]
        Unspecified,
        /// None.
        Off,
        /// Those of Istio's class, and those without any.
        Default,
        /// Those of Istio's class.
        Strict,
    }
}

const BY_FLAG: Verdict = NoEffect("`--access-log` says whether and how requests are logged");
const ANOTHER_FIRST: &str = "a request goes to an endpoint that it has not tried, as long as there is one";
const OWN_STATISTICS: Verdict = NoEffect("statistics have names of their own");

/// Fields that do nothing here, or not yet.
static OTHERS: [(&str, Verdict); 48] = [
    ("accessLogEncoding", BY_FLAG),
    ("accessLogFile", BY_FLAG),
    ("accessLogFormat", BY_FLAG),
    ("ca", NotYet(Need::UpstreamTls)),
    ("caCertificates", NotYet(Need::UpstreamTls)),
    ("certificates", NotYet(Need::UpstreamTls)),
    ("configSources", NoEffect("`--manifests` and `--kubeconfig` say where objects come from")),
    ("defaultConfig", NotYet(Need::Capture)),
    ("defaultConfig.gatewayTopology.forwardClientCertDetails", NotYet(Need::ClientCertificates)),
    ("defaultConfig.gatewayTopology.proxyProtocol", NotYet(Need::ProxyProtocol)),
    ("defaultConfig.tracing", NotYet(Need::Tracing)),
    ("defaultHttpRetryPolicy.retryIgnorePreviousHosts", NoEffect(ANOTHER_FIRST)),
    ("defaultHttpRetryPolicy.retryRemoteLocalities", NotYet(Need::Balancing)),
    ("defaultInboundHttpRetryPolicy", NotYet(Need::Capture)),
    ("defaultProviders", NotYet(Need::Tracing)),
    ("defaultTrafficPolicy", NotYet(Need::ConnectionLimits)),
    ("disableEnvoyListenerLog", BY_FLAG),
    ("disableMixerHttpReports", OWN_STATISTICS),
    ("discoverySelectors", NoEffect("`--watch-namespace-selector` says which namespaces are watched")),
    ("dnsRefreshRate", NoEffect("names are looked up again when their records say so")),
    ("enableAutoMtls", NotYet(Need::UpstreamTls)),
    ("enableEnvoyAccessLogService", BY_FLAG),
    ("enablePrometheusMerge", NotYet(Need::Capture)),
    ("enableTracing", NotYet(Need::Tracing)),
    ("extensionProviders", NotYet(Need::Authentication)),
    ("hboneConfig", NotYet(Need::Capture)),
    ("inboundClusterStatName", OWN_STATISTICS),
    ("inboundTrafficPolicy", NotYet(Need::Capture)),
    ("ingressService", NoEffect("`--publish-service` says whose address Ingresses have")),
    ("localityLbSetting", NotYet(Need::Balancing)),
    ("meshMTLS", NotYet(Need::TlsPolicies)),
    ("outboundClusterStatName", OWN_STATISTICS),
    ("outboundTrafficPolicy.egressProxy", NotYet(Need::Capture)),
    ("pathNormalization", Verdict::InEffect),
    ("protocolDetectionTimeout", NotYet(Need::Layer4)),
    ("proxyHttpPort", NotYet(Need::Capture)),
    ("proxyInboundListenPort", NotYet(Need::Capture)),
    ("proxyListenPort", NotYet(Need::Capture)),
    ("serviceScopeConfigs", NotYet(Need::Capture)),
    ("serviceSettings", NotYet(Need::Balancing)),
    ("tcpKeepalive", NotYet(Need::ConnectionLimits)),
    ("tlsDefaults", NotYet(Need::TlsPolicies)),
    ("trustDomain", NotYet(Need::Authorization)),
    ("trustDomainAliases", NotYet(Need::Authorization)),
    ("verifyCertificateAtClient", NotYet(Need::UpstreamTls)),
    ("thriftConfig", NoEffect("nobody speaks it any more")),
    ("enableNamespacesByDefault", NotYet(Need::Capture)),
    ("meshNetworks", NotYet(Need::Capture)),
];

/// What a text says, and what is to be said about it: by field, either a verdict or what is wrong.
#[derive(Debug, Default)]
pub struct Read<T> {
    /// What it says; fields with mistakes are as if they were not there.
    pub config: T,
    /// Fields that are not simply in effect.
    pub judged: Vec<(String, Verdict)>,
    /// Mistakes, and fields that nobody knows.
    pub problems: Vec<Explained>,
}

/// Reads MeshConfig. Never fails: what is wrong is said, and the rest holds.
pub fn read(text: &str) -> Read<MeshConfig> {
    let (mut read, tree) = read_as::<MeshConfig>(text, "");
    let retry = read.config.default_http_retry_policy.as_ref().map(|_| "defaultHttpRetryPolicy");
    let policy = tree.root().zip(retry).and_then(|(root, key)| tree.get(root, key));
    for (name, _) in policy.and_then(|policy| tree.entries(policy)).unwrap_or_default() {
        let field = format!("defaultHttpRetryPolicy.{}", tree.text(*name).unwrap_or_default());
        read.judged.extend(look_up(&field).map(|verdict| (field, verdict)));
    }
    read
}

/// Reads the annotation [`PROXY_CONFIG`] in the same way.
pub fn read_proxy(text: &str) -> Read<ProxyConfig> {
    read_as(text, "defaultConfig.").0
}

/// Reads a part of MeshConfig; `above` is where it stands there.
fn read_as<T: DeserializeOwned + Default>(text: &str, above: &str) -> (Read<T>, Tree) {
    let parsed = tree::parse(text);
    let mut read = Read::default();
    read.problems.extend(parsed.problems.iter().map(|problem| Explained::new(problem, false)));
    let (tree, mut repairs) = (&parsed.tree, Repairs::for_api(&parsed.tree));
    let whole = tree.root().filter(|root| parsed.problems.is_empty() && tree.entries(*root).is_some());
    if let Some(root) = whole {
        let (config, problems) = convert::convert::<T>(tree, root, &Path::root(), &mut repairs);
        read.config = config.unwrap_or_default();
        for problem in problems {
            match (&problem.reason, look_up(&format!("{above}{}", field(&problem.path)))) {
                (Reason::UnknownField { .. }, Some(verdict)) => {
                    read.judged.push((problem.path.to_string(), verdict));
                }
                _ => read.problems.push(Explained::new(&problem, false)),
            }
        }
    }
    (read, parsed.tree)
}

fn field(path: &Path) -> String {
    let keys = path.steps().iter().filter_map(|step| match step {
        Step::Key(key) => Some(&**key),
        Step::Index(_) => None,
    });
    keys.collect::<Vec<_>>().join(".")
}

/// The verdict on a field that [`MeshConfig`] does not have: its own, or that on what it is a part of.
fn look_up(field: &str) -> Option<Verdict> {
    let speaks =
        |name: &str| field.strip_prefix(name).is_some_and(|below| below.is_empty() || below.starts_with('.'));
    let longest = OTHERS.iter().filter(|(name, _)| speaks(name)).max_by_key(|(name, _)| name.len());
    longest.map(|(_, verdict)| *verdict)
}
