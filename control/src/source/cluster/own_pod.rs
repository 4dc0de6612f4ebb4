//! The pod of this process: the only one that is read whole, for its labels, its node and the names of its ports. It is watched by
//! its name, so its labels are followed; its node never changes, so the zone of that is looked up once.

use super::{
    backoff::Backoff,
    kinds::Resource,
    watch::{Accept, Cluster, Progress, Target, Watched},
};
use crate::api_server::Verb;
use serde_json::Value;
use sluice_crds::{Known, core::Pod};
use sluice_translate::NamespacedName;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch::Receiver, time::sleep};

const ZONE: &str = "topology.kubernetes.io/zone";
/// The zone is no reason to wait for long.
const ATTEMPTS: usize = 3;

/// Says what the first state has to wait for; then follows the pod until it is dropped.
pub(super) fn follow(cluster: Arc<Cluster>, pod: &NamespacedName) -> impl Future<Output = ()> + use<> {
    let target = target(pod);
    let label = format!("Pod {}/{}", pod.namespace, pod.name);
    let zone = format!("the zone of {label}");
    cluster.inbox.expect(target.label());
    cluster.inbox.expect(zone.clone());
    let (node, found) = tokio::sync::watch::channel(String::new());
    let (watched, progress) = Watched::new(cluster.clone(), target, Accept::Everything, []);
    let watched = watched.observed(move |object| {
        if let Some(pod) = Pod::of(object) {
            node.send_replace(pod.content.node_name.clone());
        }
    });
    async move {
        let first = async {
            look_around(&cluster, &label, progress, found).await;
            cluster.inbox.arrived(&zone);
        };
        tokio::join!(watched.run(), first);
    }
}

fn target(pod: &NamespacedName) -> Target {
    let mut target = Target::all(Resource::of::<Pod>());
    target.namespace = Some(pod.namespace.clone());
    target.fields = Some(format!("metadata.name={}", pod.name));
    // Without the right to read it, all goes on without its labels.
    target.reports = true;
    // As long as this process runs, it is somewhere.
    target.stays = true;
    target
}

/// Waits for the pod, and says what zone it is in.
async fn look_around(
    cluster: &Cluster,
    label: &str,
    mut progress: Receiver<Progress>,
    node: Receiver<String>,
) {
    let known = loop {
        let Progress { known, forbidden } = progress.borrow_and_update().clone();
        match known {
            Some(known) => break known,
            None if forbidden => return,
            None => {}
        }
        if progress.changed().await.is_err() {
            return;
        }
    };
    if known.is_empty() {
        return tracing::warn!(
            "{label}, the pod of this process, is not there, so only the labels of --labels count; POD_NAME and POD_NAMESPACE \
             say which pod it is"
        );
    }
    let node = node.borrow().clone();
    cluster.inbox.zone(zone(cluster, &node).await);
}

/// The zone of a node; empty where that cannot be known.
async fn zone(cluster: &Cluster, node: &str) -> String {
    if node.is_empty() {
        return String::new();
    }
    let mut backoff = Backoff::up_to(Duration::from_secs(1));
    for _ in 0..ATTEMPTS {
        match cluster.api.ask(Verb::Get, &format!("/api/v1/nodes/{node}"), &Value::Null).await {
            Ok(found) => return found["metadata"]["labels"][ZONE].as_str().unwrap_or_default().to_owned(),
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
