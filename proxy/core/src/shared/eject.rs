//! Who is left out for a while because of how it answers.
//!
//! ```text
//!               too many failures                      its time is over
//!  In rotation ───────────────────▶ Ejected ──────────────────────────▶ On probation
//!       ▲                              ▲                                     │
//!       │                              └────────── a failure, for longer ────┤
//!       └──────────────────────────────────── an answer that is no failure ──┘
//! ```
//!
//! On probation it gets one request, and the next one when that has failed, or has not been answered for [`PATIENCE`]: whoever is
//! dead costs one request a time, not a burst of them.

use super::{ClusterState, EndpointState, InARow, Moment, Shared};
use sluice_model::spec::OutlierDetection;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

/// How long the answer to the only request of an endpoint on probation is waited for, in milliseconds, before it gets another
/// one.
const PATIENCE: Moment = 1_000;

/// What came of a request, as far as its endpoint is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The head of an answer, with this status; of a gRPC answer, the one that its `grpc-status` stands for.
    Answered(u16),
    /// The end of an answer.
    Complete,
    /// None, or half of one: no connection, a reset, a timeout.
    Failed,
}

impl Shared {
    /// Whether the endpoint may be given a request that was chosen for it. On probation, only one at a time.
    pub(crate) fn admits(&self, place: usize, now: Instant) -> bool {
        let Some(endpoint) = self.endpoints.get(place) else { return false };
        let until = endpoint.out_until.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        let at = self.cluster.moment(now);
        let taken = || {
            let next = at + PATIENCE;
            endpoint.out_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        let admitted = until <= at && taken();
        if admitted {
            endpoint.probed.store(true, Ordering::Relaxed);
        }
        admitted
    }

    /// Learns what came of a request at the endpoint in this place.
    pub(crate) fn report(&self, outliers: &OutlierDetection, place: usize, now: Instant, outcome: Outcome) {
        let Some(endpoint) = self.endpoints.get(place).filter(|_| outliers.is_on()) else { return };
        match outcome {
            Outcome::Answered(status) => self.answered(outliers, endpoint, now, status),
            Outcome::Complete => reset(&endpoint.in_a_row.local),
            Outcome::Failed => self.failed(outliers, endpoint, now),
        }
    }

    fn answered(&self, outliers: &OutlierDetection, endpoint: &EndpointState, now: Instant, status: u16) {
        let InARow { five_xx, gateway, local: _ } = &endpoint.in_a_row;
        let bad = (500..=599).contains(&status);
        let mut eject = false;
        if bad {
            eject |= reaches(five_xx, outliers.consecutive_5xx);
        } else {
            reset(five_xx);
        }
        if matches!(status, 502..=504) {
            eject |= reaches(gateway, outliers.consecutive_gateway_errors);
        } else {
            reset(gateway);
        }
        if outliers.success_rate.is_some() {
            self.compare(outliers, endpoint, now, !bad);
        }
        let at = self.cluster.moment(now);
        let counts = outliers.consecutive_5xx > 0 || outliers.consecutive_gateway_errors > 0;
        if eject || bad && counts && endpoint.is_on_probation(at) {
            self.eject(outliers, endpoint, now);
        } else if endpoint.is_on_probation(at) {
            endpoint.reinstate();
        }
    }

    fn failed(&self, outliers: &OutlierDetection, endpoint: &EndpointState, now: Instant) {
        let InARow { five_xx, gateway, local } = &endpoint.in_a_row;
        let mut eject = reaches(local, outliers.consecutive_local_errors);
        if !outliers.split_local_errors {
            eject |= reaches(five_xx, outliers.consecutive_5xx);
            eject |= reaches(gateway, outliers.consecutive_gateway_errors);
        }
        if let Some(max_fails) = &outliers.max_fails {
            let within = u64::try_from(max_fails.within.get().as_millis()).unwrap_or(u64::MAX);
            eject |= endpoint.fails_within(self.cluster.moment(now), within) >= u64::from(max_fails.fails);
        }
        if outliers.success_rate.is_some() {
            self.compare(outliers, endpoint, now, false);
        }
        if eject || endpoint.is_on_probation(self.cluster.moment(now)) {
            self.eject(outliers, endpoint, now);
        }
    }

    /// Leaves it out, if so many may be. What requests come to that were sent before it was left out says nothing new.
    pub(super) fn eject(&self, outliers: &OutlierDetection, endpoint: &EndpointState, now: Instant) {
        let at = self.cluster.moment(now);
        let known = endpoint.out_until.load(Ordering::Relaxed);
        let may = if known == 0 { self.may_eject(outliers) } else { endpoint.is_on_probation(at) };
        if !may {
            return;
        }
        let base = u64::try_from(outliers.base_ejection_time.get().as_millis()).unwrap_or(u64::MAX);
        let most = u64::try_from(outliers.max_ejection_time.get().as_millis()).unwrap_or(u64::MAX);
        endpoint.forgive(at, base);
        let times = endpoint.times.load(Ordering::Relaxed);
        let time = base.saturating_mul(u64::from(times) + 1).min(most.max(base)).max(1);
        let until = at.saturating_add(time);
        let left = endpoint.out_until.compare_exchange(known, until, Ordering::Relaxed, Ordering::Relaxed);
        if left.is_err() {
            // Somebody else did.
            return;
        }
        endpoint.probed.store(false, Ordering::Relaxed);
        if known == 0 {
            self.cluster.troubles.ejected.fetch_add(1, Ordering::Relaxed);
        }
        endpoint.times.store(times.saturating_add(1), Ordering::Relaxed);
        endpoint.out_since.store(at, Ordering::Relaxed);
        endpoint.fails.store(0, Ordering::Relaxed);
        endpoint.ejections.fetch_add(1, Ordering::Relaxed);
        self.cluster.ejections.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether one more may be left out: as many as the share says, and one in any case, but never all.
    fn may_eject(&self, outliers: &OutlierDetection) -> bool {
        let all = self.endpoints.len() as u64;
        let share = all * u64::from(outliers.max_ejection_percent.millionths()) / 1_000_000;
        let most = share.max(1).min(all.saturating_sub(1));
        u64::from(self.cluster.ejected()) < most
    }
}

impl EndpointState {
    /// Whether its time is over, so that what comes of a request decides. Its own one has a little longer.
    pub(super) fn is_on_probation(&self, at: Moment) -> bool {
        let until = self.out_until.load(Ordering::Relaxed);
        until != 0 && (until <= at || self.probed.load(Ordering::Relaxed))
    }

    /// Back into the rotation, after an answer that is no failure.
    pub(super) fn reinstate(&self) {
        let until = self.out_until.load(Ordering::Relaxed);
        if until == 0 {
            return;
        }
        if self.out_until.compare_exchange(until, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.probed.store(false, Ordering::Relaxed);
            self.cluster.troubles.ejected.fetch_sub(1, Ordering::Relaxed);
            let InARow { five_xx, gateway, local } = &self.in_a_row;
            [five_xx, gateway, local].into_iter().for_each(reset);
        }
    }

    /// For each ejection time that it was well since it was left out, the next one is shorter by one.
    fn forgive(&self, at: Moment, base: u64) {
        let times = self.times.load(Ordering::Relaxed);
        let since = at.saturating_sub(self.out_since.load(Ordering::Relaxed));
        let well = (since / base.max(1)).saturating_sub(u64::from(times));
        let forgiven = u32::try_from(well).unwrap_or(u32::MAX);
        if times > 0 && forgiven > 0 {
            self.times.store(times.saturating_sub(forgiven), Ordering::Relaxed);
        }
    }

    /// Counts a failure; gives how many there were since the first one that is not longer ago.
    fn fails_within(&self, at: Moment, within: u64) -> u64 {
        const COUNT: u64 = 0xffff;
        let next = |known: u64| {
            let (first, count) = (known >> 16, known & COUNT);
            if count == 0 || first + within <= at {
                at << 16 | 1
            } else {
                first << 16 | (count + 1).min(COUNT)
            }
        };
        let known = self.fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| Some(next(known)));
        next(known.unwrap_or_default()) & COUNT
    }
}

impl ClusterState {
    /// Whether it is time for something that is done once an interval; whoever asks first does it.
    pub(super) fn is_due(&self, at: Moment, interval: u64) -> bool {
        let due = self.next_comparison.load(Ordering::Relaxed);
        if due > at {
            return false;
        }
        let next = at.saturating_add(interval);
        let mine =
            self.next_comparison.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        // With the first answer the first interval begins.
        mine && due != 0
    }
}

/// One more in a row; whether these are enough. The count begins again then, so that a bound on ejections is asked as seldom.
fn reaches(count: &AtomicU32, enough: u32) -> bool {
    if enough == 0 {
        return false;
    }
    let reached = count.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= enough;
    if reached {
        count.store(0, Ordering::Relaxed);
    }
    reached
}

/// Writes only where there is something to write: the line is shared by all shards.
fn reset(count: &AtomicU32) {
    if count.load(Ordering::Relaxed) != 0 {
        count.store(0, Ordering::Relaxed);
    }
}
