//! Where Ingresses are served, as the flags of ingress-nginx say it.

use serde_json::{Value, json};
use sluice_crds::{Known, ObjectName, core};
use sluice_translate::{Held, NamespacedName};
use std::{collections::BTreeMap, net::IpAddr};

/// An address for `status.loadBalancer.ingress`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    Ip(String),
    Hostname(String),
}

/// Where the addresses come from; the first one that was named counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `--publish-status-address`.
    Named(Vec<Address>),
    /// `--publish-service`.
    Service(NamespacedName),
    /// The nodes of the gateway's ready pods; their internal addresses with `--report-node-internal-ip-address`, else the
    /// external ones where there are any.
    Nodes {
        /// The internal ones.
        internal: bool,
    },
}

// === impl Address ===

impl Address {
    /// An IP address, or else a name.
    pub(crate) fn new(text: &str) -> Self {
        if text.parse::<IpAddr>().is_ok() {
            Self::Ip(text.to_owned())
        } else {
            Self::Hostname(text.to_owned())
        }
    }

    pub(crate) fn written(&self) -> Value {
        match self {
            Self::Ip(ip) => json!({ "ip": ip }),
            Self::Hostname(name) => json!({ "hostname": name }),
        }
    }

    /// What stands in a status.
    pub(super) fn standing(status: &core::LoadBalancerStatus) -> Vec<Self> {
        status.ingress.iter().map(Self::of_point).collect()
    }

    fn of_point(point: &core::LoadBalancerIngress) -> Self {
        if point.ip.is_empty() { Self::Hostname(point.hostname.clone()) } else { Self::Ip(point.ip.clone()) }
    }
}

// === impl Origin ===

impl Origin {
    /// The addresses now. `nodes` are those that were found last.
    pub(crate) fn addresses(&self, objects: &BTreeMap<ObjectName, Held>, nodes: &[Address]) -> Vec<Address> {
        match self {
            Self::Named(addresses) => addresses.clone(),
            Self::Nodes { .. } => nodes.to_vec(),
            Self::Service(NamespacedName { namespace, name }) => {
                let name = ObjectName { kind: "Service", namespace: namespace.clone(), name: name.clone() };
                objects
                    .get(&name)
                    .and_then(|held| core::Service::of(held.object()))
                    .map_or(Vec::new(), |service| of_service(&service.content, &service.status.load_balancer))
            }
        }
    }
}

/// What ingress-nginx takes from a Service, by its type.
fn of_service(service: &core::Service, status: &core::LoadBalancerStatus) -> Vec<Address> {
    let external = service.external_ips.iter().map(|address| Address::new(address));
    let cluster = || match service.cluster_ip.as_str() {
        "" | "None" => Vec::new(),
        ip => vec![Address::new(ip)],
    };
    match service.r#type.as_str() {
        "ExternalName" => vec![Address::Hostname(service.external_name.clone())],
        "LoadBalancer" => {
            let mut addresses = Address::standing(status);
            for address in external {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            addresses
        }
        "NodePort" if !service.external_ips.is_empty() => external.collect(),
        _ => cluster(),
    }
}

/// The address of a Node, as the API server sent it: the external one where there is one and it is wanted, else the internal.
pub(super) fn of_node(node: &Value, internal: bool) -> Option<Address> {
    let of_type = |wanted: &str| {
        let addresses = node["status"]["addresses"].as_array()?;
        let found = addresses.iter().find(|address| address["type"] == wanted)?;
        found["address"].as_str().filter(|text| !text.is_empty()).map(Address::new)
    };
    let external = if internal { None } else { of_type("ExternalIP") };
    external.or_else(|| of_type("InternalIP"))
}

/// The node of a Pod, as the API server sent it, that takes traffic now.
pub(super) fn node_of_ready(pod: &Value) -> Option<&str> {
    let conditions = pod["status"]["conditions"].as_array()?;
    let ready =
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    let runs = ready && pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
    pod["spec"]["nodeName"].as_str().filter(|node| runs && !node.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(service: &Value) -> Vec<Value> {
        let text = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "lb", "namespace": "sys" },
            "spec": service["spec"], "status": service["status"],
        });
        let manifest = sluice_crds::Manifest::read(&text.to_string());
        let object = manifest.objects().next().expect("a service").clone();
        let objects = BTreeMap::from([(object.name(), Held::new(object, None, 0))]);
        let origin = Origin::Service(NamespacedName { namespace: "sys".to_owned(), name: "lb".to_owned() });
        origin.addresses(&objects, &[]).iter().map(Address::written).collect()
    }

    #[test]
    fn a_service_publishes_what_ingress_nginx_takes_from_its_type() {
        let balanced = json!({
            "spec": { "type": "LoadBalancer", "externalIPs": ["192.0.2.9", "192.0.2.1"] },
            "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }, { "hostname": "lb.example" }] } },
        });
        let wanted =
            [json!({ "ip": "192.0.2.1" }), json!({ "hostname": "lb.example" }), json!({ "ip": "192.0.2.9" })];
        assert_eq!(addresses(&balanced), wanted);
        assert_eq!(addresses(&json!({ "spec": { "clusterIP": "10.0.0.1" } })), [json!({ "ip": "10.0.0.1" })]);
        assert_eq!(addresses(&json!({ "spec": { "clusterIP": "None" } })), [] as [Value; 0]);
        let node_port =
            json!({ "spec": { "type": "NodePort", "clusterIP": "10.0.0.1", "externalIPs": ["192.0.2.2"] } });
        assert_eq!(addresses(&node_port), [json!({ "ip": "192.0.2.2" })]);
        let name = json!({ "spec": { "type": "ExternalName", "externalName": "edge.example" } });
        assert_eq!(addresses(&name), [json!({ "hostname": "edge.example" })]);
    }

    #[test]
    fn a_node_has_its_external_address_unless_the_internal_one_is_wanted() {
        let node = json!({ "status": { "addresses": [
            { "type": "InternalIP", "address": "10.1.0.1" }, { "type": "ExternalIP", "address": "192.0.2.7" },
        ] } });
        assert_eq!(of_node(&node, false), Some(Address::Ip("192.0.2.7".to_owned())));
        assert_eq!(of_node(&node, true), Some(Address::Ip("10.1.0.1".to_owned())));
        assert_eq!(of_node(&json!({}), true), None);
        let mut pod = json!({
            "metadata": {},
            "spec": { "nodeName": "one" },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        assert_eq!(node_of_ready(&pod), Some("one"));
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(node_of_ready(&pod), None);
    }
}
