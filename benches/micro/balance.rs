//! The next endpoint of a cluster.

use crate::configuration::snapshot;
use criterion::{BenchmarkId, Criterion};
use sluice_core::balance::Balancers;
use std::{hint::black_box, time::Instant};

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("balance");
    for endpoints in [2, 100, 1_000] {
        let snapshot = snapshot(1, 1, endpoints);
        let cluster = snapshot.cluster_named("servers").unwrap();
        let (mut balancers, mut rng) = (Balancers::default(), fastrand::Rng::with_seed(1));
        let now = Instant::now();
        group.bench_function(BenchmarkId::from_parameter(endpoints), |bencher| {
            bencher.iter(|| balancers.pick(black_box(cluster), &[], None, now, &mut rng));
        });
    }
    group.finish();
}
