//! The families of requests, summed up over all shards.

use super::{
    NginxMetrics,
    counting::{AllBounds, NginxKey, NginxStats},
};
use crate::telemetry::{
    family::{Family, Labels},
    histogram::Distribution,
    registry::Registry,
};
use sluice_model::spec::ServiceLabels;
use std::{collections::BTreeMap, sync::Arc};

/// The host of rules that are for every host.
const EVERY_HOST: &str = "_";

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

/// They, now.
pub(super) fn families<'s>(
    told: &NginxMetrics,
    shards: impl Iterator<Item = &'s Registry<NginxKey, NginxStats>>,
) -> Vec<Family> {
    let bounds = AllBounds::of(told);
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
    use super::{
        super::{Counting, NginxRegistry, PREFIX, counting::NginxQuery},
        *,
    };
    use crate::telemetry::family::prometheus;
    use sluice_model::spec::RouteLabels;
    use std::collections::BTreeSet;

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
        let families: Vec<Family> = families(&told, registries.iter().map(|registry| &**registry))
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
        let text = prometheus(&families(&told, [&*registry].into_iter()));
        assert!(text.contains("status=\"4xx\"") && !text.contains("host="), "{text}");
        assert!(!text.contains("bytes_sent") && !text.contains("request_size"), "{text}");
    }
}
