//! What servers are told about clients, and what clients are told about places.

use sluice_dsl::{Answer, GatewayRecipe, Origin, Request, gateway};

fn recipe(shop: &Origin, annotations: &str) -> GatewayRecipe {
    gateway!().service("shop/web", &[shop]).manifest(
        "ingress.yaml",
        &format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n  namespace: shop\n  annotations:\n    \
             kubernetes.io/ingress.class: nginx\n{annotations}\
             spec:\n  rules:\n  - host: shop.test\n    http:\n      paths:\n      \
             - {{ path: /cart/, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}\n      \
             - {{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}\n"
        ),
    )
}

fn trusting(keys: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: controller, namespace: ingress-nginx }}\ndata: {{ {keys} }}\n"
    )
}

fn claims() -> Request {
    Request::get("/x")
        .host("shop.test")
        .field("x-forwarded-for", "203.0.113.5, 127.0.0.9")
        .field("x-forwarded-host", "www.test, shop.test")
        .field("x-forwarded-proto", "https")
        .field("x-forwarded-port", "8443")
        .field("x-real-ip", "1.1.1.1")
        .field("proxy", "http://evil.test")
}

#[tokio::test]
async fn a_stranger_is_told_of_as_it_came_and_the_port_is_that_of_the_object() {
    let shop = Origin::http1(|_| Answer::ok("").field("server", "secret/1.0")).await;
    let mut gateway = recipe(&shop, "").start().await;
    let reply = gateway.send(&claims()).await;
    assert!(!reply.fields.has("server"), "{:?}", reply.fields);
    let seen = &shop.requests()[0];
    for (name, value) in [
        ("x-real-ip", Some("127.0.0.1")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-host", Some("shop.test")),
        ("x-forwarded-port", Some("80")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-scheme", Some("http")),
        ("x-scheme", Some("http")),
        ("x-original-forwarded-for", Some("203.0.113.5, 127.0.0.9")),
        ("x-original-forwarded-host", Some("www.test, shop.test")),
        ("proxy", None),
    ] {
        assert_eq!(seen.fields.get(name), value, "{name}");
    }
    assert_eq!(seen.host, "shop.test");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_what_the_client_asked() {
    let shop = Origin::saying("shop").await;
    let keys = "use-forwarded-headers: 'true', proxy-real-ip-cidr: 127.0.0.0/8, compute-full-forwarded-for: 'true', \
                allow-backend-server-header: 'true'";
    let recipe = recipe(&shop, "").argument("--configmap=ingress-nginx/controller");
    let mut gateway = recipe.manifest("controller.yaml", &trusting(keys)).start().await;
    gateway.send(&claims()).await;
    let seen = &shop.requests()[0];
    for (name, value) in [
        ("x-real-ip", "203.0.113.5"),
        ("x-forwarded-for", "203.0.113.5, 127.0.0.9, 127.0.0.1"),
        ("x-forwarded-host", "www.test"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-proto", "https"),
    ] {
        assert_eq!(seen.fields.get(name), Some(value), "{name}");
    }
    assert_eq!(seen.host, "www.test");
}

#[tokio::test]
async fn redirects_to_a_slash_name_no_mapped_port_and_may_be_relative() {
    let shop = Origin::saying("shop").await;
    let mut gateway = recipe(&shop, "").start().await;
    let reply = gateway.get("shop.test", "/cart?x=1").await;
    assert_eq!((reply.status, reply.field("location")), (301, "http://shop.test/cart/?x=1"));

    let annotation = "    nginx.ingress.kubernetes.io/relative-redirects: \"true\"\n";
    let mut gateway = recipe(&shop, annotation).start().await;
    assert_eq!(gateway.get("shop.test", "/cart?x=1").await.field("location"), "/cart/?x=1");
}
