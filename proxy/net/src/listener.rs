//! What the connections of a listener share, over all shards.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// A listener's state, which outlives every configuration that keeps the listener: made once when it is bound, handed
/// to every shard that accepts for it. Routes, limits, timeouts and TLS are not here: connections look them up by
/// [`name`](Self::name) in the shard's current [`Generation`](crate::Generation).
#[derive(Debug)]
pub struct ListenerState {
    name: Arc<str>,
    /// Open connections, over all shards.
    connections: AtomicU32,
    /// The listener was removed: its connections end like those of a draining process.
    draining: AtomicBool,
    /// The time that its connections had for it is over.
    forced: AtomicBool,
}

/// One open connection in its listener's count; dropping it counts it out.
#[derive(Debug)]
pub(crate) struct Admission(Arc<ListenerState>);

impl ListenerState {
    /// A listener that has just been bound.
    pub fn new(name: Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            name,
            connections: AtomicU32::new(0),
            draining: AtomicBool::new(false),
            forced: AtomicBool::new(false),
        })
    }

    /// Its identity across reloads.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Open connections, over all shards.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Says that the listener is gone: connections end after the request they serve. Call
    /// [`Shard::wake`](crate::Shard::wake) on every shard afterwards, so that idle ones notice.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Says that what is left of a listener that is gone is to end now. Followed by
    /// [`Shard::wake`](crate::Shard::wake), as [`drain`](Self::drain).
    pub fn force(&self) {
        self.forced.store(true, Ordering::Relaxed);
    }

    pub(crate) fn forced(&self) -> bool {
        self.forced.load(Ordering::Relaxed)
    }

    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Counts a connection in, unless `limit` are open already.
    pub(crate) fn admit(self: &Arc<Self>, limit: Option<u32>) -> Option<Admission> {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        let admission = Admission(Arc::clone(self));
        limit.is_none_or(|limit| before < limit).then_some(admission)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_frees_with_the_connection() {
        let listener = ListenerState::new("web".into());
        let one = listener.admit(Some(2)).expect("first");
        let two = listener.admit(Some(2)).expect("second");
        assert!(listener.admit(Some(2)).is_none(), "refused beyond the limit");
        assert_eq!(listener.connections(), 2, "and a refused one is not counted");
        drop(one);
        assert!(listener.admit(Some(2)).is_some());
        drop(two);
        assert_eq!(listener.connections(), 0);
    }
}
