//! What is tried again, and when.
//!
//! A try that failed is followed by another one where the route says so, the request may be repeated and is held, and the
//! cluster has room for retries: `limits.retries`, and its budget. What some endpoint has seen is sent again after a pause of
//! random length ("full jitter"), so that clients whom one failure has hit together do not come back together; what nobody has
//! seen goes to another endpoint at once.
//!
//! Where the budget has no room, a request without an answer waits a few pauses for some. A request with an answer that the route
//! would rather not have keeps it: the client waits for nothing.

use super::{Action, Context, Exchange, State};
use crate::flags::ResponseFlags;
use crate::route::Retry;
use crate::shared::{Held, Limit, Room};
use std::time::{Duration, Instant};

/// Pauses that a request waits for room, before it is given up.
const PATIENCE: u8 = 4;

/// The longest pause of those that wait for room where the route has none.
const SHORTEST: Duration = Duration::from_millis(25);

/// Where a request that is tried again may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// To endpoints that it has not tried.
    Others,
    /// To those first, then to anybody.
    Anybody,
}

/// What the client gets where nothing is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) flag: ResponseFlags,
    pub(super) status: u16,
    pub(super) details: &'static str,
    pub(super) text: &'static str,
}

impl Failure {
    /// No endpoint may be asked.
    pub(super) const NO_HEALTHY_UPSTREAM: Self = Self {
        flag: ResponseFlags::NO_HEALTHY_UPSTREAM,
        status: 503,
        details: "no_healthy_upstream",
        text: "no healthy upstream",
    };
    /// The endpoint could not be reached.
    pub(super) const CONNECT: Self = Self {
        flag: ResponseFlags::UPSTREAM_CONNECT_FAILURE,
        status: 503,
        details: "upstream_reset_before_response_started{connection_failure}",
        text: "upstream connect error or disconnect/reset before headers. reset reason: connection failure",
    };
}

/// What a request that is tried again holds.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// Endpoints that this request does not try again.
    pub(super) tried: smallvec::SmallVec<[usize; 4]>,
    /// When an endpoint was asked first.
    first: Option<Instant>,
    /// Some endpoint has seen a try that came to nothing.
    seen: bool,
    /// Of the cluster's budget, for the try that is under way.
    room: Option<Room>,
    /// Of the cluster's limit of retries, from the first one to the end.
    counted: Option<Held>,
    pause: Option<Pause>,
}

/// A pause before the next try.
#[derive(Debug)]
struct Pause {
    until: Instant,
    whom: Whom,
    /// The client's answer, where nobody can be asked.
    failure: Option<Failure>,
    /// Pauses so far for want of room; `None` where there is room.
    waits: Option<u8>,
}

impl Again {
    /// For the next request; memory is kept.
    pub(super) fn reset(&mut self) {
        self.tried.clear();
        self.first = None;
        self.seen = false;
        self.release();
        self.pause = None;
    }

    /// Gives back what others may have.
    pub(super) fn release(&mut self) {
        self.room = None;
        self.counted = None;
    }

    /// When the pause is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pause.as_ref().map(|pause| pause.until)
    }
}

impl Exchange {
    /// Whether the route wants it tried again.
    pub(super) fn retries(&self, on: impl Fn(&Retry) -> bool) -> bool {
        self.record.route.as_ref().is_some_and(|route| on(&route.retry))
    }

    /// A try at an endpoint begins; the first one counts for the budget.
    pub(super) fn note_try(&mut self, now: Instant) {
        if self.again.first.is_none() {
            self.again.first = Some(now);
            if let Some(cluster) = self.record.cluster.as_ref().filter(|_| self.page.is_none()) {
                cluster.shared.cluster().requested(now);
            }
        }
    }

    /// Room to send once more what an endpoint has seen already.
    pub(super) fn take_room(&mut self, now: Instant) -> bool {
        let Some(cluster) = self.record.cluster.as_ref().filter(|_| self.page.is_none()) else { return true };
        self.again.room = cluster.shared.cluster().room_to_retry(cluster.spec.retry_budget, now);
        self.again.room.is_some()
    }

    /// The retry was answered well, or nobody has seen it.
    pub(super) fn free_room(&mut self) {
        self.again.room = None;
    }

    /// The try that an endpoint has seen came to nothing: if it was a retry, its room is not free for a while.
    pub(super) fn spend_room(&mut self, now: Instant) {
        self.again.seen = true;
        if let Some(room) = self.again.room.take() {
            room.failed(now);
        }
    }

    /// What follows a try without an answer that is any good: another one, now or after a pause, or the failure.
    pub(super) fn again_or(
        &mut self,
        now: Instant,
        on: bool,
        whom: Whom,
        failure: Failure,
        cx: &mut Context<'_>,
    ) -> Action {
        let again = if on { self.again(now, whom, Some(failure), cx) } else { None };
        again.unwrap_or_else(|| self.fail(now, failure, cx))
    }

    /// Another try, now or after a pause; `None` where there is none. Without a `failure` there is an answer that will do.
    pub(super) fn again(
        &mut self,
        now: Instant,
        whom: Whom,
        failure: Option<Failure>,
        cx: &mut Context<'_>,
    ) -> Option<Action> {
        self.again.tried.push(self.endpoint);
        let since = self.again.first.map_or(Duration::ZERO, |first| now.saturating_duration_since(first));
        let tries = self.again.tried.len();
        let left = self.retries(|retry| {
            retry.within.is_none_or(|within| since < within) && tries <= self.attempts(retry)
        });
        let whom = if self.retries(|retry| retry.same_endpoint) { Whom::Anybody } else { whom };
        let others = self.has_others();
        if !left || (whom == Whom::Others && !others) || !self.count_retry() {
            return None;
        }
        let seen = self.page.is_none() && self.again.seen;
        if !seen && others {
            return Some(self.go_on(now, whom, failure, cx));
        }
        let room = !seen || self.take_room(now);
        if !room && failure.is_none() {
            self.withhold();
            return None;
        }
        let longest = self.longest_pause(tries, !room);
        let pause = Pause { until: now, whom, failure, waits: (!room).then_some(0) };
        Some(self.pause_for(now, longest, pause, cx))
    }

    /// Counts the request among those that are tried again, once.
    fn count_retry(&mut self) -> bool {
        if self.again.counted.is_some() || self.page.is_some() {
            return true;
        }
        let Some(cluster) = &self.record.cluster else { return true };
        self.again.counted = cluster.shared.cluster().hold(Limit::Retries, cluster.spec.limits.retries);
        if self.again.counted.is_none() {
            self.record.flags.insert(ResponseFlags::OVERFLOW);
        }
        self.again.counted.is_some()
    }

    /// The budget has no room for it.
    fn withhold(&mut self) {
        self.record.flags.insert(ResponseFlags::OVERFLOW);
        if let Some(cluster) = &self.record.cluster {
            cluster.shared.cluster().retry_withheld();
        }
    }

    /// Twice as long each time.
    fn longest_pause(&self, tries: usize, waits: bool) -> Duration {
        let route = self.record.route.as_ref();
        let (base, max) = route.map_or((Duration::ZERO, Duration::ZERO), |route| route.retry.back_off);
        let doubled = u32::try_from(tries.saturating_sub(1)).ok().and_then(|times| 1_u32.checked_shl(times));
        let longest =
            doubled.and_then(|times| base.checked_mul(times)).map_or(max, |longest| longest.min(max));
        if waits { longest.max(SHORTEST) } else { longest }
    }

    fn pause_for(&mut self, now: Instant, longest: Duration, pause: Pause, cx: &mut Context<'_>) -> Action {
        let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX - 1);
        let length = Duration::from_micros(cx.shard.rng.u64(..=longest));
        if length.is_zero() && pause.waits.is_none() {
            return self.go_on(now, pause.whom, pause.failure, cx);
        }
        let until = now.checked_add(length).unwrap_or(now);
        self.again.pause = Some(Pause { until, ..pause });
        // The endpoint is not busy with it meanwhile.
        self.busy = None;
        self.endpoint_share = None;
        self.state = State::BackingOff;
        Action::BackOff
    }

    /// The pause is over.
    pub(super) fn resume(&mut self, now: Instant, cx: &mut Context<'_>) -> Action {
        let Some(pause) = self.again.pause.take() else { return Action::Illegal("no pause to end") };
        let Some(waits) = pause.waits else { return self.go_on(now, pause.whom, pause.failure, cx) };
        if self.take_room(now) {
            return self.go_on(now, pause.whom, pause.failure, cx);
        }
        match pause.failure {
            Some(failure) if waits + 1 >= PATIENCE => {
                self.withhold();
                self.fail(now, failure, cx)
            }
            failure => {
                let longest = self.longest_pause(self.again.tried.len() + usize::from(waits) + 1, true);
                let pause = Pause { until: now, whom: pause.whom, failure, waits: Some(waits + 1) };
                self.pause_for(now, longest, pause, cx)
            }
        }
    }

    fn go_on(&mut self, now: Instant, whom: Whom, failure: Option<Failure>, cx: &mut Context<'_>) -> Action {
        if self.pick(now, true, cx) {
            return Action::Connect;
        }
        match failure {
            Some(failure) if whom == Whom::Others => return self.fail(now, failure, cx),
            _ => {}
        }
        if self.pick(now, false, cx) {
            return Action::Connect;
        }
        self.fail(now, failure.unwrap_or(Failure::NO_HEALTHY_UPSTREAM), cx)
    }

    /// Whether there is an endpoint that this request has not tried.
    fn has_others(&self) -> bool {
        self.towards().is_some_and(|cluster| {
            let takes = |(place, endpoint): (usize, &crate::snapshot::Endpoint)| {
                endpoint.weight > 0 && !self.again.tried.contains(&place)
            };
            cluster.endpoints.endpoints().iter().enumerate().any(takes)
        })
    }

    pub(super) fn fail(&mut self, now: Instant, failure: Failure, cx: &mut Context<'_>) -> Action {
        self.give_up(failure.flag);
        self.local(now, failure.status, failure.details, failure.text, cx)
    }

    /// Nothing more is tried.
    pub(super) fn give_up(&mut self, flag: ResponseFlags) {
        self.record.flags.insert(flag);
        if self.record.attempts > 1 {
            self.record.flags.insert(ResponseFlags::RETRIES_EXHAUSTED);
        }
    }
}
