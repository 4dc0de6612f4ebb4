//! Metrics in the words of ingress-nginx that the control plane alone knows: certificates of hosts, Ingresses without
//! anybody to serve them, checks of Ingresses, and who leads.

use sluice_crds::ObjectName;
use sluice_model::spec::{DataSource, Secret, SecretKind};
use sluice_proxy::{Family, Labels, NginxMetrics};
use sluice_tls::{CertificateFacts, certificate_facts};
use sluice_translate::{Held, IngressFacts, Lack, Level, Report};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const INGRESS: &str = "Ingress";

/// What these metrics are made of.
#[derive(Debug, Default)]
pub(super) struct NginxNumbers(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    /// The Ingresses that are served.
    served: Arc<BTreeSet<ObjectName>>,
    /// By Ingress that is ours, and was looked at.
    checks: BTreeMap<ObjectName, Checks>,
    facts: Arc<IngressFacts>,
    /// What was read of certificates, by name of the secret; read again when it is another one.
    certificates: HashMap<String, (Arc<Secret>, Option<CertificateFacts>)>,
}

/// How often an Ingress was looked at after it had changed.
#[derive(Debug, Default, Clone, Copy)]
struct Checks {
    /// And all of it is served.
    good: u64,
    /// And something of it is rejected.
    bad: u64,
}

impl NginxNumbers {
    /// Takes what became of the objects that changed.
    pub(super) fn take(
        &self,
        changed: &BTreeMap<ObjectName, Option<Held>>,
        served: &Arc<BTreeSet<ObjectName>>,
        reports: &[Report],
        facts: Arc<IngressFacts>,
    ) {
        let mut numbers = self.lock();
        numbers.facts = facts;
        numbers.served.clone_from(served);
        let ingresses = || changed.iter().filter(|(name, _)| name.kind == INGRESS);
        if ingresses().next().is_none() {
            return;
        }
        let of_ingresses = reports.iter().filter(|report| report.object.kind == INGRESS);
        let rejected: BTreeSet<&ObjectName> = of_ingresses
            .filter(|report| report.severity == Level::Error)
            .map(|report| &report.object)
            .collect();
        for (name, held) in ingresses() {
            let bad = rejected.contains(name);
            if held.is_none() || !(bad || served.contains(name)) {
                numbers.checks.remove(name);
                continue;
            }
            let checks = numbers.checks.entry(name.clone()).or_default();
            *(if bad { &mut checks.bad } else { &mut checks.good }) += 1;
        }
    }

    /// Everything, now. `election` is the name of the Lease and whether this process holds it, if there is one.
    pub(super) fn families(&self, told: &NginxMetrics, election: Option<(&str, bool)>) -> Vec<Family> {
        let mut numbers = self.lock();
        let mut families = Vec::from(numbers.of_certificates(told));
        families.push(numbers.orphans(told));
        families.extend(numbers.checks(told));
        families.extend(election.map(|(lease, leads)| {
            let labels = told.controller().into_iter().chain([("name", lease.to_owned())]).collect();
            Family::gauge(
                "leader_election_status",
                "Whether this process writes the status of Ingresses, 1, or another one does, 0.",
                vec![(labels, f64::from(u8::from(leads)))],
            )
        }));
        families
    }

    /// Held for a scrape, and a moment after a translation.
    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Numbers {
    fn of_certificates(&mut self, told: &NginxMetrics) -> [Family; 2] {
        let (mut ends, mut infos) = (Vec::new(), Vec::new());
        let mut known = std::mem::take(&mut self.certificates);
        for shown in &*self.facts.certificates {
            let name = &shown.secret.name;
            let read = match known.remove(name).or_else(|| self.certificates.get(name).cloned()) {
                Some((secret, facts)) if Arc::ptr_eq(&secret, &shown.secret) => facts,
                _ => read(&shown.secret),
            };
            if let Some(facts) = &read {
                let (namespace, secret) = name.split_once('/').unwrap_or(("", name));
                let labels: Labels = vec![
                    ("namespace", namespace.to_owned()),
                    ("class", told.controller_class.clone()),
                    ("host", shown.host.clone()),
                    ("secret_name", secret.to_owned()),
                    ("identifier", format!("{}-{}", facts.issuer_serial_number, facts.serial_number)),
                ];
                let info = [
                    ("issuer_organization", facts.issuer_organization.clone()),
                    ("issuer_common_name", facts.issuer_common_name.clone()),
                    ("serial_number", facts.serial_number.clone()),
                    ("public_key_algorithm", facts.public_key_algorithm.to_owned()),
                ];
                infos.push((labels.iter().cloned().chain(info).collect(), 1.0));
                ends.push((labels, facts.not_after as f64));
            }
            self.certificates.insert(name.clone(), (Arc::clone(&shown.secret), read));
        }
        [
            Family::gauge(
                "ssl_expire_time_seconds",
                "When the certificate of a host ends, in seconds since 1970.",
                ends,
            ),
            Family::gauge("ssl_certificate_info", "What the certificate of a host says about itself.", infos),
        ]
    }

    /// Every Ingress that is served has both types, 0 where it lacks nothing, so that alerts end.
    fn orphans(&self, told: &NginxMetrics) -> Family {
        let mut samples = Vec::new();
        for name in &*self.served {
            for (lack, word) in [(Lack::Service, "no-service"), (Lack::Endpoint, "no-endpoint")] {
                let orphan = sluice_translate::Orphan { ingress: name.clone(), lacks: lack };
                let labels = of_ingress(told, name).into_iter().chain([("type", word.to_owned())]);
                let value = f64::from(u8::from(self.facts.orphans.contains(&orphan)));
                samples.push((labels.collect(), value));
            }
        }
        Family::gauge(
            "orphan_ingress",
            "Whether an Ingress names a service that is not there, or one without ready endpoints.",
            samples,
        )
    }

    fn checks(&self, told: &NginxMetrics) -> [Family; 2] {
        let samples = |of: fn(&Checks) -> u64| -> Vec<(Labels, u64)> {
            let counted = self.checks.iter().filter(|(_, checks)| of(checks) > 0);
            counted.map(|(name, checks)| (of_ingress(told, name), of(checks))).collect()
        };
        [
            Family::counter(
                "check_success",
                "How often an Ingress was written and all of it is served.",
                samples(|checks| checks.good),
            ),
            Family::counter(
                "check_errors",
                "How often an Ingress was written and something of it is rejected.",
                samples(|checks| checks.bad),
            ),
        ]
    }
}

fn of_ingress(told: &NginxMetrics, name: &ObjectName) -> Labels {
    let own = [("namespace", name.namespace.clone()), ("ingress", name.name.clone())];
    told.controller().into_iter().chain(own).collect()
}

/// `None` where it cannot be read, though it can be served.
fn read(secret: &Secret) -> Option<CertificateFacts> {
    match &secret.kind {
        SecretKind::Tls(tls) => match &tls.certificate {
            DataSource::Inline(chain) => certificate_facts(chain.as_bytes()).ok(),
            DataSource::File(_) => None,
        },
        SecretKind::Ca(_) | SecretKind::Key(_) => None,
    }
}
