//! The command-line flags of the ingress-nginx controller, one row each: change the verdict here when something new makes a
//! row work. All of them are accepted, so that Helm values carry over.
//!
//! Names and defaults are those of ingress-nginx 1.15.

use crate::{
    annotations::ValueKind::{self, Bool, Float, GoDuration, Int, List, ObjectName, Path, Text},
    verdict::Need,
    verdict::Verdict::{self, InEffect, Never, NoEffect, NotYet},
};
use sluice_model::convert::nearest;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// The name, without the dashes.
    pub name: &'static str,
    /// What values look like. `Bool` may stand alone, for true.
    pub value: ValueKind,
    /// What an absent flag means; `None` for nothing at all.
    pub default: Option<&'static str>,
    /// What becomes of it.
    pub verdict: Verdict,
}

const ENGINE: &str = "it is about the nginx process";
const LOG: &str = "`--log` says what is logged";
const NATIVE: &str = "histograms have the buckets that `--time-buckets` and the like name";
const NO_PLACES: &str = "places of addresses are not looked up";
const WEBHOOK: &str =
    "there is no admission webhook; `sluice check` says the same before objects are applied";

/// All flags, by name.
static TABLE: [Flag; 76] = [
    row("alsologtostderr", Bool, Some("false"), NoEffect(LOG)),
    row("annotations-prefix", Text, Some("nginx.ingress.kubernetes.io"), InEffect),
    row("apiserver-host", Text, None, InEffect),
    row("bucket-factor", Float, Some("0"), NoEffect(NATIVE)),
    row("certificate-authority", Text, None, InEffect),
    row("configmap", ObjectName, None, InEffect),
    row("controller-class", Text, Some("k8s.io/ingress-nginx"), InEffect),
    row("deep-inspect", Bool, Some("true"), NoEffect("every value is inspected")),
    row("default-backend-service", ObjectName, None, InEffect),
    row("default-server-port", Int, Some("8181"), NoEffect(ENGINE)),
    row("default-ssl-certificate", ObjectName, None, InEffect),
    row("disable-catch-all", Bool, Some("false"), InEffect),
    row("disable-full-test", Bool, Some("false"), NoEffect(WEBHOOK)),
    row("disable-leader-election", Bool, Some("false"), InEffect),
    row("disable-svc-external-name", Bool, Some("false"), InEffect),
    row(
        "disable-sync-events",
        Bool,
        Some("false"),
        NoEffect("an Event is written for each problem, none for each change"),
    ),
    row("dynamic-configuration-retries", Int, Some("15"), NoEffect(ENGINE)),
    row("election-id", Text, Some("ingress-controller-leader"), InEffect),
    row("election-ttl", GoDuration, Some("30s"), InEffect),
    row("enable-annotation-validation", Bool, Some("true"), NoEffect("every value is checked")),
    row("enable-metrics", Bool, Some("false"), InEffect),
    row("enable-ssl-chain-completion", Bool, Some("false"), Never("chains come from Secrets alone")),
    row("enable-ssl-passthrough", Bool, Some("false"), NotYet(Need::Layer4)),
    row("enable-topology-aware-routing", Bool, Some("false"), InEffect),
    row("exclude-socket-metrics", List, None, InEffect),
    row("health-check-path", Path, Some("/healthz"), InEffect),
    row("health-check-timeout", Int, Some("10"), NoEffect("the answer needs no time")),
    row("healthz-host", Text, None, InEffect),
    row("healthz-port", Int, Some("10254"), InEffect),
    row("http-port", Int, Some("80"), InEffect),
    row("https-port", Int, Some("443"), InEffect),
    row("ingress-class", Text, Some("nginx"), InEffect),
    row("ingress-class-by-name", Bool, Some("false"), InEffect),
    row("internal-logger-address", Text, Some("127.0.0.1:11514"), NoEffect(ENGINE)),
    row("kubeconfig", Text, None, InEffect),
    row("length-buckets", List, None, InEffect),
    row("logtostderr", Bool, Some("true"), NoEffect(LOG)),
    row("max-buckets", Int, Some("100"), NoEffect(NATIVE)),
    row("maxmind-edition-ids", List, Some("GeoLite2-City,GeoLite2-ASN"), Never(NO_PLACES)),
    row("maxmind-license-key", Text, None, Never(NO_PLACES)),
    row("maxmind-mirror", Text, None, Never(NO_PLACES)),
    row("maxmind-retries-count", Int, Some("1"), Never(NO_PLACES)),
    row("maxmind-retries-timeout", GoDuration, Some("0s"), Never(NO_PLACES)),
    row("metrics-per-host", Bool, Some("true"), InEffect),
    row("metrics-per-undefined-host", Bool, Some("false"), InEffect),
    row("monitor-max-batch-size", Int, Some("10000"), NoEffect("metrics are not collected in batches")),
    row(
        "post-shutdown-grace-period",
        Int,
        Some("10"),
        NoEffect("the process ends when the last connection is done"),
    ),
    row("profiler-address", Text, Some("127.0.0.1"), NoEffect("there is no profiler")),
    row("profiler-port", Int, Some("10245"), NoEffect("there is no profiler")),
    row("profiling", Bool, Some("true"), NoEffect("there is no profiler")),
    row("publish-service", ObjectName, None, InEffect),
    row("publish-status-address", List, None, InEffect),
    row("report-node-internal-ip-address", Bool, Some("false"), InEffect),
    row("report-status-classes", Bool, Some("false"), InEffect),
    row("shutdown-grace-period", Int, Some("0"), InEffect),
    row("size-buckets", List, None, InEffect),
    row("ssl-passthrough-proxy-port", Int, Some("442"), NoEffect(ENGINE)),
    row("status-port", Int, Some("10246"), NoEffect(ENGINE)),
    row("status-update-interval", Int, Some("60"), InEffect),
    row("stderrthreshold", Text, Some("2"), NoEffect(LOG)),
    row("stream-port", Int, Some("10247"), NoEffect(ENGINE)),
    row(
        "sync-period",
        GoDuration,
        Some("0s"),
        NoEffect("watches are kept up, nothing is listed again and again"),
    ),
    row(
        "sync-rate-limit",
        Float,
        Some("0.3"),
        NoEffect("changes are gathered for some milliseconds and then take effect"),
    ),
    row("tcp-services-configmap", ObjectName, None, NotYet(Need::Layer4)),
    row("time-buckets", List, None, InEffect),
    row("udp-services-configmap", ObjectName, None, NotYet(Need::Layer4)),
    row("update-status", Bool, Some("true"), InEffect),
    row("update-status-on-shutdown", Bool, Some("true"), InEffect),
    row("v", Int, Some("0"), NoEffect(LOG)),
    row("validating-webhook", Text, None, NoEffect(WEBHOOK)),
    row("validating-webhook-certificate", Text, None, NoEffect(WEBHOOK)),
    row("validating-webhook-key", Text, None, NoEffect(WEBHOOK)),
    row("vmodule", Text, None, NoEffect(LOG)),
    row("watch-ingress-without-class", Bool, Some("false"), InEffect),
    row("watch-namespace", Text, None, InEffect),
    row("watch-namespace-selector", Text, None, InEffect),
];

const fn row(name: &'static str, value: ValueKind, default: Option<&'static str>, verdict: Verdict) -> Flag {
    Flag { name, value, default, verdict }
}

/// All rows.
pub fn all() -> &'static [Flag] {
    &TABLE
}

/// Looks a flag up, without its dashes; fails with what was probably meant.
pub fn look_up(name: &str) -> Result<&'static Flag, Option<&'static str>> {
    let row = TABLE.iter().find(|row| row.name == name);
    row.ok_or_else(|| nearest(name, TABLE.iter().map(|row| row.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_sorted_and_defaults_are_values_of_their_row() {
        assert!(TABLE.is_sorted_by(|before, after| before.name < after.name));
        for row in all() {
            if let Some(default) = row.default {
                assert!(row.value.parse(default).is_ok(), "{}: {default}", row.name);
            }
        }
        assert_eq!(look_up("watch-namespaces"), Err(Some("watch-namespace")));
    }
}
