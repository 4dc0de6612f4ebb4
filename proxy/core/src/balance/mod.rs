//! Which endpoint gets the next request.
//!
//! | balancer | module | state |
//! | --- | --- | --- |
//! | round robin | [`rotation`] | whose turn it is, per shard |
//! | random, least request | [`draw`] | how busy endpoints are, shared by all shards |
//! | peak EWMA | [`draw`], [`latency`] | how busy endpoints are and how soon they answer, shared by all shards |
//! | ring hash, Maglev | [`ring`], [`maglev`], with keys by [`key`] | none: the same key gives the same endpoint everywhere |
//!
//! What can be computed beforehand is a [`Balance`]: it is compiled with the cluster's endpoints, off the data threads. What
//! remains is a [`Balancers`] for each shard, keyed by the endpoints' identity: when the set changes, endpoints that stay keep
//! their place in the turn and their count of requests, and nobody else's are reset.
//!
//! Endpoints that are not well, and those that have enough to do, are left out like those that a request has tried ([`crate::shared`]);
//! as long as there are none of them that costs nothing.
//!
//! Where a request is tried again, endpoints that it tried are left out, whatever the balancer; a key then goes where it
//! would go without them.

mod draw;
mod key;
mod latency;
mod maglev;
mod ring;
mod rotation;

pub use draw::Busy;
pub(crate) use key::{BalancerKey, MadeCookie};

use crate::snapshot::{Cluster, ClusterId, EndpointSet};
use draw::{Best, Draw, Merit};
use foldhash::HashMap;
use maglev::Maglev;
use ring::Ring;
use rotation::Turn;
use sluice_model::{spec, value::Percent};
use std::{sync::Arc, time::Instant};

/// The turns of all clusters, for one shard.
#[derive(Debug, Default)]
pub struct Balancers {
    turns: HashMap<ClusterId, Turn>,
    /// What is written on where some endpoints are left out.
    left_out: Vec<usize>,
}

/// How a cluster chooses among its endpoints, ready to use.
#[derive(Debug, Default)]
pub struct Balance {
    kind: Kind,
}

#[derive(Debug, Default)]
enum Kind {
    #[default]
    InTurn,
    ByChance(Draw),
    Best(Best),
    Keyed {
        key: Arc<BalancerKey>,
        places: Places,
        /// For requests without a key.
        otherwise: Draw,
    },
}

/// Where keys lead.
#[derive(Debug)]
enum Places {
    Ring(Ring),
    Table(Maglev),
}

// === impl Balancers ===

impl Balancers {
    /// An endpoint of the cluster by its place in the set, for a request with this key ([`Balance::key`]). `tried` are left
    /// out, and whoever names any asks for a later attempt; `None` where nobody is left.
    pub fn pick(
        &mut self,
        cluster: &Cluster,
        tried: &[usize],
        key: Option<&[u8]>,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        if cluster.shared.all_well() && cluster.spec.endpoint_limits.requests == 0 {
            return self.choose(cluster, tried, key, now, rng);
        }
        let mut left_out = std::mem::take(&mut self.left_out);
        let place = self.choose_well(cluster, tried, key, now, rng, &mut left_out);
        self.left_out = left_out;
        place
    }

    /// The same where some may be left out; `left_out` is written on.
    fn choose_well(
        &mut self,
        cluster: &Cluster,
        tried: &[usize],
        key: Option<&[u8]>,
        now: Instant,
        rng: &mut fastrand::Rng,
        left_out: &mut Vec<usize>,
    ) -> Option<usize> {
        /// How often another shard may have been faster at an endpoint on probation.
        const RACES: usize = 4;
        let shared = &cluster.shared;
        let gather = |ill: bool, left_out: &mut Vec<usize>| {
            left_out.clear();
            left_out.extend_from_slice(tried);
            shared.left_out(now, cluster.spec.endpoint_limits, ill, left_out);
        };
        if !shared.panics(&cluster.spec, &cluster.endpoints) {
            for _ in 0..RACES {
                gather(true, left_out);
                let Some(place) = self.choose(cluster, left_out, key, now, rng) else { break };
                if shared.admits(place, now) {
                    return Some(place);
                }
            }
            // A request that has failed elsewhere rather asks somebody who is left out than nobody.
            let strict = cluster.spec.panic_threshold == Percent::NONE;
            if strict || tried.is_empty() {
                return None;
            }
        }
        gather(false, left_out);
        self.choose(cluster, left_out, key, now, rng)
    }

    fn choose(
        &mut self,
        cluster: &Cluster,
        tried: &[usize],
        key: Option<&[u8]>,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        let endpoints = cluster.endpoints.endpoints();
        match &cluster.balance.kind {
            Kind::InTurn => self.turns.entry(cluster.id).or_default().pick(&cluster.endpoints, tried, rng),
            Kind::ByChance(draw) => draw.pick(endpoints, tried, rng),
            Kind::Best(best) => best.pick(endpoints, tried, now, rng),
            Kind::Keyed { places, otherwise, .. } => {
                let place = key.and_then(|key| match places {
                    Places::Ring(ring) => ring.pick(key, tried),
                    Places::Table(table) => table.pick(key, tried),
                });
                place.or_else(|| otherwise.pick(endpoints, tried, rng))
            }
        }
    }

    /// Forgets clusters that are gone.
    pub fn retain(&mut self, mut lives: impl FnMut(ClusterId) -> bool) {
        self.turns.retain(|id, _| lives(*id));
    }
}

// === impl Balance ===

impl Balance {
    /// Prepares choices among these endpoints. What `before` knew about those that stay is taken over.
    pub(crate) fn compile(
        spec: &spec::Balancer,
        endpoints: &EndpointSet,
        before: Option<(&Self, &EndpointSet)>,
    ) -> Self {
        let set = endpoints.endpoints();
        let key = |spec: &spec::BalancerKey| match before {
            Some((Self { kind: Kind::Keyed { key, .. } }, _)) if key.is(spec) => Arc::clone(key),
            _ => Arc::new(BalancerKey::compile(spec)),
        };
        let best = |choices, merit| {
            let before = before.and_then(|(before, set)| match &before.kind {
                Kind::Best(best) => Some((best, set.endpoints())),
                _ => None,
            });
            Kind::Best(Best::compile(choices, merit, set, before))
        };
        let kind = match spec {
            spec::Balancer::RoundRobin => Kind::InTurn,
            spec::Balancer::Random => Kind::ByChance(Draw::of(set)),
            spec::Balancer::LeastRequest(least) => best(least.choices, Merit::FewestRequests),
            spec::Balancer::PeakEwma(peak) => best(2, Merit::SoonestAnswer(peak.decay.get())),
            spec::Balancer::RingHash(ring) => Kind::Keyed {
                key: key(&ring.key),
                places: Places::Ring(Ring::of(set)),
                otherwise: Draw::of(set),
            },
            spec::Balancer::Maglev(maglev) => Kind::Keyed {
                key: key(&maglev.key),
                places: Places::Table(Maglev::of(set, maglev.table_size)),
                otherwise: Draw::of(set),
            },
        };
        Self { kind }
    }

    /// What requests are told apart by, where they are.
    pub(crate) fn key(&self) -> Option<&BalancerKey> {
        match &self.kind {
            Kind::Keyed { key, .. } => Some(key),
            _ => None,
        }
    }

    /// Counts a request at an endpoint until the answer is dropped; `None` where nobody needs to know.
    pub(crate) fn occupy(&self, place: usize) -> Option<Busy> {
        match &self.kind {
            Kind::Best(best) => best.occupy(place),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
