use super::*;
use std::collections::BTreeMap;

fn expired(wheel: &mut Wheel, now: Instant) -> Vec<usize> {
    let mut keys = Vec::new();
    wheel.advance(now, |key| keys.push(key));
    keys
}

#[test]
fn a_deadline_that_moves_later_passes_later() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    wheel.arm(7, start + Duration::from_millis(100));
    wheel.arm(7, start + Duration::from_millis(500));
    assert!(expired(&mut wheel, start + Duration::from_millis(200)).is_empty());
    assert_eq!(expired(&mut wheel, start + Duration::from_millis(516)), [7]);
    assert_eq!(wheel.next(), None);
}

#[test]
fn a_key_that_was_given_up_and_taken_again_has_only_its_new_deadline() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    wheel.arm(0, start + Duration::from_millis(50));
    wheel.cancel(0);
    wheel.arm(0, start + Duration::from_secs(90));
    assert!(expired(&mut wheel, start + Duration::from_secs(89)).is_empty());
    assert_eq!(expired(&mut wheel, start + Duration::from_secs(91)), [0]);
}

/// Against a plain map from key to deadline: nothing passes early, everything passes within a tick, and the wake-up
/// is never too late.
#[test]
fn behaves_like_a_map_of_deadlines() {
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let start = Instant::now();
        let mut now = start;
        let mut wheel = Wheel::new(start);
        let mut model: BTreeMap<usize, Instant> = BTreeMap::new();
        for _ in 0..3_000 {
            match rng.u8(..10) {
                0..6 => {
                    let key = rng.usize(..40);
                    let most = [20, 500, 20_000, 100_000][rng.usize(..4)];
                    let deadline = now + Duration::from_millis(rng.u64(..most));
                    wheel.arm(key, deadline);
                    model.insert(key, deadline);
                }
                6 => {
                    let key = rng.usize(..40);
                    wheel.cancel(key);
                    model.remove(&key);
                }
                _ => {
                    if let Some(earliest) = model.values().min() {
                        let next = wheel.next().expect("something is armed");
                        assert!(next <= now.max(*earliest) + 2 * Wheel::TICK, "the wake-up is in time");
                    }
                    let most = [5, 100, 30_000][rng.usize(..3)];
                    now += Duration::from_millis(rng.u64(..most));
                    let passed = expired(&mut wheel, now);
                    for key in &passed {
                        let deadline = model.remove(key).expect("armed");
                        assert!(deadline <= now, "not early");
                    }
                    assert!(model.values().all(|deadline| *deadline + Wheel::TICK >= now), "not late");
                }
            }
        }
    }
}
