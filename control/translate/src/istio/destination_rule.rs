//! DestinationRules: which one holds for a host, and what it says about its clusters.

use super::{
    balancer, gateway, names, notes::Notes, port::within, resilience, sound, traffic_policy::Policy,
    virtual_service::exports,
};
use crate::{
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::{Held, Of},
};
use sluice_crds::{
    Known,
    istio::{
        ClientTlsMode, ClientTlsSettings, DestinationRule, PortTrafficPolicy, Subset, TrafficPolicy, rows,
    },
};
use std::collections::HashSet;

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
    for (at, written) in
        blocks(content, |policy| policy.outlier_detection.as_ref(), |port| port.outlier_detection.as_ref())
    {
        resilience::check_outliers(written, &format!("{at}.outlierDetection"), notes);
    }
    for (at, written) in blocks(content, |policy| policy.retry_budget.as_ref(), |_| None) {
        resilience::check_budget(written, &format!("{at}.retryBudget"), notes);
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
            policy.outliers = level.outlier_detection.as_ref().or(policy.outliers);
            policy.tls = level.tls.as_ref().or(policy.tls);
            policy.budget = level.retry_budget.as_ref().or(policy.budget);
            let of_port = level
                .port_level_settings
                .iter()
                .find(|settings| settings.port.as_ref().is_some_and(|selector| selector.number == port));
            if let Some(of_port) = of_port {
                policy.balancer = of_port.load_balancer.as_ref();
                policy.pool = of_port.connection_pool.as_ref();
                policy.outliers = of_port.outlier_detection.as_ref();
                policy.tls = of_port.tls.as_ref();
            }
        }
        policy
    }
}
