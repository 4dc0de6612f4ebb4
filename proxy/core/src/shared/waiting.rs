//! Who waits for a connection, where a cluster has as many as it may have.
//!
//! A request can go on when a connection of its own shard is idle again, or when any connection has ended. Whoever frees one wakes
//! the first who can use it. The lock is taken only where somebody waits, or is about to.

use super::ClusterState;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering, fence},
    },
    task::Waker,
};

#[derive(Debug, Default)]
pub(super) struct Waiting {
    count: AtomicU32,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    shard: u16,
    waker: Waker,
}

/// A request that may have to wait. Dropped, it waits no more, and whoever it was woken in place of is woken.
#[derive(Debug)]
pub struct Turn {
    cluster: Arc<ClusterState>,
    shard: u16,
    number: Option<u64>,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the first, of this shard where one is named; `false` where there is none.
    fn wake(&self, shard: Option<u16>) -> bool {
        let mut queue = self.lock();
        let first = queue.waiters.iter().position(|waiter| shard.is_none_or(|shard| waiter.shard == shard));
        let Some(waiter) = first.and_then(|first| queue.waiters.remove(first)) else { return false };
        self.count.store(queue.waiters.len() as u32, Ordering::Relaxed);
        drop(queue);
        waiter.waker.wake();
        true
    }

    /// Whether anybody waits. What was freed before is seen by who begins to wait after.
    fn is_awaited(&self) -> bool {
        fence(Ordering::SeqCst);
        self.count.load(Ordering::Relaxed) > 0
    }
}

impl ClusterState {
    /// For a request of this shard that needs a connection.
    pub fn turn(self: &Arc<Self>, shard: u16) -> Turn {
        Turn { cluster: Arc::clone(self), shard, number: None }
    }

    /// Whether a request waits for a connection, so that none should be idle.
    pub fn is_awaited(&self) -> bool {
        self.waiting.is_awaited()
    }

    /// A connection of this shard is idle: wakes a request of the same shard; `false` where none waits there.
    pub fn offer(&self, shard: u16) -> bool {
        self.waiting.wake(Some(shard))
    }

    /// A connection has ended.
    pub(super) fn connection_ended(&self) {
        if self.waiting.is_awaited() {
            self.waiting.wake(None);
        }
    }
}

impl Turn {
    /// Asks to be woken. Whoever asks has to look once more for what it waits for, behind this.
    pub fn wait(&mut self, waker: &Waker) {
        let waiting = &self.cluster.waiting;
        let mut queue = waiting.lock();
        let known = queue.waiters.iter_mut().find(|waiter| Some(waiter.number) == self.number);
        if let Some(known) = known {
            known.waker.clone_from(waker);
            return;
        }
        let number = queue.next;
        queue.next += 1;
        queue.waiters.push_back(Waiter { number, shard: self.shard, waker: waker.clone() });
        waiting.count.store(queue.waiters.len() as u32, Ordering::Relaxed);
        self.number = Some(number);
        drop(queue);
        fence(Ordering::SeqCst);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let waiting = &self.cluster.waiting;
        let mut queue = waiting.lock();
        let place = queue.waiters.iter().position(|waiter| waiter.number == number);
        if let Some(place) = place {
            queue.waiters.remove(place);
            waiting.count.store(queue.waiters.len() as u32, Ordering::Relaxed);
        } else {
            // It was woken. Where it did not take what was free, the next one may.
            drop(queue);
            waiting.wake(None);
        }
    }
}
