//! Where no addresses are named, Ingresses have those of the nodes.

use super::{cluster, ingress};
use serde_json::{Value, json};
use sluice_dsl::{ApiServer, GatewayRecipe, Origin, gateway};

/// Two pods of the gateway that are ready, one that is not, and somebody else's; the nodes, one of them without an address
/// outside of the cluster.
const PODS: &str = "
apiVersion: v1
kind: Pod
metadata: { name: edge-1, namespace: edge, labels: { app.kubernetes.io/name: edge, pod-template-hash: a } }
spec: { nodeName: one }
status: { phase: Running, conditions: [{ type: Ready, status: 'True' }] }
---
apiVersion: v1
kind: Pod
metadata: { name: edge-2, namespace: edge, labels: { app.kubernetes.io/name: edge, pod-template-hash: b } }
spec: { nodeName: two }
status: { phase: Running, conditions: [{ type: Ready, status: 'True' }] }
---
apiVersion: v1
kind: Pod
metadata: { name: edge-3, namespace: edge, labels: { app.kubernetes.io/name: edge, pod-template-hash: b } }
spec: { nodeName: three }
status: { phase: Running, conditions: [{ type: Ready, status: 'False' }] }
---
apiVersion: v1
kind: Pod
metadata: { name: other, namespace: edge, labels: { app.kubernetes.io/name: other } }
spec: { nodeName: three }
status: { phase: Running, conditions: [{ type: Ready, status: 'True' }] }
---
apiVersion: v1
kind: Node
metadata: { name: one }
status: { addresses: [{ type: InternalIP, address: 192.0.2.1 }, { type: ExternalIP, address: 203.0.113.1 }] }
---
apiVersion: v1
kind: Node
metadata: { name: two }
status: { addresses: [{ type: InternalIP, address: 192.0.2.2 }, { type: Hostname, address: two }] }
---
apiVersion: v1
kind: Node
metadata: { name: three }
status: { addresses: [{ type: InternalIP, address: 192.0.2.3 }] }
";

fn edge(api: &ApiServer) -> GatewayRecipe {
    api.put(PODS);
    api.put(&ingress("web", ""));
    gateway!().cluster(api).argument("--pod-name=edge-1").argument("--pod-namespace=edge")
}

/// Waits until the Ingress has these addresses and no others.
async fn published(api: &ApiServer, addresses: &[&str]) {
    let wanted: Vec<Value> = addresses.iter().map(|ip| json!({ "ip": ip })).collect();
    let has = |ingress: &Value| ingress["status"]["loadBalancer"]["ingress"] == json!(wanted);
    api.becomes("Ingress shop/web", has).await;
}

#[tokio::test]
async fn addresses_are_those_of_the_nodes_of_ready_pods_like_this_one_and_follow_them() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    let _gateway = edge(&api).argument("--status-update-interval=1").start().await;
    published(&api, &["192.0.2.2", "203.0.113.1"]).await;
    let mut second = api.object("Pod edge/edge-2");
    second["status"]["conditions"][0]["status"] = json!("False");
    api.put_object(second);
    published(&api, &["203.0.113.1"]).await;
}

#[tokio::test]
async fn addresses_inside_of_the_cluster_are_published_where_they_are_asked_for() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    let _gateway = edge(&api).argument("--report-node-internal-ip-address").start().await;
    published(&api, &["192.0.2.1", "192.0.2.2"]).await;
}

#[tokio::test]
async fn a_service_that_is_published_counts_before_nodes_and_addresses_before_both() {
    let shop = Origin::saying("shop").await;
    for (argument, addresses) in
        [("", "198.51.100.1"), ("--publish-status-address=198.51.100.2", "198.51.100.2")]
    {
        let api = cluster(&shop).await;
        api.put(
            "apiVersion: v1\nkind: Service\nmetadata: { name: edge, namespace: edge }\n\
             spec: { type: LoadBalancer, ports: [{ port: 80 }] }\n\
             status: { loadBalancer: { ingress: [{ ip: 198.51.100.1 }] } }\n",
        );
        let mut recipe = edge(&api).argument("--publish-service=edge/edge");
        if !argument.is_empty() {
            recipe = recipe.argument(argument);
        }
        let _gateway = recipe.start().await;
        published(&api, &[addresses]).await;
        assert_eq!(api.calls("list pods").len() + api.calls("get pods").len(), 0, "{argument}");
    }
}

#[tokio::test]
async fn a_gateway_that_knows_neither_its_pod_nor_addresses_says_how_to_name_them() {
    let shop = Origin::saying("shop").await;
    let api = cluster(&shop).await;
    api.put(&ingress("web", ""));
    let mut gateway = gateway!().cluster(&api).start().await;
    let said = gateway.process_says("there are no addresses for the status of Ingresses").await;
    assert!(said.contains("--publish-service") && said.contains("POD_NAME"), "{said}");
}
