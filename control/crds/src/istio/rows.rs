//! What becomes of the fields of Istio kinds, one row each: change the verdict here when something new makes a row work.
//!
//! A row speaks for its field and for everything below it, unless a longer row does. A field without a row is in effect.
//! Paths are those of problems without the numbers of list elements. The policies of a DestinationRule's subsets and ports are
//! judged as that of the whole rule. What a `tls` block asks for depends on its mode: [`server_tls_mode`], [`client_tls_mode`].

use super::{ClientTlsMode, DestinationRule, ServerTlsMode};
use crate::{
    Kind,
    verdict::{
        Need,
        Verdict::{self, FailsClosed, InEffect, Never, NoEffect, NotYet},
    },
};
use serde_json::Value;
use sluice_model::tree::{Path, Step};

const RING: &str = "a ring has 160 points for each unit of an endpoint's weight";

const ANOTHER_FIRST: &str = "a request goes to an endpoint that it has not tried, as long as there is one";
const AT_ONCE: &str = "who fails is left out at once, and comes back when its time is over";
const TEN_SECONDS: &str = "what counts are the requests of the last ten seconds";

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The kind.
    pub kind: &'static str,
    /// The field below `spec`: `http.corsPolicy`. Empty for the whole kind.
    pub path: &'static str,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// Where another pod enforces a policy, it is that pod's concern; this is what becomes of it where this process is the one.
static TABLE: [Row; 57] = [
    row("VirtualService", "http.corsPolicy", NotYet(Need::Cors)),
    row("VirtualService", "http.retries.retryRemoteLocalities", NotYet(Need::Balancing)),
    row("VirtualService", "http.retries.retryIgnorePreviousHosts", NoEffect(ANOTHER_FIRST)),
    row("VirtualService", "http.fault.delay.exponentialDelay", Never("nobody implements it")),
    row("VirtualService", "http.fault.abort.http2Error", Never("nobody implements it")),
    row("VirtualService", "http.match.statPrefix", NoEffect("statistics have names of their own")),
    row("VirtualService", "tls", NotYet(Need::Layer4)),
    row("VirtualService", "tcp", NotYet(Need::Layer4)),
    row("VirtualService", "tcp.match.sourceSubnet", NoEffect("Istio ignores it too")),
    row("DestinationRule", "trafficPolicy.loadBalancer", NotYet(Need::Balancing)),
    row("DestinationRule", "trafficPolicy.loadBalancer.simple", InEffect),
    row("DestinationRule", "trafficPolicy.loadBalancer.consistentHash", InEffect),
    row("DestinationRule", "trafficPolicy.loadBalancer.consistentHash.minimumRingSize", NoEffect(RING)),
    row("DestinationRule", "trafficPolicy.loadBalancer.consistentHash.ringHash", NoEffect(RING)),
    row("DestinationRule", "trafficPolicy.connectionPool", NotYet(Need::ConnectionLimits)),
    row("DestinationRule", "trafficPolicy.connectionPool.tcp.maxConnections", InEffect),
    row("DestinationRule", "trafficPolicy.connectionPool.tcp.connectTimeout", InEffect),
    row("DestinationRule", "trafficPolicy.connectionPool.http.http1MaxPendingRequests", InEffect),
    row("DestinationRule", "trafficPolicy.connectionPool.http.http2MaxRequests", InEffect),
    row("DestinationRule", "trafficPolicy.connectionPool.http.maxRetries", InEffect),
    row("DestinationRule", "trafficPolicy.connectionPool.http.h2UpgradePolicy", InEffect),
    row("DestinationRule", "trafficPolicy.connectionPool.http.maxRequestsPerConnection", InEffect),
    row("DestinationRule", "trafficPolicy.connectionPool.http.idleTimeout", InEffect),
    row("DestinationRule", "trafficPolicy.outlierDetection.interval", NoEffect(AT_ONCE)),
    row(
        "DestinationRule",
        "trafficPolicy.outlierDetection.outlierDetectionHttpErrorCodes",
        NotYet(Need::OutlierDetection),
    ),
    row("DestinationRule", "trafficPolicy.tls.subjectAltNames", FailsClosed(Need::UpstreamTls)),
    row("DestinationRule", "trafficPolicy.tls.caCrl", FailsClosed(Need::UpstreamTls)),
    row("DestinationRule", "trafficPolicy.tunnel", NotYet(Need::Layer4)),
    row("DestinationRule", "trafficPolicy.proxyProtocol", NotYet(Need::ProxyProtocol)),
    row("DestinationRule", "trafficPolicy.retryBudget.budgetInterval", NoEffect(TEN_SECONDS)),
    row("Gateway", "servers.defaultEndpoint", NoEffect("Istio ignores it too")),
    row("Gateway", "servers.port.targetPort", NoEffect("Istio ignores it too")),
    row("Gateway", "servers.tls.caCertificates", FailsClosed(Need::ClientCertificates)),
    row("Gateway", "servers.tls.caCrl", FailsClosed(Need::ClientCertificates)),
    row("Gateway", "servers.tls.caCertCredentialName", FailsClosed(Need::ClientCertificates)),
    row("Gateway", "servers.tls.subjectAltNames", FailsClosed(Need::ClientCertificates)),
    row("Gateway", "servers.tls.verifyCertificateSpki", FailsClosed(Need::ClientCertificates)),
    row("Gateway", "servers.tls.verifyCertificateHash", FailsClosed(Need::ClientCertificates)),
    row("Gateway", "servers.tls.insecureSkipVerify", NotYet(Need::ClientCertificates)),
    row("Gateway", "servers.tls.minProtocolVersion", NotYet(Need::TlsPolicies)),
    row("Gateway", "servers.tls.maxProtocolVersion", NotYet(Need::TlsPolicies)),
    row("Gateway", "servers.tls.cipherSuites", NotYet(Need::TlsPolicies)),
    row("ServiceEntry", "subjectAltNames", FailsClosed(Need::UpstreamTls)),
    row("ServiceEntry", "addresses", NotYet(Need::Capture)),
    row("ServiceEntry", "location", NotYet(Need::UpstreamTls)),
    row("ServiceEntry", "endpoints.network", NoEffect("every endpoint is taken to be within reach")),
    row("ServiceEntry", "endpoints.locality", NotYet(Need::Balancing)),
    row("ServiceEntry", "endpoints.serviceAccount", NotYet(Need::UpstreamTls)),
    row("Sidecar", "ingress", NotYet(Need::Capture)),
    row("Sidecar", "inboundConnectionPool", NotYet(Need::Capture)),
    row("Sidecar", "outboundTrafficPolicy.egressProxy", NotYet(Need::Capture)),
    row("Sidecar", "egress.captureMode", NotYet(Need::Capture)),
    row("Sidecar", "egress.bind", NotYet(Need::Capture)),
    row("Sidecar", "egress.port.targetPort", NoEffect("Istio ignores it too")),
    row("PeerAuthentication", "", NotYet(Need::Capture)),
    row("AuthorizationPolicy", "", FailsClosed(Need::Authorization)),
    row("RequestAuthentication", "", FailsClosed(Need::Authentication)),
];

const fn row(kind: &'static str, path: &'static str, verdict: Verdict) -> Row {
    Row { kind, path, verdict }
}

/// The modes of a Gateway server's `tls`, which are values rather than fields: `MUTUAL` asks for client certificates, and
/// what is passed through is not HTTP.
pub const fn server_tls_mode(mode: ServerTlsMode) -> Verdict {
    match mode {
        ServerTlsMode::Simple => InEffect,
        ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual => FailsClosed(Need::ClientCertificates),
        ServerTlsMode::IstioMutual => FailsClosed(Need::Authorization),
        ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough => FailsClosed(Need::Layer4),
    }
}

/// The modes of a DestinationRule's `tls`.
pub const fn client_tls_mode(mode: ClientTlsMode) -> Verdict {
    match mode {
        ClientTlsMode::Disable | ClientTlsMode::Simple => InEffect,
        ClientTlsMode::Mutual | ClientTlsMode::IstioMutual => FailsClosed(Need::UpstreamTls),
    }
}

/// All rows.
pub fn all() -> &'static [Row] {
    &TABLE
}

/// The keys of a path as the rows have them.
fn field<'p>(kind: &str, path: &'p Path) -> Vec<&'p str> {
    let keys = path.steps().iter().filter_map(|step| match step {
        Step::Key(key) => Some(&**key),
        Step::Index(_) => None,
    });
    let mut field: Vec<&str> = keys.skip_while(|key| *key == "spec").collect();
    if kind == DestinationRule::KIND {
        if field.starts_with(&["subsets", "trafficPolicy"]) {
            field.remove(0);
        }
        field.retain(|key| *key != "portLevelSettings");
    }
    field
}

/// The verdict on a field of an object; the path starts at the object, as problems have it.
pub fn verdict(kind: &str, path: &Path) -> Verdict {
    let field = field(kind, path);
    let speaks = |row: &&Row| {
        let below: Vec<&str> = row.path.split('.').filter(|key| !key.is_empty()).collect();
        row.kind == kind && field.starts_with(&below)
    };
    let longest = TABLE.iter().filter(speaks).max_by_key(|row| row.path.len());
    longest.map_or(InEffect, |row| row.verdict)
}

/// Which fields of an object's content are not simply in effect, each at the place where its row begins to speak, with what
/// it says.
pub fn judge<K: Kind>(content: &K) -> Vec<(Path, Verdict, Value)> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::to_value(content) {
        walk(K::KIND, &value, &Path::root().key("spec"), &mut found);
    }
    found
}

fn walk(kind: &str, value: &Value, path: &Path, found: &mut Vec<(Path, Verdict, Value)>) {
    let verdict = verdict(kind, path);
    let whole = matches!(value, Value::Object(_) | Value::Array(_));
    match value {
        // What has fields that are judged otherwise is looked at field by field, an array element by element.
        Value::Object(fields) if verdict.is_in_effect() || !speaks_for_all(kind, path) => {
            for (key, value) in fields {
                walk(kind, value, &path.key(key), found);
            }
        }
        Value::Array(elements) if verdict.is_in_effect() => {
            for (index, element) in elements.iter().enumerate() {
                walk(kind, element, &path.index(index), found);
            }
        }
        _ if !verdict.is_in_effect() && (whole || *value != Value::Bool(false)) => {
            found.push((path.clone(), verdict, value.clone()));
        }
        _ => {}
    }
}

/// Whether no field below this one has a row of its own.
fn speaks_for_all(kind: &str, path: &Path) -> bool {
    let field = field(kind, path);
    !TABLE.iter().any(|row| {
        let keys: Vec<&str> = row.path.split('.').collect();
        row.kind == kind && keys.len() > field.len() && keys.starts_with(&field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Manifest;

    #[test]
    fn the_longest_row_speaks_for_a_field() {
        let path = |keys: &[&str]| keys.iter().fold(Path::root().key("spec"), |path, key| path.key(key));
        let pool = ["trafficPolicy", "connectionPool", "tcp", "tcpKeepalive"];
        assert_eq!(verdict("DestinationRule", &path(&pool)), NotYet(Need::ConnectionLimits));
        let connect = ["trafficPolicy", "connectionPool", "tcp", "connectTimeout"];
        assert_eq!(verdict("DestinationRule", &path(&connect)), InEffect);
        let of_subset = ["subsets", "trafficPolicy", "portLevelSettings", "tls", "caCrl"];
        assert!(verdict("DestinationRule", &path(&of_subset)).fails_closed());
        let cors = Path::root().key("spec").key("http").index(3).key("corsPolicy").key("maxAge");
        assert_eq!(verdict("VirtualService", &cors), NotYet(Need::Cors));
        assert_eq!(verdict("VirtualService", &path(&["http", "timeout"])), InEffect);
        assert!(verdict("AuthorizationPolicy", &path(&["rules"])).fails_closed());
    }

    /// A row that names no field would never speak.
    #[test]
    fn every_row_names_a_field_of_its_kind() {
        let manifest = Manifest::read(include_str!("../tests/full.yaml"));
        let objects: Vec<Value> =
            manifest.objects().map(|object| serde_json::to_value(object).unwrap()).collect();
        for row in all() {
            let keys: Vec<&str> = row.path.split('.').filter(|key| !key.is_empty()).collect();
            let found = objects.iter().filter(|object| object["kind"] == row.kind).any(|object| {
                let spec = &object["spec"];
                has(spec, &keys) || has(&spec["subsets"], &keys)
            });
            assert!(found, "{} {}", row.kind, row.path);
        }
    }

    fn has(value: &Value, keys: &[&str]) -> bool {
        match (keys, value) {
            ([], _) => true,
            (_, Value::Array(elements)) => elements.iter().any(|element| has(element, keys)),
            ([key, rest @ ..], Value::Object(fields)) => {
                fields.get(*key).is_some_and(|field| has(field, rest))
            }
            _ => false,
        }
    }
}
