//! What a cluster bears, and what becomes of endpoints that fail.

use super::{At, Context, text};
use crate::{
    spec::{Cluster, ClusterProtocol, HealthCheck, OutlierDetection, Probe, SuccessRate},
    value::Percent,
};

pub(super) fn check(cx: &mut Context<'_>, cluster: &Cluster, at: At<'_>) {
    let limits = &cluster.limits;
    if limits.requests > 0 && limits.pending_requests > limits.requests {
        let limits = at.key("limits");
        cx.warning(limits.key("pending_requests"), "is never reached: `requests` is less")
            .rests_on(limits.key("requests"));
    }
    if limits.connections > 0 && cluster.endpoint_limits.connections > limits.connections {
        let endpoint_limits = at.key("endpoint_limits");
        cx.warning(
            endpoint_limits.key("connections"),
            "is never reached: `connections` of the whole cluster is less",
        )
        .rests_on(at.key("limits").key("connections"));
    }
    outliers(cx, cluster, at.key("outlier_detection"));
    if let Some(check) = &cluster.health_check {
        let at = at.key("health_check");
        let http2 = match cluster.protocol {
            ClusterProtocol::Http1 => false,
            ClusterProtocol::Http2 => true,
            ClusterProtocol::Auto => cluster.tls.is_some(),
        };
        if matches!(check.probe, Probe::Grpc(_)) && !http2 {
            let probe = at.key("probe");
            cx.error(probe.key("grpc"), "gRPC needs HTTP/2, which the cluster does not speak")
                .suggest("write `protocol: http2` for the cluster");
        }
        if cluster.original_destination {
            cx.warning(at, "has no effect: the cluster is served at the `original_destination`");
        }
        health_check(cx, check, at);
    }
}

fn outliers(cx: &mut Context<'_>, cluster: &Cluster, at: At<'_>) {
    let outliers = &cluster.outlier_detection;
    if cluster.original_destination && *outliers != OutlierDetection::default() && outliers.is_on() {
        cx.warning(at, "has no effect: the cluster is served at the `original_destination`");
    }
    if !outliers.is_on() {
        return;
    }
    if outliers.base_ejection_time.is_zero() {
        cx.error(at.key("base_ejection_time"), "nobody can be left out for no time")
            .suggest("write `consecutive_local_errors: 0` to leave out nobody");
    }
    if outliers.max_ejection_time < outliers.base_ejection_time {
        cx.error(at.key("max_ejection_time"), "is less than `base_ejection_time`")
            .rests_on(at.key("base_ejection_time"));
    }
    if let Some(max_fails) = &outliers.max_fails {
        let at = at.key("max_fails");
        if max_fails.fails == 0 {
            cx.error(at.key("fails"), "nobody is left out for nothing").suggest("leave `max_fails` out");
        }
        if max_fails.within.is_zero() {
            cx.error(at.key("within"), "nothing happens within no time").suggest("write `10s`");
        }
    }
    if let Some(rate) = &outliers.success_rate {
        success_rate(cx, rate, at.key("success_rate"));
    }
}

fn success_rate(cx: &mut Context<'_>, rate: &SuccessRate, at: At<'_>) {
    if rate.interval.is_zero() {
        cx.error(at.key("interval"), "nothing can be counted in no time").suggest("write `10s`");
    }
    if rate.min_endpoints < 2 {
        cx.error(at.key("min_endpoints"), "at least 2 can be compared");
    }
    if rate.min_requests == 0 {
        cx.error(at.key("min_requests"), "of no requests there is no share").suggest("write `100`");
    }
    if !(rate.deviations.is_finite() && rate.deviations > 0.0) {
        cx.error(at.key("deviations"), "a number of standard deviations is more than 0")
            .suggest("write `1.9`");
    }
}

fn health_check(cx: &mut Context<'_>, check: &HealthCheck, at: At<'_>) {
    for (name, time) in [("interval", check.interval), ("timeout", check.timeout)] {
        if time.is_zero() {
            cx.error(at.key(name), "a check needs some time").suggest("write `2s`");
        }
    }
    for (name, threshold) in
        [("healthy_threshold", check.healthy_threshold), ("unhealthy_threshold", check.unhealthy_threshold)]
    {
        if threshold == 0 {
            cx.error(at.key(name), "no answers decide nothing").suggest("write `1`");
        }
    }
    if check.port == Some(0) {
        cx.error(at.key("port"), "nobody listens on port 0");
    }
    if check.jitter == Percent::NONE {
        cx.info(at.key("jitter"), "`0` asks endpoints that came together always together");
    }
    if let Probe::Http(http) = &check.probe {
        let at = at.key("probe");
        let at = at.key("http");
        text::path(cx, at.key("path"), &http.path, true);
        if let Some(host) = &http.host {
            text::authority(cx, at.key("host"), host);
        }
        if http.body.as_ref().is_some_and(String::is_empty) {
            cx.warning(at.key("body"), "every body holds the empty text").suggest("leave it out");
        }
    }
}
