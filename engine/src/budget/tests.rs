//! The budget: order, cancellation, contention.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use klamm_core::Instant;

use super::{Budget, NoRoom};
use crate::wait::block_on;

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn serves_in_order_and_a_small_one_does_not_overtake() {
    let budget = Arc::new(Budget::new(100));
    assert!(budget.try_take(90));
    let mut large = budget.take(50, Instant::MAX);
    let mut small = budget.take(5, Instant::MAX);
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
    let mut first = budget.take(10, Instant::MAX);
    let mut second = budget.take(10, Instant::MAX);
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
    assert_eq!(poll(&mut budget.take(11, Instant::MAX)), Poll::Ready(Err(NoRoom::Never)));
    budget.close(&mut Vec::new());
    assert_eq!(poll(&mut budget.take(1, Instant::MAX)), Poll::Ready(Err(NoRoom::Closed)));
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
                    block_on(budget.take(bytes, Instant::MAX)).unwrap();
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

#[test]
fn a_wait_ends_at_its_deadline_and_those_behind_it_go_on() {
    let budget = Arc::new(Budget::new(10));
    assert!(budget.try_take(8));
    let mut large = budget.take(5, Instant::from_millis(100));
    let mut late = budget.take(5, Instant::from_millis(200));
    let mut small = budget.take(2, Instant::from_millis(300));
    assert!(poll(&mut large).is_pending());
    assert!(poll(&mut late).is_pending());
    assert!(poll(&mut small).is_pending());
    assert_eq!(budget.next_deadline(), Some(Instant::from_millis(100)));
    let mut wakers = Vec::new();
    budget.expire(Instant::from_millis(99), &mut wakers);
    assert!(wakers.is_empty(), "nothing is due");
    budget.expire(Instant::from_millis(200), &mut wakers);
    assert_eq!(wakers.len(), 3, "two gave up, and the third has its room");
    assert_eq!(poll(&mut large), Poll::Ready(Err(NoRoom::TimedOut)));
    assert_eq!(poll(&mut late), Poll::Ready(Err(NoRoom::TimedOut)));
    assert_eq!(poll(&mut small), Poll::Ready(Ok(())));
    assert_eq!(budget.taken(), 10, "who gave up holds nothing");
    budget.expire(Instant::from_millis(400), &mut wakers);
    assert_eq!(budget.next_deadline(), None);
}

#[test]
fn a_grant_that_was_not_fetched_does_not_expire() {
    let budget = Arc::new(Budget::new(10));
    assert!(budget.try_take(10));
    let mut wait = budget.take(10, Instant::from_millis(100));
    assert!(poll(&mut wait).is_pending());
    budget.give_back(10);
    budget.expire(Instant::from_millis(500), &mut Vec::new());
    assert_eq!(poll(&mut wait), Poll::Ready(Ok(())));
}
