//! What requests are read as, and what nginx's variables say of them.

use sluice_dsl::{GatewayRecipe, Origin, Request, gateway};

/// Two services of one host: `/` and, as text, `/team@home`; snippets are allowed.
fn recipe(main: &Origin, home: &Origin, annotations: &str) -> GatewayRecipe {
    let controller = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: controller, namespace: ingress-nginx }\n\
                      data: { allow-snippet-annotations: 'true', proxy-set-headers: ingress-nginx/told }\n---\n\
                      apiVersion: v1\nkind: ConfigMap\nmetadata: { name: told, namespace: ingress-nginx }\n\
                      data: { X-User: $cookie_user, X-Asked: $request_method $host$uri$is_args$args }\n";
    let ingress = format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n  namespace: shop\n  annotations:\n    \
         kubernetes.io/ingress.class: nginx\n{annotations}\
         spec:\n  rules:\n  - host: shop.test\n    http:\n      paths:\n      \
         - {{ path: /, pathType: Prefix, backend: {{ service: {{ name: main, port: {{ number: 80 }} }} }} }}\n      \
         - {{ path: /team@home, pathType: ImplementationSpecific, backend: {{ service: {{ name: home, port: {{ number: 80 }} }} }} }}\n"
    );
    let recipe = gateway!().service("shop/main", &[main]).service("shop/home", &[home]);
    let recipe = recipe.manifest("controller.yaml", controller).manifest("ingress.yaml", &ingress);
    recipe.argument("--configmap=ingress-nginx/controller")
}

fn annotation(name: &str, value: &str) -> String {
    format!("    nginx.ingress.kubernetes.io/{name}: '{value}'\n")
}

#[tokio::test]
async fn paths_that_nginx_reads_as_the_same_go_the_same_way_and_arrive_as_they_were_sent() {
    let (main, home) = (Origin::saying("main").await, Origin::saying("home").await);
    let mut gateway = recipe(&main, &home, "").start().await;
    for sent in ["/team@home/x%20y", "/%74eam%40home/x%2520y", "/a/..%2f%2Fteam%40home", "/.//team@home"] {
        assert_eq!(gateway.get("shop.test", sent).await.text(), "home", "{sent}");
        assert_eq!(home.requests().last().map(|seen| seen.target.clone()).as_deref(), Some(sent));
    }
    for sent in ["/team%2540home", "/team%20home"] {
        assert_eq!(gateway.get("shop.test", sent).await.text(), "main", "{sent}");
    }
    assert_eq!(gateway.get("shop.test", "/team@home%00").await.status, 400);
}

#[tokio::test]
async fn servers_are_told_what_variables_say_and_nothing_where_they_are_empty() {
    let (main, home) = (Origin::saying("main").await, Origin::saying("home").await);
    let annotations = annotation("upstream-vhost", "$arg_tenant.$service_name.internal");
    let mut gateway = recipe(&main, &home, &annotations).start().await;
    let request = Request::get("/%70?tenant=a&b").host("Shop.Test:8080").field("x-user", "forged");
    gateway.send(&request.clone().field("cookie", "user=jo")).await;
    gateway.send(&request).await;
    let seen = main.requests();
    assert_eq!(seen[0].host, "a.main.internal");
    assert_eq!(seen[0].fields.get("x-asked"), Some("GET shop.test/p?tenant=a&b"));
    assert_eq!(seen[0].fields.get("x-user"), Some("jo"));
    assert_eq!(seen[1].fields.get("x-user"), None, "what a client sends is not taken for it");
}

#[tokio::test]
async fn redirects_of_snippets_are_for_their_paths_alone() {
    let (main, home) = (Origin::saying("main").await, Origin::saying("home").await);
    let snippet = "proxy_buffering off; rewrite ^/old/(.*)$ /new/$1 permanent; rewrite ^/in/(.*)$ /$1 break;";
    let annotations = annotation("configuration-snippet", snippet);
    let mut gateway = recipe(&main, &home, &annotations).start().await;
    let reply = gateway.get("shop.test", "/old/a?b=c").await;
    assert_eq!((reply.status, reply.field("location")), (301, "http://shop.test/new/a?b=c"));
    assert_eq!(gateway.get("shop.test", "/in/x?y").await.text(), "main");
    assert_eq!(main.requests().last().map(|seen| seen.target.clone()).as_deref(), Some("/x?y"));
    assert_eq!(gateway.get("shop.test", "/older").await.text(), "main");
}
