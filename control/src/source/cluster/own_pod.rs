//! The pod of this process: the only one that is read whole, for its labels, its node and the names of its ports.

use super::{backoff::Backoff, kinds::WATCHED, trouble::Trouble, watch::Cluster, wire};
use crate::source::OwnPod;
use hyper::Request;
use sluice_crds::{AnyObject, Kind, Known, core::Pod};
use sluice_model::tree::Tree;
use sluice_translate::{NamespacedName, Topology};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::sleep;

const ZONE: &str = "topology.kubernetes.io/zone";
/// The zone is no reason to wait for long.
const ATTEMPTS: usize = 3;

/// What the first state waits for.
pub(super) fn label(pod: &NamespacedName) -> String {
    format!("Pod {}/{}", pod.namespace, pod.name)
}

/// Reads the pod and says so; what is refused is not waited for.
pub(super) async fn read(cluster: Arc<Cluster>, pod: NamespacedName) {
    let label = label(&pod);
    let mut backoff = Backoff::up_to(Duration::from_secs(10));
    let path = format!("/api/v1/namespaces/{}/pods/{}", pod.namespace, pod.name);
    loop {
        match get(&cluster, &path, Pod::KIND).await {
            Ok(object) => {
                if let Some(found) = Pod::of(&object) {
                    let node = found.content.node_name.clone();
                    let zone = zone(&cluster, &node).await;
                    let labels = found.metadata.labels.clone().unwrap_or_default();
                    cluster
                        .inbox
                        .own_pod(OwnPod { labels, topology: Topology { node, zone, ..Topology::default() } });
                }
                cluster.inbox.put(object);
                break;
            }
            Err(trouble) if matches!(trouble.code(), Some(401 | 403 | 404)) => {
                tracing::warn!(
                    "{label}, the pod of this process, cannot be read: {trouble}; say its labels with --labels, or allow the \
                     verb `get` on `pods` in namespace {} (POD_NAME and POD_NAMESPACE say which pod it is)",
                    pod.namespace
                );
                break;
            }
            Err(trouble) => {
                cluster.inbox.delayed(&label, trouble.to_string());
                sleep(backoff.delay(fastrand::f64(), trouble.retry_after())).await;
            }
        }
    }
    cluster.inbox.arrived(&label);
}

/// The zone of a node; empty where that cannot be known.
async fn zone(cluster: &Cluster, node: &str) -> String {
    if node.is_empty() {
        return String::new();
    }
    let mut backoff = Backoff::up_to(Duration::from_secs(1));
    for _ in 0..ATTEMPTS {
        match labels(cluster, &format!("/api/v1/nodes/{node}")).await {
            Ok(mut labels) => return labels.remove(ZONE).unwrap_or_default(),
            Err(trouble) if matches!(trouble.code(), Some(401 | 403 | 404)) => {
                tracing::info!(
                    "the zone of node {node} cannot be read, so services prefer no zone: {trouble}; allow the verb `get` on \
                     `nodes` in a ClusterRole"
                );
                return String::new();
            }
            Err(trouble) => {
                tracing::warn!("the zone of node {node} cannot be read: {trouble}");
                sleep(backoff.delay(fastrand::f64(), trouble.retry_after())).await;
            }
        }
    }
    String::new()
}

async fn get(cluster: &Cluster, path: &str, kind: &str) -> Result<AnyObject, Trouble> {
    let text = text(cluster, path).await?;
    let tree: Option<Tree> = serde_json::from_str(&text).ok();
    let resource = WATCHED.iter().find(|resource| resource.kind == kind);
    let object = tree.zip(resource).and_then(|(tree, resource)| resource.read(&tree));
    object
        .filter(|object| !object.is_rejected())
        .ok_or_else(|| Trouble::Nonsense(format!("no {kind} for {path}")))
}

async fn labels(cluster: &Cluster, path: &str) -> Result<BTreeMap<String, String>, Trouble> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Labelled {
        metadata: Labels,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Labels {
        labels: BTreeMap<String, String>,
    }
    let labelled: Labelled = serde_json::from_str(&text(cluster, path).await?)
        .map_err(|_| Trouble::Nonsense(format!("no object for {path}")))?;
    Ok(labelled.metadata.labels)
}

async fn text(cluster: &Cluster, path: &str) -> Result<String, Trouble> {
    let request = Request::get(path).body(Vec::new());
    let request = request.map_err(|error| Trouble::Nonsense(error.to_string()))?;
    wire::read(&cluster.client, request, false).await
}
