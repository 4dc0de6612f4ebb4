use super::{super::rotation::Turn, *};

/// Ports, in the order of picks.
fn picks(turn: &mut Turn, set: &Arc<EndpointSet>, count: usize) -> Vec<u16> {
    let mut rng = fastrand::Rng::with_seed(1);
    (0..count)
        .map(|_| {
            let place = turn.pick(set, &[], &mut rng).expect("somebody's turn");
            port(set, place)
        })
        .collect()
}

#[test]
fn weights_are_spread_smoothly() {
    let set = set(&[(1, 5), (2, 1), (3, 1)]);
    assert_eq!(picks(&mut Turn::default(), &set, 7), [1, 1, 2, 1, 3, 1, 1]);
}

#[test]
fn shares_are_exact_over_each_round() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let endpoints: Vec<_> = (1..=rng.u16(1..9)).map(|port| (port, rng.u32(0..7))).collect();
        let total: u32 = endpoints.iter().map(|(_, weight)| weight).sum();
        if total == 0 {
            assert_eq!(Turn::default().pick(&set(&endpoints), &[], &mut rng), None);
            continue;
        }
        let picks = picks(&mut Turn::default(), &set(&endpoints), total as usize * 3);
        for (port, weight) in endpoints {
            let count = picks.iter().filter(|picked| **picked == port).count();
            // A rotation is exact per endpoint, weights are exact per round.
            assert_eq!(count, weight as usize * 3, "seed {seed}");
        }
    }
}

#[test]
fn whoever_was_tried_is_left_out() {
    let mut rng = fastrand::Rng::with_seed(1);
    for weights in [[1, 1, 1], [3, 2, 1]] {
        let set = set(&[(1, weights[0]), (2, weights[1]), (3, weights[2])]);
        let mut turn = Turn::default();
        for _ in 0..20 {
            assert_eq!(turn.pick(&set, &[0, 2], &mut rng), Some(1));
        }
        assert_eq!(turn.pick(&set, &[0, 1, 2], &mut rng), None);
    }
    assert_eq!(Turn::default().pick(&set(&[]), &[], &mut rng), None);
}

#[test]
fn a_changed_set_resets_nobodys_turn() {
    let mut turn = Turn::default();
    let before = set(&[(1, 1), (2, 1), (3, 1)]);
    let first = picks(&mut turn, &before, 1)[0];
    let second = first % 3 + 1;
    let after = set(&[(9, 1), (1, 1), (2, 1), (3, 1)]);
    assert_eq!(picks(&mut turn, &after, 1), [second], "the rotation goes on where it was");

    let mut turn = Turn::default();
    assert_eq!(picks(&mut turn, &set(&[(1, 3), (2, 2)]), 1), [1]);
    let after = set(&[(2, 2), (1, 3), (7, 1)]);
    assert_eq!(picks(&mut turn, &after, 1), [2], "1 has paid for its turn already");
}

#[test]
fn failures_of_one_endpoint_change_no_shares() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let endpoints: Vec<_> = (1..=rng.u16(2..9)).map(|port| (port, rng.u32(1..5))).collect();
        let (dead, set) = (rng.usize(..endpoints.len()), set(&endpoints));
        let round = endpoints.iter().map(|(_, weight)| *weight as usize).sum::<usize>();
        let rest = round - endpoints[dead].1 as usize;
        let mut turn = Turn::default();
        let (mut first, mut again) = (vec![0usize; endpoints.len()], vec![0usize; endpoints.len()]);
        // So many rounds that the retries are whole rounds among those that are left, too.
        for _ in 0..round * rest {
            let picked = turn.pick(&set, &[], &mut rng).expect("somebody's turn");
            first[picked] += 1;
            if picked == dead {
                again[turn.pick(&set, &[dead], &mut rng).expect("another one")] += 1;
            }
        }
        for (index, (_, weight)) in endpoints.iter().enumerate() {
            let weight = *weight as usize;
            assert_eq!(first[index], weight * rest, "seed {seed}: requests of endpoint {index}");
            let retries = if index == dead { 0 } else { weight * endpoints[dead].1 as usize };
            assert!(again[index].abs_diff(retries) <= 1, "seed {seed}: {again:?}, endpoint {index}");
        }
    }
}
