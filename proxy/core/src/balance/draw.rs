//! Drawing lots, and the best of those that are drawn: the least busy one, or the one that answers soonest.

use super::latency::Latency;
use crate::snapshot::Endpoint;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// How often a lot is drawn again because its endpoint was tried or drawn already.
const REDRAWS: usize = 4;

/// Draws endpoints by weight.
#[derive(Debug)]
pub(super) struct Draw {
    /// The sum of all weights up to each endpoint; empty where all are equal and not 0.
    sums: Box<[u64]>,
}

/// The best of some that are drawn by weight (two of them: Mitzenmacher, The Power of Two Choices in Randomized Load Balancing,
/// 2001).
#[derive(Debug)]
pub(super) struct Best {
    choices: u32,
    merit: Merit,
    draw: Draw,
    /// The load of each endpoint.
    loads: Box<[Arc<Load>]>,
}

/// Who is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merit {
    /// Whoever has fewest requests for its weight.
    FewestRequests,
    /// Whoever answers soonest, times its requests, for its weight; averages fade in so long.
    SoonestAnswer(Duration),
}

/// What an endpoint bears, over all shards. On a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Load {
    requests: AtomicU32,
    /// Where it counts how soon it answers.
    latency: Option<Latency>,
}

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

// === impl Best ===

impl Best {
    pub(super) fn compile(
        choices: u32,
        merit: Merit,
        endpoints: &[Endpoint],
        before: Option<(&Self, &[Endpoint])>,
    ) -> Self {
        let known: HashMap<SocketAddr, &Arc<Load>> = before
            .into_iter()
            .flat_map(|(best, endpoints)| endpoints.iter().zip(&best.loads))
            .filter(|(_, load)| load.serves(merit))
            .map(|(endpoint, load)| (endpoint.address, load))
            .collect();
        let load = |endpoint: &Endpoint| known.get(&endpoint.address).map(|load| Arc::clone(load));
        Self {
            choices: choices.max(2),
            merit,
            draw: Draw::of(endpoints),
            loads: endpoints
                .iter()
                .map(|endpoint| load(endpoint).unwrap_or_else(|| Arc::new(Load::new(merit))))
                .collect(),
        }
    }

    pub(super) fn pick(
        &self,
        endpoints: &[Endpoint],
        tried: &[usize],
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        let mut best = self.draw.pick(endpoints, tried, rng)?;
        for _ in 1..self.choices {
            let other = self.rival(endpoints, best, tried, rng)?;
            if self.is_better(endpoints, other, best, now) {
                best = other;
            }
        }
        Some(best)
    }

    /// Whom to compare with. Lots may fall on the same endpoint twice, which keeps shares even where requests count; one that
    /// answers slowly is to be left alone.
    fn rival(
        &self,
        endpoints: &[Endpoint],
        best: usize,
        tried: &[usize],
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        let mut rival = self.draw.pick(endpoints, tried, rng)?;
        if matches!(self.merit, Merit::SoonestAnswer(_)) {
            for _ in 0..REDRAWS {
                if rival != best {
                    break;
                }
                rival = self.draw.pick(endpoints, tried, rng)?;
            }
        }
        Some(rival)
    }

    /// One more request at each, for its weight.
    fn is_better(&self, endpoints: &[Endpoint], one: usize, other: usize, now: Instant) -> bool {
        let weight = |place: usize| u64::from(endpoints[place].weight);
        let requests = |place: usize| u64::from(self.loads[place].requests.load(Ordering::Relaxed)) + 1;
        match self.merit {
            Merit::FewestRequests => requests(one) * weight(other) < requests(other) * weight(one),
            Merit::SoonestAnswer(_) => {
                let cost = |place: usize| self.loads[place].cost(now, requests(place) as f32);
                cost(one) * (weight(other) as f32) < cost(other) * (weight(one) as f32)
            }
        }
    }

    pub(super) fn occupy(&self, place: usize) -> Option<Busy> {
        let load = self.loads.get(place)?;
        load.requests.fetch_add(1, Ordering::Relaxed);
        Some(Busy(Arc::clone(load)))
    }
}

// === impl Load ===

impl Load {
    fn new(merit: Merit) -> Self {
        let latency = match merit {
            Merit::FewestRequests => None,
            Merit::SoonestAnswer(decay) => Some(Latency::new(decay)),
        };
        Self { requests: AtomicU32::new(0), latency }
    }

    /// Whether it counts what is wanted now.
    fn serves(&self, merit: Merit) -> bool {
        match (merit, &self.latency) {
            (Merit::FewestRequests, None) => true,
            (Merit::SoonestAnswer(decay), Some(latency)) => latency.decays_in(decay),
            _ => false,
        }
    }

    /// How long so many requests may take. Of an endpoint that has never answered one is tried, and then others are preferred
    /// until it has.
    fn cost(&self, now: Instant, requests: f32) -> f32 {
        match self.latency.as_ref().and_then(|latency| latency.average(now)) {
            Some(average) => average * requests,
            None if requests <= 1.0 => 0.0,
            None => f32::MAX / 1e12 * requests,
        }
    }
}

// === impl Busy ===

impl Busy {
    /// What came of the request, and how long that took, which is asked for only where it counts.
    pub(crate) fn note(&self, now: Instant, took: impl FnOnce() -> Duration, failed: bool) {
        if let Some(latency) = &self.0.latency {
            latency.note(now, took(), failed);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
