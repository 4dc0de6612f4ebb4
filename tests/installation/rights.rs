//! What the roles of the base grant is what a gateway asks for.

use super::{ROOT, objects};
use serde_json::Value;
use sluice_dsl::{ApiServer, Call, eventually, gateway};
use std::{collections::BTreeSet, fs, path::Path};

/// `patch networking.k8s.io ingresses/status`.
type Right = (String, String, String);

/// Everything that some role of the base grants.
fn granted() -> BTreeSet<Right> {
    let texts = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
    let mut granted = BTreeSet::new();
    for file in ["reading.yaml", "secrets.yaml", "status.yaml"] {
        for object in objects(&fs::read_to_string(Path::new(ROOT).join("base").join(file)).unwrap()) {
            for rule in object["rules"].as_array().into_iter().flatten() {
                for group in texts(&rule["apiGroups"]) {
                    for resource in texts(&rule["resources"]) {
                        let rights = texts(&rule["verbs"]).into_iter();
                        granted.extend(rights.map(|verb| (verb, group.clone(), resource.clone())));
                    }
                }
            }
        }
    }
    granted
}

fn asked(api: &ApiServer) -> BTreeSet<Right> {
    let right = |Call { verb, group, resource, .. }: Call| (verb, group, resource);
    api.calls("* *").into_iter().filter(|call| call.verb != "discover").map(right).collect()
}

/// The pod of the gateway, its node, and an object of every kind that is told something.
const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { team: web } }
---
apiVersion: v1
kind: Pod
metadata: { name: edge-1, namespace: edge, labels: { app: edge } }
spec: { nodeName: near }
status: { phase: Running, conditions: [{ type: Ready, status: 'True' }] }
---
apiVersion: v1
kind: Node
metadata: { name: near }
status: { addresses: [{ type: InternalIP, address: 192.0.2.1 }] }
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: sluice }
spec: { controller: sluice.dev/ingress }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { ports: [{ port: 80 }] }
---
{ apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: { name: one, namespace: shop }, spec: {} }
---
{ apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: { name: one, namespace: shop }, spec: {} }
---
{ apiVersion: networking.istio.io/v1, kind: Gateway, metadata: { name: one, namespace: shop }, spec: {} }
---
{ apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: { name: one, namespace: shop }, spec: {} }
---
{ apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: { name: one, namespace: shop }, spec: {} }
---
{ apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: { name: one, namespace: shop }, spec: {} }
---
{ apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: { name: one, namespace: shop }, spec: {} }
---
{ apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: { name: one, namespace: shop }, spec: {} }
";

/// An Ingress with a certificate, and a problem if the service is not `web`.
fn ingress(service: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{ name: web, namespace: shop }}\n\
         spec:\n  ingressClassName: sluice\n  tls: [{{ hosts: [shop.example], secretName: shop }}]\n  rules:\n  \
         - host: shop.example\n    http: {{ paths: [{{ path: /, pathType: Prefix, \
         backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}] }}\n"
    )
}

#[tokio::test]
async fn a_gateway_asks_for_everything_that_its_roles_grant_and_for_no_more() {
    let api = ApiServer::start().await.without_streaming_lists();
    api.put(OBJECTS);
    api.put(&ingress("web"));
    let recipe = gateway!().cluster(&api).argument("--pod-name=edge-1").argument("--pod-namespace=edge");
    let recipe = recipe.argument("--election-ttl=2s").argument("--watch-namespace-selector=team=web");
    let _gateway = recipe.start().await;
    // A problem that goes, as another one shows, and comes back is said once more.
    for (service, said) in [("missing", 1), ("absent", 2), ("missing", 2)] {
        api.put(&ingress(service));
        let about =
            |event: &&Value| event["note"].as_str().is_some_and(|note| note.contains("Service shop/"));
        let told = || api.objects("Event").iter().filter(about).count() >= said;
        eventually(format!("{said} Events when the service is {service}"), told).await;
    }
    let granted = granted();
    eventually("everything that is granted was asked for", || granted.is_subset(&asked(&api))).await;
    let more: Vec<Right> = asked(&api).difference(&granted).cloned().collect();
    assert_eq!(more, [], "what is asked for has to be granted");
}
