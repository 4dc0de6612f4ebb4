//! `istio_*`: names, labels and buckets of Istio's standard metrics for HTTP and gRPC
//! (istio.io/latest/docs/reference/config/metrics).
//!
//! Who asked is the proxy's own workload, as a gateway and the client side of a sidecar have it: `reporter="source"`. Who was
//! asked is the service and the workload of the endpoint that was tried last. Where no service was chosen, all of it is
//! `unknown`. What the peers' identities are is not known without mTLS, and is `unknown` too.

use super::{request_length, response_length};
use crate::telemetry::{
    family::{Family, Labels},
    histogram::{Bounds, Distribution, Histogram},
    number::Counter,
    registry::{Local, Query, Registry},
};
use sluice_core::{flags::ResponseFlags, snapshot::Snapshot};
use sluice_model::spec::{ServiceLabels, WorkloadLabels};
use sluice_net::RequestSummary;
use std::{
    cell::LazyCell,
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

const PREFIX: &str = "istio_";
/// Requests are counted on the side of whoever asks.
const REPORTER: &str = "source";
const UNKNOWN: &str = "unknown";
const MICROS_PER_MILLISECOND: f64 = 1e3;

/// Envoy's buckets, for milliseconds and for bytes.
const BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// How `istio_*` are shown.
#[derive(Debug, Default)]
pub struct IstioMetrics {
    /// The workload that this proxy is, or is beside: labels `source_*`.
    source: Mutex<WorkloadLabels>,
    /// What is said of it where nobody knows better.
    told: WorkloadLabels,
    /// The cluster that it is in: labels `source_cluster` and `destination_cluster`; `Kubernetes` in most.
    cluster: String,
}

/// What a request is counted under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IstioKey {
    service: Option<Arc<ServiceLabels>>,
    workload: Option<Arc<WorkloadLabels>>,
    grpc: bool,
    status: u16,
    grpc_status: Option<u8>,
    /// The bits of the flags.
    flags: u32,
}

#[derive(Hash)]
struct IstioQuery<'r> {
    service: Option<&'r Arc<ServiceLabels>>,
    workload: Option<&'r Arc<WorkloadLabels>>,
    grpc: bool,
    status: u16,
    grpc_status: Option<u8>,
    flags: u32,
}

#[derive(Debug)]
pub(crate) struct IstioStats {
    requests: Counter,
    duration: Histogram,
    request_bytes: Histogram,
    response_bytes: Histogram,
}

pub(crate) type IstioRegistry = Arc<Registry<IstioKey, IstioStats>>;

#[derive(Clone)]
struct AllBounds {
    milliseconds: Bounds,
    bytes: Bounds,
}

/// [`IstioStats`] of all shards.
struct Total {
    requests: u64,
    duration: Distribution,
    request_bytes: Distribution,
    response_bytes: Distribution,
}

// === impl IstioMetrics ===

impl IstioMetrics {
    /// `source` is the workload that this proxy is, or is beside: labels `source_*`, as far as it is known. `cluster` is the
    /// cluster that it is in: labels `source_cluster` and `destination_cluster`; `Kubernetes` in most.
    pub fn new(source: WorkloadLabels, cluster: String) -> Self {
        Self { source: Mutex::new(source.clone()), told: source, cluster }
    }

    /// What the workload turned out to be. What it leaves empty is as it was told. Everything is shown under it from now on,
    /// what was counted before too.
    pub fn set_source(&self, found: WorkloadLabels) {
        let told = |found: String, told: &String| if found.is_empty() { told.clone() } else { found };
        let source = WorkloadLabels {
            name: told(found.name, &self.told.name),
            namespace: told(found.namespace, &self.told.namespace),
            app: told(found.app, &self.told.app),
            version: told(found.version, &self.told.version),
            canonical_service: told(found.canonical_service, &self.told.canonical_service),
            canonical_revision: told(found.canonical_revision, &self.told.canonical_revision),
        };
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = source;
    }

    fn source(&self) -> WorkloadLabels {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl AllBounds {
    fn new() -> Self {
        Self {
            milliseconds: Bounds::new(&BUCKETS, MICROS_PER_MILLISECOND),
            bytes: Bounds::new(&BUCKETS, 1.0),
        }
    }
}

// === Counting ===

/// What counting needs besides the numbers.
pub(super) struct Counting {
    bounds: AllBounds,
    local: Local<IstioKey, IstioStats>,
}

impl Counting {
    pub(super) fn new(registry: &IstioRegistry) -> Self {
        let bounds = AllBounds::new();
        let made = bounds.clone();
        let stats = move || IstioStats {
            requests: Counter::default(),
            duration: made.milliseconds.histogram(),
            request_bytes: made.bytes.histogram(),
            response_bytes: made.bytes.histogram(),
        };
        Self { bounds, local: Local::made_by(registry.clone(), Box::new(stats)) }
    }

    /// Counts a finished request. Allocates only where its labels are new.
    pub(super) fn count(&mut self, request: &RequestSummary<'_>) {
        let record = request.record;
        let labels = record.pinned_cluster().and_then(|cluster| cluster.labels.as_ref());
        let stats = self.local.of(&IstioQuery {
            service: labels.map(|labels| &labels.service),
            workload: labels.zip(record.endpoint).and_then(|(labels, endpoint)| labels.workload(endpoint)),
            grpc: record.grpc,
            status: record.status,
            grpc_status: record.grpc_status.filter(|_| record.grpc),
            flags: record.flags.bits(),
        });
        stats.requests.add(1);
        let micros = u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX);
        stats.duration.add(&self.bounds.milliseconds, micros);
        stats.request_bytes.add(&self.bounds.bytes, request_length(request));
        stats.response_bytes.add(&self.bounds.bytes, response_length(request));
    }

    /// Forgets services that no cluster has any more.
    pub(super) fn make_room(&mut self, snapshot: &Snapshot) {
        let services = LazyCell::new(|| {
            let labels = snapshot.clusters().filter_map(|cluster| cluster.labels.as_ref());
            labels.map(|labels| labels.service.clone()).collect::<HashSet<_>>()
        });
        self.local.make_room(|key| key.service.as_ref().is_none_or(|service| services.contains(service)));
    }
}

impl Query<IstioKey> for IstioQuery<'_> {
    fn is(&self, key: &IstioKey) -> bool {
        self.status == key.status
            && self.flags == key.flags
            && self.grpc == key.grpc
            && self.grpc_status == key.grpc_status
            && self.service == key.service.as_ref()
            && self.workload == key.workload.as_ref()
    }

    fn key(&self) -> IstioKey {
        IstioKey {
            service: self.service.cloned(),
            workload: self.workload.cloned(),
            grpc: self.grpc,
            status: self.status,
            grpc_status: self.grpc_status,
            flags: self.flags,
        }
    }
}

// === Showing ===

/// Everything in this dialect, now.
pub(super) fn families<'s>(
    told: &IstioMetrics,
    shards: impl Iterator<Item = &'s Registry<IstioKey, IstioStats>>,
) -> Vec<Family> {
    let bounds = AllBounds::new();
    let mut totals: BTreeMap<IstioKey, Total> = BTreeMap::new();
    for shard in shards {
        shard.each(|key, stats| {
            let total = totals.entry(key.clone()).or_insert_with(|| Total {
                requests: 0,
                duration: bounds.milliseconds.empty(),
                request_bytes: bounds.bytes.empty(),
                response_bytes: bounds.bytes.empty(),
            });
            total.requests += stats.requests.get();
            stats.duration.add_to(&bounds.milliseconds, &mut total.duration);
            stats.request_bytes.add_to(&bounds.bytes, &mut total.request_bytes);
            stats.response_bytes.add_to(&bounds.bytes, &mut total.response_bytes);
        });
    }
    let source = told.source();
    let labelled: Vec<(Labels, &Total)> =
        totals.iter().map(|(key, total)| (key.labels(&source, &told.cluster), total)).collect();
    let histogram = |name, help, of: fn(&Total) -> &Distribution| {
        let samples = labelled.iter().map(|(labels, total)| (labels.clone(), of(total).clone()));
        Family::distribution(name, help, samples.collect()).under(PREFIX)
    };
    let requests = labelled.iter().map(|(labels, total)| (labels.clone(), total.requests)).collect();
    vec![
        Family::counter("requests_total", "Requests.", requests).under(PREFIX),
        histogram(
            "request_duration_milliseconds",
            "From the first byte of a request to the last byte of its answer.",
            |total| &total.duration,
        ),
        histogram("request_bytes", "Requests with their heads.", |total| &total.request_bytes),
        histogram("response_bytes", "Answers with their heads.", |total| &total.response_bytes),
    ]
}

impl IstioKey {
    fn labels(&self, source: &WorkloadLabels, cluster: &str) -> Labels {
        let known = |text: &str| if text.is_empty() { UNKNOWN } else { text }.to_owned();
        let nobody = WorkloadLabels::default();
        let destination = self.workload.as_deref().unwrap_or(&nobody);
        let service = |of: fn(&ServiceLabels) -> &str| self.service.as_deref().map_or("", of);
        let namespace = service(|service| &service.namespace);
        let canonical = |workload: &WorkloadLabels| {
            let revision = &workload.canonical_revision;
            let latest = revision.is_empty() && !workload.canonical_service.is_empty();
            (known(&workload.canonical_service), if latest { "latest".to_owned() } else { known(revision) })
        };
        let (source_service, source_revision) = canonical(source);
        let (destination_service, destination_revision) = canonical(destination);
        vec![
            ("reporter", REPORTER.to_owned()),
            ("source_workload", known(&source.name)),
            ("source_workload_namespace", known(&source.namespace)),
            ("source_principal", UNKNOWN.to_owned()),
            ("source_app", known(&source.app)),
            ("source_version", known(&source.version)),
            ("source_canonical_service", source_service),
            ("source_canonical_revision", source_revision),
            ("source_cluster", known(cluster)),
            ("destination_workload", known(&destination.name)),
            ("destination_workload_namespace", known(&destination.namespace)),
            ("destination_principal", UNKNOWN.to_owned()),
            ("destination_app", known(&destination.app)),
            ("destination_version", known(&destination.version)),
            ("destination_canonical_service", destination_service),
            ("destination_canonical_revision", destination_revision),
            ("destination_service", known(service(|service| &service.host))),
            ("destination_service_name", known(service(|service| &service.name))),
            ("destination_service_namespace", known(namespace)),
            ("destination_cluster", known(self.service.as_ref().map_or("", |_| cluster))),
            ("request_protocol", if self.grpc { "grpc" } else { "http" }.to_owned()),
            ("response_code", self.status.to_string()),
            ("grpc_response_status", self.grpc_status.map_or_else(String::new, |status| status.to_string())),
            ("response_flags", ResponseFlags::from_bits(self.flags).to_string()),
            ("connection_security_policy", UNKNOWN.to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::family::prometheus;

    #[test]
    fn shards_sum_up_by_workload_and_code() {
        let service = Arc::new(ServiceLabels {
            name: "reviews".into(),
            namespace: "bookinfo".into(),
            host: "reviews.bookinfo.svc.cluster.local".into(),
            port: 9080,
        });
        let workload = |version: &str| {
            Arc::new(WorkloadLabels {
                name: format!("reviews-{version}"),
                namespace: "bookinfo".into(),
                version: version.into(),
                canonical_service: "reviews".into(),
                ..WorkloadLabels::default()
            })
        };
        let registries = [IstioRegistry::default(), IstioRegistry::default()];
        for registry in &registries {
            let mut counting = Counting::new(registry);
            for version in ["v1", "v2", "v1"] {
                let workload = workload(version);
                let query = IstioQuery {
                    service: Some(&service),
                    workload: Some(&workload),
                    grpc: false,
                    status: 200,
                    grpc_status: None,
                    flags: 0,
                };
                let stats = counting.local.of(&query);
                stats.requests.add(1);
                stats.duration.add(&counting.bounds.milliseconds, 700);
            }
        }
        let front = WorkloadLabels { app: "front".into(), ..WorkloadLabels::default() };
        let told = IstioMetrics::new(front, "Kubernetes".into());
        let shown = || prometheus(&families(&told, registries.iter().map(|registry| &**registry)));
        assert!(shown().contains("source_workload=\"unknown\""));
        told.set_source(WorkloadLabels { name: "gateway".into(), ..WorkloadLabels::default() });
        let text = shown();
        for source in ["source_workload=\"gateway\"", "source_app=\"front\"", "source_version=\"unknown\""] {
            assert!(text.contains(source) && text.contains("reporter=\"source\""), "{source}: {text}");
        }
        let of = |start: &str, label: &str| {
            let mut lines = text.lines().filter(|line| line.starts_with(start) && line.contains(label));
            lines.next().map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned())
        };
        assert_eq!(of("istio_requests_total{", "destination_workload=\"reviews-v1\"").as_deref(), Some("4"));
        assert_eq!(of("istio_requests_total{", "destination_version=\"v2\"").as_deref(), Some("2"));
        let bucket = "istio_request_duration_milliseconds_bucket{";
        assert_eq!(of(bucket, "le=\"0.5\"").as_deref(), Some("0"), "{text}");
        assert_eq!(of(bucket, "le=\"1\"").as_deref(), Some("4"), "{text}");
        assert!(text.contains("response_flags=\"-\",connection_security_policy=\"unknown\"} 4\n"), "{text}");
        assert!(text.contains("destination_canonical_revision=\"latest\""), "{text}");
    }
}
