//! What is said of the configuration and of the process.

use super::NginxMetrics;
use crate::{
    state::State,
    telemetry::{
        family::{Family, Labels},
        number::Counter,
        process,
    },
};
use std::time::SystemTime;

/// Which configuration is in force, and how the changes of it went.
pub(super) fn configuration(told: &NginxMetrics, state: &State) -> Vec<Family> {
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
pub(super) fn processes(told: &NginxMetrics, state: &State) -> Vec<Family> {
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
