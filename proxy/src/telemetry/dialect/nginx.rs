//! `nginx_ingress_controller_*`: names, labels and meaning as in ingress-nginx 1.15 (`internal/ingress/metric`).
//!
//! `ingress`, `namespace`, `path` and `service` are those of the rule that took the request, also where a canary served it;
//! then `canary` names the canary's service. `host` is the host of the rule, so that a wildcard is one host. A request that
//! got no answer counts as 499, as nginx has it.

use super::{request_length, response_length};
use crate::{
    state::State,
    telemetry::{
        family::{Family, Labels},
        histogram::{Bounds, Distribution, Histogram},
        number::Counter,
        process,
        registry::{Local, Query, Registry},
    },
};
use sluice_core::{route::Action, snapshot::Snapshot};
use sluice_model::spec::{RouteLabels, ServiceLabels};
use sluice_net::RequestSummary;
use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

const PREFIX: &str = "nginx_ingress_controller_";
/// The host of rules that are for every host.
const EVERY_HOST: &str = "_";
/// nginx: the client was gone before an answer began.
const CLIENT_GONE: u16 = 499;
/// Others are one, so that clients cannot make up labels.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const OTHER_METHOD: &str = "OTHER";
const MICROS: f64 = 1e6;

/// How `nginx_ingress_controller_*` are shown; fields are named after what sets them in ingress-nginx.
#[derive(Debug, Clone, PartialEq)]
pub struct NginxMetrics {
    /// `controller_class`: the controller of the class, `k8s.io/ingress-nginx`.
    pub controller_class: String,
    /// `controller_namespace`: the namespace of this pod.
    pub controller_namespace: String,
    /// `controller_pod`: the name of this pod.
    pub controller_pod: String,
    /// `--metrics-per-host`: the label `host`; requests for hosts without a rule are not counted then.
    pub per_host: bool,
    /// `--metrics-per-undefined-host`: they are, with the host `_`.
    pub undefined_hosts: bool,
    /// `--report-status-classes`: `2xx` in place of `200`.
    pub status_classes: bool,
    /// `--exclude-socket-metrics`: families of requests that are left out, with or without the common prefix.
    pub excluded: BTreeSet<String>,
    /// `--time-buckets`, in seconds.
    pub time_buckets: Vec<f64>,
    /// `--length-buckets`, in bytes.
    pub length_buckets: Vec<f64>,
    /// `--size-buckets`, in bytes.
    pub size_buckets: Vec<f64>,
}

/// What a request is counted under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NginxKey {
    /// The Ingress, `Ingress shop/web`.
    origin: Option<Arc<str>>,
    rule: Option<Arc<RouteLabels>>,
    /// The service of the canary that served it.
    canary: Option<Arc<ServiceLabels>>,
    method: &'static str,
    status: u16,
}

#[derive(Hash)]
struct NginxQuery<'r> {
    origin: Option<&'r Arc<str>>,
    rule: Option<&'r Arc<RouteLabels>>,
    canary: Option<&'r Arc<ServiceLabels>>,
    method: &'static str,
    status: u16,
}

#[derive(Debug)]
pub(crate) struct NginxStats {
    requests: Counter,
    request: Histogram,
    connect: Histogram,
    header: Histogram,
    response: Histogram,
    request_length: Histogram,
    response_length: Histogram,
    bytes_sent: Histogram,
}

pub(crate) type NginxRegistry = Arc<Registry<NginxKey, NginxStats>>;

struct AllBounds {
    time: Bounds,
    length: Bounds,
    size: Bounds,
}

/// [`NginxStats`] of all shards.
struct Total {
    requests: u64,
    request: Distribution,
    connect: Distribution,
    header: Distribution,
    response: Distribution,
    request_length: Distribution,
    response_length: Distribution,
    bytes_sent: Distribution,
}

// === impl NginxMetrics ===

impl Default for NginxMetrics {
    fn default() -> Self {
        let lengths = (1..=10).map(|ten| f64::from(ten) * 10.0).collect();
        Self {
            controller_class: "k8s.io/ingress-nginx".to_owned(),
            controller_namespace: String::new(),
            controller_pod: String::new(),
            per_host: true,
            undefined_hosts: false,
            status_classes: false,
            excluded: BTreeSet::new(),
            time_buckets: vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
            length_buckets: lengths,
            size_buckets: (1..=7).map(|power| 10_f64.powi(power)).collect(),
        }
    }
}

impl NginxMetrics {
    fn bounds(&self) -> AllBounds {
        AllBounds {
            time: Bounds::new(&self.time_buckets, MICROS),
            length: Bounds::new(&self.length_buckets, 1.0),
            size: Bounds::new(&self.size_buckets, 1.0),
        }
    }

    fn excludes(&self, name: &str) -> bool {
        self.excluded.iter().any(|excluded| excluded.strip_prefix(PREFIX).unwrap_or(excluded) == name)
    }

    fn controller(&self) -> Labels {
        vec![
            ("controller_class", self.controller_class.clone()),
            ("controller_namespace", self.controller_namespace.clone()),
            ("controller_pod", self.controller_pod.clone()),
        ]
    }
}

// === Counting ===

/// What counting needs besides the numbers.
pub(super) struct Counting {
    told: Arc<NginxMetrics>,
    bounds: AllBounds,
    local: Local<NginxKey, NginxStats>,
}

impl Counting {
    pub(super) fn new(told: Arc<NginxMetrics>, registry: &NginxRegistry) -> Self {
        let (bounds, made) = (told.bounds(), told.bounds());
        let local = Local::made_by(registry.clone(), Box::new(move || NginxStats::new(&made)));
        Self { told, bounds, local }
    }

    /// Counts a finished request. Allocates only where its labels are new.
    pub(super) fn count(&mut self, request: &RequestSummary<'_>) {
        let record = request.record;
        let route = record.pinned_route();
        let rule = route.and_then(|route| route.labels.as_ref());
        if rule.is_none() && self.told.per_host && !self.told.undefined_hosts {
            return;
        }
        let status = if record.status == 0 { CLIENT_GONE } else { record.status };
        let cluster = record.pinned_cluster();
        let canary = match (route.map(|route| &route.action), cluster) {
            (Some(Action::Forward(forward)), Some(cluster))
                if forward.canaries().any(|canary| canary.cluster == cluster.id) =>
            {
                cluster.labels.as_ref().map(|labels| &labels.service)
            }
            _ => None,
        };
        let stats = self.local.of(&NginxQuery {
            origin: route.filter(|_| rule.is_some()).and_then(|route| route.origin.as_ref()),
            rule,
            canary,
            method: METHODS.into_iter().find(|known| *known == record.method).unwrap_or(OTHER_METHOD),
            status: if self.told.status_classes { status - status % 100 } else { status },
        });
        let AllBounds { time, length, size } = &self.bounds;
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        stats.requests.add(1);
        stats.request.add(time, micros(record.duration));
        if let Some(started) = record.attempt_started {
            let since = |moment: Duration| micros(moment.saturating_sub(started));
            if let Some(connected) = record.attempt_connected {
                stats.connect.add(time, since(connected));
            }
            if let Some(begun) = record.response_started {
                stats.header.add(time, since(begun));
                stats.response.add(time, since(record.duration));
            }
        }
        let sent = response_length(request);
        stats.request_length.add(length, request_length(request));
        stats.response_length.add(length, sent);
        stats.bytes_sent.add(size, sent);
    }

    /// Forgets rules that no route has any more.
    pub(super) fn make_room(&mut self, snapshot: &Snapshot) {
        let rules = LazyCell::new(|| {
            let hosts = snapshot.tables().iter().flat_map(|table| table.virtual_hosts());
            let routes = hosts.flat_map(|host| host.routes());
            routes.filter_map(|route| route.labels.clone()).collect::<HashSet<_>>()
        });
        self.local.make_room(|key| key.rule.as_ref().is_none_or(|rule| rules.contains(rule)));
    }
}

impl NginxStats {
    fn new(bounds: &AllBounds) -> Self {
        Self {
            requests: Counter::default(),
            request: bounds.time.histogram(),
            connect: bounds.time.histogram(),
            header: bounds.time.histogram(),
            response: bounds.time.histogram(),
            request_length: bounds.length.histogram(),
            response_length: bounds.length.histogram(),
            bytes_sent: bounds.size.histogram(),
        }
    }
}

impl Query<NginxKey> for NginxQuery<'_> {
    fn is(&self, key: &NginxKey) -> bool {
        self.status == key.status
            && self.method == key.method
            && self.rule == key.rule.as_ref()
            && self.canary == key.canary.as_ref()
            && self.origin == key.origin.as_ref()
    }

    fn key(&self) -> NginxKey {
        NginxKey {
            origin: self.origin.cloned(),
            rule: self.rule.cloned(),
            canary: self.canary.cloned(),
            method: self.method,
            status: self.status,
        }
    }
}

// === Showing ===

/// Everything in this dialect, now.
pub(super) fn families(told: &NginxMetrics, state: &State) -> Vec<Family> {
    let mut families = requests(told, state.shards.iter().map(|shard| &*shard.nginx));
    families.extend(configuration(told, state));
    families.extend(processes(told, state));
    families.into_iter().map(|family| family.under(PREFIX)).collect()
}

fn requests<'s>(
    told: &NginxMetrics,
    shards: impl Iterator<Item = &'s Registry<NginxKey, NginxStats>>,
) -> Vec<Family> {
    let bounds = told.bounds();
    let mut totals: BTreeMap<NginxKey, Total> = BTreeMap::new();
    for shard in shards {
        shard.each(|key, stats| {
            totals.entry(key.clone()).or_insert_with(|| Total::new(&bounds)).add(&bounds, stats);
        });
    }
    let mut latencies: BTreeMap<Labels, (u64, f64)> = BTreeMap::new();
    for (key, total) in &totals {
        let labels = told.controller().into_iter().chain(key.served_by()).collect();
        let (count, seconds) = latencies.entry(labels).or_default();
        *count += total.connect.count();
        *seconds += total.connect.sum;
    }
    latencies.retain(|_, (count, _)| *count > 0);
    let labelled: Vec<(Labels, &Total)> =
        totals.iter().map(|(key, total)| (key.labels(told), total)).collect();
    let histogram = |name, help, of: fn(&Total) -> &Distribution| {
        let samples = labelled.iter().filter(|(_, total)| of(total).count() > 0);
        Family::distribution(
            name,
            help,
            samples.map(|(labels, total)| (labels.clone(), of(total).clone())).collect(),
        )
    };
    let requests = labelled.iter().map(|(labels, total)| (labels.clone(), total.requests)).collect();
    let mut families = vec![
        Family::counter("requests", "The total number of client requests.", requests),
        histogram(
            "request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            |total| &total.request,
        ),
        histogram("connect_duration_seconds", "Until a connection with the upstream stood.", |total| {
            &total.connect
        }),
        histogram("header_duration_seconds", "Until the upstream's answer began.", |total| &total.header),
        histogram("response_duration_seconds", "Until the upstream's answer was whole.", |total| {
            &total.response
        }),
        histogram("request_size", "Requests with line, header and body, in bytes.", |total| {
            &total.request_length
        }),
        histogram("response_size", "Answers with line, header and body, in bytes.", |total| {
            &total.response_length
        }),
        histogram(
            "bytes_sent",
            "The same as response_size, with wider buckets (deprecated in ingress-nginx).",
            |total| &total.bytes_sent,
        ),
        Family::summary(
            "ingress_upstream_latency_seconds",
            "Until a connection with the upstream stood, by Ingress (deprecated in ingress-nginx; Flagger reads it).",
            latencies.into_iter().collect(),
        ),
    ];
    families.retain(|family| !told.excludes(family.name()));
    families
}

fn configuration(told: &NginxMetrics, state: &State) -> Vec<Family> {
    let published = state.published();
    let gauge = |name, help, value: f64| Family::gauge(name, help, vec![(told.controller(), value)]);
    let counter = |name, help, value: u64| Family::counter(name, help, vec![(told.controller(), value)]);
    let successful = state.reloads.last_error().is_none();
    let build = vec![
        ("release", env!("CARGO_PKG_VERSION").to_owned()),
        ("build", "sluice".to_owned()),
        ("repository", String::new()),
    ];
    vec![
        gauge("config_hash", "Hash of the configuration in force.", published.hash() as f64),
        gauge(
            "config_last_reload_successful",
            "Whether the latest configuration came into force.",
            f64::from(u8::from(successful)),
        ),
        gauge(
            "config_last_reload_successful_timestamp_seconds",
            "When the configuration in force came into force.",
            unix_seconds(published.since),
        ),
        counter("success", "Configurations that came into force.", state.reloads.succeeded.get()),
        counter("errors", "Configurations that were refused.", state.reloads.failed.get()),
        Family::gauge(
            "build_info",
            "What runs.",
            vec![(told.controller().into_iter().chain(build).collect(), 1.0)],
        ),
    ]
}

/// Of the whole process; nginx has a family of processes there.
fn processes(told: &NginxMetrics, state: &State) -> Vec<Family> {
    let with = |name: &'static str, value: &str| -> Labels {
        told.controller().into_iter().chain([(name, value.to_owned())]).collect()
    };
    let (mut opened, mut refused, mut finished) = (0, 0, 0);
    for shard in &state.shards {
        shard.listeners.each(|_, stats| {
            opened += stats.opened.get();
            refused += stats.refused.get();
        });
        shard.routes.each(|_, stats| finished += stats.classes.iter().map(Counter::get).sum::<u64>());
    }
    let open: u32 = state.published().listeners.iter().map(|listener| listener.state.connections()).sum();
    let alone =
        |value: Option<f64>| value.map(|value| (told.controller(), value)).into_iter().collect::<Vec<_>>();
    let count =
        |value: Option<u64>| value.map(|value| (told.controller(), value)).into_iter().collect::<Vec<_>>();
    let (read, written) = process::bytes_read_and_written().unzip();
    let begun = SystemTime::now().checked_sub(state.started.elapsed());
    vec![
        Family::gauge(
            "nginx_process_connections",
            "Connections of clients that are open.",
            vec![(with("state", "active"), f64::from(open))],
        ),
        Family::counter(
            "nginx_process_connections_total",
            "Connections of clients so far.",
            vec![(with("state", "accepted"), opened + refused), (with("state", "handled"), opened)],
        ),
        Family::counter("nginx_process_requests_total", "Requests so far.", count(Some(finished))),
        Family::gauge("nginx_process_cpu_seconds_total", "Processor time.", alone(process::cpu_seconds())),
        Family::gauge(
            "nginx_process_resident_memory_bytes",
            "Resident memory.",
            alone(process::resident_bytes().map(|bytes| bytes as f64)),
        ),
        Family::gauge(
            "nginx_process_virtual_memory_bytes",
            "Virtual memory.",
            alone(process::virtual_bytes().map(|bytes| bytes as f64)),
        ),
        Family::counter("nginx_process_read_bytes_total", "Bytes read.", count(read)),
        Family::counter("nginx_process_write_bytes_total", "Bytes written.", count(written)),
        Family::gauge("nginx_process_num_procs", "Processes.", alone(Some(1.0))),
        Family::gauge(
            "nginx_process_oldest_start_time_seconds",
            "When the process began.",
            alone(begun.map(unix_seconds)),
        ),
    ]
}

fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

impl Total {
    fn new(bounds: &AllBounds) -> Self {
        Self {
            requests: 0,
            request: bounds.time.empty(),
            connect: bounds.time.empty(),
            header: bounds.time.empty(),
            response: bounds.time.empty(),
            request_length: bounds.length.empty(),
            response_length: bounds.length.empty(),
            bytes_sent: bounds.size.empty(),
        }
    }

    fn add(&mut self, bounds: &AllBounds, stats: &NginxStats) {
        self.requests += stats.requests.get();
        stats.request.add_to(&bounds.time, &mut self.request);
        stats.connect.add_to(&bounds.time, &mut self.connect);
        stats.header.add_to(&bounds.time, &mut self.header);
        stats.response.add_to(&bounds.time, &mut self.response);
        stats.request_length.add_to(&bounds.length, &mut self.request_length);
        stats.response_length.add_to(&bounds.length, &mut self.response_length);
        stats.bytes_sent.add_to(&bounds.size, &mut self.bytes_sent);
    }
}

impl NginxKey {
    /// Namespace and name of the Ingress.
    fn ingress(&self) -> (&str, &str) {
        let origin = self.origin.as_deref().and_then(|origin| origin.strip_prefix("Ingress "));
        origin.and_then(|name| name.split_once('/')).unwrap_or_default()
    }

    fn service(&self) -> String {
        self.rule.as_ref().map_or_else(String::new, |rule| rule.service.clone())
    }

    /// As ingress-nginx names the upstream of a canary.
    fn canary(&self) -> String {
        let name =
            |service: &Arc<ServiceLabels>| format!("{}-{}-{}", service.namespace, service.name, service.port);
        self.canary.as_ref().map_or_else(String::new, name)
    }

    fn served_by(&self) -> Labels {
        let (namespace, ingress) = self.ingress();
        vec![
            ("namespace", namespace.to_owned()),
            ("ingress", ingress.to_owned()),
            ("service", self.service()),
            ("canary", self.canary()),
        ]
    }

    fn labels(&self, told: &NginxMetrics) -> Labels {
        let mut labels = told.controller();
        if told.per_host {
            let host = self.rule.as_ref().map_or(EVERY_HOST, |rule| rule.host.as_str());
            labels.push(("host", host.to_owned()));
        }
        let path = self.rule.as_ref().map_or_else(String::new, |rule| rule.path.clone());
        let status =
            if told.status_classes { format!("{}xx", self.status / 100) } else { self.status.to_string() };
        labels.extend([("method", self.method.to_owned()), ("path", path), ("status", status)]);
        labels.extend(self.served_by());
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::family::prometheus;

    fn query<'r>(rule: &'r Arc<RouteLabels>, origin: &'r Arc<str>, status: u16) -> NginxQuery<'r> {
        NginxQuery { origin: Some(origin), rule: Some(rule), canary: None, method: "GET", status }
    }

    fn rule() -> Arc<RouteLabels> {
        Arc::new(RouteLabels { host: "*.shop.test".into(), path: "/cart".into(), service: "cart".into() })
    }

    #[test]
    fn shards_sum_up_also_where_another_configuration_came_between() {
        let told = Arc::new(NginxMetrics::default());
        let registries = [NginxRegistry::default(), NginxRegistry::default()];
        for registry in &registries {
            let mut counting = Counting::new(told.clone(), registry);
            // The labels of another configuration are others in memory, and the same in what they say.
            for _ in 0..2 {
                let (rule, origin) = (rule(), Arc::from("Ingress shop/web"));
                let stats = counting.local.of(&query(&rule, &origin, 200));
                stats.requests.add(1);
                stats.connect.add(&counting.bounds.time, 500_000);
            }
        }
        let families: Vec<Family> = requests(&told, registries.iter().map(|registry| &**registry))
            .into_iter()
            .map(|family| family.under(PREFIX))
            .collect();
        let text = prometheus(&families);
        let labels = "controller_class=\"k8s.io/ingress-nginx\",controller_namespace=\"\",controller_pod=\"\",\
            host=\"*.shop.test\",method=\"GET\",path=\"/cart\",status=\"200\",namespace=\"shop\",ingress=\"web\",\
            service=\"cart\",canary=\"\"";
        assert!(text.contains(&format!("nginx_ingress_controller_requests{{{labels}}} 4\n")), "{text}");
        let latency = "ingress_upstream_latency_seconds_sum{controller_class=\"k8s.io/ingress-nginx\",\
            controller_namespace=\"\",controller_pod=\"\",namespace=\"shop\",ingress=\"web\",service=\"cart\",\
            canary=\"\"} 2\n";
        assert!(text.contains(latency), "{text}");
    }

    #[test]
    fn families_can_be_left_out_and_statuses_be_classes() {
        let told = Arc::new(NginxMetrics {
            status_classes: true,
            per_host: false,
            excluded: BTreeSet::from([
                "nginx_ingress_controller_bytes_sent".to_owned(),
                "request_size".to_owned(),
            ]),
            ..NginxMetrics::default()
        });
        let registry = NginxRegistry::default();
        let mut counting = Counting::new(told.clone(), &registry);
        counting.local.of(&query(&rule(), &Arc::from("Ingress shop/web"), 400)).requests.add(1);
        let text = prometheus(&requests(&told, [&*registry].into_iter()));
        assert!(text.contains("status=\"4xx\"") && !text.contains("host="), "{text}");
        assert!(!text.contains("bytes_sent") && !text.contains("request_size"), "{text}");
    }
}
