//! Consistent hashing by a table (Eisenbud et al., Maglev: A Fast and Reliable Software Network Load Balancer, NSDI 2016,
//! section 3.4), with weights as in Envoy.

use crate::snapshot::Endpoint;
use std::{cmp::Reverse, collections::BinaryHeap};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// What the table can tell apart; the last number means nobody.
const MOST_ENDPOINTS: usize = NOBODY as usize;
const NOBODY: u16 = u16::MAX;
/// Places that are passed before the other endpoints are drawn from.
const STEPS: usize = 4096;

/// Who owns each place.
#[derive(Debug)]
pub(super) struct Maglev {
    table: Box<[u16]>,
}

/// The order in which an endpoint wants places: a permutation of all, as the size is a prime number.
struct Wishes {
    endpoint: u16,
    next: u64,
    skip: u64,
    weight: u64,
    /// How many it has got.
    owned: u64,
}

// === impl Maglev ===

impl Maglev {
    pub(super) fn of(endpoints: &[Endpoint], size: u32) -> Self {
        let size = u64::from(size);
        let mut wishes: Vec<Wishes> = endpoints
            .iter()
            .take(MOST_ENDPOINTS)
            .enumerate()
            .filter(|(_, endpoint)| endpoint.weight > 0)
            .map(|(place, endpoint)| Wishes::of(place as u16, endpoint, size))
            .collect();
        if wishes.is_empty() || size < 2 {
            return Self { table: Box::default() };
        }
        // Replicas agree whatever order they know endpoints in.
        wishes.sort_by_key(|wishes| endpoints[usize::from(wishes.endpoint)].address);
        let heaviest = wishes.iter().map(|wishes| wishes.weight).max().unwrap_or(1);
        // Everybody's next turn, earliest first: the heaviest has one each round, who weighs half of it every other round.
        let mut turns: BinaryHeap<Reverse<(u64, usize)>> = wishes
            .iter()
            .enumerate()
            .map(|(index, wishes)| Reverse((wishes.turn(1, heaviest), index)))
            .collect();
        let mut table = vec![NOBODY; size as usize];
        for _ in 0..table.len() {
            let Some(mut turn) = turns.peek_mut() else { break };
            let (_, index) = turn.0;
            let wishes = &mut wishes[index];
            let place = wishes.first(&table, size);
            table[place] = wishes.endpoint;
            wishes.owned += 1;
            turn.0 = (wishes.turn(wishes.owned + 1, heaviest), index);
        }
        Self { table: table.into() }
    }

    /// The owner of the key's place; where it was tried, of the next place whose owner was not.
    pub(super) fn pick(&self, key: &[u8], tried: &[usize]) -> Option<usize> {
        let size = self.table.len();
        if size == 0 {
            return None;
        }
        let start = (xxh3_64(key) % size as u64) as usize;
        let mut owners = (0..size.min(STEPS)).map(|step| usize::from(self.table[(start + step) % size]));
        owners.find(|owner| !tried.contains(owner))
    }
}

#[cfg(test)]
impl Maglev {
    /// The owner of each place.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.table.iter().map(|owner| usize::from(*owner))
    }
}

// === impl Wishes ===

impl Wishes {
    fn of(place: u16, endpoint: &Endpoint, size: u64) -> Self {
        let name = endpoint.address.to_string();
        Self {
            endpoint: place,
            next: xxh3_64(name.as_bytes()) % size,
            skip: xxh3_64_with_seed(name.as_bytes(), 1) % (size - 1).max(1) + 1,
            weight: u64::from(endpoint.weight),
            owned: 0,
        }
    }

    /// The round in which it gets its `number`th place.
    fn turn(&self, number: u64, heaviest: u64) -> u64 {
        (number * heaviest).div_ceil(self.weight)
    }

    /// The first place that it wants and that is free. Somebody has to know that there is one.
    fn first(&mut self, table: &[u16], size: u64) -> usize {
        loop {
            let place = self.next as usize;
            self.next = (self.next + self.skip) % size;
            if table[place] == NOBODY {
                return place;
            }
        }
    }
}
