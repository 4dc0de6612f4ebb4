use super::*;
use crate::shared::budget::Room;

fn budget() -> spec::RetryBudget {
    spec::RetryBudget::default()
}

#[test]
fn a_few_retries_are_always_allowed_at_once() {
    let (cluster, now) = (Arc::<ClusterState>::default(), Instant::now());
    let rooms: Vec<Room> = (0..5).filter_map(|_| cluster.room_to_retry(budget(), now)).collect();
    assert_eq!(rooms.len(), 3);
    drop(rooms);
    assert!(cluster.room_to_retry(budget(), now).is_some(), "those that were answered well are over");
}

#[test]
fn a_retry_that_fails_keeps_its_room_for_ten_seconds() {
    let (cluster, now) = (Arc::<ClusterState>::default(), Instant::now());
    for _ in 0..3 {
        cluster.room_to_retry(budget(), now).expect("room").failed(now);
    }
    assert!(cluster.room_to_retry(budget(), now + Duration::from_secs(8)).is_none());
    assert!(cluster.room_to_retry(budget(), now + Duration::from_secs(10)).is_some());
}

/// Whatever comes how fast: who always fails is never sent more than 1.2 times what clients ask, and the few that are always
/// allowed.
#[test]
fn who_always_fails_is_sent_a_fifth_more_at_most() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let cluster = Arc::<ClusterState>::default();
        let began = Instant::now();
        let mut now = began;
        let (mut requests, mut retries) = (0_u64, 0_u64);
        let pace = rng.u64(1..200);
        while requests < 3_000 && now < began + Duration::from_secs(10) {
            cluster.requested(now);
            requests += 1;
            for _ in 0..2 {
                if let Some(room) = cluster.room_to_retry(budget(), now) {
                    retries += 1;
                    room.failed(now);
                }
            }
            now += Duration::from_millis(rng.u64(..=pace));
            assert!(retries <= (requests / 5).max(3), "seed {seed}: {retries} of {requests}");
        }
    }
}
