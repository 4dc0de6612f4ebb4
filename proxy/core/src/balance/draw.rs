//! Drawing lots, and the least busy of those that are drawn.

use crate::snapshot::Endpoint;
use sluice_model::spec;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// How often a lot is drawn again because its endpoint was tried, before the others are looked through.
const REDRAWS: usize = 4;

/// Draws endpoints by weight.
#[derive(Debug)]
pub(super) struct Draw {
    /// The sum of all weights up to each endpoint; empty where all are equal and not 0.
    sums: Box<[u64]>,
}

/// The one with fewest requests for its weight, of some that are drawn by weight (two of them: Mitzenmacher, The Power of
/// Two Choices in Randomized Load Balancing, 2001).
#[derive(Debug)]
pub(super) struct LeastBusy {
    choices: u32,
    draw: Draw,
    /// The load of each endpoint.
    loads: Box<[Arc<Load>]>,
}

/// How many requests an endpoint has, over all shards. On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Load(AtomicU32);

/// A request that counts at its endpoint until this is dropped.
#[derive(Debug)]
pub struct Busy(Arc<Load>);

// === impl Draw ===

impl Draw {
    pub(super) fn of(endpoints: &[Endpoint]) -> Self {
        let even = endpoints.first().is_none_or(|first| {
            first.weight != 0 && endpoints.iter().all(|endpoint| endpoint.weight == first.weight)
        });
        if even {
            return Self { sums: Box::default() };
        }
        let sums = endpoints.iter().scan(0, |sum, endpoint| {
            *sum += u64::from(endpoint.weight);
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    pub(super) fn pick(
        &self,
        endpoints: &[Endpoint],
        tried: &[usize],
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        for _ in 0..REDRAWS {
            let place = self.draw(endpoints.len(), rng)?;
            if !tried.contains(&place) {
                return Some(place);
            }
        }
        // Most were tried, or those that were weigh most.
        let start = rng.usize(..endpoints.len());
        let mut others = (start..endpoints.len()).chain(0..start);
        others.find(|place| endpoints[*place].weight > 0 && !tried.contains(place))
    }

    fn draw(&self, count: usize, rng: &mut fastrand::Rng) -> Option<usize> {
        match self.sums.last() {
            Some(0) => None,
            Some(sum) => {
                let lot = rng.u64(..*sum);
                Some(self.sums.partition_point(|sum| *sum <= lot))
            }
            None if count == 0 => None,
            None => Some(rng.usize(..count)),
        }
    }
}

// === impl LeastBusy ===

impl LeastBusy {
    pub(super) fn compile(
        spec: spec::LeastRequest,
        endpoints: &[Endpoint],
        before: Option<(&Self, &[Endpoint])>,
    ) -> Self {
        let known: HashMap<SocketAddr, &Arc<Load>> = before
            .into_iter()
            .flat_map(|(least, endpoints)| endpoints.iter().zip(&least.loads))
            .map(|(endpoint, load)| (endpoint.address, load))
            .collect();
        let load = |endpoint: &Endpoint| known.get(&endpoint.address).map(|load| Arc::clone(load));
        Self {
            choices: spec.choices.max(2),
            draw: Draw::of(endpoints),
            loads: endpoints.iter().map(|endpoint| load(endpoint).unwrap_or_default()).collect(),
        }
    }

    pub(super) fn pick(
        &self,
        endpoints: &[Endpoint],
        tried: &[usize],
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        let mut best = self.draw.pick(endpoints, tried, rng)?;
        for _ in 1..self.choices {
            let other = self.draw.pick(endpoints, tried, rng)?;
            if self.less_busy(endpoints, other, best) {
                best = other;
            }
        }
        Some(best)
    }

    /// One more request at each, for its weight.
    fn less_busy(&self, endpoints: &[Endpoint], one: usize, other: usize) -> bool {
        let load = |place: usize| u64::from(self.loads[place].0.load(Ordering::Relaxed)) + 1;
        let weight = |place: usize| u64::from(endpoints[place].weight);
        load(one) * weight(other) < load(other) * weight(one)
    }

    pub(super) fn occupy(&self, place: usize) -> Option<Busy> {
        let load = self.loads.get(place)?;
        load.0.fetch_add(1, Ordering::Relaxed);
        Some(Busy(Arc::clone(load)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
