//! Make before break: objects that belong together are written one after the other, in any order, and nobody notices.

#![allow(clippy::float_cmp, reason = "counters are whole numbers")]
#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

use sluice_dsl::{Gateway, Load, Origin, Request, gateway};
use std::time::{Duration, Instant};

/// How often both objects are changed; `SLUICE_ROUNDS` says another number.
const ROUNDS: usize = 60;

const HOST: &str = "reviews.example.com";

/// The Gateway, and a service with a pod of each version.
fn shop(versions: &[Origin; 2]) -> String {
    let pods = versions.iter().zip(["v1", "v2"]).map(|(origin, version)| {
        let address = origin.to_string();
        let port = address.rsplit(':').next().expect("an address has a port");
        format!(
            "---
apiVersion: v1
kind: Pod
metadata: {{ name: {version}, namespace: shop, labels: {{ app: reviews, version: {version} }} }}
spec: {{ containers: [{{ name: app, ports: [{{ name: http, containerPort: {port} }}] }}] }}
status: {{ phase: Running, podIP: 127.0.0.1 }}
"
        )
    });
    format!(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{ name: web, namespace: shop }}
spec: {{ servers: [{{ port: {{ number: 80, name: http, protocol: HTTP }}, hosts: ['*'] }}] }}
---
apiVersion: v1
kind: Service
metadata: {{ name: reviews, namespace: shop }}
spec: {{ selector: {{ app: reviews }}, ports: [{{ name: http, port: 80, targetPort: http }}] }}
{}",
        pods.collect::<String>()
    )
}

/// The file of the VirtualService, which leads to this subset.
fn routes_to(subset: &str) -> (&'static str, String) {
    let text = format!(
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: reviews, namespace: shop }}
spec: {{ hosts: [{HOST}], gateways: [web], http: [{{ route: [{{ destination: {{ host: reviews, subset: {subset} }} }}] }}] }}
"
    );
    ("routes.yaml", text)
}

/// The file of the DestinationRule, which has this subset alone.
fn has(subset: &str) -> (&'static str, String) {
    let text = format!(
        "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: reviews, namespace: shop }}
spec: {{ host: reviews, subsets: [{{ name: {subset}, labels: {{ version: {subset} }} }}] }}
"
    );
    ("rule.yaml", text)
}

async fn start(versions: &[Origin; 2]) -> Gateway {
    let (routes, rule) = (routes_to("v1"), has("v1"));
    gateway!()
        .manifest("shop.yaml", &shop(versions))
        .manifest(routes.0, &routes.1)
        .manifest(rule.0, &rule.1)
        .start()
        .await
}

async fn translations(gateway: &Gateway) -> f64 {
    gateway.proxy().stat("sluice_translations_total", &[]).await
}

#[tokio::test]
async fn a_virtual_service_and_its_destination_rule_change_in_either_order_and_no_request_fails() {
    let rounds = std::env::var("SLUICE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let versions = [Origin::saying("v1").await, Origin::saying("v2").await];
    let mut gateway = start(&versions).await;
    gateway.says(HOST, "/", "v1").await;
    let load = Load::start(gateway.port(80).await, 4, &Request::get("/").host(HOST));
    for round in 1..=rounds {
        let version = ["v1", "v2"][round % 2];
        let mut files = [routes_to(version), has(version)];
        if round % 4 < 2 {
            files.reverse();
        }
        let [first, second] = files;
        let before = translations(&gateway).await;
        gateway.write(first.0, &first.1);
        // Every third time both are one change.
        if round % 3 > 0 {
            let translated = |count: f64| count > before;
            gateway.proxy().stat_becomes("sluice_translations_total", &[], translated).await;
        }
        gateway.write(second.0, &second.1);
        gateway.says(HOST, "/", version).await;
    }
    load.stop_with_all(200).await;
}

#[tokio::test]
async fn a_subset_that_does_not_come_is_missing_after_a_second_and_the_status_says_so() {
    let versions = [Origin::saying("v1").await, Origin::saying("v2").await];
    let mut gateway = start(&versions).await;
    gateway.says(HOST, "/", "v1").await;
    let begun = Instant::now();
    let (name, text) = routes_to("v3");
    gateway.write(name, &text);
    let request = Request::get("/").host(HOST);
    gateway.until("503", &request, |reply| reply.status == 503).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    let entry = gateway.logged("the failure", |entry| entry["status"] == 503).await;
    assert_eq!(entry["response_flags"], "NC", "{entry}");
    let told = |status: &serde_json::Value| status.to_string().contains("has a subset `v3`");
    gateway.status_becomes("VirtualService shop/reviews", told).await;
}
