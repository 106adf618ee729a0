//! The budget: order, cancellation, contention.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use super::{Budget, NoRoom};
use crate::wait::block_on;

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn serves_in_order_and_a_small_one_does_not_overtake() {
    let budget = Arc::new(Budget::new(100));
    assert!(budget.try_take(90));
    let mut large = budget.take(50);
    let mut small = budget.take(5);
    assert!(poll(&mut large).is_pending());
    assert!(poll(&mut small).is_pending());
    assert!(!budget.try_take(1), "nobody overtakes the queue");
    budget.give_back(30);
    assert!(poll(&mut small).is_pending());
    budget.give_back(10);
    assert_eq!(poll(&mut large), Poll::Ready(Ok(())));
    assert!(poll(&mut small).is_pending());
    budget.give_back(50);
    assert_eq!(poll(&mut small), Poll::Ready(Ok(())));
    assert_eq!(budget.taken(), 55);
}

#[test]
fn a_dropped_wait_gives_its_place_and_its_grant_to_the_next() {
    let budget = Arc::new(Budget::new(10));
    assert!(budget.try_take(10));
    let mut first = budget.take(10);
    let mut second = budget.take(10);
    assert!(poll(&mut first).is_pending());
    assert!(poll(&mut second).is_pending());
    budget.give_back(10);
    drop(first);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(())));
    drop(second);
    assert_eq!(budget.taken(), 10, "what was handed over stays taken until it is given back");
}

#[test]
fn asks_that_can_never_be_met_fail_at_once() {
    let budget = Arc::new(Budget::new(10));
    assert_eq!(poll(&mut budget.take(11)), Poll::Ready(Err(NoRoom::Never)));
    budget.close(&mut Vec::new());
    assert_eq!(poll(&mut budget.take(1)), Poll::Ready(Err(NoRoom::Closed)));
}

#[test]
fn contended_by_threads_nothing_is_lost() {
    let budget = Arc::new(Budget::new(7));
    let threads: Vec<_> = (0..6)
        .map(|worker| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || {
                for round in 0..2_000 {
                    let bytes = 1 + (worker + round) % 7;
                    block_on(budget.take(bytes)).unwrap();
                    assert!(budget.taken() <= 7);
                    budget.give_back(bytes);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(budget.taken(), 0);
}
