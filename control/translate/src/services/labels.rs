//! What metrics say of who serves a port of a service: the service itself, and the workloads of its pods.

use super::endpoints::pods;
use crate::{reads::View, settings::Settings, store::Of};
use sluice_crds::core::{Pod, Service, ServicePort};
use sluice_model::spec::{ClusterLabels, ServiceLabels, Workload, WorkloadLabels};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// The label that a ReplicaSet gives its pods, and that ends its own name.
const TEMPLATE_HASH: &str = "pod-template-hash";
/// What the controller of an Argo Rollout gives them in its place.
const ROLLOUT_HASH: &str = "rollouts-pod-template-hash";

/// Labels of a cluster for a port of a service; `None` where nobody asked for them.
pub(crate) fn labels(
    view: &View<'_>,
    settings: &Settings,
    service: Of<'_, Service>,
    port: &ServicePort,
) -> Option<ClusterLabels> {
    let wanted = settings.metric_labels;
    if !wanted.rules && !wanted.workloads {
        return None;
    }
    let name = service.name();
    let host = format!("{}.{}.svc.{}", name.name, name.namespace, settings.cluster_domain);
    let mut workloads: BTreeMap<WorkloadLabels, BTreeSet<SocketAddr>> = BTreeMap::new();
    if wanted.workloads {
        for (endpoint, pod) in pods(view, service, port) {
            workloads.entry(workload(pod)).or_default().insert(endpoint);
        }
    }
    let workloads = workloads
        .into_iter()
        .map(|(labels, endpoints)| Workload { labels, endpoints: endpoints.into_iter().collect() });
    Some(ClusterLabels {
        service: ServiceLabels { name: name.name, namespace: name.namespace, host, port: port.port },
        workloads: workloads.collect(),
    })
}

/// The workload of a pod, as Istio names it.
pub(crate) fn workload(pod: Of<'_, Pod>) -> WorkloadLabels {
    let metadata = &pod.object().metadata;
    let label = |names: &[&str]| {
        let labels = metadata.labels.as_ref();
        let found = names.iter().find_map(|name| labels?.get(*name));
        found.cloned().unwrap_or_default()
    };
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let name = match owner {
        None => metadata.name.clone().unwrap_or_default(),
        Some(owner) if owner.kind == "ReplicaSet" => {
            let hash = label(&[TEMPLATE_HASH, ROLLOUT_HASH]);
            let deployment = owner.name.strip_suffix(&*hash).and_then(|name| name.strip_suffix('-'));
            deployment.filter(|_| !hash.is_empty()).unwrap_or(&owner.name).to_owned()
        }
        // The name of a CronJob, a hyphen, and when the job was due.
        Some(owner) if owner.kind == "Job" => match owner.name.rsplit_once('-') {
            Some((cron_job, due)) if due.len() >= 8 && due.bytes().all(|byte| byte.is_ascii_digit()) => {
                cron_job.to_owned()
            }
            _ => owner.name.clone(),
        },
        Some(owner) => owner.name.clone(),
    };
    let canonical_service = label(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]);
    WorkloadLabels {
        namespace: pod.namespace().to_owned(),
        app: label(&["app"]),
        version: label(&["version"]),
        canonical_service: if canonical_service.is_empty() { name.clone() } else { canonical_service },
        canonical_revision: label(&[
            "service.istio.io/canonical-revision",
            "app.kubernetes.io/version",
            "version",
        ]),
        name,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        settings::{MetricLabels, Settings},
        tests::{settings, translate, translate_with},
    };
    use sluice_model::spec::{Cluster, WorkloadLabels};
    use std::sync::Arc;

    const SHOP: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop, namespace: shop, annotations: { nginx.ingress.kubernetes.io/app-root: /cart/ } }
spec:
  rules:
  - host: '*.shop.example'
    http:
      paths:
      - { path: /cart/, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }
      - { path: /gone, pathType: Prefix, backend: { service: { name: gone, port: { number: 80 } } } }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { tier: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
";

    fn pod(ip: u8, labels: &str, owner: &str) -> String {
        let owner = match owner.split_once(' ') {
            Some((kind, name)) => {
                format!(
                    "ownerReferences: [{{ apiVersion: v1, kind: {kind}, name: {name}, uid: u, controller: true }}]"
                )
            }
            None => "annotations: {}".to_owned(),
        };
        format!(
            "---\napiVersion: v1\nkind: Pod\n\
             metadata: {{ name: pod-{ip}, namespace: shop, labels: {{ tier: web, {labels} }}, {owner} }}\n\
             status: {{ phase: Running, podIP: 127.0.0.{ip} }}\n"
        )
    }

    fn asking(metric_labels: MetricLabels) -> Settings {
        Settings { metric_labels, ..settings() }
    }

    fn web(clusters: &[Arc<Cluster>]) -> &Cluster {
        clusters.iter().find(|cluster| cluster.name.starts_with("shop/web:80")).unwrap()
    }

    #[test]
    fn a_workload_is_named_after_what_owns_its_pods() {
        let pods = [
            pod(1, "app: web, version: v1, pod-template-hash: 5c8f", "ReplicaSet web-5c8f"),
            pod(2, "app: web, version: v1, pod-template-hash: 5c8f", "ReplicaSet web-5c8f"),
            pod(3, "rollouts-pod-template-hash: 7d9b", "ReplicaSet rollout-7d9b"),
            pod(4, "service.istio.io/canonical-name: data", "StatefulSet database"),
            pod(5, "a: b", "Job report-29384756"),
            pod(6, "a: b", "Job report-once"),
            pod(7, "a: b", ""),
        ];
        let settings = asking(MetricLabels { workloads: true, ..MetricLabels::default() });
        let translation = translate_with(settings, &(SHOP.to_owned() + &pods.concat()));
        let labels = web(&translation.config.clusters).labels.as_ref().unwrap();
        assert_eq!(labels.service.host, "web.shop.svc.cluster.local");
        let found: Vec<(&str, &str, usize)> = labels
            .workloads
            .iter()
            .map(|workload| {
                let WorkloadLabels { name, canonical_service, .. } = &workload.labels;
                (name.as_str(), canonical_service.as_str(), workload.endpoints.len())
            })
            .collect();
        let wanted = [
            ("database", "data", 1),
            ("pod-7", "pod-7", 1),
            ("report", "report", 1),
            ("report-once", "report-once", 1),
            ("rollout", "rollout", 1),
            ("web", "web", 2),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn every_route_of_a_rule_names_it() {
        let translation =
            translate_with(asking(MetricLabels { rules: true, ..MetricLabels::default() }), SHOP);
        let host = &translation.config.route_tables[0].virtual_hosts[0];
        let found: Vec<String> = host
            .routes
            .iter()
            .filter_map(|route| {
                let labels = route.labels.as_ref()?;
                Some(format!("{}: {} {} {}", route.name, labels.host, labels.path, labels.service))
            })
            .collect();
        let wanted = [
            "app-root: *.shop.example / ",
            "slash /cart/: *.shop.example /cart/ web",
            "prefix /cart/: *.shop.example /cart/ web",
            "prefix /gone: *.shop.example /gone gone",
        ];
        assert!(wanted.iter().all(|wanted| found.iter().any(|found| found == wanted)), "{found:#?}");
    }

    #[test]
    fn nobody_pays_for_labels_that_nobody_asked_for() {
        let translation = translate(SHOP);
        assert!(translation.config.clusters.iter().all(|cluster| cluster.labels.is_none()));
        let hosts = translation.config.route_tables.iter().flat_map(|table| &table.virtual_hosts);
        assert!(hosts.flat_map(|host| &host.routes).all(|route| route.labels.is_none()));
    }
}
