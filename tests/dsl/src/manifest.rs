//! Texts of Kubernetes objects.

use crate::Certificate;
use serde_json::Value;
use std::{fmt::Write, net::SocketAddr};

/// The Ingress that most tests begin with: [`SHOP_HOST`], served by the port `http` of the Service `shop/web`. Its class is
/// `nginx`.
pub const SHOP: &str = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: shop }
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example.com
    http:
      paths:
      - { path: /, pathType: Prefix, backend: { service: { name: web, port: { name: http } } } }
";

/// The host of [`SHOP`].
pub const SHOP_HOST: &str = "shop.example.com";

/// [`SHOP`] by another name, `blog`: the host `blog.example.com`, served by this Service.
pub fn ingress_manifest(name: &str, service: &str) -> String {
    SHOP.replace("name: web, namespace: shop", &format!("name: {name}, namespace: shop"))
        .replace(SHOP_HOST, &format!("{name}.example.com"))
        .replace("service: { name: web", &format!("service: {{ name: {service}"))
}

/// Manifests of a Service with the port 80 called `http`, and of its endpoints.
pub fn service_manifest(service: &str, origins: &[&dyn ToString]) -> String {
    let (namespace, name) = service.split_once('/').expect("namespace/name");
    let mut text = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: {namespace} }}\n\
         spec: {{ ports: [{{ name: http, port: 80 }}] }}\n"
    );
    for (index, origin) in origins.iter().enumerate() {
        let address: SocketAddr = origin.to_string().parse().expect("an address");
        let _ = write!(
            text,
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{ name: {name}-{index}, namespace: {namespace}, labels: {{ kubernetes.io/service-name: {name} }} }}\n\
             addressType: IPv4\nports: [{{ name: http, port: {} }}]\nendpoints: [{{ addresses: [{}] }}]\n",
            address.port(),
            address.ip(),
        );
    }
    text
}

/// The manifest of a Service `namespace/name` with a port called `http`, which stands for this origin itself: a real API
/// server takes no loopback addresses for endpoints.
pub fn external_manifest(service: &str, origin: &impl ToString) -> String {
    let (namespace, name) = service.split_once('/').expect("namespace/name");
    let address: SocketAddr = origin.to_string().parse().expect("an address");
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: {namespace} }}\n\
         spec: {{ type: ExternalName, externalName: {}, ports: [{{ name: http, port: {} }}] }}\n",
        address.ip(),
        address.port(),
    )
}

/// The manifest of a Secret `namespace/name` of type `kubernetes.io/tls`.
pub fn secret_manifest(secret: &str, certificate: &Certificate) -> String {
    let (namespace, name) = secret.split_once('/').expect("namespace/name");
    let mut text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: {namespace} }}\n\
         type: kubernetes.io/tls\nstringData:\n"
    );
    for (key, pem) in [("tls.crt", &certificate.chain_pem), ("tls.key", &certificate.key_pem)] {
        let _ = write!(text, "  {key}: |\n    {}\n", pem.trim_end().replace('\n', "\n    "));
    }
    text
}

/// The objects of a text of YAML documents, in its order.
///
/// # Panics
/// When the text is not YAML.
pub fn objects(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .unwrap_or_else(|error| panic!("the manifest is no YAML: {error}\n{text}"));
    documents.into_iter().filter(Value::is_object).collect()
}
