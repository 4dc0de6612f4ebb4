//! The clock and the timers of a shard: one coarse table, one entry per connection or stream, armed again lazily.
//!
//! A deadline moves with every byte, so moving it later is a store: the table still holds the old moment, and when that
//! comes up the entry is put where it belongs by then. Only an earlier deadline touches the table. One task per shard
//! sleeps until the next occupied moment.

use slab::Slab;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// How late a timer may be. Deadlines within one of these come up together.
const TICK: Duration = Duration::from_millis(16);

/// The clock and the timers of one shard.
#[derive(Debug)]
pub(crate) struct Timers {
    start: Instant,
    /// Set once per wake-up of a task.
    now: Cell<Instant>,
    entries: RefCell<Slab<Entry>>,
    /// Entries by the tick at which they come up; each armed entry stands in exactly one place.
    due: RefCell<BTreeMap<u64, Vec<usize>>>,
    /// Vectors of `due` that are empty again.
    spare: RefCell<Vec<Vec<usize>>>,
    /// The task that sleeps until the first tick of `due`.
    sleeper: RefCell<Option<Waker>>,
}

#[derive(Debug, Default)]
struct Entry {
    deadline: Option<Instant>,
    /// Where it stands in `due`.
    tick: Option<u64>,
    waker: Option<Waker>,
    /// The timer is gone; the entry goes when its place comes up.
    dropped: bool,
}

/// One task's timer. A task needs only one: it waits for the earliest of its deadlines.
#[derive(Debug)]
pub(crate) struct Timer {
    timers: Rc<Timers>,
    key: usize,
}

impl Timers {
    pub(crate) fn new(now: Instant) -> Rc<Self> {
        Rc::new(Self {
            start: now,
            now: Cell::new(now),
            entries: RefCell::default(),
            due: RefCell::default(),
            spare: RefCell::default(),
            sleeper: RefCell::default(),
        })
    }

    /// The time of the current wake-up.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// Reads the clock; every task does so first thing when it is woken.
    pub(crate) fn look_at_clock(&self) {
        self.now.set(Instant::now());
    }

    /// A timer that is not armed.
    pub(crate) fn timer(self: &Rc<Self>) -> Timer {
        Timer { timers: Rc::clone(self), key: self.entries.borrow_mut().insert(Entry::default()) }
    }

    /// Wakes every task that has a timer: something changed that they all look at (drain).
    pub(crate) fn wake_all(&self) {
        for (_, entry) in &*self.entries.borrow() {
            if let Some(waker) = &entry.waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Wakes tasks whose deadlines have passed, for as long as the shard lives.
    pub(crate) async fn run(timers: Weak<Self>) {
        loop {
            let Some(next) = timers.upgrade().map(|timers| timers.fire()) else { return };
            let sleep = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            let mut sleep = std::pin::pin!(sleep);
            std::future::poll_fn(|cx| {
                let Some(timers) = timers.upgrade() else { return Poll::Ready(()) };
                // Something earlier came in, or the time is there.
                if timers.first() != next {
                    return Poll::Ready(());
                }
                *timers.sleeper.borrow_mut() = Some(cx.waker().clone());
                drop(timers);
                sleep.as_mut().poll(cx)
            })
            .await;
        }
    }

    /// Wakes what is due; says when the next is.
    fn fire(&self) -> Option<Instant> {
        self.look_at_clock();
        loop {
            let mut due = self.due.borrow_mut();
            let first = due.first_entry()?;
            let at = self.moment(*first.key());
            if at > self.now() {
                return Some(at);
            }
            let mut keys = first.remove();
            drop(due);
            for key in keys.drain(..) {
                self.come_up(key);
            }
            self.spare.borrow_mut().push(keys);
        }
    }

    fn come_up(&self, key: usize) {
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = entries.get_mut(key) else { return };
        entry.tick = None;
        if entry.dropped {
            entries.remove(key);
            return;
        }
        match entry.deadline {
            Some(deadline) if deadline > self.now() => self.enter(key, entry, deadline),
            Some(_) => {
                if let Some(waker) = &entry.waker {
                    waker.wake_by_ref();
                }
            }
            None => {}
        }
    }

    fn enter(&self, key: usize, entry: &mut Entry, deadline: Instant) {
        let tick = self.tick(deadline);
        entry.tick = Some(tick);
        let mut due = self.due.borrow_mut();
        let earliest = due.first_key_value().is_none_or(|(first, _)| tick < *first);
        due.entry(tick).or_insert_with(|| self.spare.borrow_mut().pop().unwrap_or_default()).push(key);
        if earliest && let Some(sleeper) = self.sleeper.borrow_mut().take() {
            sleeper.wake();
        }
    }

    /// The first tick that is not before the deadline.
    fn tick(&self, deadline: Instant) -> u64 {
        let since = deadline.saturating_duration_since(self.start).as_nanos();
        u64::try_from(since.div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
    }

    fn moment(&self, tick: u64) -> Instant {
        let since = Duration::from_millis(tick.saturating_mul(TICK.as_millis() as u64));
        self.start.checked_add(since).unwrap_or_else(|| self.now() + Duration::from_hours(24))
    }

    fn first(&self) -> Option<Instant> {
        self.due.borrow().first_key_value().map(|(tick, _)| self.moment(*tick))
    }
}

impl Timer {
    /// Ready when `deadline` has passed; otherwise the task is woken then. `None` never passes. Each call replaces the
    /// deadline of the one before.
    pub(crate) fn poll_until(&self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let timers = &self.timers;
        let mut entries = timers.entries.borrow_mut();
        let Some(entry) = entries.get_mut(self.key) else { return Poll::Pending };
        entry.deadline = deadline;
        match &mut entry.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => entry.waker = Some(cx.waker().clone()),
        }
        let Some(deadline) = deadline else { return Poll::Pending };
        if deadline <= timers.now() {
            return Poll::Ready(());
        }
        match entry.tick {
            Some(tick) if tick <= timers.tick(deadline) => {}
            Some(tick) => {
                if let Some(keys) = timers.due.borrow_mut().get_mut(&tick) {
                    keys.retain(|key| *key != self.key);
                }
                timers.enter(self.key, entry, deadline);
            }
            None => timers.enter(self.key, entry, deadline),
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut entries = self.timers.entries.borrow_mut();
        if let Some(entry) = entries.get_mut(self.key) {
            if entry.tick.is_none() {
                entries.remove(self.key);
            } else {
                entry.dropped = true;
                entry.waker = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn sleep(timers: &Rc<Timers>, millis: u64) -> u128 {
        let timer = timers.timer();
        let start = Instant::now();
        let deadline = start + Duration::from_millis(millis);
        poll_fn(|cx| {
            timers.look_at_clock();
            timer.poll_until(cx, Some(deadline))
        })
        .await;
        start.elapsed().as_millis()
    }

    fn run<T>(test: impl AsyncFnOnce(Rc<Timers>) -> T) -> T {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default());
        runtime.expect("runtime").block_on(async {
            let timers = Timers::new(Instant::now());
            tokio::task::spawn_local(Timers::run(Rc::downgrade(&timers)));
            test(timers).await
        })
    }

    #[test]
    fn a_timer_is_never_early_and_an_earlier_one_overtakes() {
        run(async |timers| {
            let other = Rc::clone(&timers);
            let late = tokio::task::spawn_local(async move { sleep(&other, 120).await });
            tokio::task::yield_now().await;
            assert!((30..100).contains(&sleep(&timers, 30).await));
            assert!(late.await.expect("late") >= 120);
        });
    }

    #[test]
    fn a_deadline_that_moves_later_does_not_touch_the_table() {
        run(async |timers| {
            let timer = timers.timer();
            let start = Instant::now();
            let mut polls = 0;
            poll_fn(|cx| {
                timers.look_at_clock();
                polls += 1;
                if polls == 1 {
                    assert!(timer.poll_until(cx, Some(start + Duration::from_millis(20))).is_pending());
                }
                timer.poll_until(cx, Some(start + Duration::from_millis(60)))
            })
            .await;
            assert!(start.elapsed() >= Duration::from_millis(60));
            assert_eq!(polls, 2, "the old moment passed without a wake-up");
        });
    }

    #[test]
    fn a_deadline_that_moves_earlier_is_kept() {
        run(async |timers| {
            let timer = timers.timer();
            let start = Instant::now();
            poll_fn(|cx| {
                timers.look_at_clock();
                let _ = timer.poll_until(cx, Some(start + Duration::from_secs(3600)));
                timer.poll_until(cx, Some(start + Duration::from_millis(20)))
            })
            .await;
            assert!(start.elapsed() < Duration::from_secs(60));
        });
    }

    #[test]
    fn dropped_timers_leave_nothing_behind() {
        run(async |timers| {
            for _ in 0..100 {
                let timer = timers.timer();
                poll_fn(|cx| {
                    let _ = timer.poll_until(cx, Some(timers.now() + Duration::from_millis(1)));
                    Poll::Ready(())
                })
                .await;
            }
            sleep(&timers, 40).await;
            assert_eq!(timers.entries.borrow().len(), 0);
            assert!(timers.due.borrow().is_empty());
        });
    }
}
