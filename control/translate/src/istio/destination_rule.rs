//! DestinationRules: which one holds for a host, and what it says about its clusters.

use super::{balancer, gateway, names, notes::Notes, port::within, sound, virtual_service::exports};
use crate::{
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::{Held, Of},
};
use sluice_crds::{
    Known,
    core::Secret,
    istio::{
        ClientTlsMode, ClientTlsSettings, ConnectionPoolSettings, DestinationRule, H2UpgradePolicy,
        LoadBalancerSettings, PortTrafficPolicy, Subset, TrafficPolicy, rows,
    },
};
use sluice_model::{
    spec::{self, Balancer, ClusterTls, DataSource, KeepAlive, LeastRequest, SecretKind, ServerVerification},
    value::Duration,
};
use std::collections::HashSet;

/// Istio's `connectTimeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The rules of a host as one.
#[derive(Debug, Default)]
pub(super) struct Rules<'s> {
    policy: Option<&'s TrafficPolicy>,
    subsets: Vec<&'s Subset>,
    /// The objects that they are written in.
    pub(super) written: Vec<&'s Held>,
    /// One of them cannot be used, and asks for more than plain connections, or may do so.
    refused: bool,
}

/// The blocks that hold for a subset and a port.
#[derive(Debug, Default)]
pub(super) struct Policy<'s> {
    refused: bool,
    balancer: Option<&'s LoadBalancerSettings>,
    pool: Option<&'s ConnectionPoolSettings>,
    tls: Option<&'s ClientTlsSettings>,
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

/// The rules for a host, as the gateway sees them: those of its own namespace, else of the service's, else of the root
/// namespace; the first of the three that has any has them all.
pub(super) fn find<'s>(view: &View<'s>, settings: &Settings, host: &str, service: &str) -> Rules<'s> {
    let client = settings.pod_namespace.as_str();
    let root = settings.root_namespace.as_str();
    let in_namespace = |namespace: &str, visible: &dyn Fn(Of<'s, DestinationRule>) -> bool| {
        let rules = view.within::<DestinationRule>(namespace).into_iter();
        let ours = rules.filter(|rule| holds_for(*rule, settings) && is_sound(*rule) && visible(*rule));
        let named = ours.filter_map(|rule| {
            let written = names::whole(&rule.object().content.host, namespace, &settings.cluster_domain);
            names::covers(&written, host).then_some((written, rule))
        });
        named.collect::<Vec<_>>()
    };
    let default = &settings.mesh.destination_rules_export_to;
    let exported = |rule: Of<'s, DestinationRule>| {
        names::seen_by(&rule.object().content.export_to, default, rule.namespace(), client).is_some()
    };
    let private = |rule: Of<'s, DestinationRule>| {
        client != root
            || names::seen_by(&rule.object().content.export_to, default, root, root)
                == Some(names::Seen::Private)
    };
    for (namespace, visible) in
        [(client, &private as &dyn Fn(_) -> bool), (service, &exported), (root, &exported)]
    {
        let found = in_namespace(namespace, visible);
        let refused = broken(view, settings, namespace, host);
        if !found.is_empty() || !refused.is_empty() {
            let mut rules = merge(found);
            rules.refused = !refused.is_empty();
            rules.written.extend(refused);
            return rules;
        }
    }
    Rules::default()
}

/// The rules of a namespace for a host that cannot be used, where they ask for more than plain connections, or what they ask
/// for cannot be read: what they protect is not sent in clear because of a mistake elsewhere in them.
fn broken<'s>(view: &View<'s>, settings: &Settings, namespace: &str, host: &str) -> Vec<&'s Held> {
    let rules = view.written_within::<DestinationRule>(namespace);
    let rules = rules.filter_map(|held| Some((held, DestinationRule::of(held.object())?)));
    let broken = rules.filter(|(held, rule)| {
        let written = names::whole(&rule.content.host, namespace, &settings.cluster_domain);
        let unreadable =
            |path: &str| path == "spec" || path.ends_with("trafficPolicy") || path.contains(".tls");
        let asks = || client_tls(&rule.content).iter().any(|(_, tls)| tls.mode != ClientTlsMode::Disable);
        let unclear = || rule.problems.iter().any(|problem| unreadable(&problem.path.to_string()));
        let unusable = rule.is_rejected() || Of::new(held).is_some_and(|rule| !is_sound(rule));
        unusable && names::covers(&written, host) && (asks() || unclear())
    });
    broken.map(|(held, _)| held).collect()
}

/// Those with the most specific host, from the oldest to the youngest, as one.
fn merge(mut found: Vec<(String, Of<'_, DestinationRule>)>) -> Rules<'_> {
    let best = found.iter().map(|(host, _)| (!host.starts_with('*'), host.len(), host.clone())).max();
    let Some((_, _, best)) = best else { return Rules::default() };
    found.retain(|(host, _)| *host == best);
    found.sort_by_key(|(_, rule)| {
        gateway::age(rule.age(), rule.object().metadata.name.as_deref(), rule.namespace())
    });
    let mut rules = Rules::default();
    for (_, rule) in found {
        let content = &rule.object().content;
        rules.written.push(rule.held());
        rules.policy = rules.policy.or(content.traffic_policy.as_ref());
        for subset in &content.subsets {
            if !rules.subsets.iter().any(|known| known.name == subset.name) {
                rules.subsets.push(subset);
            }
        }
    }
    rules
}

/// Rules with a selector hold for clients of their namespace that have its labels.
fn holds_for(rule: Of<'_, DestinationRule>, settings: &Settings) -> bool {
    rule.object().content.workload_selector.as_ref().is_none_or(|selector| {
        rule.namespace() == settings.pod_namespace && within(&selector.match_labels, &settings.labels)
    })
}

/// What is to be said of a DestinationRule on its own; it is not used where an error is among it.
pub(super) fn examine(object: Of<'_, DestinationRule>, settings: &Settings) -> Vec<Report> {
    let mut notes = Notes::about(object.held());
    let content = &object.object().content;
    check(content, &mut notes);
    for (at, written) in
        blocks(content, |policy| policy.load_balancer.as_ref(), |port| port.load_balancer.as_ref())
    {
        balancer::odd(written, &settings.role, &format!("{at}.loadBalancer"), &mut notes);
    }
    for (path, verdict, _) in rows::judge(content) {
        let refused = "what goes there answers 503";
        let found = Report::of_verdict(object.held(), verdict, refused, settings.allow_unprotected);
        notes.reports.extend(found.map(|report| report.at(path.to_string())));
    }
    for (at, tls) in client_tls(content) {
        let refused = "what goes there answers 503";
        let verdict = rows::client_tls_mode(tls.mode);
        let found = Report::of_verdict(object.held(), verdict, refused, settings.allow_unprotected);
        notes.reports.extend(found.map(|report| report.at(format!("{at}.mode"))));
        if tls.mode == ClientTlsMode::Simple && !matches!(tls.ca_certificates.as_str(), "" | "system") {
            let message = "certificates in files are not read, so what goes there answers 503; name a Secret with `credentialName`";
            notes.say(Level::Error, Reason::FailsClosed, &format!("{at}.caCertificates"), message);
        }
    }
    notes.reports
}

/// Every `tls` of a rule, and where it stands.
fn client_tls(content: &DestinationRule) -> Vec<(String, &ClientTlsSettings)> {
    let found = blocks(content, |policy| policy.tls.as_ref(), |port| port.tls.as_ref());
    found.into_iter().map(|(at, tls)| (format!("{at}.tls"), tls)).collect()
}

/// A block of every policy of a rule that has it, and where the policy stands.
fn blocks<'r, T>(
    content: &'r DestinationRule,
    of_policy: impl Fn(&'r TrafficPolicy) -> Option<&'r T>,
    of_port: impl Fn(&'r PortTrafficPolicy) -> Option<&'r T>,
) -> Vec<(String, &'r T)> {
    let whole = content.traffic_policy.iter().map(|policy| ("spec.trafficPolicy".to_owned(), policy));
    let parts = content.subsets.iter().enumerate().filter_map(|(index, subset)| {
        Some((format!("spec.subsets[{index}].trafficPolicy"), subset.traffic_policy.as_ref()?))
    });
    let mut found = Vec::new();
    for (at, policy) in whole.chain(parts) {
        for (index, port) in policy.port_level_settings.iter().enumerate() {
            found.extend(of_port(port).map(|block| (format!("{at}.portLevelSettings[{index}]"), block)));
        }
        found.extend(of_policy(policy).map(|block| (at, block)));
    }
    found
}

/// Whether it can be used.
pub(super) fn is_sound(object: Of<'_, DestinationRule>) -> bool {
    let mut notes = Notes::about(object.held());
    check(&object.object().content, &mut notes);
    notes.is_sound()
}

fn check(content: &DestinationRule, notes: &mut Notes<'_>) {
    if !names::is_host(&content.host) {
        notes.invalid("spec.host", format!("`{}` is not a host: write a name or `*.name`", content.host));
    }
    if content.traffic_policy.as_ref() == Some(&TrafficPolicy::default()) {
        notes.invalid("spec.trafficPolicy", "says nothing; leave it out");
    }
    let mut seen = HashSet::new();
    for (index, subset) in content.subsets.iter().enumerate() {
        let at = format!("spec.subsets[{index}].name");
        if !names::is_subset(&subset.name) {
            notes.invalid(
                &at,
                format!("`{}` is not a name: use a to z, 0 to 9 and, inside, `-`", subset.name),
            );
        } else if !seen.insert(&subset.name) {
            notes.invalid(&at, format!("`{}` names two subsets", subset.name));
        }
        if subset.traffic_policy.as_ref() == Some(&TrafficPolicy::default()) {
            notes.invalid(&format!("spec.subsets[{index}].trafficPolicy"), "says nothing; leave it out");
        }
    }
    for (at, tls) in client_tls(content).into_iter().filter(|(_, tls)| !tls.sni.is_empty()) {
        if let Err(message) = sound::server_name(&tls.sni) {
            notes.invalid(&format!("{at}.sni"), message);
        }
    }
    for (at, written) in
        blocks(content, |policy| policy.load_balancer.as_ref(), |port| port.load_balancer.as_ref())
    {
        balancer::check(written, &format!("{at}.loadBalancer"), notes);
    }
    let own_only = content.export_to.iter().all(|name| name == ".");
    if content.workload_selector.is_some() && !own_only {
        notes.invalid(
            "spec.exportTo",
            "with `workloadSelector` it holds in its own namespace only; write `.`",
        );
    }
    exports(&content.export_to, notes);
}

// === impl Rules ===

impl<'s> Rules<'s> {
    /// The subset of this name.
    pub(super) fn subset(&self, name: &str) -> Option<&'s Subset> {
        self.subsets.iter().copied().find(|subset| subset.name == name)
    }

    /// What holds for a subset, or the whole service, at one of its ports.
    pub(super) fn policy(&self, subset: &str, port: u16) -> Policy<'s> {
        let own = self.subset(subset).and_then(|subset| subset.traffic_policy.as_ref());
        let mut policy = Policy { refused: self.refused, ..Policy::default() };
        for level in [self.policy, own].into_iter().flatten() {
            policy.balancer = level.load_balancer.as_ref().or(policy.balancer);
            policy.pool = level.connection_pool.as_ref().or(policy.pool);
            policy.tls = level.tls.as_ref().or(policy.tls);
            let of_port = level
                .port_level_settings
                .iter()
                .find(|settings| settings.port.as_ref().is_some_and(|selector| selector.number == port));
            if let Some(of_port) = of_port {
                policy.balancer = of_port.load_balancer.as_ref();
                policy.pool = of_port.connection_pool.as_ref();
                policy.tls = of_port.tls.as_ref();
            }
        }
        policy
    }
}

// === impl Policy ===

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
            return KeepAlive { max_idle: 0, ..kept };
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
