//! What objects are told, and what is shown of them on admin.

use serde_json::{Value, json};
use sluice_dsl::{Certificate, Gateway, Origin, Request, gateway, secret_manifest};

const CLASS: &str = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }
";

const ADDRESSES: &str = "--publish-status-address=203.0.113.7,lb.example";

/// An Ingress for a host, to `shop/web`.
fn ingress(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{ name: {name}, namespace: shop, annotations: {{ {annotations} }} }}\n\
         spec:\n  ingressClassName: nginx\n  rules:\n  - host: shop.example\n    http:\n      paths:\n      \
         - {{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}\n"
    )
}

/// An admin page as a document.
async fn page(gateway: &Gateway, path: &str) -> Value {
    let reply = gateway.proxy().admin(path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

#[tokio::test]
async fn a_canary_has_the_addresses_of_what_it_stands_beside_and_one_that_stands_alone_has_none() {
    let shop = Origin::saying("shop").await;
    let canary = "nginx.ingress.kubernetes.io/canary: 'true', nginx.ingress.kubernetes.io/canary-weight: '0'";
    let gateway = gateway!()
        .argument(ADDRESSES)
        .service("shop/web", &[&shop])
        .manifest("class.yaml", CLASS)
        .manifest("main.yaml", &ingress("main", ""))
        .manifest("canary.yaml", &ingress("canary", canary))
        .manifest("alone.yaml", &ingress("alone", canary).replace("shop.example", "other.example"))
        .start()
        .await;
    let wanted =
        json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.7" }, { "hostname": "lb.example" }] } });
    for name in ["main", "canary"] {
        assert_eq!(gateway.status(&format!("Ingress shop/{name}")).await["status"], wanted, "{name}");
    }
    let alone = gateway.status("Ingress shop/alone").await;
    assert_eq!(alone["status"], json!({ "loadBalancer": { "ingress": [] } }));
}

#[tokio::test]
async fn the_addresses_are_those_of_the_service_that_is_published() {
    let shop = Origin::saying("shop").await;
    let balanced = |ip: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{ name: edge, namespace: sys }}\n\
             spec: {{ type: LoadBalancer, ports: [{{ port: 80 }}] }}\n\
             status: {{ loadBalancer: {{ ingress: [{{ ip: {ip} }}] }} }}\n"
        )
    };
    let gateway = gateway!()
        .argument("--publish-service=sys/edge")
        .service("shop/web", &[&shop])
        .manifest("class.yaml", CLASS)
        .manifest("edge.yaml", &balanced("203.0.113.1"))
        .manifest("web.yaml", &ingress("web", ""))
        .start()
        .await;
    for ip in ["203.0.113.1", "203.0.113.2"] {
        gateway.write("edge.yaml", &balanced(ip));
        let wanted = json!([{ "ip": ip }]);
        gateway
            .status_becomes("Ingress shop/web", |entry| entry["status"]["loadBalancer"]["ingress"] == wanted)
            .await;
    }
}

#[tokio::test]
async fn what_is_held_is_shown_without_secrets() {
    let shop = Origin::saying("shop").await;
    let gateway = gateway!()
        .service("shop/web", &[&shop])
        .manifest("class.yaml", CLASS)
        .manifest("web.yaml", &ingress("web", ""))
        .manifest("tls.yaml", &secret_manifest("shop/tls", &Certificate::of(&["shop.example"])))
        .start()
        .await;
    let all = page(&gateway, "/debug/objects").await;
    let lines = all.as_array().into_iter().flatten();
    let kinds: Vec<&str> = lines.filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, ["EndpointSlice", "Ingress", "IngressClass", "Secret", "Service"]);
    let one = page(&gateway, "/debug/objects?object=Ingress/shop/web").await;
    assert_eq!(one["object"]["spec"]["rules"][0]["host"], "shop.example");
    assert_eq!(one["file"], "web.yaml:1");
    let secret = gateway.proxy().admin("/debug/objects?object=Secret/shop/tls").await;
    let text = secret.text();
    assert!(text.contains("tls.key") && !text.contains("PRIVATE KEY"), "{text}");
    let unknown = gateway.proxy().admin("/debug/objects?object=Ingress/shop/none").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("no object Ingress/shop/none is held"), "{}", unknown.text());
}

#[tokio::test]
async fn what_an_object_became_is_shown_with_everything_that_names_it() {
    let shop = Origin::saying("shop").await;
    let mut gateway = gateway!()
        .service("shop/web", &[&shop])
        .service("shop/idle", &[&shop])
        .manifest("class.yaml", CLASS)
        .manifest("web.yaml", &ingress("web", "nginx.ingress.kubernetes.io/no-such-thing: x"))
        .start()
        .await;
    for object in ["Ingress/shop/web", "Service/shop/web"] {
        let became = page(&gateway, &format!("/debug/translation?object={object}")).await;
        let mut hosts = became["virtual_hosts"].as_array().into_iter().flatten();
        let host = hosts.find(|host| host["route_table"] == "port-80");
        let host = host.unwrap_or_else(|| panic!("{object} is served at port 80: {became:#}"));
        assert_eq!(host["hosts"], json!(["shop.example"]), "{object}");
        assert_eq!(host["routes"][0]["origin"], "Ingress shop/web", "{object}");
        assert_eq!(became["clusters"][0]["name"], "shop/web:80", "{object}");
        assert_eq!(became["listeners"][0]["name"], "port-80", "{object}");
    }
    let events = &page(&gateway, "/debug/translation?object=Ingress/shop/web").await["events"];
    assert!(events.to_string().contains("no-such-thing"), "{events}");
    let idle = page(&gateway, "/debug/translation?object=Service/shop/idle").await;
    assert_eq!((&idle["virtual_hosts"], &idle["clusters"]), (&json!([]), &json!([])));
    let reply = gateway.send(&Request::get("/").host("shop.example")).await;
    assert_eq!(reply.text(), "shop");
    assert_eq!(gateway.proxy().admin("/healthz").await.status, 200);
}
