//! The `trafficPolicy` that holds for a cluster: how its connections are secured, kept and shared out.

use super::{balancer, resilience, sound};
use crate::{reads::View, report::Reason, settings::Settings};
use sluice_crds::{
    core::Secret,
    istio::{
        ClientTlsMode, ClientTlsSettings, ConnectionPoolSettings, H2UpgradePolicy, LoadBalancerSettings,
        OutlierDetection, RetryBudget,
    },
};
use sluice_model::{
    spec::{self, Balancer, ClusterTls, DataSource, KeepAlive, LeastRequest, SecretKind, ServerVerification},
    value::{Duration, Percent},
};

/// Istio's `connectTimeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The blocks that hold for a subset and a port.
#[derive(Debug, Default)]
pub(super) struct Policy<'s> {
    /// A rule for it cannot be used, and asks for more than plain connections, or may do so.
    pub(super) refused: bool,
    pub(super) balancer: Option<&'s LoadBalancerSettings>,
    pub(super) pool: Option<&'s ConnectionPoolSettings>,
    pub(super) outliers: Option<&'s OutlierDetection>,
    pub(super) tls: Option<&'s ClientTlsSettings>,
    pub(super) budget: Option<&'s RetryBudget>,
}

/// How connections are secured.
#[derive(Debug)]
pub(super) enum Security {
    Plain,
    /// With the trust anchors that it names.
    Tls(ClusterTls, Option<spec::Secret>),
    /// In a way that is not there: nothing may be sent. What is wrong, where that was not said of the rule itself; it is
    /// [`Reason::NotFound`] where nothing but the Secret with the trust anchors is missing.
    Refused(Option<(Reason, String)>),
}

impl Policy<'_> {
    /// How connections are secured. Without a word that is left to the mesh, whose identities are not there.
    pub(super) fn security(&self, view: &View<'_>, settings: &Settings, host: &str) -> Security {
        let unprotected = settings.allow_unprotected;
        if self.refused && !unprotected {
            return Security::Refused(None);
        }
        let Some(tls) = self.tls else { return Security::Plain };
        match tls.mode {
            ClientTlsMode::Disable => return Security::Plain,
            ClientTlsMode::Simple => {}
            ClientTlsMode::Mutual | ClientTlsMode::IstioMutual if unprotected => return Security::Plain,
            ClientTlsMode::Mutual | ClientTlsMode::IstioMutual => return Security::Refused(None),
        }
        if !unprotected && (!tls.subject_alt_names.is_empty() || !tls.ca_crl.is_empty()) {
            return Security::Refused(None);
        }
        let mut anchors = None;
        let verify = if tls.insecure_skip_verify == Some(true) {
            ServerVerification::Insecure
        } else if !tls.credential_name.is_empty() {
            match credential(view, settings, &tls.credential_name) {
                Ok(secret) => {
                    let name = secret.name.clone();
                    anchors = Some(secret);
                    ServerVerification::Ca(name)
                }
                Err(wrong) => return Security::Refused(Some(wrong)),
            }
        } else if matches!(tls.ca_certificates.as_str(), "" | "system") {
            ServerVerification::System
        } else {
            return Security::Refused(None);
        };
        if tls.sni.is_empty()
            && let Err(message) = sound::server_name(host)
        {
            let message = format!("{message}; write `sni`, the name that servers prove to have");
            return Security::Refused(Some((Reason::Invalid, message)));
        }
        let server_name = if tls.sni.is_empty() { host.to_owned() } else { tls.sni.clone() };
        Security::Tls(ClusterTls { server_name: Some(server_name), verify }, anchors)
    }

    /// How an endpoint is chosen: by load, where nobody says it.
    pub(super) fn balancer(&self) -> Balancer {
        let usual = || Balancer::LeastRequest(LeastRequest::default());
        self.balancer.and_then(balancer::balancer).unwrap_or_else(usual)
    }

    /// Whether connections go on to the address that they were on their way to.
    pub(super) fn passes_through(&self) -> bool {
        self.balancer.is_some_and(balancer::passes_through)
    }

    /// Whether HTTP/2 is spoken to servers that did not ask for it.
    pub(super) fn upgrades(&self, settings: &Settings) -> bool {
        let http = self.pool.and_then(|pool| pool.http.as_ref());
        match http.map(|http| http.h2_upgrade_policy).unwrap_or_default() {
            H2UpgradePolicy::Upgrade => true,
            H2UpgradePolicy::DoNotUpgrade => false,
            H2UpgradePolicy::Default => settings.mesh.http2_upgrade,
        }
    }

    /// How much the cluster may be given at once.
    pub(super) fn limits(&self) -> spec::ClusterLimits {
        self.pool.map(resilience::limits).unwrap_or_default()
    }

    /// Which endpoints are left out for a while, and when they are asked all the same.
    pub(super) fn outliers(&self) -> Option<(spec::OutlierDetection, Percent)> {
        self.outliers.map(resilience::outliers)
    }

    /// How many requests may be retries.
    pub(super) fn retry_budget(&self) -> spec::RetryBudget {
        self.budget.map(resilience::retry_budget).unwrap_or_default()
    }

    /// To connect.
    pub(super) fn connect_timeout(&self, settings: &Settings) -> Duration {
        let tcp = self.pool.and_then(|pool| pool.tcp.as_ref());
        let written = tcp.and_then(|tcp| tcp.connect_timeout).map(|timeout| timeout.get().as_millis() as u64);
        let written = written.filter(|millis| *millis > 0).map(Duration::from_millis);
        written.or(settings.mesh.connect_timeout).unwrap_or(CONNECT_TIMEOUT)
    }

    /// How connections are kept.
    pub(super) fn keep_alive(&self) -> KeepAlive {
        let mut kept = KeepAlive::default();
        let Some(http) = self.pool.and_then(|pool| pool.http.as_ref()) else { return kept };
        if http.max_requests_per_connection == 1 {
            // Over HTTP/2 a connection would be shared as long as it is busy.
            return KeepAlive { max_idle: 0, max_requests: 1, ..kept };
        }
        kept.max_requests = http.max_requests_per_connection;
        let idle = http.idle_timeout.map(|timeout| timeout.get().as_millis() as u64);
        kept.idle_timeout =
            idle.filter(|millis| *millis > 0).map_or(kept.idle_timeout, Duration::from_millis);
        kept
    }
}

/// The trust anchors in a Secret of the gateway's namespace, or why there are none.
fn credential(view: &View<'_>, settings: &Settings, name: &str) -> Result<spec::Secret, (Reason, String)> {
    let namespace = &settings.pod_namespace;
    let Some(secret) = view.get::<Secret>(namespace, name) else {
        return Err((
            Reason::NotFound,
            format!("there is no Secret {namespace}/{name}, the gateway's namespace"),
        ));
    };
    let invalid = |message: &str| (Reason::Invalid, format!("Secret {namespace}/{name}: {message}"));
    let content = &secret.object().content;
    let anchors = content.get("ca.crt").or_else(|| content.get("cacert"));
    let anchors = anchors.ok_or_else(|| invalid("it has neither `ca.crt` nor `cacert`"))?;
    let text = str::from_utf8(anchors).map_err(|_| invalid("it does not hold PEM"))?;
    let secret = spec::Secret {
        name: format!("{namespace}/{name} anchors"),
        kind: SecretKind::Ca(DataSource::Inline(text.into())),
    };
    sound::secret(&secret).map_err(|message| invalid(&message))?;
    settings.anchors.0(anchors).map_err(|message| invalid(&message))?;
    Ok(secret)
}
