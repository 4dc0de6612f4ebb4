use super::{
    super::{
        maglev::Maglev,
        ring::{MOST_WEIGHT, Ring, scale},
    },
    *,
};
use proptest::prelude::*;

const KEYS: usize = 4_000;

/// Where keys go, by port.
fn owners(set: &EndpointSet, pick: impl Fn(&[u8]) -> Option<usize>) -> Vec<u16> {
    (0..KEYS).map(|key| port(set, pick(format!("key-{key}").as_bytes()).expect("an endpoint"))).collect()
}

fn by_ring(set: &EndpointSet) -> Vec<u16> {
    let ring = Ring::of(set.endpoints());
    owners(set, |key| ring.pick(key, &[]))
}

fn by_table(set: &EndpointSet) -> Vec<u16> {
    let table = Maglev::of(set.endpoints(), 65_537);
    owners(set, |key| table.pick(key, &[]))
}

/// How many keys have another owner, of those that `gone` did not own.
fn moved(before: &[u16], after: &[u16], gone: u16) -> usize {
    before.iter().zip(after).filter(|(before, after)| **before != gone && before != after).count()
}

fn share(owners: &[u16], port: u16) -> f64 {
    owners.iter().filter(|owner| **owner == port).count() as f64 / owners.len() as f64
}

#[test]
fn keys_go_where_nginx_sends_them() {
    // pingora-ketama holds its points against nginx's in its own tests.
    let set = set(&[(8_001, 1), (8_002, 1), (8_003, 1)]);
    let ring = Ring::of(set.endpoints());
    let buckets: Vec<_> =
        set.endpoints().iter().map(|endpoint| pingora_ketama::Bucket::new(endpoint.address, 1)).collect();
    let ketama = pingora_ketama::Continuum::new(&buckets);
    for key in 0..KEYS {
        let key = format!("key-{key}");
        let place = ring.pick(key.as_bytes(), &[]).expect("an endpoint");
        assert_eq!(Some(set.endpoints()[place].address), ketama.node(key.as_bytes()));
    }
}

#[test]
fn shares_follow_weights() {
    let set = set(&[(1, 10), (2, 20), (3, 70), (4, 0)]);
    for (name, owners, slack) in [("ring", by_ring(&set), 0.06), ("table", by_table(&set), 0.03)] {
        for (port, wanted) in [(1, 0.1), (2, 0.2), (3, 0.7)] {
            let share = share(&owners, port);
            assert!((share - wanted).abs() < slack, "{name}: {port} has {share}");
        }
        assert!(!owners.contains(&4), "{name}: weight 0 takes nothing");
    }
}

#[test]
fn a_table_is_as_even_as_its_size_allows() {
    let endpoints: Vec<(u16, u32)> = (1..=100).map(|port| (port, 1)).collect();
    let set = set(&endpoints);
    let table = Maglev::of(set.endpoints(), 10_007);
    let mut places = vec![0usize; 100];
    for place in table.places() {
        places[place] += 1;
    }
    // 10,007 places for 100: nobody has two more than another.
    assert!(places.iter().all(|count| (100..=101).contains(count)), "{places:?}");
}

#[test]
fn huge_weights_make_no_huge_ring() {
    let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let mut weights: Vec<_> = (1..=200).map(|port| (address(port), 65_536 - u64::from(port))).collect();
    scale(&mut weights);
    let sum: u64 = weights.iter().map(|(_, weight)| weight).sum();
    assert!((MOST_WEIGHT / 2..=MOST_WEIGHT).contains(&sum), "{sum}");
    let mut weights = vec![(address(1), 300), (address(2), 200)];
    scale(&mut weights);
    assert_eq!(
        weights.iter().map(|(_, weight)| *weight).collect::<Vec<_>>(),
        [3, 2],
        "in their lowest terms"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_endpoint_that_goes_moves_only_its_own_keys_on_a_ring_and_few_others_in_a_table(
        count in 2u16..30,
        gone in 0u16..30,
    ) {
        let gone = gone % count + 1;
        let before: Vec<(u16, u32)> = (1..=count).map(|port| (port, 1)).collect();
        let after: Vec<(u16, u32)> = before.iter().copied().filter(|(port, _)| *port != gone).collect();
        let (before, after) = (set(&before), set(&after));
        prop_assert_eq!(moved(&by_ring(&before), &by_ring(&after), gone), 0);
        let others = moved(&by_table(&before), &by_table(&after), gone);
        prop_assert!(others < KEYS / 10, "{} of {} keys moved without need", others, KEYS);
    }

    #[test]
    fn replicas_agree_whatever_order_they_know_endpoints_in(count in 1u16..20, seed in any::<u64>()) {
        let mut endpoints: Vec<(u16, u32)> = (1..=count).map(|port| (port, u32::from(port % 3) + 1)).collect();
        let one = set(&endpoints);
        fastrand::Rng::with_seed(seed).shuffle(&mut endpoints);
        let other = set(&endpoints);
        prop_assert_eq!(by_ring(&one), by_ring(&other));
        prop_assert_eq!(by_table(&one), by_table(&other));
    }

    #[test]
    fn a_key_whose_endpoint_was_tried_goes_where_it_would_go_without_it(count in 2u16..12, key in any::<u64>()) {
        let endpoints: Vec<(u16, u32)> = (1..=count).map(|port| (port, 1)).collect();
        let set = set(&endpoints);
        let ring = Ring::of(set.endpoints());
        let table = Maglev::of(set.endpoints(), 65_537);
        let key = key.to_be_bytes();
        let mut tried = Vec::new();
        for _ in 0..count {
            let place = ring.pick(&key, &tried).expect("one that is left");
            prop_assert!(!tried.contains(&place));
            let rest: Vec<(u16, u32)> =
                endpoints.iter().copied().filter(|(port, _)| !tried.iter().any(|t| self::port(&set, *t) == *port)).collect();
            let rest = self::set(&rest);
            let without = Ring::of(rest.endpoints()).pick(&key, &[]).expect("one that is left");
            prop_assert_eq!(port(&set, place), port(&rest, without));
            let place_in_table = table.pick(&key, &tried);
            prop_assert!(place_in_table.is_some_and(|place| !tried.contains(&place)));
            tried.push(place);
        }
        prop_assert_eq!(ring.pick(&key, &tried), None);
        prop_assert_eq!(table.pick(&key, &tried), None);
    }
}
