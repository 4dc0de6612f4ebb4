//! Who serves a cluster, ready to be asked by endpoint.

use sluice_model::spec::{self, ServiceLabels, WorkloadLabels};
use std::{net::SocketAddr, sync::Arc};

/// What metrics say of a cluster; see [`spec::ClusterLabels`].
#[derive(Debug, PartialEq, Eq)]
pub struct ClusterLabels {
    /// The service.
    pub service: Arc<ServiceLabels>,
    /// By address.
    workloads: Box<[(SocketAddr, Arc<WorkloadLabels>)]>,
}

impl ClusterLabels {
    pub(super) fn compile(labels: &spec::ClusterLabels) -> Self {
        let mut workloads = Vec::new();
        for workload in &labels.workloads {
            let labels = Arc::new(workload.labels.clone());
            workloads.extend(workload.endpoints.iter().map(|endpoint| (*endpoint, Arc::clone(&labels))));
        }
        workloads.sort_by_key(|(endpoint, _)| *endpoint);
        Self { service: Arc::new(labels.service.clone()), workloads: workloads.into() }
    }

    /// What runs at an endpoint, where that is known. Allocates nothing.
    pub fn workload(&self, endpoint: SocketAddr) -> Option<&Arc<WorkloadLabels>> {
        let at = self.workloads.binary_search_by_key(&endpoint, |(endpoint, _)| *endpoint).ok()?;
        self.workloads.get(at).map(|(_, labels)| labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_found_by_each_of_its_endpoints() {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let workload = |name: &str, ports: &[u16]| spec::Workload {
            labels: WorkloadLabels { name: name.to_owned(), ..WorkloadLabels::default() },
            endpoints: ports.iter().map(|port| at(*port)).collect(),
        };
        let service = ServiceLabels {
            name: "web".to_owned(),
            namespace: "shop".to_owned(),
            host: "web.shop.svc.cluster.local".to_owned(),
            port: 80,
        };
        let workloads = vec![workload("new", &[9, 2]), workload("old", &[5])];
        let labels = ClusterLabels::compile(&spec::ClusterLabels { service, workloads });
        let name = |port| labels.workload(at(port)).map(|labels| labels.name.as_str());
        assert_eq!([name(2), name(5), name(9), name(7)], [Some("new"), Some("old"), Some("new"), None]);
    }
}
