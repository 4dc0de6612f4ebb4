//! Smooth weighted round robin.
//!
//! Every endpoint collects its weight at each pick; the richest is picked and pays the sum (nginx's algorithm). So shares
//! are exact over each round and picks of one endpoint lie as far apart as they can. Where all weights are equal, which is
//! the common case, it is a plain rotation and costs the same for any number of endpoints.
//!
//! Who fails keeps its turn in mind: picks of a request's second and later attempts have a rotation of their own. They spread
//! over the endpoints that are left, and the shares of first attempts stay exact. Were there one rotation, a retry would take
//! the next request's turn, and with one of two endpoints dead every request would begin at the dead one.

use crate::snapshot::{Endpoint, EndpointSet};
use foldhash::HashMap;
use std::{net::SocketAddr, sync::Arc};

/// The turn of one cluster.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// The set that the rotations belong to.
    set: Option<Arc<EndpointSet>>,
    /// All weights are equal and not 0.
    even: bool,
    /// First attempts.
    first: Rotation,
    /// Later attempts.
    again: Rotation,
}

#[derive(Debug, Default)]
struct Rotation {
    /// What each endpoint of the set has collected.
    wealth: Vec<i64>,
    /// The next one where all are equal.
    next: usize,
}

// === impl Turn ===

impl Turn {
    /// See [`Balancers::pick`](super::Balancers::pick).
    pub(super) fn pick(
        &mut self,
        set: &Arc<EndpointSet>,
        tried: &[usize],
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        if !self.set.as_ref().is_some_and(|known| Arc::ptr_eq(known, set)) {
            self.adopt(set, rng);
        }
        let rotation = if tried.is_empty() { &mut self.first } else { &mut self.again };
        let endpoints = set.endpoints();
        if self.even { rotation.rotate(endpoints.len(), tried) } else { rotation.richest(endpoints, tried) }
    }

    /// Takes a changed set on. The very first turn begins anywhere, so that shards and replicas do not march in step.
    fn adopt(&mut self, set: &Arc<EndpointSet>, rng: &mut fastrand::Rng) {
        let endpoints = set.endpoints();
        let was_even = self.even;
        self.even = endpoints.first().is_some_and(|first| {
            first.weight != 0 && endpoints.iter().all(|endpoint| endpoint.weight == first.weight)
        });
        let before = self.set.replace(Arc::clone(set));
        for rotation in [&mut self.first, &mut self.again] {
            match &before {
                None => *rotation = Rotation::anywhere(endpoints.len(), rng),
                Some(before) => rotation.adopt(before.endpoints(), was_even, endpoints),
            }
        }
    }
}

// === impl Rotation ===

impl Rotation {
    fn anywhere(count: usize, rng: &mut fastrand::Rng) -> Self {
        Self { wealth: vec![0; count], next: if count == 0 { 0 } else { rng.usize(..count) } }
    }

    fn rotate(&mut self, count: usize, tried: &[usize]) -> Option<usize> {
        for step in 0..count {
            let index = (self.next + step) % count;
            if !tried.contains(&index) {
                self.next = (index + 1) % count;
                return Some(index);
            }
        }
        None
    }

    fn richest(&mut self, endpoints: &[Endpoint], tried: &[usize]) -> Option<usize> {
        let mut sum = 0;
        let mut best: Option<usize> = None;
        for (index, endpoint) in endpoints.iter().enumerate() {
            if endpoint.weight == 0 || tried.contains(&index) {
                continue;
            }
            sum += i64::from(endpoint.weight);
            self.wealth[index] += i64::from(endpoint.weight);
            if best.is_none_or(|best| self.wealth[index] > self.wealth[best]) {
                best = Some(index);
            }
        }
        self.wealth[best?] -= sum;
        best
    }

    /// Who stays keeps what it has collected, newcomers start with nothing. Where all are equal it goes on with the
    /// endpoint that was next, or the one that took its place.
    fn adopt(&mut self, before: &[Endpoint], was_even: bool, endpoints: &[Endpoint]) {
        self.next = self.successor(before, endpoints);
        let wealth: HashMap<SocketAddr, i64> = if was_even {
            HashMap::default()
        } else {
            before.iter().map(|endpoint| endpoint.address).zip(self.wealth.iter().copied()).collect()
        };
        self.wealth =
            endpoints.iter().map(|endpoint| wealth.get(&endpoint.address).copied().unwrap_or(0)).collect();
    }

    fn successor(&self, before: &[Endpoint], endpoints: &[Endpoint]) -> usize {
        (0..before.len())
            .map(|step| before[(self.next + step) % before.len()].address)
            .find_map(|address| endpoints.iter().position(|endpoint| endpoint.address == address))
            .unwrap_or(0)
    }
}
