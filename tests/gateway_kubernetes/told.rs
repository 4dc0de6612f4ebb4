//! What a gateway writes to a real API server, with the rights that the installation grants.

use super::{HOST, INGRESS, ISTIO, recipe, shop};
use serde_json::{Value, json};
use sluice_dsl::{GatewayRecipe, Kubernetes, Origin, Signal, kubernetes, objects};

const INGRESS_PATH: &str = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/shop/events";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases/ingress-controller-leader";

/// A pod as the Deployment of the installation makes them.
fn pod(name: &str) -> Value {
    let deployment = include_str!("../../configs/kubernetes/base/deployment.yaml");
    let template = objects(deployment).remove(0)["spec"]["template"].clone();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": "sluice-system", "labels": template["metadata"]["labels"] },
        "spec": template["spec"],
    })
}

/// The gateway of this pod.
async fn member(cluster: &Kubernetes, pod: &str) -> GatewayRecipe {
    let named = recipe(cluster).await.argument(&format!("--pod-name={pod}"));
    named.argument("--pod-namespace=sluice-system").argument("--election-ttl=5s")
}

fn address(ingress: &Value) -> &Value {
    &ingress["status"]["loadBalancer"]["ingress"][0]["ip"]
}

/// Our condition of an object.
fn accepted(object: &Value) -> Value {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == "Accepted").cloned().unwrap_or_default()
}

/// Those Events that say this.
fn saying<'e>(events: &'e Value, text: &str) -> Vec<&'e Value> {
    let all = events["items"].as_array().into_iter().flatten();
    all.filter(|event| event["note"].as_str().is_some_and(|note| note.contains(text))).collect()
}

#[tokio::test]
async fn the_addresses_of_nodes_and_conditions_are_written_and_follow_their_objects() {
    let Some(cluster) = kubernetes!().await else { return };
    let origin = Origin::saying("hello").await;
    cluster.install("configs/kubernetes/crds").await;
    shop(&cluster, &origin).await;
    let routes = ISTIO.replace("${port}", &origin.address().port().to_string()).replace(HOST, "mesh.example");
    cluster.apply(&routes).await;
    let mut own = pod("one");
    own["spec"]["nodeName"] = json!("node-0");
    cluster.apply(&own.to_string()).await;
    cluster.apply("{ apiVersion: v1, kind: Node, metadata: { name: node-0 } }").await;
    cluster
        .report(
            "apiVersion: v1\nkind: Node\nmetadata: { name: node-0 }\n\
             status: { addresses: [{ type: ExternalIP, address: 203.0.113.7 }] }\n---\n\
             apiVersion: v1\nkind: Pod\nmetadata: { name: one, namespace: sluice-system }\n\
             status: { phase: Running, conditions: [{ type: Ready, status: 'True' }] }\n",
        )
        .await;

    let gateway = member(&cluster, "one").await.start().await;
    cluster.becomes(INGRESS_PATH, |ingress| address(ingress) == "203.0.113.7").await;
    for kind in ["virtualservices", "gateways"] {
        let path = format!("/apis/networking.istio.io/v1/namespaces/shop/{kind}/web");
        let object = cluster.becomes(&path, |object| accepted(object)["status"] == "True").await;
        assert_eq!(accepted(&object)["observedGeneration"], 1, "{kind}");
    }
    cluster.apply(&routes.replace("http: [{ route", "http: [{ timeout: soon, route")).await;
    let path = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices/web";
    let object = cluster.becomes(path, |object| accepted(object)["status"] == "False").await;
    let condition = accepted(&object);
    assert_eq!((&condition["reason"], &condition["observedGeneration"]), (&json!("Invalid"), &json!(2)));
    assert!(condition["message"].as_str().unwrap().contains("spec.http[0].timeout"), "{condition}");
    // What stands there is not written again.
    let kind = ["kind=\"Ingress\""];
    gateway.proxy().stat_becomes("sluice_status_writes_total", &kind, |count| count as u64 == 1).await;
}

#[tokio::test]
async fn a_problem_is_one_event_and_counts_up_when_it_comes_back() {
    let Some(cluster) = kubernetes!().await else { return };
    let origin = Origin::saying("hello").await;
    shop(&cluster, &origin).await;
    let to = |service: &str| INGRESS.replace("{ name: web, port", &format!("{{ name: {service}, port"));
    cluster.apply(&to("missing")).await;
    let gateway = member(&cluster, "one").await.argument("--publish-status-address=203.0.113.7");
    let _gateway = gateway.start().await;
    let events = cluster.becomes(EVENTS, |events| !saying(events, "missing").is_empty()).await;
    let event = saying(&events, "missing")[0].clone();
    assert_eq!(
        (&event["regarding"]["kind"], &event["regarding"]["name"]),
        (&json!("Ingress"), &json!("web"))
    );
    assert_eq!(
        (&event["reportingInstance"], &event["type"], &event["series"]),
        (&json!("one"), &json!("Warning"), &Value::Null)
    );
    // The Event of the other problem shows that this one was seen to be over.
    cluster.apply(&to("absent")).await;
    cluster.becomes(EVENTS, |events| !saying(events, "absent").is_empty()).await;
    cluster.apply(&to("missing")).await;
    let twice = |events: &Value| saying(events, "missing").iter().any(|event| event["series"]["count"] == 2);
    let events = cluster.becomes(EVENTS, twice).await;
    assert_eq!(saying(&events, "missing").len(), 1, "{events:#}");
}

#[tokio::test]
async fn another_pod_writes_when_the_holder_of_the_lease_is_killed_and_the_last_one_gives_it_back() {
    let Some(cluster) = kubernetes!().await else { return };
    let origin = Origin::saying("hello").await;
    shop(&cluster, &origin).await;
    for name in ["one", "two"] {
        cluster.apply(&pod(name).to_string()).await;
    }
    let start = async |pod: &str| {
        let recipe = member(&cluster, pod).await.argument("--publish-status-address=203.0.113.7");
        recipe.start().await
    };
    let mut one = start("one").await;
    cluster.becomes(LEASE, |lease| lease["spec"]["holderIdentity"] == "one").await;
    cluster.becomes(INGRESS_PATH, |ingress| address(ingress) == "203.0.113.7").await;
    let mut two = start("two").await;
    one.signal(Signal::KILL);
    one.ended().await;
    let lease = cluster.becomes(LEASE, |lease| lease["spec"]["holderIdentity"] == "two").await;
    assert!(lease["spec"]["leaseTransitions"].as_u64().unwrap() >= 1, "{lease:#}");
    cluster.apply(&super::other_ingress("next", "next.example.com")).await;
    let next = INGRESS_PATH.replace("/web", "/next");
    cluster.becomes(&next, |ingress| address(ingress) == "203.0.113.7").await;

    cluster.delete(&pod("one").to_string()).await;
    two.signal(Signal::TERM);
    assert_eq!(two.ended().await, 0);
    assert_eq!(cluster.get(LEASE).await["spec"]["holderIdentity"], "");
    assert_eq!(*address(&cluster.get(&next).await), Value::Null, "nobody serves it any more");
}
