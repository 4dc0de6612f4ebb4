//! Which idle upstream connection a request may ride, and how long idle ones are kept.
//!
//! The pool decides and never touches a socket: it is generic over the handle `C`, time is an argument, and whether a
//! handle is still usable is asked of the caller. One pool belongs to one shard and one upstream identity (endpoint
//! address, TLS identity, protocol); nothing is shared.
//!
//! The connection that was used last is used next: its buffers and congestion window are warm, and the surplus ages
//! out at the other end.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The bounds of a pool; from `spec::KeepAlive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Idle connections that are kept; 0 keeps none.
    pub max_idle: usize,
    /// How long an idle connection is kept; `None` is for ever.
    pub idle_timeout: Option<Duration>,
    /// Requests on one connection before it is closed; `None` is no limit.
    pub max_requests: Option<u32>,
}

/// Which idle connections a request may ride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Any that is open: the request can be sent again should the upstream have closed it in the meantime.
    Any,
    /// Only one that was idle for less than this. The request must not be sent twice, and the shorter the pause the
    /// less likely is a FIN on its way.
    IdleLessThan(Duration),
    /// None: the request needs a connection of its own (an upgrade), or reuse is off.
    Fresh,
}

/// A connection that is lent to a request.
#[derive(Debug)]
pub struct Lease<C> {
    /// The connection.
    pub connection: C,
    /// Requests that it has carried, the one it is lent for included.
    pub requests: u32,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    requests: u32,
    since: Instant,
}

/// Idle connections to one upstream identity.
#[derive(Debug)]
pub struct Pool<C> {
    /// Oldest first.
    idle: VecDeque<Idle<C>>,
    limits: Limits,
}

// === impl Lease ===

impl<C> Lease<C> {
    /// A connection that was just made.
    pub const fn fresh(connection: C) -> Self {
        Self { connection, requests: 1 }
    }
}

// === impl Pool ===

impl<C> Pool<C> {
    /// An empty pool.
    pub const fn new(limits: Limits) -> Self {
        Self { idle: VecDeque::new(), limits }
    }

    /// New bounds after a reload. Connections beyond them are handed back, to be closed.
    pub fn set_limits(&mut self, limits: Limits) -> impl Iterator<Item = C> {
        self.limits = limits;
        let surplus = self.idle.len().saturating_sub(limits.max_idle);
        self.idle.drain(..surplus).map(|idle| idle.connection)
    }

    /// Takes the connection that became idle last and fits. `open` is asked whether it is still usable (no FIN and no
    /// stray byte has arrived); those that are not, and those that have timed out on the way, go to `closed`.
    pub fn take(
        &mut self,
        now: Instant,
        reuse: Reuse,
        mut open: impl FnMut(&mut C) -> bool,
        mut closed: impl FnMut(C),
    ) -> Option<Lease<C>> {
        let within = match reuse {
            Reuse::Any => Duration::MAX,
            Reuse::IdleLessThan(within) => within,
            Reuse::Fresh => return None,
        };
        while let Some(newest) = self.idle.back() {
            let age = now.saturating_duration_since(newest.since);
            let expired = self.limits.idle_timeout.is_some_and(|timeout| age >= timeout);
            if !expired && age >= within {
                return None;
            }
            let Idle { mut connection, requests, .. } = self.idle.pop_back()?;
            if !expired && open(&mut connection) {
                return Some(Lease { connection, requests: requests.saturating_add(1) });
            }
            closed(connection);
        }
        None
    }

    /// Takes a connection back after a whole, undoubted exchange. What comes back is to be closed: the connection
    /// itself when it has served enough requests or none are kept, or the one that was idle longest.
    #[must_use = "the connection that comes back is to be closed"]
    pub fn put(&mut self, now: Instant, lease: Lease<C>) -> Option<C> {
        let worn = self.limits.max_requests.is_some_and(|most| lease.requests >= most);
        if worn || self.limits.max_idle == 0 {
            return Some(lease.connection);
        }
        let oldest = if self.idle.len() >= self.limits.max_idle { self.idle.pop_front() } else { None };
        self.idle.push_back(Idle { connection: lease.connection, requests: lease.requests, since: now });
        oldest.map(|idle| idle.connection)
    }

    /// Drops what has timed out or is no longer open; meant for a sweep every second or so.
    pub fn sweep(&mut self, now: Instant, mut open: impl FnMut(&mut C) -> bool, mut closed: impl FnMut(C)) {
        let timeout = self.limits.idle_timeout;
        for _ in 0..self.idle.len() {
            let Some(mut idle) = self.idle.pop_front() else { return };
            let age = now.saturating_duration_since(idle.since);
            if timeout.is_some_and(|timeout| age >= timeout) || !open(&mut idle.connection) {
                closed(idle.connection);
            } else {
                self.idle.push_back(idle);
            }
        }
    }

    /// Gives up the one that was idle longest, to be closed: its room is needed.
    pub fn take_oldest(&mut self) -> Option<C> {
        self.idle.pop_front().map(|idle| idle.connection)
    }

    /// Idle connections.
    pub fn len(&self) -> usize {
        self.idle.len()
    }

    /// Whether there is no idle connection.
    pub fn is_empty(&self) -> bool {
        self.idle.is_empty()
    }

    /// Gives all connections up, to be closed: the endpoint is gone, or the process ends.
    pub fn drain(&mut self) -> impl Iterator<Item = C> {
        self.idle.drain(..).map(|idle| idle.connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { max_idle: 2, idle_timeout: Some(Duration::from_secs(10)), max_requests: Some(3) };

    fn take(pool: &mut Pool<u32>, now: Instant, reuse: Reuse) -> Option<u32> {
        pool.take(now, reuse, |_| true, |_| {}).map(|lease| lease.connection)
    }

    #[test]
    fn the_last_one_used_is_used_next_and_the_oldest_makes_room() {
        let now = Instant::now();
        let mut pool = Pool::new(LIMITS);
        assert_eq!(pool.put(now, Lease::fresh(1)), None);
        assert_eq!(pool.put(now, Lease::fresh(2)), None);
        assert_eq!(pool.put(now, Lease::fresh(3)), Some(1));
        assert_eq!(take(&mut pool, now, Reuse::Any), Some(3));
        assert_eq!(take(&mut pool, now, Reuse::Any), Some(2));
        assert_eq!(take(&mut pool, now, Reuse::Any), None);
    }

    #[test]
    fn what_must_not_be_sent_twice_rides_only_a_short_pause() {
        let now = Instant::now();
        let mut pool = Pool::new(LIMITS);
        let within = Reuse::IdleLessThan(Duration::from_secs(1));
        assert_eq!(pool.put(now, Lease::fresh(1)), None);
        assert_eq!(take(&mut pool, now + Duration::from_secs(1), within), None);
        assert_eq!(take(&mut pool, now + Duration::from_millis(999), Reuse::Fresh), None);
        assert_eq!(take(&mut pool, now + Duration::from_millis(999), within), Some(1));
    }

    #[test]
    fn closed_and_timed_out_connections_are_never_lent() {
        let now = Instant::now();
        let mut pool = Pool::new(LIMITS);
        let mut closed = Vec::new();
        assert_eq!(pool.put(now, Lease::fresh(1)), None);
        assert_eq!(pool.put(now + Duration::from_secs(5), Lease::fresh(2)), None);
        let later = now + Duration::from_secs(11);
        let lease =
            pool.take(later, Reuse::Any, |connection| *connection != 2, |connection| closed.push(connection));
        assert!(lease.is_none());
        assert_eq!(closed, [2, 1]);
    }

    #[test]
    fn a_sweep_keeps_the_order_of_what_stays() {
        let now = Instant::now();
        let mut pool = Pool::new(Limits { max_idle: 9, ..LIMITS });
        for connection in 1..=4 {
            assert_eq!(pool.put(now + Duration::from_secs(connection), Lease::fresh(connection)), None);
        }
        let mut closed = Vec::new();
        pool.sweep(
            now + Duration::from_secs(11),
            |connection| *connection != 3,
            |connection| closed.push(connection),
        );
        assert_eq!(closed, [1, 3]);
        assert_eq!(pool.drain().collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn a_worn_connection_is_not_kept() {
        let now = Instant::now();
        let mut pool = Pool::new(LIMITS);
        assert_eq!(pool.put(now, Lease { connection: 1, requests: 2 }), None);
        let Some(lease) = pool.take(now, Reuse::Any, |_| true, |_| {}) else { panic!("nothing was kept") };
        assert_eq!(lease.requests, 3);
        assert_eq!(pool.put(now, lease), Some(1));
    }
}
