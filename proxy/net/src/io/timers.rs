//! The clock and the timers of a shard: one coarse table, one entry per connection or stream, armed again lazily.
//!
//! A deadline moves with every byte, so moving it later is a store: the table still holds the old moment, and when that
//! comes up the entry is put where it belongs by then. Only an earlier deadline touches the table. One task per shard
//! sleeps until the next occupied moment.

use slab::Slab;
use sluice_core::wheel::Wheel;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
    time::Instant,
};

/// The clock and the timers of one shard.
#[derive(Debug)]
pub(crate) struct Timers {
    /// Set once per wake-up of a task.
    now: Cell<Instant>,
    wheel: RefCell<Wheel>,
    /// By the wheel's keys: whom to wake.
    wakers: RefCell<Slab<Option<Waker>>>,
    sleeper: RefCell<Sleeper>,
}

/// The task that sleeps until the wheel has something to look at.
#[derive(Debug, Default)]
struct Sleeper {
    /// `None` is for ever.
    until: Option<Instant>,
    waker: Option<Waker>,
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
            now: Cell::new(now),
            wheel: RefCell::new(Wheel::new(now)),
            wakers: RefCell::default(),
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
        Timer { timers: Rc::clone(self), key: self.wakers.borrow_mut().insert(None) }
    }

    /// Wakes every task that has a timer: something changed that they all look at (drain).
    pub(crate) fn wake_all(&self) {
        for (_, waker) in &*self.wakers.borrow() {
            if let Some(waker) = waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Wakes tasks whose deadlines have passed, for as long as the shard lives.
    pub(crate) async fn run(timers: Weak<Self>) {
        while let Some(until) = timers.upgrade().map(|timers| timers.fire()) {
            let mut sleep = pin!(async {
                match until {
                    Some(until) => tokio::time::sleep_until(until.into()).await,
                    None => std::future::pending().await,
                }
            });
            poll_fn(|cx| {
                let Some(timers) = timers.upgrade() else { return Poll::Ready(()) };
                let mut sleeper = timers.sleeper.borrow_mut();
                if sleeper.until != until {
                    return Poll::Ready(());
                }
                sleeper.waker = Some(cx.waker().clone());
                sleep.as_mut().poll(cx)
            })
            .await;
        }
    }

    /// Wakes whose deadline has passed; says until when to sleep.
    fn fire(&self) -> Option<Instant> {
        self.look_at_clock();
        let mut wheel = self.wheel.borrow_mut();
        let wakers = self.wakers.borrow();
        wheel.advance(self.now(), |key| {
            if let Some(Some(waker)) = wakers.get(key) {
                waker.wake_by_ref();
            }
        });
        let until = wheel.next();
        self.sleeper.borrow_mut().until = until;
        until
    }
}

impl Timer {
    /// Ready when `deadline` has passed; otherwise the task is woken then. `None` never passes. Each call replaces the
    /// deadline of the one before.
    pub(crate) fn poll_until(&self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let timers = &self.timers;
        if let Some(slot) = timers.wakers.borrow_mut().get_mut(self.key) {
            match slot {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *slot = Some(cx.waker().clone()),
            }
        }
        let mut wheel = timers.wheel.borrow_mut();
        let Some(deadline) = deadline else {
            wheel.cancel(self.key);
            return Poll::Pending;
        };
        if deadline <= timers.now() {
            return Poll::Ready(());
        }
        wheel.arm(self.key, deadline);
        let mut sleeper = timers.sleeper.borrow_mut();
        // The wheel may be late by a tick anyway; so may its sleeper.
        if sleeper.until.is_none_or(|until| until > deadline + Wheel::TICK) {
            sleeper.until = Some(deadline);
            if let Some(waker) = sleeper.waker.take() {
                waker.wake();
            }
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.timers.wheel.borrow_mut().cancel(self.key);
        self.timers.wakers.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::runtime::LocalOptions;

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
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
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
                let _ = timer.poll_until(cx, Some(start + Duration::from_hours(1)));
                timer.poll_until(cx, Some(start + Duration::from_millis(20)))
            })
            .await;
            assert!(start.elapsed() < Duration::from_mins(1));
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
            assert_eq!(timers.wakers.borrow().len(), 0);
            assert_eq!(timers.wheel.borrow().next(), None);
        });
    }
}
