//! Which endpoint gets the next request: smooth weighted round robin.
//!
//! Every endpoint collects its weight at each pick; the richest is picked and pays the sum (nginx's algorithm). So shares
//! are exact over each round and picks of one endpoint lie as far apart as they can. Where all weights are equal, which is
//! the common case, it is a plain rotation and costs the same for any number of endpoints.
//!
//! A [`Balancers`] belongs to one shard. Its state is keyed by the endpoints' identity: when the set changes, endpoints
//! that stay keep their place in the turn, and nobody else's turn is reset.

use crate::snapshot::{Cluster, ClusterId, Endpoint, EndpointSet};
use foldhash::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// The turns of all clusters, for one shard.
#[derive(Debug, Default)]
pub struct Balancers {
    turns: HashMap<ClusterId, Turn>,
}

/// The turn of one cluster.
#[derive(Debug, Default)]
pub struct Turn {
    /// The set that `wealth` belongs to.
    set: Option<Arc<EndpointSet>>,
    /// What each endpoint of the set has collected.
    wealth: Vec<i64>,
    /// All weights are equal and not 0.
    even: bool,
    /// The next one of a plain rotation.
    next: usize,
}

// === impl Balancers ===

impl Balancers {
    /// The endpoint of the cluster whose turn it is, by its place in the set. `tried` are left out; `None` where
    /// nobody is left.
    pub fn pick(&mut self, cluster: &Cluster, tried: &[usize], rng: &mut fastrand::Rng) -> Option<usize> {
        self.turns.entry(cluster.id).or_default().pick(&cluster.endpoints, tried, rng)
    }

    /// Forgets clusters that are gone.
    pub fn retain(&mut self, mut lives: impl FnMut(ClusterId) -> bool) {
        self.turns.retain(|id, _| lives(*id));
    }
}

// === impl Turn ===

impl Turn {
    /// See [`Balancers::pick`].
    pub fn pick(
        &mut self,
        set: &Arc<EndpointSet>,
        tried: &[usize],
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        if !self.set.as_ref().is_some_and(|known| Arc::ptr_eq(known, set)) {
            self.adopt(set, rng);
        }
        let endpoints = set.endpoints();
        if self.even { self.rotate(endpoints.len(), tried) } else { self.richest(endpoints, tried) }
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

    /// Takes a changed set on: who stays keeps what it has collected, newcomers start with nothing. A rotation goes on
    /// with the endpoint that was next, or the one that took its place. The very first turn begins anywhere, so that
    /// shards and replicas do not march in step.
    fn adopt(&mut self, set: &Arc<EndpointSet>, rng: &mut fastrand::Rng) {
        let endpoints = set.endpoints();
        let was_even = self.even;
        self.even = endpoints.first().is_some_and(|first| {
            first.weight != 0 && endpoints.iter().all(|endpoint| endpoint.weight == first.weight)
        });
        match self.set.replace(Arc::clone(set)) {
            None => {
                self.next = if endpoints.is_empty() { 0 } else { rng.usize(..endpoints.len()) };
                self.wealth = vec![0; endpoints.len()];
            }
            Some(before) => {
                let before = before.endpoints();
                self.next = self.successor(before, endpoints);
                let wealth: HashMap<SocketAddr, i64> = if was_even {
                    HashMap::default()
                } else {
                    before.iter().map(|endpoint| endpoint.address).zip(self.wealth.iter().copied()).collect()
                };
                self.wealth = endpoints
                    .iter()
                    .map(|endpoint| wealth.get(&endpoint.address).copied().unwrap_or(0))
                    .collect();
            }
        }
    }

    fn successor(&self, before: &[Endpoint], endpoints: &[Endpoint]) -> usize {
        (0..before.len())
            .map(|step| before[(self.next + step) % before.len()].address)
            .find_map(|address| endpoints.iter().position(|endpoint| endpoint.address == address))
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
