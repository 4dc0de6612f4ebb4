//! What metrics say of routes and clusters where dashboards made for ingress-nginx or Istio look at them. Nothing here
//! changes what becomes of a request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The rule of an Ingress that a route was made from: labels `host`, `path` and `service` of `nginx_ingress_controller_*`.
/// Namespace and name of the Ingress are the route's `origin`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteLabels {
    /// The host as the rule writes it, `*.shop.example` too; `_` where it is for every host.
    pub host: String,
    /// The path as the rule writes it.
    pub path: String,
    /// The service that the rule names; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
}

/// Who serves a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterLabels {
    /// The service: labels `destination_service*` of `istio_*`, and the canary's name of `nginx_ingress_controller_*`.
    pub service: ServiceLabels,
    /// What runs at which endpoints. An endpoint that is not here is of an unknown workload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<Workload>,
}

/// A port of a Kubernetes service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceLabels {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its whole name, `web.shop.svc.cluster.local`.
    pub host: String,
    /// The service's number for the port.
    pub port: u16,
}

/// A workload and where it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// What it is called.
    pub labels: WorkloadLabels,
    /// Endpoints of the cluster.
    pub endpoints: Vec<SocketAddr>,
}

/// A workload: a Deployment or the like. Labels `destination_workload*`, `_app`, `_version` and `_canonical_*` of `istio_*`;
/// what is empty is shown as `unknown`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadLabels {
    /// The name of the Deployment, StatefulSet, DaemonSet or Job, or of a pod that belongs to none.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The label `app` of its pods.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app: String,
    /// The label `version` of its pods.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The name that Istio gives the service that it is of.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub canonical_service: String,
    /// The version that Istio gives it there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub canonical_revision: String,
}
