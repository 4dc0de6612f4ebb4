//! From a validated configuration to what shards serve: from nothing, and again where nothing changed.

use crate::configuration::config;
use criterion::{BatchSize, BenchmarkId, Criterion};
use sluice_core::snapshot::{NoChains, compile};
use std::hint::black_box;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10);
    for hosts in [10, 1_000, 10_000] {
        let config = config(hosts, 1, 2);
        group.bench_function(BenchmarkId::new("compile", hosts), |bencher| {
            bencher.iter_batched(
                || (),
                |()| compile(None, black_box(&config), &NoChains),
                BatchSize::PerIteration,
            );
        });
        let before = compile(None, &config, &NoChains);
        group.bench_function(BenchmarkId::new("swap", hosts), |bencher| {
            bencher.iter_batched(
                || (),
                |()| compile(Some(&before), black_box(&config), &NoChains),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}
