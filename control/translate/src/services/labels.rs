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
