//! Who writes status: the holder of a Lease. Decisions only; time is an argument.
//!
//! ```text
//! Waiting ── no holder, or the holder did not renew for as long as it said ──▶ Leading
//!    ▲                                                                           │
//!    └── somebody else holds it, or renewing failed for two thirds of that time ─┘
//! ```
//!
//! How long a holder is silent is measured by our own clock, from when we saw the Lease change last, so that clocks which
//! differ do no harm (as client-go does it).

use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// One who wants to lead.
#[derive(Debug)]
pub(super) struct Candidate {
    identity: String,
    ttl: Duration,
    /// The version of the Lease that was seen last, and when it was seen first.
    seen: Option<(String, Instant)>,
    /// When it was renewed last.
    renewed: Option<Instant>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Create this Lease.
    Create(Value),
    /// Replace the Lease by this.
    Replace(Value),
    /// Somebody else leads.
    Wait,
}

impl Candidate {
    pub(super) fn new(identity: String, ttl: Duration) -> Self {
        Self { identity, ttl: ttl.max(Duration::from_secs(1)), seen: None, renewed: None }
    }

    /// Between two looks at the Lease.
    pub(super) fn pause(&self) -> Duration {
        self.ttl / 4
    }

    /// Until when it leads, without renewing.
    pub(super) fn leads_until(&self) -> Option<Instant> {
        self.renewed.map(|renewed| renewed + self.ttl * 2 / 3)
    }

    /// What to do about the Lease as it is; `clock` is the time of day (RFC 3339 with microseconds).
    pub(super) fn step(&mut self, lease: Option<&Value>, now: Instant, clock: &str) -> Step {
        let Some(lease) = lease else {
            return Step::Create(self.spec(clock, clock, 0));
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = text(&lease["metadata"]["resourceVersion"]);
        let since = match &self.seen {
            Some((seen, since)) if *seen == version => *since,
            _ => now,
        };
        self.seen = Some((version, since));
        let holder = text(&lease["spec"]["holderIdentity"]);
        let lasts = Duration::from_secs(lease["spec"]["leaseDurationSeconds"].as_u64().unwrap_or(0));
        let transitions = lease["spec"]["leaseTransitions"].as_i64().unwrap_or(0);
        let spec = if holder == self.identity {
            self.spec(&text(&lease["spec"]["acquireTime"]), clock, transitions)
        } else if holder.is_empty()
            || now.saturating_duration_since(since) >= lasts.min(Duration::from_hours(1))
        {
            self.renewed = None;
            self.spec(clock, clock, transitions.saturating_add(1))
        } else {
            self.renewed = None;
            return Step::Wait;
        };
        let mut lease = lease.clone();
        lease["spec"] = spec["spec"].clone();
        Step::Replace(lease)
    }

    /// The Lease was written; the request began at `at`.
    pub(super) fn wrote(&mut self, at: Instant) {
        self.renewed = Some(at);
    }

    /// The Lease without a holder, so that nobody has to wait; `None` where somebody else holds it.
    pub(super) fn release(&mut self, lease: &Value) -> Option<Value> {
        self.renewed = None;
        if lease["spec"]["holderIdentity"] != *self.identity {
            return None;
        }
        let mut lease = lease.clone();
        lease["spec"]["holderIdentity"] = json!("");
        lease["spec"]["leaseDurationSeconds"] = json!(1);
        Some(lease)
    }

    fn spec(&self, acquired: &str, clock: &str, transitions: i64) -> Value {
        json!({ "spec": {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self.ttl.as_secs(),
            "acquireTime": if acquired.is_empty() { clock } else { acquired },
            "renewTime": clock,
            "leaseTransitions": transitions,
        } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(30);

    fn lease(step: &Step, version: &str) -> Value {
        let (Step::Create(lease) | Step::Replace(lease)) = step else { panic!("nothing to write: {step:?}") };
        let mut lease = lease.clone();
        lease["metadata"]["resourceVersion"] = json!(version);
        lease
    }

    #[test]
    fn the_first_one_leads_and_the_second_waits_until_it_is_silent() {
        let start = Instant::now();
        let [mut one, mut two] = ["one", "two"].map(|name| Candidate::new(name.to_owned(), TTL));
        let held = lease(&one.step(None, start, "t0"), "1");
        one.wrote(start);
        assert_eq!(one.leads_until(), Some(start + TTL * 2 / 3));

        assert_eq!(two.step(Some(&held), start, "t0"), Step::Wait);
        assert_eq!(two.step(Some(&held), start + TTL / 2, "t1"), Step::Wait);
        // It is renewed, so the wait begins anew.
        let renewed = lease(&one.step(Some(&held), start + TTL / 2, "t1"), "2");
        assert_eq!(
            (&renewed["spec"]["acquireTime"], &renewed["spec"]["renewTime"]),
            (&json!("t0"), &json!("t1"))
        );
        assert_eq!(two.step(Some(&renewed), start + TTL, "t2"), Step::Wait);
        assert_eq!(two.step(Some(&renewed), start + TTL * 3 / 2, "t3"), Step::Wait);
        let taken = lease(&two.step(Some(&renewed), start + TTL * 2, "t4"), "3");
        assert_eq!(
            (&taken["spec"]["holderIdentity"], &taken["spec"]["leaseTransitions"]),
            (&json!("two"), &json!(1))
        );

        // The first one sees that it lost.
        one.wrote(start + TTL);
        assert_eq!(one.step(Some(&taken), start + TTL * 2, "t4"), Step::Wait);
        assert_eq!(one.leads_until(), None);
    }

    #[test]
    fn who_releases_lets_others_lead_at_once() {
        let start = Instant::now();
        let [mut one, mut two] = ["one", "two"].map(|name| Candidate::new(name.to_owned(), TTL));
        let held = lease(&one.step(None, start, "t0"), "1");
        one.wrote(start);
        assert_eq!(two.release(&held), None);
        let free = one.release(&held).expect("it holds it");
        assert_eq!(one.leads_until(), None);
        assert_eq!(lease(&two.step(Some(&free), start, "t1"), "2")["spec"]["holderIdentity"], "two");
    }
}
