//! What requests like one get, for those who ask and do not send.

use super::{Destination, Forward, Settled, Why};
use crate::route::{MatchScratch, RequestView};
use sluice_filter::Fields;

/// Where requests like one go.
#[derive(Debug)]
pub(crate) struct Shares<'f> {
    /// What decides.
    pub(crate) why: Why,
    /// Who may get it, with parts of 1; canaries first. Nobody stands here with 0.
    pub(crate) to: Vec<(&'f Destination, f64)>,
    /// The part that nobody gets (503 `NC`): it is left to destinations that all weigh 0.
    pub(crate) nobody: f64,
}

impl Forward {
    /// What [`Forward::choose`] would decide, with all that a draw could come to.
    pub(crate) fn shares<F: Fields + ?Sized>(
        &self,
        request: &RequestView<'_, F>,
        scratch: &mut MatchScratch,
    ) -> Shares<'_> {
        match self.settle(request, scratch) {
            Settled::Taken(chosen) => {
                Shares { why: chosen.why, to: vec![(chosen.destination, 1.0)], nobody: 0.0 }
            }
            Settled::Open { known: Some(position), ruled_out } => {
                let owner = self.owner(position, ruled_out).map(|(_, destination)| (destination, 1.0));
                let nobody = if owner.is_some() { 0.0 } else { 1.0 };
                Shares { why: Why::Sticky, to: owner.into_iter().collect(), nobody }
            }
            Settled::Open { known: None, ruled_out } => self.drawn(ruled_out),
        }
    }

    fn drawn(&self, ruled_out: u64) -> Shares<'_> {
        let part = |weight: u64, of: u64| weight as f64 / of as f64;
        let taking = self.canaries.iter().enumerate().filter(|(number, _)| ruled_out & (1 << number) == 0);
        let mut left = self.canary_total;
        let mut to = Vec::new();
        for (_, canary) in taking {
            let weight = canary.destination.weight.into();
            left -= weight;
            to.push((&canary.destination, part(weight, self.canary_total)));
        }
        let rest = part(left, self.canary_total);
        if self.total > 0 {
            to.extend(
                self.destinations.iter().map(|each| (each, rest * part(each.weight.into(), self.total))),
            );
        }
        to.retain(|(_, share)| *share > 0.0);
        // A position that a cookie is yet to keep is drawn as well.
        let kept = self.sticky.as_ref().is_some_and(|sticky| sticky.cookie(0).is_some());
        let why = if kept { Why::Sticky } else { Why::Weight };
        Shares { why, to, nobody: if self.total > 0 { 0.0 } else { rest } }
    }
}
