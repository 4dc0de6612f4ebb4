//! What shards know together, in virtual time.

mod budget;
mod eject;
mod threads;
mod waiting;

use super::*;
use crate::snapshot::{Endpoint, EndpointSet};
use std::time::Duration;

/// A cluster of so many endpoints, with these fields.
struct Bench {
    spec: spec::Cluster,
    set: EndpointSet,
    shared: Shared,
    now: Instant,
}

fn set(ports: &[u16]) -> EndpointSet {
    let endpoint = |port: &u16| Endpoint {
        address: SocketAddr::from(([127, 0, 0, 1], *port)),
        weight: 1,
        authority: "a.example".into(),
        host: "a.example".into(),
    };
    ports.iter().map(endpoint).collect()
}

impl Bench {
    fn new(endpoints: u16, change: impl FnOnce(&mut spec::Cluster)) -> Self {
        let ports: Vec<u16> = (1..=endpoints).collect();
        let mut spec = spec::Cluster::new("c".into(), Vec::new());
        change(&mut spec);
        let set = set(&ports);
        let shared = Shared::compile(&spec, &set, None);
        let bench = Self { spec, set, shared, now: Instant::now() };
        // The cluster is asked first now.
        bench.shared.cluster.moment(bench.now);
        bench
    }

    fn report(&self, place: usize, outcome: Outcome) {
        self.shared.report(&self.spec.outlier_detection, place, self.now, outcome);
    }

    fn fail(&self, place: usize, times: usize) {
        (0..times).for_each(|_| self.report(place, Outcome::Failed));
    }

    fn after(&mut self, time: Duration) {
        self.now += time;
    }

    fn health(&self, place: usize) -> Health {
        self.shared.endpoint(place).expect("an endpoint").health(self.now)
    }

    /// Places that get nothing.
    fn out(&self) -> Vec<usize> {
        let mut places = Vec::new();
        self.shared.left_out(self.now, self.spec.endpoint_limits, true, &mut places);
        places
    }
}

#[test]
fn endpoints_that_stay_are_known_and_those_that_go_trouble_nobody() {
    let mut bench = Bench::new(3, |_| {});
    bench.fail(1, 3);
    bench.shared.endpoint(2).expect("an endpoint").set_healthy(false);
    assert_eq!((bench.health(1), bench.health(2)), (Health::Ejected, Health::Unhealthy));
    let set = set(&[9, 2, 1]);
    bench.shared = Shared::compile(&bench.spec, &set, Some((&bench.shared, &bench.set)));
    assert_eq!(
        [bench.health(0), bench.health(1), bench.health(2)],
        [Health::Healthy, Health::Ejected, Health::Healthy]
    );
    assert_eq!((bench.shared.cluster.ejected(), bench.shared.cluster.unhealthy()), (1, 0));
    bench.set = set;
    bench.spec.outlier_detection = spec::OutlierDetection::off();
    bench.shared = Shared::compile(&bench.spec, &bench.set, Some((&bench.shared, &bench.set)));
    assert!(bench.shared.all_well(), "nobody would bring it back any more");
}

#[test]
fn all_are_asked_where_too_few_are_well() {
    for (threshold, unhealthy, panics) in
        [(1, 3, false), (1, 4, true), (0, 4, false), (50, 2, false), (50, 3, true), (100, 1, true)]
    {
        let bench = Bench::new(4, |cluster| {
            cluster.panic_threshold = sluice_model::value::Percent::whole(threshold);
        });
        for place in 0..unhealthy {
            bench.shared.endpoint(place).expect("an endpoint").set_healthy(false);
        }
        assert_eq!(
            bench.shared.panics(&bench.spec, &bench.set),
            panics,
            "{threshold}% with {unhealthy} of 4 out"
        );
    }
}

#[test]
fn checks_need_a_few_answers_to_change_their_mind_but_the_first_one_decides() {
    let check = spec::HealthCheck {
        probe: spec::Probe::Tcp,
        interval: sluice_model::value::Duration::from_secs(1),
        jitter: sluice_model::value::Percent::NONE,
        timeout: sluice_model::value::Duration::from_secs(1),
        healthy_threshold: 2,
        unhealthy_threshold: 3,
        port: None,
    };
    let mut verdict = Verdict::default();
    let mut answers = |answers: &[bool]| -> Vec<Option<bool>> {
        answers.iter().map(|good| verdict.answer(&check, *good)).collect()
    };
    assert_eq!(answers(&[false, true, false, true, true]), [Some(false), None, None, None, Some(true)]);
    assert_eq!(
        answers(&[false, false, true, false, false, false]),
        [None, None, None, None, None, Some(false)]
    );
}

#[test]
fn a_limit_is_never_exceeded_and_what_was_held_comes_back() {
    let cluster = Arc::<ClusterState>::default();
    let held: Vec<_> = (0..5).filter_map(|_| cluster.hold(Limit::Requests, 3)).collect();
    assert_eq!((held.len(), cluster.in_use(Limit::Requests), cluster.overflows(Limit::Requests)), (3, 3, 2));
    drop(held);
    assert_eq!(cluster.in_use(Limit::Requests), 0);
    assert!(cluster.hold(Limit::Retries, 0).is_some(), "0 is no limit");
}

#[test]
fn who_has_enough_requests_is_passed_over() {
    let bench = Bench::new(2, |cluster| cluster.endpoint_limits.requests = 1);
    let _held = bench.shared.endpoint(0).expect("an endpoint").hold(Limit::Requests, 1).expect("room");
    assert_eq!(bench.out(), [0]);
}
