//! Consistent hashing on a ring, the same as nginx's (`hash KEY consistent`): a key that nginx sends to an address goes to
//! the same one here.

use crate::snapshot::Endpoint;
use foldhash::HashMap;
use pingora_ketama::{Bucket, Continuum};
use std::{fmt, net::SocketAddr};

/// What all endpoints weigh together on the ring, at most, unless there are more endpoints: each unit makes 160 points of
/// eight bytes.
pub(super) const MOST_WEIGHT: u64 = (1 << 20) / 160;
/// What the ring can tell apart.
const MOST_ENDPOINTS: usize = u16::MAX as usize;
/// Points that are passed before the other endpoints are drawn from: endpoints lie close to each other on a ring, unless
/// one outweighs all others.
const STEPS: usize = 4096;

/// The points of all endpoints that weigh something.
pub(super) struct Ring {
    points: Continuum,
    places: HashMap<SocketAddr, usize>,
}

// === impl Ring ===

impl Ring {
    pub(super) fn of(endpoints: &[Endpoint]) -> Self {
        let mut places = HashMap::default();
        let mut weights: Vec<(SocketAddr, u64)> = Vec::new();
        for (place, endpoint) in endpoints.iter().enumerate() {
            if endpoint.weight > 0 && places.len() < MOST_ENDPOINTS && !places.contains_key(&endpoint.address)
            {
                places.insert(endpoint.address, place);
                weights.push((endpoint.address, u64::from(endpoint.weight)));
            }
        }
        scale(&mut weights);
        let bucket = |(address, weight): &(SocketAddr, u64)| Bucket::new(*address, *weight as u32);
        let buckets: Vec<Bucket> = weights.iter().map(bucket).collect();
        Self { points: Continuum::new(&buckets), places }
    }

    /// The endpoint of the first point behind the key whose endpoint was not tried.
    pub(super) fn pick(&self, key: &[u8], tried: &[usize]) -> Option<usize> {
        if tried.len() >= self.places.len() {
            return None;
        }
        let mut point = self.points.node_idx(key);
        for _ in 0..STEPS {
            let place = *self.places.get(self.points.get_addr(&mut point)?)?;
            if !tried.contains(&place) {
                return Some(place);
            }
        }
        None
    }
}

/// Weights in their lowest terms, or smaller ones in proportion where those were too many points.
pub(super) fn scale(weights: &mut [(SocketAddr, u64)]) {
    let divisor = weights.iter().fold(0, |divisor, (_, weight)| gcd(divisor, *weight)).max(1);
    let sum = weights.iter().map(|(_, weight)| weight / divisor).sum::<u64>();
    for (_, weight) in weights {
        *weight /= divisor;
        if sum > MOST_WEIGHT {
            *weight = (*weight * MOST_WEIGHT / sum).max(1);
        }
    }
}

const fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

impl fmt::Debug for Ring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ring").field("places", &self.places).finish_non_exhaustive()
    }
}
