//! A real Kubernetes API server: what is installed in it, and what it makes of our objects.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::json;
use sluice_dsl::{Kubernetes, Request, kubernetes};

/// What the gateway lists and watches everywhere.
const WATCHED: &[(&str, &[&str])] = &[
    ("", &["services", "endpoints", "configmaps", "secrets", "pods", "namespaces"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("networking.k8s.io", &["ingresses", "ingressclasses"]),
    (
        "networking.istio.io",
        &["virtualservices", "destinationrules", "gateways", "serviceentries", "sidecars"],
    ),
    ("security.istio.io", &["peerauthentications", "authorizationpolicies", "requestauthentications"]),
];

const NAMESPACE: &str = "{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }";

const INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: shop }
spec: { defaultBackend: { service: { name: web, port: { number: 80 } } } }
";

const INGRESS_PATH: &str = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web";

#[tokio::test]
async fn objects_of_istio_are_the_same_in_every_version_and_keep_what_nobody_knows() {
    let Some(cluster) = kubernetes!().await else { return };
    cluster.install("configs/kubernetes/crds").await;
    cluster
        .apply(
            "{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }\n---\n\
             apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\n\
             metadata: { name: web, namespace: shop }\n\
             spec: { hosts: [web], http: [{ route: [{ destination: { host: web } }], inventedLater: { by: us } }] }\n",
        )
        .await;
    for version in ["v1", "v1beta1", "v1alpha3"] {
        let path = format!("/apis/networking.istio.io/{version}/namespaces/shop/virtualservices/web");
        let found = cluster.get(&path).await;
        assert_eq!(found["spec"]["http"][0]["inventedLater"], json!({ "by": "us" }), "{version}");
    }
}

#[tokio::test]
async fn kinds_of_istio_have_a_status_of_their_own_and_short_names() {
    let Some(cluster) = kubernetes!().await else { return };
    cluster.install("configs/kubernetes/crds").await;
    let gateway =
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: web }\nspec: { servers: [] }\n";
    cluster.apply(gateway).await;
    let path = "/apis/networking.istio.io/v1/namespaces/default/gateways/web";
    let status = json!({ "spec": { "servers": [{}] }, "status": { "conditions": [{ "type": "Accepted" }] } });
    let request = Request::new("PATCH", &format!("{path}/status"))
        .field("content-type", "application/merge-patch+json")
        .body(status.to_string());
    let reply = cluster.send(&request).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let found = cluster.get(path).await;
    assert_eq!(found["status"]["conditions"][0]["type"], "Accepted");
    assert_eq!(found["spec"]["servers"], json!([]), "a status changes no spec");
    assert_eq!(found["metadata"]["generation"], 1, "a status is no new generation");

    let known = cluster.get("/apis/networking.istio.io/v1").await;
    let resources = known["resources"].as_array().unwrap();
    let gateways = resources.iter().find(|resource| resource["name"] == "gateways").unwrap();
    assert_eq!(gateways["shortNames"], json!(["gw"]));
}

#[tokio::test]
async fn an_account_may_do_what_its_role_says() {
    let Some(cluster) = kubernetes!().await else { return };
    cluster
        .apply(
            "{ apiVersion: v1, kind: ServiceAccount, metadata: { name: reader } }\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: { name: reader }\n\
             rules: [{ apiGroups: [''], resources: [secrets], resourceNames: [one], verbs: [get] }]\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: { name: reader }\n\
             roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader }\n\
             subjects: [{ kind: ServiceAccount, name: reader, namespace: default }]\n",
        )
        .await;
    let token = cluster.account("default/reader").await;
    assert!(cluster.allows(&token, ["get", "", "secrets", "default", "one"]).await);
    assert!(!cluster.allows(&token, ["get", "", "secrets", "default", "two"]).await);
    assert!(!cluster.allows(&token, ["list", "", "secrets", "default", ""]).await);
    let reply = cluster.send_as(&token, &Request::get("/api/v1/namespaces/default/secrets/two")).await;
    assert_eq!(reply.status, 403, "{}", reply.text());
}

#[tokio::test]
async fn the_installation_is_accepted_and_grants_what_the_gateway_does_and_no_more() {
    let Some(cluster) = kubernetes!().await else { return };
    cluster.install("configs/kubernetes/base").await;
    let token = cluster.account("sluice-system/sluice").await;
    for (group, resources) in WATCHED {
        for resource in *resources {
            for verb in ["list", "watch"] {
                assert!(cluster.allows(&token, [verb, group, resource, "", ""]).await, "{verb} {resource}");
            }
            for verb in ["create", "update", "patch", "delete"] {
                assert!(!cluster.allows(&token, [verb, group, resource, "", ""]).await, "{verb} {resource}");
            }
        }
    }
    let lease = "ingress-controller-leader";
    for asked in [
        ["get", "", "pods", "sluice-system", "sluice-0"],
        ["get", "", "nodes", "", "node-0"],
        ["patch", "networking.k8s.io", "ingresses/status", "shop", "web"],
        ["patch", "networking.istio.io", "virtualservices/status", "shop", "web"],
        ["patch", "security.istio.io", "authorizationpolicies/status", "shop", "web"],
        ["create", "events.k8s.io", "events", "shop", ""],
        ["create", "coordination.k8s.io", "leases", "sluice-system", ""],
        ["update", "coordination.k8s.io", "leases", "sluice-system", lease],
    ] {
        assert!(cluster.allows(&token, asked).await, "{asked:?}");
    }
    for asked in [
        ["get", "", "pods", "shop", "web"],
        ["create", "", "events", "shop", ""],
        ["patch", "coordination.k8s.io", "leases", "sluice-system", lease],
        ["get", "networking.k8s.io", "ingresses/status", "shop", "web"],
        ["get", "", "pods/log", "shop", "web"],
        ["create", "", "pods/exec", "shop", "web"],
        ["update", "coordination.k8s.io", "leases", "sluice-system", "another"],
        ["update", "coordination.k8s.io", "leases", "shop", lease],
        ["list", "rbac.authorization.k8s.io", "clusterroles", "", ""],
    ] {
        assert!(!cluster.allows(&token, asked).await, "{asked:?}");
    }
}

#[tokio::test]
async fn secrets_can_be_granted_by_name_alone() {
    let Some(cluster) = kubernetes!().await else { return };
    cluster.apply(NAMESPACE).await;
    cluster.install("configs/kubernetes/base").await;
    // What the overlay takes away.
    cluster.delete_file("configs/kubernetes/base/secrets.yaml").await;
    cluster.apply_file("configs/kubernetes/named-secrets/example.yaml").await;
    let token = cluster.account("sluice-system/sluice").await;
    for verb in ["list", "watch"] {
        assert!(cluster.allows(&token, [verb, "", "secrets", "shop", "shop-tls"]).await, "{verb}");
        assert!(!cluster.allows(&token, [verb, "", "secrets", "shop", "another"]).await, "{verb}");
        assert!(!cluster.allows(&token, [verb, "", "secrets", "shop", ""]).await, "{verb}");
    }
    let request = |name: &str| {
        Request::get(&format!("/api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3D{name}"))
    };
    // A list of one name is what a Role with that name grants.
    assert_eq!(cluster.send_as(&token, &request("shop-tls")).await.status, 200);
    assert_eq!(cluster.send_as(&token, &request("another")).await.status, 403);
}

#[tokio::test]
async fn everything_beside_the_base_is_accepted_too() {
    let Some(cluster) = kubernetes!().await else { return };
    cluster.install("configs/kubernetes/base").await;
    cluster.install("configs/kubernetes/autoscaling").await;
    cluster.install("configs/kubernetes/nginx-class").await;
    let autoscaler =
        cluster.get("/apis/autoscaling/v2/namespaces/sluice-system/horizontalpodautoscalers/sluice").await;
    assert_eq!(autoscaler["spec"]["metrics"][0]["pods"]["metric"]["name"], "sluice_requests_per_second");
}

#[tokio::test]
async fn a_server_that_was_killed_comes_back_with_its_objects() {
    let Some(mut cluster) = kubernetes!().await else { return };
    cluster.apply(&format!("{NAMESPACE}\n---{INGRESS}")).await;
    let before = cluster.get(INGRESS_PATH).await;
    cluster.kill().await;
    cluster.start_again().await;
    assert_eq!(cluster.get(INGRESS_PATH).await, before);
    deleted(&cluster).await;
}

async fn deleted(cluster: &Kubernetes) {
    cluster.delete(INGRESS).await;
    cluster.becomes(INGRESS_PATH, serde_json::Value::is_null).await;
}

#[tokio::test]
async fn a_server_that_is_paused_answers_when_it_goes_on() {
    let Some(cluster) = kubernetes!().await else { return };
    cluster.pause().await;
    // Asked first, let go on second.
    let (answered, ()) = tokio::join!(cluster.get("/api/v1/namespaces/default"), async { cluster.resume() });
    assert_eq!(answered["metadata"]["name"], "default");
}
