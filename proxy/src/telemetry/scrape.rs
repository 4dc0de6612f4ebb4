//! The sum over all shards, as metric families.

use super::{
    family::{Family, Labels},
    number::DurationSum,
    process, resilience,
    stats::{ReasonKind, RouteKey},
};
use crate::state::State;
use sluice_core::flags::ResponseFlags;
use std::collections::BTreeMap;

/// Everything that is counted, now.
pub(crate) fn families(state: &State) -> Vec<Family> {
    let mut families = Vec::new();
    requests(state, &mut families);
    listeners(state, &mut families);
    clusters(state, &mut families);
    families.extend(resilience::families(&state.published().generation.snapshot));
    reasons(state, &mut families);
    configuration(state, &mut families);
    processes(state, &mut families);
    families.extend(state.extension.iter().flat_map(|added| added.metrics()));
    families
}

/// Sums by name.
type Sums<K> = BTreeMap<K, u64>;

fn requests(state: &State, families: &mut Vec<Family>) {
    const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
    let (mut classes, mut flags, mut received, mut sent) =
        (Sums::new(), Sums::new(), Sums::new(), Sums::new());
    for shard in &state.shards {
        shard.routes.each(|key, stats| {
            for (class, count) in CLASSES.iter().zip(&stats.classes) {
                if count.get() > 0 {
                    *classes.entry((key.clone(), *class)).or_default() += count.get();
                }
            }
            for (flag, name) in ResponseFlags::ALL {
                let count = stats.flags[flag.bits().trailing_zeros() as usize].get();
                if count > 0 {
                    *flags.entry((key.clone(), *name)).or_default() += count;
                }
            }
            *received.entry(key.clone()).or_default() += stats.bytes_received.get();
            *sent.entry(key.clone()).or_default() += stats.bytes_sent.get();
        });
    }
    let with = |name: &'static str, sums: Sums<(RouteKey, &'static str)>| {
        sums.into_iter()
            .map(|((key, value), count)| {
                let mut labels = route_labels(&key);
                labels.push((name, value.to_owned()));
                (labels, count)
            })
            .collect()
    };
    let plain = |sums: Sums<RouteKey>| sums.into_iter().map(|(key, sum)| (route_labels(&key), sum)).collect();
    families.extend([
        Family::counter("requests_total", "Finished requests by class of status.", with("class", classes)),
        Family::counter("request_flags_total", "Finished requests by response flag.", with("flag", flags)),
        Family::counter("request_body_bytes_total", "Body bytes from clients.", plain(received)),
        Family::counter("response_body_bytes_total", "Body bytes to clients.", plain(sent)),
    ]);
}

fn route_labels(key: &RouteKey) -> Labels {
    vec![
        ("listener", key.listener.to_string()),
        ("virtual_host", key.virtual_host.to_string()),
        ("route", key.route.to_string()),
        ("cluster", key.cluster.to_string()),
    ]
}

fn label<V>(name: &'static str, sums: BTreeMap<Box<str>, V>) -> Vec<(Labels, V)> {
    sums.into_iter().map(|(value, sum)| (vec![(name, value.into())], sum)).collect()
}

fn listeners(state: &State, families: &mut Vec<Family>) {
    let (mut opened, mut refused, mut durations) = (Sums::new(), Sums::new(), BTreeMap::new());
    for shard in &state.shards {
        shard.listeners.each(|name, stats| {
            *opened.entry(name.clone()).or_default() += stats.opened.get();
            *refused.entry(name.clone()).or_default() += stats.refused.get();
            stats.durations.add_to(durations.entry(name.clone()).or_insert_with(DurationSum::default));
        });
    }
    let open = state
        .published()
        .listeners
        .iter()
        .map(|listener| {
            (vec![("listener", listener.name.to_string())], f64::from(listener.state.connections()))
        })
        .collect();
    let unbound = state.unbound.load();
    let unbound = unbound.iter().map(|listener| (vec![("listener", listener.name.clone())], 1.0)).collect();
    families.extend([
        Family::gauge("listeners_unbound", "Listeners whose address cannot be listened on.", unbound),
        Family::counter("connections_total", "Accepted connections.", label("listener", opened)),
        Family::gauge("connections_open", "Connections of clients that are open.", open),
        Family::counter(
            "connections_refused_total",
            "Connections closed at once because the listener had as many as it may have.",
            label("listener", refused),
        ),
        Family::histogram(
            "request_duration_seconds",
            "From the first byte of a request to the last byte of its answer.",
            label("listener", durations),
        ),
    ]);
}

fn clusters(state: &State, families: &mut Vec<Family>) {
    let mut sums: [Sums<Box<str>>; 5] = Default::default();
    let (mut open, mut durations) = (BTreeMap::<Box<str>, f64>::new(), BTreeMap::new());
    for shard in &state.shards {
        shard.clusters.each(|name, stats| {
            let counts =
                [&stats.opened, &stats.pool_hits, &stats.pool_misses, &stats.retries, &stats.mirrors];
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum.entry(name.clone()).or_default() += count.get();
            }
            *open.entry(name.clone()).or_default() +=
                stats.opened.get().saturating_sub(stats.closed.get()) as f64;
            stats.durations.add_to(durations.entry(name.clone()).or_insert_with(DurationSum::default));
        });
    }
    let [opened, hits, misses, retries, mirrors] = sums.map(|sum| label("cluster", sum));
    families.extend([
        Family::counter("upstream_connections_total", "Connections made to endpoints.", opened),
        Family::gauge(
            "upstream_connections_open",
            "Connections to endpoints that are open.",
            label("cluster", open),
        ),
        Family::counter("upstream_pool_hits_total", "Requests that took an idle connection.", hits),
        Family::counter("upstream_pool_misses_total", "Requests that needed a new connection.", misses),
        Family::counter("upstream_retries_total", "Requests that were sent again.", retries),
        Family::counter("mirrors_sent_total", "Mirrored requests that were sent whole.", mirrors),
        Family::histogram(
            "upstream_response_seconds",
            "From the first byte of a request to the first byte of the upstream's answer.",
            label("cluster", durations),
        ),
    ]);
}

fn reasons(state: &State, families: &mut Vec<Family>) {
    let kinds = [
        (
            ReasonKind::Refusal,
            "refusals_total",
            "Requests refused for breaking the protocol, by rule.",
            "listener",
            "rule",
        ),
        (
            ReasonKind::Handshake,
            "handshake_failures_total",
            "Connections that ended before a request.",
            "listener",
            "reason",
        ),
        (
            ReasonKind::Accept,
            "accept_failures_total",
            "Connections that could not be accepted.",
            "listener",
            "reason",
        ),
        (
            ReasonKind::Connect,
            "upstream_connect_failures_total",
            "Failed connects to endpoints.",
            "cluster",
            "reason",
        ),
        (
            ReasonKind::MirrorReset,
            "mirrors_reset_total",
            "Mirrored requests that were given up.",
            "cluster",
            "reason",
        ),
    ];
    let mut sums = Sums::new();
    for shard in state.shards.iter().chain([&state.acceptors]) {
        shard.reasons.each(|key, count| *sums.entry(key.clone()).or_default() += count.get());
    }
    for (kind, name, help, subject, reason) in kinds {
        let of_kind = sums.iter().filter(|(key, _)| key.kind == kind);
        let samples = of_kind.map(|(key, count)| {
            (vec![(subject, key.subject.to_string()), (reason, key.reason.to_owned())], *count)
        });
        families.push(Family::counter(name, help, samples.collect()));
    }
}

fn configuration(state: &State, families: &mut Vec<Family>) {
    let single = |value: u64| vec![(Labels::new(), value)];
    let lines =
        |count: fn(&super::ShardStats) -> u64| single(state.shards.iter().map(|shard| count(shard)).sum());
    let resolutions = state.dns.load_full();
    let failing = resolutions.iter().filter(|resolution| resolution.error.is_some()).count();
    families.extend([
        Family::gauge(
            "config_version",
            "Counts configurations and endpoint changes.",
            vec![(Labels::new(), state.published().generation.snapshot.version() as f64)],
        ),
        Family::counter(
            "config_reloads_total",
            "Configurations that came into force.",
            single(state.reloads.succeeded.get()),
        ),
        Family::counter(
            "config_reload_failures_total",
            "Configurations that were refused.",
            single(state.reloads.failed.get()),
        ),
        Family::gauge(
            "dns_names",
            "Names that are being resolved.",
            vec![(Labels::new(), resolutions.len() as f64)],
        ),
        Family::gauge(
            "dns_names_failing",
            "Names whose latest look-up failed.",
            vec![(Labels::new(), failing as f64)],
        ),
        Family::counter("dns_failures_total", "Names that began to fail.", single(state.dns_failures.get())),
        Family::counter(
            "log_dropped_total",
            "Lines of the process's own log that did not fit its queue.",
            single(state.logging.as_ref().map_or(0, crate::logging::Logging::dropped)),
        ),
        Family::counter("access_log_lines_total", "Access log lines.", lines(|shard| shard.log_lines.get())),
        Family::counter(
            "access_log_dropped_total",
            "Access log lines that did not fit the queue, or could not be written.",
            single(
                state.shards.iter().map(|shard| shard.log_dropped.get()).sum::<u64>() + state.writer.lost(),
            ),
        ),
    ]);
}

fn processes(state: &State, families: &mut Vec<Family>) {
    let gauge = |value: Option<u64>| value.map(|value| (Labels::new(), value as f64)).into_iter().collect();
    families.extend([
        Family::gauge(
            "uptime_seconds",
            "Since the start.",
            vec![(Labels::new(), state.started.elapsed().as_secs_f64())],
        ),
        Family::gauge("process_resident_memory_bytes", "Resident memory.", gauge(process::resident_bytes())),
        Family::gauge("process_open_fds", "Open file descriptors.", gauge(process::open_descriptors())),
        Family::gauge(
            "process_max_fds",
            "File descriptors that may be open.",
            gauge(process::descriptor_limit()),
        ),
        Family::gauge("shards", "Data threads.", gauge(Some(state.shards.len() as u64))),
        Family::gauge(
            "build_info",
            "What runs.",
            vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)],
        ),
    ]);
}
