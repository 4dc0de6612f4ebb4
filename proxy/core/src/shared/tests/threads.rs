//! Several shards at once: nothing is lost, and no bound is exceeded.

use super::*;
use std::thread;

const THREADS: usize = 4;
const TIMES: usize = 5_000;

fn at_once(act: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for number in 0..THREADS {
            let act = &act;
            scope.spawn(move || (0..TIMES).for_each(|_| act(number)));
        }
    });
}

#[test]
fn limits_and_budgets_hold() {
    let (cluster, now) = (Arc::<ClusterState>::default(), Instant::now());
    at_once(|_| {
        cluster.requested(now);
        let held = cluster.hold(Limit::Requests, 2);
        assert!(cluster.in_use(Limit::Requests) <= 2);
        let room = cluster
            .room_to_retry(spec::RetryBudget { min_concurrent: 1, ..spec::RetryBudget::default() }, now);
        drop((held, room));
    });
    assert_eq!(cluster.in_use(Limit::Requests), 0);
    let rooms: Vec<_> = (0..THREADS * TIMES)
        .map_while(|_| cluster.room_to_retry(spec::RetryBudget::default(), now))
        .collect();
    assert_eq!(rooms.len(), THREADS * TIMES / 5, "every request has counted");
}

#[test]
fn ejections_and_returns_are_counted_in_pairs() {
    let bench = Bench::new(8, |_| {});
    let rng = |number: usize| (number * 7 + 3) % 8;
    // When the time of every ejection is over.
    let later = bench.now + Duration::from_secs(3_600);
    let answers = |place: usize| {
        bench.shared.report(&bench.spec.outlier_detection, place, later, Outcome::Answered(200));
    };
    at_once(|number| {
        bench.fail(rng(number), 3);
        bench.fail(number, 2);
        answers(rng(number));
        bench.shared.endpoints[number].set_healthy(false);
        bench.shared.endpoints[number].set_healthy(true);
    });
    (0..8).for_each(answers);
    assert!(bench.shared.all_well());
}
