//! Which VirtualServices have a say about which host.

use super::directory::Listed;
use crate::{
    istio::{attach, names, sidecar::Scope},
    settings::Settings,
    store::Of,
};
use sluice_crds::{ObjectName, istio::VirtualService};
use std::collections::{BTreeMap, BTreeSet};

/// VirtualServices for the mesh that the pod's namespace sees, by host; those of one host in the order in which they count.
#[derive(Debug)]
pub(super) struct Rules(BTreeMap<String, Vec<Rule>>);

#[derive(Debug, Clone)]
struct Rule {
    name: ObjectName,
    /// Whole names.
    hosts: Vec<String>,
}

impl Rules {
    pub(super) fn of(services: Vec<Of<'_, VirtualService>>, settings: &Settings) -> Self {
        let mut by_host: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
        for (_, object) in attach::in_order(services, settings) {
            let content = &object.object().content;
            if content.http.is_empty()
                || !(content.gateways.is_empty() || content.gateways.iter().any(|name| name == "mesh"))
            {
                continue;
            }
            let whole = |host: &String| names::whole(host, object.namespace(), &settings.cluster_domain);
            // A service may be listed under its short name and under its whole one.
            let hosts: BTreeSet<String> = content.hosts.iter().map(whole).collect();
            let rule = Rule { name: object.name(), hosts: hosts.into_iter().collect() };
            for host in &rule.hosts {
                by_host.entry(host.clone()).or_default().push(rule.clone());
            }
        }
        Self(by_host)
    }

    /// Those for a host at a port: for its name, else for the narrowest wildcard that covers it.
    pub(super) fn claims(&self, scope: &Scope, port: u16, host: &str) -> Vec<ObjectName> {
        let exact = self.at(scope, port, host);
        if !exact.is_empty() {
            return exact;
        }
        let wildcards = self.0.range("*".to_owned()..).take_while(|(written, _)| written.starts_with('*'));
        let mut covering: Vec<&String> =
            wildcards.map(|(written, _)| written).filter(|written| names::covers(written, host)).collect();
        covering.sort_by_key(|written| std::cmp::Reverse(written.len()));
        covering
            .into_iter()
            .map(|written| self.at(scope, port, written))
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    /// Hosts that no host of the directory is, or is covered by, each with its rules.
    pub(super) fn without_service(
        &self,
        scope: &Scope,
        port: u16,
        directory: &[Listed<'_>],
    ) -> Vec<(String, Vec<ObjectName>)> {
        let asked: BTreeSet<&str> =
            directory.iter().filter(|listed| listed.asked).map(|listed| &*listed.host).collect();
        let free = |host: &str| {
            if host.starts_with('*') {
                !asked.iter().any(|listed| names::covers(host, listed))
            } else {
                !asked.contains(host)
            }
        };
        let hosts = self.0.keys().filter(|host| free(host));
        let claimed = hosts.map(|host| (host.clone(), self.at(scope, port, host)));
        claimed.filter(|(_, claims)| !claims.is_empty()).collect()
    }

    fn at(&self, scope: &Scope, port: u16, written: &str) -> Vec<ObjectName> {
        let rules = self.0.get(written).into_iter().flatten();
        let counted = rules.filter(|rule| scope.imports_rules(port, &rule.name.namespace, &rule.hosts));
        counted.map(|rule| rule.name.clone()).collect()
    }
}
