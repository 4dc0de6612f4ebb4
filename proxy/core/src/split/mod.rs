//! Which destination gets a request: canaries by header, cookie, sticky position and weight, then weighted destinations.

use crate::{
    edits::RouteEdits,
    route::{MatchScratch, RequestView},
    snapshot::ClusterId,
};
use sluice_filter::Fields;
use std::sync::Arc;

/// Where a request may go.
#[derive(Debug)]
pub struct Forward {
    destinations: Box<[Destination]>,
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

/// A position cookie to set.
#[derive(Debug, Clone, Copy)]
pub struct SetCookie<'f> {
    position: u64,
    name: &'f str,
}

impl Forward {
    /// Chooses a destination. `None` where every weight is 0: nobody may get the request (503 `NC`).
    pub fn choose<'f, F: Fields + ?Sized>(
        &'f self,
        request: &RequestView<'_, F>,
        rng: &mut fastrand::Rng,
        scratch: &mut MatchScratch,
    ) -> Option<Chosen<'f>> {
        let _ = (request, rng, scratch, &self.destinations);
        todo!()
    }
}

impl SetCookie<'_> {
    /// Appends the value of the `set-cookie` field.
    pub fn write(&self, out: &mut Vec<u8>) {
        let _ = (self.position, self.name, out);
        todo!()
    }
}
