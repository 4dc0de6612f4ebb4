//! The route of a request: the same at 10 and at 50,000 hosts, at 1 and at 10,000 paths.

use crate::configuration::{host_name, path_prefix, snapshot};
use criterion::{BenchmarkId, Criterion};
use sluice_core::{
    head::NoFields,
    route::{MatchScratch, Outcome, RequestView, Scheme},
};
use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
};

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("match");
    for (hosts, paths) in [(10, 1), (1_000, 1), (50_000, 1), (1, 100), (1, 10_000)] {
        let snapshot = snapshot(hosts, paths, 1);
        let table = &snapshot.tables()[0];
        let (host, path) = (host_name(hosts / 2), format!("{}/cart", path_prefix(paths / 2)));
        let request = RequestView {
            method: "GET",
            scheme: Scheme::Http,
            authority: &host,
            host: &host,
            path: &path,
            query: None,
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 80,
            fields: &NoFields,
        };
        let mut scratch = MatchScratch::default();
        assert!(matches!(table.find(&request, &mut scratch), Outcome::Found(..)));
        let id = BenchmarkId::from_parameter(format!("{hosts} hosts, {paths} paths"));
        group.bench_function(id, |bencher| {
            bencher.iter(|| matches!(table.find(black_box(&request), &mut scratch), Outcome::Found(..)));
        });
    }
    group.finish();
}
