//! Requests that wait for a connection.

use super::*;
use std::{
    sync::atomic::AtomicUsize,
    task::{Wake, Waker},
    thread::{self, Thread},
};

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Somebody of this shard who waits.
fn waiter(cluster: &Arc<ClusterState>, shard: u16) -> (Turn, Arc<Woken>) {
    let (mut turn, woken) = (cluster.turn(shard), Arc::<Woken>::default());
    turn.wait(&Waker::from(Arc::clone(&woken)));
    (turn, woken)
}

fn times(woken: &Woken) -> usize {
    woken.0.load(Ordering::SeqCst)
}

#[test]
fn who_came_first_is_woken_first_when_a_connection_ends() {
    let cluster = Arc::<ClusterState>::default();
    let (one, two) =
        (cluster.hold(Limit::Connections, 2).expect("room"), cluster.hold(Limit::Connections, 2));
    assert!(!cluster.is_awaited());
    let (first, second) = (waiter(&cluster, 1), waiter(&cluster, 0));
    drop(one);
    assert_eq!((times(&first.1), times(&second.1)), (1, 0));
    drop(two);
    assert_eq!((times(&first.1), times(&second.1), cluster.is_awaited()), (1, 1, false));
}

#[test]
fn an_idle_connection_is_offered_to_its_own_shard_alone() {
    let cluster = Arc::<ClusterState>::default();
    let (other, own) = (waiter(&cluster, 1), waiter(&cluster, 0));
    assert!(cluster.offer(0));
    assert!(!cluster.offer(0), "nobody of that shard waits any more");
    assert_eq!((times(&other.1), times(&own.1), cluster.is_awaited()), (0, 1, true));
}

#[test]
fn who_gives_up_is_forgotten_and_passes_on_what_it_was_woken_for() {
    let cluster = Arc::<ClusterState>::default();
    let (first, second, third) = (waiter(&cluster, 0), waiter(&cluster, 0), waiter(&cluster, 0));
    drop(second.0);
    assert!(cluster.offer(0));
    drop(first.0);
    assert_eq!((times(&first.1), times(&second.1), times(&third.1)), (1, 0, 1));
    drop(third.0);
    assert!(!cluster.is_awaited());
}

struct Park(Thread);

impl Wake for Park {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A wake-up that is lost would leave a thread behind for ever.
#[test]
fn nobody_is_forgotten_by_threads_that_take_turns() {
    let cluster = Arc::<ClusterState>::default();
    thread::scope(|scope| {
        for shard in 0..4 {
            let cluster = &cluster;
            scope.spawn(move || {
                for _ in 0..2_000 {
                    let mut turn = cluster.turn(shard);
                    let held = loop {
                        if let Some(held) = cluster.hold(Limit::Connections, 2) {
                            break held;
                        }
                        turn.wait(&Waker::from(Arc::new(Park(thread::current()))));
                        if let Some(held) = cluster.hold(Limit::Connections, 2) {
                            break held;
                        }
                        thread::park();
                    };
                    assert!(cluster.in_use(Limit::Connections) <= 2);
                    drop(held);
                }
            });
        }
    });
    assert!(!cluster.is_awaited());
}
