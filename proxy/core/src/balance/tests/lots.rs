use super::{
    super::draw::{Best, Draw, Merit},
    *,
};
use std::time::Duration;

/// How often each endpoint is picked.
fn counts(set: &EndpointSet, picks: usize, mut pick: impl FnMut() -> Option<usize>) -> Vec<usize> {
    let mut counts = vec![0; set.endpoints().len()];
    for _ in 0..picks {
        counts[pick().expect("an endpoint")] += 1;
    }
    counts
}

#[test]
fn chance_follows_weights() {
    for weights in [[1, 1, 1, 1], [1, 2, 0, 5]] {
        let set = set(&[(1, weights[0]), (2, weights[1]), (3, weights[2]), (4, weights[3])]);
        let (draw, mut rng) = (Draw::of(set.endpoints()), fastrand::Rng::with_seed(1));
        let counts = counts(&set, 80_000, || draw.pick(set.endpoints(), &[], &mut rng));
        let sum: u32 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(weights) {
            let share = 80_000 * weight as usize / sum as usize;
            // Six standard deviations of a binomial draw are below 800.
            assert!(count.abs_diff(share) < 800, "{counts:?} for {weights:?}");
        }
    }
}

#[test]
fn lots_leave_out_what_was_tried_even_where_little_else_is_left() {
    let set = set(&[(1, 1), (2, 60_000), (3, 0), (4, 1)]);
    let mut rng = fastrand::Rng::with_seed(1);
    let draw = Draw::of(set.endpoints());
    let least = Best::compile(2, Merit::FewestRequests, set.endpoints(), None);
    for _ in 0..100 {
        assert_ne!(draw.pick(set.endpoints(), &[1], &mut rng), Some(1));
        assert_eq!(draw.pick(set.endpoints(), &[1, 3], &mut rng), Some(0));
        assert_eq!(least.pick(set.endpoints(), &[0, 1], Instant::now(), &mut rng), Some(3));
    }
    assert_eq!(draw.pick(set.endpoints(), &[0, 1, 3], &mut rng), None, "weight 0 takes nothing");
    assert_eq!(least.pick(set.endpoints(), &[0, 1, 3], Instant::now(), &mut rng), None);
}

#[test]
fn nobody_is_drawn_where_nobody_weighs_anything() {
    let mut rng = fastrand::Rng::with_seed(1);
    for endpoints in [set(&[]), set(&[(1, 0)]), set(&[(1, 0), (2, 0)])] {
        let draw = Draw::of(endpoints.endpoints());
        assert_eq!(draw.pick(endpoints.endpoints(), &[], &mut rng), None);
    }
}

#[test]
fn a_busy_endpoint_gets_less_until_it_is_done() {
    let set = set(&[(1, 1), (2, 1), (3, 1), (4, 1)]);
    let least = Best::compile(4, Merit::FewestRequests, set.endpoints(), None);
    let mut rng = fastrand::Rng::with_seed(1);
    let stuck: Vec<Busy> = (0..10).filter_map(|_| least.occupy(0)).collect();
    let busy = counts(&set, 4_000, || least.pick(set.endpoints(), &[], Instant::now(), &mut rng));
    // All four lots have to fall on it.
    assert!(busy[0] < 100, "{busy:?}");
    drop(stuck);
    let idle = counts(&set, 4_000, || least.pick(set.endpoints(), &[], Instant::now(), &mut rng));
    assert!(idle.iter().all(|count| count.abs_diff(1_000) < 200), "{idle:?}");
}

#[test]
fn loads_even_out_by_weight_where_requests_last() {
    let set = set(&[(1, 1), (2, 3), (3, 6)]);
    let least = Best::compile(2, Merit::FewestRequests, set.endpoints(), None);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut under_way: Vec<Option<Busy>> = (0..1_000).map(|_| None).collect();
    let mut places = vec![usize::MAX; 1_000];
    for _ in 0..50_000 {
        let slot = rng.usize(..1_000);
        under_way[slot] = None;
        places[slot] = least.pick(set.endpoints(), &[], Instant::now(), &mut rng).expect("an endpoint");
        under_way[slot] = least.occupy(places[slot]);
    }
    let at = |place: usize| places.iter().filter(|at| **at == place).count();
    let loads = [at(0), at(1), at(2)];
    assert!(loads.iter().zip([100, 300, 600]).all(|(load, share)| load.abs_diff(share) < 60), "{loads:?}");
}

#[test]
fn endpoints_that_stay_keep_their_load() {
    let before = set(&[(1, 1), (2, 1)]);
    let least = spec::Balancer::LeastRequest(spec::LeastRequest { choices: 8 });
    let old = Balance::compile(&least, &before, None);
    let _stuck: Vec<Busy> = (0..10).filter_map(|_| old.occupy(1)).collect();
    let after = set(&[(2, 1), (3, 1)]);
    let new = Balance::compile(&least, &after, Some((&old, &before)));
    let Kind::Best(new) = &new.kind else { panic!("{new:?}") };
    let mut rng = fastrand::Rng::with_seed(1);
    let counts = counts(&after, 1_000, || new.pick(after.endpoints(), &[], Instant::now(), &mut rng));
    assert!(counts[0] < 50, "{counts:?}");
}

#[test]
fn whoever_answers_soonest_gets_most_and_failures_are_slow() {
    let set = set(&[(1, 1), (2, 1), (3, 1)]);
    let peak = Best::compile(2, Merit::SoonestAnswer(Duration::from_secs(10)), set.endpoints(), None);
    let (mut rng, mut now) = (fastrand::Rng::with_seed(1), Instant::now());
    let mut served = [0; 3];
    for _ in 0..3_000 {
        let place = peak.pick(set.endpoints(), &[], now, &mut rng).expect("an endpoint");
        let busy = peak.occupy(place).expect("counted");
        served[place] += 1;
        now += Duration::from_millis(1);
        // The first is fast, the second slow; the third refuses at once.
        let took = Duration::from_millis([5, 50, 0][place]);
        busy.note(now, || took, place == 2);
    }
    // Two of three draws have it.
    assert!(served[0] > 1_800, "{served:?}");
    assert!(served[1] > 10 * served[2], "{served:?}");
}

#[test]
fn one_request_finds_out_about_an_endpoint_that_never_answered() {
    let set = set(&[(1, 1), (2, 1)]);
    let peak = Best::compile(8, Merit::SoonestAnswer(Duration::from_secs(10)), set.endpoints(), None);
    let (mut rng, now) = (fastrand::Rng::with_seed(1), Instant::now());
    let first = peak.occupy(0).expect("counted");
    first.note(now, || Duration::from_millis(5), false);
    assert_eq!(peak.pick(set.endpoints(), &[], now, &mut rng), Some(1), "nothing is known of it");
    let _probe = peak.occupy(1);
    assert_eq!(peak.pick(set.endpoints(), &[], now, &mut rng), Some(0), "somebody is finding out");
}
