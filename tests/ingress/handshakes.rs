//! Which names a handshake may have.

use sluice_dsl::{Certificate, Origin, Request, TlsClient, gateway, secret_manifest};

#[tokio::test]
async fn handshakes_for_names_that_no_ingress_has_are_refused_where_the_config_map_says_so() {
    let (shop, certificate) = (Origin::saying("shop").await, Certificate::of(&["shop.test", "other.test"]));
    let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: web, namespace: shop, annotations: \
        { kubernetes.io/ingress.class: nginx } }\nspec:\n  tls: [{ hosts: [shop.test], secretName: own }]\n  rules: [{ host: shop.test, \
        http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }]\n";
    let controller = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: controller, namespace: ingress-nginx }\n\
        data: { ssl-reject-handshake: 'true' }\n";
    let mut gateway = gateway!()
        .service("shop/web", &[&shop])
        .argument("--configmap=ingress-nginx/controller")
        .manifest("controller.yaml", controller)
        .manifest("secret.yaml", &secret_manifest("shop/own", &certificate))
        .manifest("ingress.yaml", ingress)
        .start()
        .await;
    let known = TlsClient::trusting(&certificate, "shop.test", &[]);
    let reply = gateway.send_tls(&known, false, &Request::get("/").host("shop.test")).await;
    assert_eq!((reply.status, reply.text()), (200, "shop"));
    // The certificate is for this name too; no Ingress is.
    let unknown = TlsClient::trusting(&certificate, "other.test", &[]);
    let refused = unknown.handshake(gateway.port(443).await).await;
    assert!(refused.is_err(), "nobody has this name");
}
