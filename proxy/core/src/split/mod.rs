//! Which destination gets a request: canaries by header, cookie, sticky position and weight, then weighted destinations.
//!
//! A *position* is a number from 0 to 2^64. Whoever has one (sticky) keeps it; everybody else draws one for each
//! request. The canaries own it from 0 upwards, each its weight over the total, so raising a weight never moves a client
//! back: that is also what makes the side of a client follow from the configuration and its position alone.

mod canary;
mod position;
mod shares;
#[cfg(test)]
mod tests;

pub use position::SetCookie;
pub(crate) use shares::Shares;

use crate::{
    edits::RouteEdits,
    route::{MatchScratch, RequestView},
    snapshot::ClusterId,
};
use canary::{CookieRule, Rule, Ruling};
use position::Stickiness;
use sluice_filter::Fields;
use sluice_model::spec;
use std::sync::Arc;

/// Where a request may go.
#[derive(Debug)]
pub struct Forward {
    destinations: Box<[Destination]>,
    /// The sum of the destinations' weights.
    total: u64,
    canaries: Box<[Canary]>,
    /// What the canaries' weights are parts of: the written total, or their sum where that is more.
    canary_total: u64,
    sticky: Option<Stickiness>,
}

/// A cluster that may get the request.
#[derive(Debug)]
pub struct Destination {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub cluster_name: Arc<str>,
    /// Its part of the sum of the destinations' weights, or of the route's `canary_total`.
    pub weight: u32,
    /// Header edits for this destination. They run before the route's.
    pub edits: RouteEdits,
    /// The object that it was made from, where that is another one than the route's.
    pub origin: Option<Arc<str>>,
}

#[derive(Debug)]
struct Canary {
    destination: Destination,
    header: Option<Rule>,
    cookie: Option<CookieRule>,
}

/// The destination that was chosen, and why.
#[derive(Debug)]
pub struct Chosen<'f> {
    /// Where the request goes.
    pub destination: &'f Destination,
    /// Which of the route's canaries that is; `None` for the main destinations.
    pub canary: Option<usize>,
    /// What decided.
    pub why: Why,
    /// A cookie that the answer has to carry so that the client keeps its position.
    pub set_cookie: Option<SetCookie<'f>>,
}

/// What decided the choice of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is one only.
    Single,
    /// A canary's header rule.
    Header,
    /// A canary's cookie rule.
    Cookie,
    /// The client's position.
    Sticky,
    /// A draw by weight.
    Weight,
}

/// How far the rules of a split decide without a draw.
#[derive(Debug)]
enum Settled<'f> {
    /// There is one destination only, or a canary's rule takes the request.
    Taken(Chosen<'f>),
    /// A position decides: the one that the client has, or one to draw.
    Open {
        known: Option<u64>,
        /// Canaries that header or cookie rules out, a bit for each.
        ruled_out: u64,
    },
}

/// What a split refers to by name.
pub(crate) trait Names {
    fn cluster(&self, name: &str) -> ClusterId;
    /// The bytes of a secret of kind `key`; empty where there is none.
    fn key(&self, name: &str) -> &[u8];
}

/// Canaries beyond this number cannot be ruled out by `never`; validation refuses more.
const MOST_CANARIES: usize = 64;

// === impl Forward ===

impl Forward {
    /// Prepares what a route asks for.
    pub(crate) fn compile(forward: &spec::Forward, names: &dyn Names) -> Self {
        let destination = |cluster: &str, weight, headers, origin: Option<&str>| Destination {
            cluster: names.cluster(cluster),
            cluster_name: cluster.into(),
            weight,
            edits: RouteEdits::compile(headers),
            origin: origin.map(Into::into),
        };
        let destinations: Box<[_]> = match forward.destinations.as_slice() {
            [only] => [destination(&only.cluster, only.weight.max(1), &only.headers, None)].into(),
            several => several.iter().map(|d| destination(&d.cluster, d.weight, &d.headers, None)).collect(),
        };
        let canaries: Box<[_]> = forward
            .canaries
            .iter()
            .take(MOST_CANARIES)
            .map(|canary| Canary {
                destination: destination(
                    &canary.cluster,
                    canary.weight,
                    &canary.headers,
                    canary.origin.as_deref(),
                ),
                header: canary.header.as_ref().map(Rule::compile),
                cookie: CookieRule::compile(canary),
            })
            .collect();
        let sum: u64 = canaries.iter().map(|canary| u64::from(canary.destination.weight)).sum();
        Self {
            total: destinations.iter().map(|destination| u64::from(destination.weight)).sum(),
            destinations,
            canaries,
            canary_total: sum.max(u64::from(forward.canary_total)).max(1),
            sticky: forward.sticky.as_ref().map(|sticky| Stickiness::compile(sticky, names)),
        }
    }

    /// The main destinations.
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// The canaries, in the order in which they are asked.
    pub fn canaries(&self) -> impl Iterator<Item = &Destination> {
        self.canaries.iter().map(|canary| &canary.destination)
    }

    /// Chooses a destination. `None` where every weight is 0: nobody may get the request (503 `NC`).
    pub fn choose<'f, F: Fields + ?Sized>(
        &'f self,
        request: &RequestView<'_, F>,
        rng: &mut fastrand::Rng,
        scratch: &mut MatchScratch,
    ) -> Option<Chosen<'f>> {
        let (known, ruled_out) = match self.settle(request, scratch) {
            Settled::Taken(chosen) => return Some(chosen),
            Settled::Open { known, ruled_out } => (known, ruled_out),
        };
        let position = known.unwrap_or_else(|| rng.u64(..));
        let set_cookie =
            self.sticky.as_ref().filter(|_| known.is_none()).and_then(|sticky| sticky.cookie(position));
        let why = if known.is_some() || set_cookie.is_some() { Why::Sticky } else { Why::Weight };
        let (canary, destination) = self.owner(position, ruled_out)?;
        Some(Chosen { destination, canary, why, set_cookie })
    }

    /// Canaries that a header or cookie rule keeps from this request.
    pub fn ruled_out<F: Fields + ?Sized>(
        &self,
        request: &RequestView<'_, F>,
        scratch: &mut MatchScratch,
    ) -> Vec<&Destination> {
        let never = self.rulings(request, scratch).filter(|(.., ruling)| matches!(ruling, Ruling::Never));
        never.map(|(_, number, _)| &self.canaries[number].destination).collect()
    }

    /// What decides without a draw, or what a draw would have to decide.
    fn settle<'f, F: Fields + ?Sized>(
        &'f self,
        request: &RequestView<'_, F>,
        scratch: &mut MatchScratch,
    ) -> Settled<'f> {
        if self.canaries.is_empty() && self.destinations.len() == 1 {
            let destination = &self.destinations[0];
            return Settled::Taken(Chosen { destination, canary: None, why: Why::Single, set_cookie: None });
        }
        let mut ruled_out = 0_u64;
        for (why, number, ruling) in self.rulings(request, scratch) {
            match ruling {
                Ruling::Take => {
                    let destination = &self.canaries[number].destination;
                    return Settled::Taken(Chosen {
                        destination,
                        canary: Some(number),
                        why,
                        set_cookie: None,
                    });
                }
                Ruling::Never => ruled_out |= 1 << number,
            }
        }
        let known = self.sticky.as_ref().and_then(|sticky| sticky.position(request, scratch));
        Settled::Open { known, ruled_out }
    }

    /// Who owns a position, and its number where that is a canary; `None` where it would be a destination and all of
    /// them weigh 0.
    fn owner(&self, position: u64, ruled_out: u64) -> Option<(Option<usize>, &Destination)> {
        let drawn = share(position, self.canary_total);
        let mut owned = 0;
        for (number, canary) in self.canaries.iter().enumerate() {
            owned += u64::from(canary.destination.weight);
            if drawn < owned {
                if ruled_out & (1 << number) == 0 {
                    return Some((Some(number), &canary.destination));
                }
                break;
            }
        }
        if self.total == 0 {
            return None;
        }
        // A hash makes a new number of the position: the canaries have already used up its leading digits.
        let drawn = share(xxhash_rust::xxh3::xxh3_64(&position.to_le_bytes()), self.total);
        let mut owned = 0;
        let destination = self.destinations.iter().find(|destination| {
            owned += u64::from(destination.weight);
            drawn < owned
        })?;
        Some((None, destination))
    }

    /// What header and cookie rules say, in the order in which they count. A canary that its header rules out is not asked
    /// for its cookie.
    fn rulings<F: Fields + ?Sized>(
        &self,
        request: &RequestView<'_, F>,
        scratch: &mut MatchScratch,
    ) -> impl Iterator<Item = (Why, usize, Ruling)> {
        let mut header_never = 0_u64;
        let mut first = None;
        for (number, canary) in self.canaries.iter().enumerate() {
            match canary.header.as_ref().and_then(|rule| rule.ask(request.fields, scratch)) {
                Some(Ruling::Take) if first.is_none() => first = Some((Why::Header, number, Ruling::Take)),
                Some(Ruling::Never) => header_never |= 1 << number,
                _ => {}
            }
        }
        let mut never = header_never;
        if first.is_none() {
            for (number, canary) in self.canaries.iter().enumerate() {
                let Some(cookie) = canary.cookie.as_ref().filter(|_| header_never & (1 << number) == 0)
                else {
                    continue;
                };
                match cookie.ask(request.fields, scratch) {
                    Some(Ruling::Take) if first.is_none() => {
                        first = Some((Why::Cookie, number, Ruling::Take));
                    }
                    Some(Ruling::Never) => never |= 1 << number,
                    _ => {}
                }
            }
        }
        let ruled_out = (0..self.canaries.len()).filter(move |number| never & (1 << number) != 0);
        first.into_iter().chain(ruled_out.map(|number| (Why::Weight, number, Ruling::Never)))
    }
}

/// The part of `total` that a position falls on: `position / 2^64 * total`, rounded down.
fn share(position: u64, total: u64) -> u64 {
    ((u128::from(position) * u128::from(total)) >> 64) as u64
}
