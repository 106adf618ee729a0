//! The waits under contention, and what they leave behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
};

use super::{Registration, Waiters, block_on, poll_until, until};

/// Every round a waiter and a changer race. A lost wake-up hangs the test.
#[test]
fn no_wake_up_is_lost() {
    const ROUNDS: usize = 20_000;
    let waiters = Arc::new(Waiters::default());
    let there = Arc::new(Waiters::default());
    let turn = Arc::new(AtomicUsize::new(0));
    let changer = {
        let (waiters, there, turn) = (Arc::clone(&waiters), Arc::clone(&there), Arc::clone(&turn));
        thread::spawn(move || {
            for round in 0..ROUNDS {
                block_on(until(&there, || (turn.load(Ordering::Acquire) == 2 * round).then_some(())));
                turn.store(2 * round + 1, Ordering::Release);
                waiters.wake_all();
            }
        })
    };
    for round in 0..ROUNDS {
        block_on(until(&waiters, || (turn.load(Ordering::Acquire) == 2 * round + 1).then_some(())));
        turn.store(2 * round + 2, Ordering::Release);
        there.wake_all();
    }
    changer.join().unwrap();
    assert_eq!((waiters.len(), there.len()), (0, 0));
}

#[test]
fn many_wait_for_one_change() {
    let waiters = Arc::new(Waiters::default());
    let done = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (waiters, done) = (Arc::clone(&waiters), Arc::clone(&done));
            thread::spawn(move || {
                for round in 1..=500 {
                    block_on(until(&waiters, || (done.load(Ordering::Acquire) >= round).then_some(())));
                }
            })
        })
        .collect();
    for round in 1..=500 {
        done.store(round, Ordering::Release);
        waiters.wake_all();
        thread::yield_now();
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(waiters.len(), 0);
}

#[test]
fn a_change_between_check_and_registration_is_seen() {
    let waiters = Waiters::default();
    let mut registration = Registration::default();
    let context = Context::from_waker(Waker::noop());
    let mut looks = 0;
    let poll = poll_until(&waiters, &mut registration, &context, || {
        looks += 1;
        (looks == 2).then_some("changed")
    });
    assert_eq!(poll, Poll::Ready("changed"));
    assert_eq!(waiters.len(), 0);
}

#[test]
fn an_abandoned_wait_leaves_nothing() {
    let waiters = Waiters::default();
    for _ in 0..100 {
        let mut wait = Box::pin(until(&waiters, || None::<()>));
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(waiters.len(), 1);
    }
    assert_eq!(waiters.len(), 0);
}

#[test]
fn a_stale_registration_removes_nobody_else() {
    let waiters = Waiters::default();
    let context = Context::from_waker(Waker::noop());
    let (mut old, mut new) = (Registration::default(), Registration::default());
    assert!(poll_until(&waiters, &mut old, &context, || None::<()>).is_pending());
    waiters.wake_all();
    assert!(poll_until(&waiters, &mut new, &context, || None::<()>).is_pending());
    waiters.forget(&mut old);
    assert_eq!(waiters.len(), 1);
    waiters.forget(&mut new);
    assert_eq!(waiters.len(), 0);
}
