//! What Flagger, Argo Rollouts and cert-manager write while requests go on: each step takes effect, none loses a request.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use sluice_dsl::{Gateway, GatewayRecipe, Load, Origin, Request, gateway};

const CLASS: &str = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: { name: nginx }\n\
    spec: { controller: k8s.io/ingress-nginx }\n";

/// How many answers are looked at after a step.
const SAMPLE: usize = 200;

/// Whether `found` of [`SAMPLE`] independent draws are what a weight out of a hundred gives; six standard deviations.
fn about(weight: usize, found: usize) -> bool {
    let (n, p) = (SAMPLE as f64, weight as f64 / 100.0);
    (found as f64 - n * p).abs() <= 6.0 * (n * p * (1.0 - p)).sqrt()
}

async fn assert_weight(load: &Load, text: &str, weight: usize) {
    let found = load.share(SAMPLE, text).await;
    assert!(about(weight, found), "{weight} % of {SAMPLE} requests should say {text:?}: {found} did");
}

/// An Ingress as a controller writes it.
fn ingress(name: &str, created: u8, annotations: &[(&str, &str)], service: &str) -> String {
    let annotations = annotations.iter().fold(String::new(), |text, (name, value)| {
        text + &format!("    nginx.ingress.kubernetes.io/{name}: \"{value}\"\n")
    });
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  namespace: test\n  \
         creationTimestamp: \"2026-01-{created:02}T00:00:00Z\"\n  annotations:\n    kubernetes.io/ingress.class: nginx\n\
         {annotations}spec:\n  rules:\n  - host: podinfo.example\n    http:\n      paths:\n      \
         - {{ path: /, pathType: Prefix, backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}\n"
    )
}

async fn start(recipe: GatewayRecipe) -> (Gateway, Load) {
    let mut gateway = recipe.manifest("class.yaml", CLASS).argument("--access-log=off").start().await;
    let address = gateway.port(80).await;
    let load = Load::start(address, 3, &Request::get("/").host("podinfo.example"));
    (gateway, load)
}

#[tokio::test]
async fn flagger_steps_promotes_and_resets_a_canary_ingress() {
    let (primary, canary) = (Origin::saying("primary").await, Origin::saying("canary").await);
    let weighted = |weight: usize| {
        let weight = weight.to_string();
        ingress("podinfo-canary", 2, &[("canary", "true"), ("canary-weight", &weight)], "podinfo-canary")
    };
    let recipe = gateway!()
        .service("test/podinfo", &[&primary])
        .service("test/podinfo-canary", &[&canary])
        .manifest("podinfo.yaml", &ingress("podinfo", 1, &[], "podinfo"))
        .manifest("podinfo-canary.yaml", &weighted(0));
    let (gateway, load) = start(recipe).await;
    assert_weight(&load, "canary", 0).await;
    for weight in [10, 20, 30, 40, 50, 100, 0] {
        gateway.write_in_force("podinfo-canary.yaml", &weighted(weight)).await;
        assert_weight(&load, "canary", weight).await;
    }
    load.stop_with_all(200).await;
}

#[tokio::test]
async fn flagger_tests_by_header_and_cookie_and_takes_the_rules_away() {
    let (primary, canary) = (Origin::saying("primary").await, Origin::saying("canary").await);
    let with = |annotations: &[(&str, &str)]| {
        let all = [&[("canary", "true"), ("canary-weight", "0")], annotations].concat();
        ingress("podinfo-canary", 2, &all, "podinfo-canary")
    };
    let recipe = gateway!()
        .service("test/podinfo", &[&primary])
        .service("test/podinfo-canary", &[&canary])
        .manifest("podinfo.yaml", &ingress("podinfo", 1, &[], "podinfo"))
        .manifest("podinfo-canary.yaml", &with(&[]));
    let (mut gateway, load) = start(recipe).await;
    let insider = Request::get("/").host("podinfo.example").field("x-canary", "insider");
    let cookie = Request::get("/").host("podinfo.example").field("cookie", "canary=always");
    assert_eq!(gateway.send(&insider).await.text(), "primary");
    let rules = [
        ("canary-by-header", "x-canary"),
        ("canary-by-header-value", "insider"),
        ("canary-by-cookie", "canary"),
    ];
    gateway.write_in_force("podinfo-canary.yaml", &with(&rules)).await;
    assert_eq!(gateway.send(&insider).await.text(), "canary");
    assert_eq!(gateway.send(&cookie).await.text(), "canary");
    assert_weight(&load, "canary", 0).await;
    gateway.write_in_force("podinfo-canary.yaml", &with(&[])).await;
    assert_eq!(gateway.send(&insider).await.text(), "primary");
    assert_eq!(gateway.send(&cookie).await.text(), "primary");
    load.stop_with_all(200).await;
}

/// What a mesh router writes: two destinations of a named route, the rest as its user had it.
fn virtual_service(route: &str, stable: (&str, usize), canary: (&str, usize)) -> String {
    let destination = |(destination, weight): (&str, usize)| {
        format!("    - {{ destination: {{ {destination} }}, weight: {weight} }}\n")
    };
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{ name: podinfo, namespace: test }}\n\
         spec:\n  hosts: [podinfo.example]\n  gateways: [front]\n  http:\n  - name: {route}\n    route:\n{}{}",
        destination(stable),
        destination(canary),
    )
}

const FRONT: &str = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: front, namespace: test }\n\
    spec:\n  selector: { istio: ingressgateway }\n  servers:\n  \
    - { port: { number: 80, name: http, protocol: HTTP }, hosts: [podinfo.example] }\n";

#[tokio::test]
async fn flagger_steps_the_weights_of_a_virtual_service_and_its_generated_rules() {
    let (primary, canary) = (Origin::saying("primary").await, Origin::saying("canary").await);
    let weighted = |weight: usize| {
        virtual_service("primary", ("host: podinfo-primary", 100 - weight), ("host: podinfo-canary", weight))
    };
    let rule = |name: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
             metadata: {{ name: {name}, namespace: test }}\nspec: {{ host: {name} }}\n"
        )
    };
    let recipe = gateway!()
        .argument("--labels=istio=ingressgateway")
        .service("test/podinfo-primary", &[&primary])
        .service("test/podinfo-canary", &[&canary])
        .manifest("gateway.yaml", FRONT)
        .manifest("primary-rule.yaml", &rule("podinfo-primary"))
        .manifest("virtual-service.yaml", &weighted(0));
    let (gateway, load) = start(recipe).await;
    gateway.write("canary-rule.yaml", &rule("podinfo-canary"));
    for weight in [5, 10, 25, 50, 75, 100, 0] {
        gateway.write_in_force("virtual-service.yaml", &weighted(weight)).await;
        assert_weight(&load, "canary", weight).await;
    }
    gateway.remove("canary-rule.yaml");
    assert_weight(&load, "canary", 0).await;
    load.stop_with_all(200).await;
}

/// A pod as a Rollout has it: the hash says of which version it is.
fn pod(hash: &str, origin: &Origin) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\n\
         metadata: {{ name: podinfo-{hash}, namespace: test, labels: {{ app: podinfo, rollouts-pod-template-hash: {hash} }} }}\n\
         spec: {{ containers: [{{ name: podinfo, ports: [{{ name: http, containerPort: {} }}] }}] }}\n\
         status: {{ phase: Running, podIP: {} }}\n",
        origin.address().port(),
        origin.address().ip(),
    )
}

/// A Service whose selector a Rollout points at one version, or at all of them.
fn selecting(name: &str, hash: Option<&str>) -> String {
    let hash = hash.map(|hash| format!(", rollouts-pod-template-hash: {hash}")).unwrap_or_default();
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: test }}\n\
         spec: {{ selector: {{ app: podinfo{hash} }}, ports: [{{ name: http, port: 80, targetPort: http }}] }}\n"
    )
}

#[tokio::test]
async fn argo_rollouts_steps_an_ingress_as_fast_as_it_can_and_switches_selectors() {
    let (old, new) = (Origin::saying("old").await, Origin::saying("new").await);
    let weighted = |weight: usize| {
        let weight = weight.to_string();
        let annotations = [("canary", "true"), ("canary-weight", &*weight)];
        ingress("podinfo-podinfo-canary", 2, &annotations, "podinfo-canary")
    };
    let recipe = gateway!()
        .manifest("old-pod.yaml", &pod("5c8f", &old))
        .manifest("stable.yaml", &selecting("podinfo-stable", Some("5c8f")))
        .manifest("canary.yaml", &selecting("podinfo-canary", Some("5c8f")))
        .manifest("podinfo.yaml", &ingress("podinfo", 1, &[], "podinfo-stable"))
        .manifest("canary-ingress.yaml", &weighted(0));
    let (gateway, load) = start(recipe).await;
    gateway.write_in_force("new-pod.yaml", &pod("7d9b", &new)).await;
    gateway.write_in_force("canary.yaml", &selecting("podinfo-canary", Some("7d9b"))).await;
    for weight in (5..=100).step_by(5) {
        gateway.write_in_force("canary-ingress.yaml", &weighted(weight)).await;
        if weight % 25 == 0 {
            assert_weight(&load, "new", weight).await;
        }
    }
    gateway.write_in_force("stable.yaml", &selecting("podinfo-stable", Some("7d9b"))).await;
    gateway.write_in_force("canary-ingress.yaml", &weighted(0)).await;
    gateway.remove("old-pod.yaml");
    assert_weight(&load, "new", 100).await;
    load.stop_with_all(200).await;
}

#[tokio::test]
async fn argo_rollouts_steps_subsets_whose_labels_it_rewrites() {
    let (old, new) = (Origin::saying("old").await, Origin::saying("new").await);
    let weighted = |weight: usize| {
        virtual_service(
            "primary",
            ("host: podinfo, subset: stable", 100 - weight),
            ("host: podinfo, subset: canary", weight),
        )
    };
    let rule = |stable: &str, canary: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
             metadata: {{ name: podinfo, namespace: test }}\nspec:\n  host: podinfo\n  subsets:\n  \
             - {{ name: stable, labels: {{ rollouts-pod-template-hash: {stable} }} }}\n  \
             - {{ name: canary, labels: {{ rollouts-pod-template-hash: {canary} }} }}\n"
        )
    };
    let recipe = gateway!()
        .argument("--labels=istio=ingressgateway")
        .manifest("gateway.yaml", FRONT)
        .manifest("old-pod.yaml", &pod("5c8f", &old))
        .manifest("service.yaml", &selecting("podinfo", None))
        .manifest("rule.yaml", &rule("5c8f", "5c8f"))
        .manifest("virtual-service.yaml", &weighted(0));
    let (gateway, load) = start(recipe).await;
    gateway.write_in_force("new-pod.yaml", &pod("7d9b", &new)).await;
    assert_weight(&load, "new", 0).await;
    gateway.write_in_force("rule.yaml", &rule("5c8f", "7d9b")).await;
    for weight in (10..=100).step_by(10) {
        gateway.write_in_force("virtual-service.yaml", &weighted(weight)).await;
        if weight % 50 == 0 {
            assert_weight(&load, "new", weight).await;
        }
    }
    gateway.write_in_force("rule.yaml", &rule("7d9b", "7d9b")).await;
    gateway.write_in_force("virtual-service.yaml", &weighted(0)).await;
    assert_weight(&load, "new", 100).await;
    load.stop_with_all(200).await;
}

#[tokio::test]
async fn cert_manager_solves_a_challenge_on_a_host_that_redirects_to_https() {
    let (shop, solver) = (Origin::saying("shop").await, Origin::saying("token.thumbprint").await);
    const TOKEN: &str = "/.well-known/acme-challenge/token";
    let tls = "spec:\n  tls: [{ hosts: [podinfo.example], secretName: podinfo }]\n";
    let main = ingress("podinfo", 1, &[], "podinfo").replace("spec:\n", tls);
    // As cert-manager 1.12 and later makes it: of type Exact, unless a feature gate says otherwise.
    let challenge = |kind: &str| {
        ingress(
            "cm-acme-http-solver-k7w2x",
            2,
            &[("whitelist-source-range", "0.0.0.0/0,::/0")],
            "cm-acme-http-solver-8zvhq",
        )
        .replace("path: /, pathType: Prefix", &format!("path: {TOKEN}, pathType: {kind}"))
    };
    let recipe = gateway!().service("test/podinfo", &[&shop]).manifest("podinfo.yaml", &main);
    let (mut gateway, load) = start(recipe).await;
    let host = "podinfo.example";
    assert_eq!(gateway.get(host, "/cart").await.status, 308);
    for kind in ["Exact", "ImplementationSpecific"] {
        // The Ingress may be there before its service is.
        gateway.write("solver.yaml", &challenge(kind));
        gateway.write(
            "services/solver.yaml",
            &sluice_dsl::service_manifest("test/cm-acme-http-solver-8zvhq", &[&solver]),
        );
        gateway.says(host, TOKEN, "token.thumbprint").await;
        assert_eq!(gateway.get(host, "/cart").await.field("location"), "https://podinfo.example/cart");
        gateway.remove("solver.yaml");
        gateway.remove("services/solver.yaml");
        let challenge = Request::get(TOKEN).host(host);
        gateway
            .until("the challenge is redirected as all else", &challenge, |reply| reply.status == 308)
            .await;
    }
    load.stop_with_all(308).await;
}
