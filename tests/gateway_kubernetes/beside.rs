//! `sluice sidecar` and a real Kubernetes API server.

use super::{BASE, NAMESPACE};
use sluice_dsl::{Origin, Request, kubernetes, sidecar};

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { containers: [{ name: web, image: web }] }
";

/// A real server takes no loopback addresses for the endpoints of Services.
const REVIEWS: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews.test]
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
";

const RULES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews.test]
  http:
  - match: [{ sourceLabels: { version: beta } }]
    directResponse: { status: 218 }
  - route: [{ destination: { host: reviews.test } }]
";

#[tokio::test]
async fn a_sidecar_serves_what_its_pod_sees_and_follows_changes_of_rules_services_and_the_pod() {
    let Some(cluster) = kubernetes!().await else { return };
    let (one, two) = (Origin::saying("one").await, Origin::saying("two").await);
    let at = |origin: &Origin| REVIEWS.replace("${port}", &origin.address().port().to_string());
    cluster.install(BASE).await;
    cluster.install("configs/kubernetes/crds").await;
    cluster.apply(&format!("{NAMESPACE}\n---{POD}---{}", at(&one))).await;
    let token = cluster.account("sluice-system/sluice").await;
    let mut sidecar = sidecar!("shop/web").kubeconfig(cluster.kubeconfig(&token)).start().await;
    sidecar.says("reviews.test", "/", "one").await;
    cluster.apply(&at(&two)).await;
    sidecar.says("reviews.test", "/", "two").await;

    cluster.apply(RULES).await;
    let request = Request::get("/").host("reviews.test");
    cluster.apply(&POD.replace("app: web }", "app: web, version: beta }")).await;
    sidecar.until("the rule for the pod's new label holds", &request, |reply| reply.status == 218).await;
    cluster.apply(POD).await;
    sidecar.says("reviews.test", "/", "two").await;
}
